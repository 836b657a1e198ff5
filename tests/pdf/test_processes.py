"""pdfium runs in a process of its own: whatever a document does there, the caller gets its text, or a reason."""

import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import fpdf
import pytest

from llx_mcp.evidence.pages import SourceText
from llx_mcp.local.samples import SAMPLES, read_document
from llx_mcp.pdf import processes
from llx_mcp.pdf.processes import MAX_PROCESSES, PdfError, PdfProcesses
from llx_mcp.turns import TurnQueue
from tests.pdf_files import build_heavy_pdf, build_pages, build_text_pdf, write_lines
from tests.platforms import HAS_PROC
from tests.processes import list_children
from tests.waiting import until

A4 = b"/MediaBox[0 0 600 800]"
INVOICE = read_document(SAMPLES[0])
# What a process of a test sends: that there are three pages, and then one of them.
_ONE_PAGE = (
    "import os, sys, time; from llx_mcp.pdf.frames import *; from llx_mcp.pdf.text_reading import _encode\n"
    "def send(kind, number, content=b''):\n"
    "    sys.stdout.buffer.write(HEADER.pack(kind, number) + content)\n"
    "    sys.stdout.buffer.flush()\n"
    "sys.stdin.buffer.read()\n"
    "page = _encode({{'number': 1, 'words': ['kept'], 'line_starts': [0]}})\n"
)
_START = "send(PAGES, 3); send(TEXT, len(page), page)\n"


