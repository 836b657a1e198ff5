"""Runs pdfium in processes, and ends a process when it takes too long or its caller is cancelled."""

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.pdf.frames import END, ERROR, HEADER
from llx_mcp.pdf.pictures import Mark, Picture, PictureOptions, decode_picture, encode_request
from llx_mcp.pdf.text_reading import NOT_READ
from llx_mcp.turns import Call, TurnQueue

__all__ = ["PdfError", "PdfProcesses", "SourcePage", "SourceText"]

MAX_DOCUMENT_BYTES = 256 << 20
MAX_PAGES = 2_000
PAGE_SECONDS = 10.0
TOTAL_SECONDS = 30.0
# At a time, of all callers that share them.
MAX_PROCESSES = 2
# The most passages that one picture marks.
MAX_MARKS = 100

_START_CODE = "import sys; sys.path[:] = {path!r}; from llx_mcp.pdf.child import main; main()"
_END_SECONDS = 2.0
_MAX_FRAME_BYTES = 128 << 20
# Pages beyond those that can be read are listed up to this number.
_MAX_LISTED_PAGES = 10_000

# The process has ended, perhaps while the document was sent to it.
_DIED = (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)

_decode_page = msgspec.msgpack.Decoder(SourcePage).decode


class PdfError(Exception):
    """A document cannot be read, or a page cannot be drawn. The message gives the reason."""


