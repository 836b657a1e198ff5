"""Reads PDFs in the process of the test."""

import msgspec

from llx_mcp.evidence.pages import SourcePage
from llx_mcp.pdf.child import run
from llx_mcp.pdf.frames import END, PAGES, TEXT


def read_pages(pdf: bytes, *, max_pages: int = 100) -> list[SourcePage]:
    """Read the pages of a PDF, none of which may be left out."""
    pages, reason = read_some_pages(pdf, max_pages=max_pages)
    assert reason == ""
    return pages


def read_some_pages(pdf: bytes, *, max_pages: int = 100) -> tuple[list[SourcePage], str]:
    """Read the pages of a PDF, and return why some are left out."""
    (kind, _, _), *texts, (last, _, reason) = run("read", pdf, [max_pages])
    assert (kind, last) == (PAGES, END), reason
    assert {kind for kind, _, _ in texts} <= {TEXT}
    return [msgspec.msgpack.decode(content, type=SourcePage) for _, _, content in texts], reason.decode()