@pytest.fixture
def replace_child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the code of the process, after what it needs to send frames."""

    def replace(code: str) -> None:
        monkeypatch.setattr(processes, "_START_CODE", "import sys; sys.path[:] = {path!r}\n" + _ONE_PAGE + code)

    return replace


async def read(content: bytes, *, total_seconds: float = 120, page_seconds: float = 60) -> SourceText:
    """Read a document with more time than it needs."""
    return await PdfProcesses().read_text(content, total_seconds=total_seconds, page_seconds=page_seconds)


async def read_or_explain(content: bytes) -> SourceText:
    """Read a document, and return the reason as its problem if it cannot be read."""
    try:
        return await read(content)
    except PdfError as exc:
        return SourceText(problem=str(exc))


def encrypt(user_password: str, method: str = "RC4") -> bytes:
    """Return an encrypted PDF with a word."""
    document = fpdf.FPDF()
    document.add_page()
    document.set_font("helvetica")
    document.cell(text="secret")
    document.set_encryption("owner", user_password, encryption_method=fpdf.enums.EncryptionMethod[method])
    return bytes(document.output())


async def test_pages_of_a_document_are_read() -> None:
    text = await read(INVOICE)
    assert (text.origin, text.problem, text.box_of) == ("document", "", "word")
    assert [page.number for page in text.pages] == [1, 2]
    assert text.pages[0].words[:3] == ["Nordlicht", "Instruments", "GmbH"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "it is empty"),
     (b"\x89PNG\r\n\x1a\n", "it is not a PDF"),
     (b"PK\x03\x04" + b"\0" * 2_000 + b"%PDF-1.7", "it is not a PDF"),
     (b"%PDF-1.7\n", "it is damaged"),
     (INVOICE[:2_000], "it is damaged"),
     (encrypt("user"), "it is encrypted and needs a password")],
    ids=["empty", "picture", "archive", "header", "half", "encrypted"],
)  # fmt: skip
async def test_document_that_cannot_be_opened_is_an_error(content: bytes, reason: str) -> None:
    with pytest.raises(PdfError, match=f"^The document cannot be read: {reason}$"):
        await read(content)


async def test_encrypted_document_that_anyone_may_open_is_read() -> None:
    assert (await read(encrypt(""))).pages[0].words == ["secret"]


async def test_document_that_is_too_large_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MAX_DOCUMENT_BYTES", 1 << 20)
    with pytest.raises(PdfError, match="it has more than 1 MB"):
        await read(b"%PDF-1.7" + bytes(1 << 20))


async def test_scanned_document_has_a_problem() -> None:
    text = await read(build_text_pdf(b"0 0 100 100 re f", b"0 0 200 200 re f"))
    assert text.problem == "no text layer: the page may be scanned"
    assert [(page.words, page.width) for page in text.pages] == [([], 600), ([], 600)]


async def test_pages_beyond_the_limit_are_said_to_be_missing() -> None:
    text = await read(build_pages([(write_lines("a page"), A4)] * 10_001))
    assert len(text.pages) == 10_000
    assert {page.problem for page in text.pages[:2_000]} == {""}
    assert {page.problem for page in text.pages[2_000:]} == {"not read: only the first 2,000 pages are"}
    assert text.problem == ""


@pytest.mark.parametrize("seed", range(25))
async def test_damaged_document_gives_text_or_an_error(seed: int) -> None:
    generator = random.Random(seed)
    content = bytearray(INVOICE)
    for _ in range(generator.choice((1, 10, 100, 1_000))):
        content[generator.randrange(len(content))] = generator.randrange(256)
    text = await read_or_explain(bytes(content[: generator.choice((len(content), len(content) // 2))]))
    assert text.pages or text.problem.startswith("The document cannot be read: ")
    assert all(len(page.words) == len(page.boxes) for page in text.pages)


@pytest.mark.parametrize(
    "content",
    [build_text_pdf(b"0 0 m 10 10 l S " * 1_000_000 + write_lines("text")),
     build_text_pdf(write_lines("text"), attributes=b"/MediaBox[0 0 30000 30000]"),
     build_text_pdf(write_lines("text") + write_lines(*["abcd " * 4_000] * 50)),
     build_text_pdf(b"q " * 1_000_000 + write_lines("text")),
     build_pages([(write_lines("text"), A4)], tree=b"/Kids[2 0 R 6 0 R]/Count 2"),
     build_pages([(write_lines("text"), A4)], tree=b"/Kids[6 0 R]/Count 1000000000"),
     build_text_pdf(write_lines("text") + b" /X Do", streams=[
         (b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X 5 0 R>>>>", b"/X Do " * 2)])],
    ids=["paths", "large page", "characters", "states", "tree in itself", "page count", "form in itself"],
)  # fmt: skip
async def test_hostile_document_gives_text_or_an_error(content: bytes) -> None:
    text = await read_or_explain(content)
    assert text.problem.startswith("The document cannot be read: ") or any(
        "text" in page.words[:1] or page.problem for page in text.pages
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
async def test_document_that_needs_too_much_memory_is_an_error() -> None:
    contents = b"/Contents[%b]" % (b"5 0 R " * 16)
    bomb = build_text_pdf(b"", attributes=A4 + contents, streams=[(b"", b" " * (128 << 20))])
    with pytest.raises(PdfError, match="page 1 needs too much memory or time"):
        await read(bomb)


async def test_process_that_dies_before_the_first_page_is_an_error(replace_child: Callable[[str], None]) -> None:
    for code in ("", "send(PAGES, 3)\n"):
        replace_child(code)
        with pytest.raises(PdfError, match="page 1 needs too much memory or time"):
            await read(INVOICE)


async def test_process_that_hangs_before_the_first_page_is_an_error(replace_child: Callable[[str], None]) -> None:
    replace_child("time.sleep(600)")
    with pytest.raises(PdfError, match="page 1 was not read within the time limit"):
        await read(INVOICE, page_seconds=1)


@pytest.mark.parametrize(
    ("code", "page_seconds", "total_seconds", "problem"),
    [("", 60, 60, "page 2 needs too much memory or time"),
     ("time.sleep(600)", 2, 60, "page 2 was not read within the time limit"),
     ("time.sleep(600)", 60, 2, "page 2 was not read within the time limit")],
    ids=["dies", "page takes too long", "document takes too long"],
)  # fmt: skip
async def test_pages_read_so_far_are_kept(
    code: str, page_seconds: float, total_seconds: float, problem: str, replace_child: Callable[[str], None]
) -> None:
    replace_child(_START + code)
    text = await read(INVOICE, page_seconds=page_seconds, total_seconds=total_seconds)
    assert [page.words for page in text.pages] == [["kept"], [], []]
    assert [page.problem for page in text.pages] == ["", f"not read: {problem}", f"not read: {problem}"]
    assert text.problem == ""


async def test_process_that_has_sent_everything_may_end_by_itself(
    replace_child: Callable[[str], None], tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    replace_child(f"send(PAGES, 1); send(TEXT, len(page), page); send(END, 0)\nopen({str(ended)!r}, 'w').close()")
    await read(INVOICE)
    assert ended.exists()


async def test_frame_that_is_too_large_is_an_error(replace_child: Callable[[str], None]) -> None:
    replace_child("send(PAGES, 3); send(TEXT, 1 << 40)\ntime.sleep(600)")
    with pytest.raises(PdfError, match="a page has too much content"):
        await read(INVOICE)


async def test_process_gets_no_key(replace_child: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-secret")
    replace_child("names = repr(dict(os.environ)).encode(); send(PAGES, 1); send(END, len(names), names)")
    with pytest.raises(PdfError) as caught:
        await read(INVOICE)
    assert "llx-" not in str(caught.value)
    assert "LLAMA" not in str(caught.value)


async def test_process_imports_only_its_siblings(replace_child: Callable[[str], None]) -> None:
    replace_child(
        "import llx_mcp.pdf.child; names = [name for name in sys.modules if name.startswith('llx_mcp')]\n"
        "names = ' '.join(names).encode()\n"
        "send(PAGES, 1); send(END, len(names), names)"
    )
    with pytest.raises(PdfError) as caught:
        await read(INVOICE)
    names = str(caught.value).removeprefix("The document cannot be read: ").split()
    assert {"llx_mcp", "llx_mcp.pdf", "llx_mcp.pdf.child"} < set(names)
    assert all(name == "llx_mcp" or name.startswith("llx_mcp.pdf") for name in names)


@HAS_PROC
async def test_cancelled_reading_ends_its_process(replace_child: Callable[[str], None]) -> None:
    replace_child(_START + "time.sleep(600)")
    pdfs = PdfProcesses()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pdfs.read_text, INVOICE)
            await until(lambda: bool(list_children()))
            tasks.cancel_scope.cancel()
    assert not list_children()


@HAS_PROC
async def test_closing_ends_all_processes_and_starts_no_other(replace_child: Callable[[str], None]) -> None:
    replace_child("time.sleep(600)")
    pdfs = PdfProcesses()
    errors: list[str] = []

    async def expect_error() -> None:
        with pytest.raises(PdfError) as caught:
            await pdfs.read_text(INVOICE, page_seconds=60, total_seconds=60)
        errors.append(str(caught.value))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(expect_error)
            await until(lambda: len(list_children()) >= 2)
            await pdfs.close()
    assert not list_children()
    # A process that has just been started may end before or after it gets its document.
    killed, stopped = "page 1 needs too much memory or time", "the server is stopping"
    assert {error.partition(": ")[2] for error in errors} <= {killed, stopped}
    assert sum(stopped in error for error in errors) >= 2


async def test_text_is_read_while_a_heavy_page_is_drawn() -> None:
    pdfs = PdfProcesses()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:

            async def draw() -> None:
                await pdfs.draw(build_heavy_pdf(), 0, 0, lambda *_: None, page_seconds=120, total_seconds=120)

            tasks.start_soon(draw)
            await anyio.wait_all_tasks_blocked()
            assert len((await pdfs.read_text(INVOICE)).pages) == 2
            tasks.cancel_scope.cancel()


class RecordedTurns(TurnQueue):
    """Turns, with whose they were."""

    def __init__(self) -> None:
        super().__init__(MAX_PROCESSES)
        self.owners: list[PdfProcesses] = []

    @asynccontextmanager
    async def turn(self, job: Any) -> AsyncIterator[None]:
        """Wait for a turn."""
        async with super().turn(job):
            self.owners.append(job.identity)
            yield


@HAS_PROC
async def test_owners_share_the_processes_and_take_turns(replace_child: Callable[[str], None], tmp_path: Path) -> None:
    # A process ends when the file exists.
    replace_child(f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\nsend(PAGES, 3)")
    turns = RecordedTurns()
    large, small = PdfProcesses(turns), PdfProcesses(turns)

    async def count(owner: PdfProcesses) -> None:
        assert await owner.count_pages(INVOICE, total_seconds=120) == 3

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(count, large)
            await until(lambda: len(list_children()) == MAX_PROCESSES)
            tasks.start_soon(count, small)
            await anyio.wait_all_tasks_blocked()
            assert turns.num_waiting == 5
            assert len(list_children()) == MAX_PROCESSES
            (tmp_path / "go").touch()
    assert turns.owners == [large, large, small, *[large] * 4]


@HAS_PROC
async def test_closing_ends_the_processes_of_one_owner_alone(
    replace_child: Callable[[str], None], tmp_path: Path
) -> None:
    replace_child(f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\nsend(PAGES, 3)")
    turns = TurnQueue(MAX_PROCESSES)
    closed, other = PdfProcesses(turns), PdfProcesses(turns)
    counts: list[int] = []

    async def count() -> None:
        counts.append(await other.count_pages(INVOICE, total_seconds=120))

    async def expect_error() -> None:
        with pytest.raises(PdfError):
            await closed.count_pages(INVOICE, total_seconds=120)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(count)
            tasks.start_soon(expect_error)
            await until(lambda: len(list_children()) == MAX_PROCESSES)
            await closed.close()
            assert len(list_children()) == 1
            (tmp_path / "go").touch()
    assert counts == [3]
    with pytest.raises(PdfError, match="the server is stopping"):
        await closed.count_pages(INVOICE)
    assert turns.num_running == 0