class PdfProcesses:
    """The processes that work on PDFs for one owner. Others wait for a turn, and their time does not pass meanwhile."""

    def __init__(self, turns: TurnQueue | None = None) -> None:
        """Start no process yet.

        Args:
            turns: the turns that several owners share; by default, `MAX_PROCESSES` for this one alone.
        """
        self._turns = turns or TurnQueue(MAX_PROCESSES)
        self._running: set[anyio.abc.Process] = set()
        self._num_open = 0
        self._has_ended = anyio.Event()
        self._is_closed = False

    async def close(self) -> None:
        """End all processes of this owner, and wait until they have ended. No other can be started."""
        self._is_closed = True
        for process in self._running:
            _kill(process)
        while self._num_open:
            await self._has_ended.wait()

    async def draw(
        self,
        content: bytes,
        first: int,
        last: int,
        on_image: Callable[[int, bytes], None],
        *,
        page_seconds: float,
        total_seconds: float,
    ) -> int:
        """Draw pages of a PDF and return its number of pages.

        Args:
            content: The PDF.
            first: The first page to draw, counted from 0.
            last: The last page to draw. Pages that do not exist are left out.
            on_image: Receives the index and the PNG of each page.
            page_seconds: The maximum time for one page.
            total_seconds: The maximum time for all pages.

        Raises:
            PdfError: The content is not a PDF, or a page takes too much time or memory.
        """
        page_index = first
        try:
            async with self._start(content, "draw", first, last, total_seconds=total_seconds) as process:
                with anyio.fail_after(total_seconds):
                    replies = await _send(process, content, page_seconds)
                    num_pages = await replies.read_number()
                    for page_index in range(first, min(last + 1, num_pages)):
                        _, image = await replies.read()
                        on_image(page_index, image)
                    return num_pages
        except TimeoutError:
            raise PdfError(f"Page {page_index + 1} cannot be drawn within the time limit") from None
        except _DIED:
            raise PdfError(f"Page {page_index + 1} cannot be drawn: it needs too much memory or time") from None

    async def count_pages(self, content: bytes, *, total_seconds: float = PAGE_SECONDS) -> int:
        """Return the number of pages of a PDF. None of them is read.

        Raises:
            PdfError: The content is not a PDF that can be opened, or that takes too much time or memory.
        """
        try:
            async with self._start(content, "read", 0, total_seconds=total_seconds) as process:
                with anyio.fail_after(total_seconds):
                    return await (await _send(process, content, total_seconds)).read_number()
        except (TimeoutError, *_DIED):
            raise PdfError("The document cannot be read within the limits of time and memory") from None

    async def read_text(
        self,
        content: bytes,
        *,
        max_pages: int = MAX_PAGES,
        page_seconds: float = PAGE_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> SourceText:
        """Read the words of a PDF, with their boxes.

        Pages that are not read have a `problem` that says why, be it a limit or a fault of the document. The pages
        before it are returned.

        Args:
            content: The PDF.
            max_pages: The maximum number of pages to read.
            page_seconds: The maximum time for one page.
            total_seconds: The maximum time for all pages.

        Raises:
            PdfError: Not even the first page can be read.
        """
        pages: list[SourcePage] = []
        num_pages: int | None = None
        try:
            async with self._start(content, "read", max_pages, total_seconds=total_seconds) as process:
                with anyio.fail_after(total_seconds):
                    replies = await _send(process, content, page_seconds)
                    num_pages = await replies.read_number()
                    reason = await _read_pages(replies, pages)
        except TimeoutError:
            reason = f"page {len(pages) + 1} was not read within the time limit"
        except _DIED:
            reason = f"page {len(pages) + 1} needs too much memory or time"
        if num_pages is None or (num_pages and not pages):
            raise PdfError(f"The document cannot be read: {reason}")
        return _build_text(pages, num_pages, reason)

    async def draw_citation(
        self, content: bytes, marks: Sequence[Mark], options: PictureOptions, *, total_seconds: float = PAGE_SECONDS
    ) -> Picture:
        """Draw a page with passages marked.

        Args:
            content: The PDF, or a PNG, JPEG or WebP image of the page.
            marks: The passages, at most `MAX_MARKS`.
            options: The page, and how to show it.
            total_seconds: The maximum time.

        Raises:
            PdfError: The content is neither, has no such page, or the page takes too much time or memory.
        """
        request = encode_request(marks[:MAX_MARKS], options)
        try:
            async with self._start(content, "cite", len(request), total_seconds=total_seconds) as process:
                with anyio.fail_after(total_seconds):
                    replies = await _send(process, request + content, total_seconds)
                    _, caption = await replies.read()
                    _, image = await replies.read()
                    return decode_picture(caption, image)
        except TimeoutError:
            raise PdfError(f"Page {options.page_index + 1} cannot be drawn within the time limit") from None
        except _DIED:
            reason = "it needs too much memory or time"
            raise PdfError(f"Page {options.page_index + 1} cannot be drawn: {reason}") from None

    @asynccontextmanager
    async def _start(
        self, content: bytes, command: str, *numbers: int, total_seconds: float
    ) -> AsyncIterator[anyio.abc.Process]:
        """Start a process, and end it at the end of the block."""
        if len(content) > MAX_DOCUMENT_BYTES:
            raise PdfError(f"The document cannot be read: it has more than {MAX_DOCUMENT_BYTES >> 20} MB")
        code = _START_CODE.format(path=sys.path)
        arguments = [str(math.ceil(total_seconds) + 1), command, *map(str, numbers)]
        async with self._turns.turn(Call(self)), self._count_open():
            # A caller that is cancelled meanwhile would leave the process behind.
            with anyio.CancelScope(shield=True):
                process = await anyio.open_process(
                    [sys.executable, "-I", "-S", "-c", code, *arguments],
                    stderr=subprocess.DEVNULL,
                    env=_build_environment(),
                )
            self._running.add(process)
            try:
                self._check_open()
                yield process
                await _wait_for_end(process)
            except _DIED:
                await _wait_for_end(process)
                raise
            finally:
                _kill(process)
                await process.aclose()
                self._running.discard(process)

    @asynccontextmanager
    async def _count_open(self) -> AsyncIterator[None]:
        """Count a call from before the start of its process until after its end."""
        self._check_open()
        self._num_open += 1
        try:
            yield
        finally:
            self._num_open -= 1
            self._has_ended.set()
            self._has_ended = anyio.Event()

    def _check_open(self) -> None:
        if self._is_closed:
            raise PdfError("The document cannot be read: the server is stopping")


class _Replies:
    """The frames that a process sends."""

    def __init__(self, process: anyio.abc.Process, page_seconds: float) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe by default
        self._stream = BufferedByteReceiveStream(process.stdout)
        self._page_seconds = page_seconds

    async def read_number(self) -> int:
        """Return the number of a frame without a content."""
        with anyio.fail_after(self._page_seconds):
            _, number = await self._read_header()
            return number

    async def read(self) -> tuple[bytes, bytes]:
        """Return the kind and the content of a frame."""
        with anyio.fail_after(self._page_seconds):
            kind, size = await self._read_header()
            return kind, await self._stream.receive_exactly(size)

    async def _read_header(self) -> tuple[bytes, int]:
        kind, number = HEADER.unpack(await self._stream.receive_exactly(HEADER.size))
        if number > _MAX_FRAME_BYTES:
            raise PdfError("The document cannot be read: a page has too much content")
        if kind == ERROR:
            raise PdfError((await self._stream.receive_exactly(number)).decode(errors="replace"))
        return kind, number


async def _send(process: anyio.abc.Process, content: bytes, page_seconds: float) -> _Replies:
    """Send the document, and return the replies to it."""
    assert process.stdin is not None  # noqa: S101 - a pipe by default
    await process.stdin.send(content)
    await process.stdin.aclose()
    return _Replies(process, page_seconds)


async def _read_pages(replies: _Replies, pages: list[SourcePage]) -> str:
    """Add each page to the list as it arrives, and return why those that are left are not read."""
    while True:
        kind, content = await replies.read()
        if kind == END:
            return content.decode()
        pages.append(_decode_page(content))


def _build_text(pages: Sequence[SourcePage], num_pages: int, reason: str) -> SourceText:
    missing = range(len(pages) + 1, min(num_pages, _MAX_LISTED_PAGES) + 1)
    problem = ""
    if not any(page.words for page in pages):
        problem = pages[0].problem if pages else "the document has no pages"
    unread = [SourcePage(number=number, problem=f"{NOT_READ}{reason}") for number in missing]
    return SourceText(origin="document", pages=[*pages, *unread], problem=problem)


async def _wait_for_end(process: anyio.abc.Process) -> None:
    """Let a process that has nothing more to send end by itself: to kill it just then makes asyncio log a warning."""
    with anyio.move_on_after(_END_SECONDS):
        await process.wait()


def _kill(process: anyio.abc.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _build_environment() -> dict[str, str]:
    # No key reaches the process. Windows cannot start one without these variables.
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
