"""Runs `page_drawing` in a process, and ends that process when it takes too long or its caller is cancelled."""

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from llx_mcp.local import page_drawing

_START_CODE = "import runpy, sys; sys.path[:] = {path!r}; runpy.run_path({file!r}, run_name='__main__')"


class DrawingError(Exception):
    """A page cannot be drawn. The message gives the reason."""


class DrawingProcesses:
    """The processes that draw pages now."""

    def __init__(self) -> None:
        self._running: set[anyio.abc.Process] = set()

    async def close(self) -> None:
        """End all processes, and wait until they have ended."""
        for process in list(self._running):
            _kill(process)
            await process.wait()

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
            DrawingError: The content is not a PDF, or a page takes too much time or memory.
        """
        page_index = first
        try:
            async with self._start(first, last, total_seconds) as process:
                with anyio.fail_after(total_seconds):
                    await _send(process, content)
                    replies = _Replies(process, page_seconds)
                    num_pages = await replies.read_number_of_pages()
                    for page_index in range(first, min(last + 1, num_pages)):
                        on_image(page_index, await replies.read_image())
                    return num_pages
        except TimeoutError:
            raise DrawingError(f"Page {page_index} cannot be drawn within the time limit") from None
        except (anyio.IncompleteRead, anyio.BrokenResourceError):
            raise DrawingError(f"Page {page_index} cannot be drawn: it needs too much memory or time") from None

    @asynccontextmanager
    async def _start(self, first: int, last: int, total_seconds: float) -> AsyncIterator[anyio.abc.Process]:
        """Start a process, and end it at the end of the block."""
        code = _START_CODE.format(path=sys.path, file=page_drawing.__file__)
        arguments = [str(first), str(last), str(math.ceil(total_seconds) + 1)]
        command = [sys.executable, "-I", "-S", "-c", code, *arguments]
        # A caller that is cancelled meanwhile would leave the process behind.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(command, stderr=subprocess.DEVNULL, env=_build_environment())
        self._running.add(process)
        try:
            yield process
        finally:
            _kill(process)
            await process.aclose()
            self._running.discard(process)


def _kill(process: anyio.abc.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


class _Replies:
    """The replies of a drawing process."""

    def __init__(self, process: anyio.abc.Process, page_seconds: float) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe by default
        self._stream = BufferedByteReceiveStream(process.stdout)
        self._page_seconds = page_seconds

    async def read_number_of_pages(self) -> int:
        with anyio.fail_after(self._page_seconds):
            return await self._read_header()

    async def read_image(self) -> bytes:
        with anyio.fail_after(self._page_seconds):
            return await self._stream.receive_exactly(await self._read_header())

    async def _read_header(self) -> int:
        header = await self._stream.receive_exactly(page_drawing.HEADER.size)
        kind, number = page_drawing.HEADER.unpack(header)
        if kind == page_drawing.ERROR:
            raise DrawingError((await self._stream.receive_exactly(number)).decode(errors="replace"))
        return int(number)


async def _send(process: anyio.abc.Process, content: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe by default
    await process.stdin.send(content)
    await process.stdin.aclose()


def _build_environment() -> dict[str, str]:
    # No key reaches the process. Windows cannot start one without these variables.
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
