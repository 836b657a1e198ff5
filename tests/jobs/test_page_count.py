"""Pages are counted where that is cheap; elsewhere their number is not known."""

from pathlib import Path

import fpdf
import pytest

from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.local_documents import build_web_document, read_document
from llx_mcp.jobs.page_count import PageCount, PageCounter
from llx_mcp.pdf.processes import PdfProcesses
from tests.jobs.creating import copy_invoice


async def count(folder: Path, name: str) -> PageCount:
    """Return what is known of the pages of a file in a folder."""
    processes = PdfProcesses()
    try:
        return await PageCounter(processes, (folder,)).count(read_document(name, (folder,)))
    finally:
        await processes.close()


async def test_pages_of_a_pdf_and_of_a_picture_are_counted(tmp_path: Path) -> None:
    copy_invoice(tmp_path)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert await count(tmp_path, "invoice.pdf") == PageCount(2)
    assert await count(tmp_path, "a.png") == PageCount(1)


@pytest.mark.parametrize(("name", "content"), [("a.txt", b"text"), ("a.docx", b"PK\x03\x04")])
async def test_number_of_pages_of_other_files_is_not_known(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert await count(tmp_path, name) == PageCount(None)


async def test_pdf_that_cannot_be_opened_is_damaged(tmp_path: Path) -> None:
    path = copy_invoice(tmp_path)
    path.write_bytes(path.read_bytes()[:2_000])
    assert await count(tmp_path, path.name) == PageCount(None, is_damaged=True)


async def test_pdf_with_a_password_is_refused(tmp_path: Path) -> None:
    document = fpdf.FPDF()
    document.add_page()
    document.set_encryption("owner", "user")
    (tmp_path / "locked.pdf").write_bytes(bytes(document.output()))
    with pytest.raises(ArgumentError, match=r'^file: "locked\.pdf" is protected by a password'):
        await count(tmp_path, "locked.pdf")
    content = (tmp_path / "locked.pdf").read_bytes()
    of_the_web = build_web_document("https://example.com/locked.pdf", "locked.pdf", "", content)
    processes = PdfProcesses()
    try:
        with pytest.raises(ArgumentError, match=r'^url: "locked\.pdf" is protected by a password'):
            await PageCounter(processes, ()).count(of_the_web)
    finally:
        await processes.close()
