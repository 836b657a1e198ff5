"""Page screenshots, rendered by pdfium in processes that end."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from llx_mcp.pdf.processes import PdfError, PdfProcesses

PAGE_SECONDS = 10.0
LIST_SECONDS = 60.0

_MAX_PROCESSES = 2
_MAX_CACHE_BYTES = 32 << 20
_MAX_FILES = 1_000
_LAST_PAGE = (1 << 31) - 1
# What could not be drawn is not tried again for a while: all who wait for it get the same error.
_FAILURE_SECONDS = 60.0

LoadContent = Callable[[], Awaitable[bytes]]


class ScreenshotError(Exception):
    """A page cannot be rendered. The message gives the reason."""


@dataclass(slots=True)
class _File:
    """What is known of a file.

    Attributes:
        lock: Held while pages of the file are drawn.
        num_pages: The number of pages; None if it is not known yet.
        image_sizes: The size in bytes of the image of each page; None if it is not known yet.
        failures: What could not be drawn, by first and last page: until when it counts (monotonic seconds), and why.
    """

    sha256: str
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    num_pages: int | None = None
    image_sizes: list[int] | None = None
    failures: dict[tuple[int, int], tuple[float, str]] = field(default_factory=dict)


class PageRenderer:
    """Renders pages: one at a time of each file, two at a time in all, each within a time and a size.

    Images are cached under the SHA-256 of their file.
    """

    def __init__(
        self,
        *,
        page_seconds: float = PAGE_SECONDS,
        list_seconds: float = LIST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without images.

        Args:
            page_seconds: The maximum time for one page.
            list_seconds: The maximum time for all pages of a file.
            clock: Returns monotonic seconds.
        """
        self._page_seconds = page_seconds
        self._list_seconds = list_seconds
        self._clock = clock
        self._slots = anyio.Semaphore(_MAX_PROCESSES)
        self._processes = PdfProcesses()
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._images: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._cached_bytes = 0

    async def render_page(self, sha256: str, page_index: int, load_content: LoadContent) -> bytes | None:
        """Return a page as PNG, with two pixels per point, or fewer if it is very large; None if it does not exist.

        Args:
            sha256: The SHA-256 of the PDF, in hex.
            page_index: The page, counted from 0.
            load_content: Returns the PDF.

        Raises:
            ScreenshotError: The content is not a PDF, or needs too much.
        """
        if not 0 <= page_index <= _LAST_PAGE:
            return None
        async with self._lock(sha256) as file:
            if (sha256, page_index) in self._images:
                self._images.move_to_end((sha256, page_index))
                return self._images[sha256, page_index]
            if file.num_pages is not None and page_index >= file.num_pages:
                return None
            images: list[bytes] = []
            await self._draw(file, page_index, page_index, load_content, images.append)
            return images[0] if images else None

    async def measure_images(self, sha256: str, load_content: LoadContent) -> list[int]:
        """Return the size in bytes of the image of each page.

        Raises:
            ScreenshotError: The content is not a PDF, or needs too much.
        """
        async with self._lock(sha256) as file:
            if file.image_sizes is None:
                sizes: list[int] = []
                await self._draw(file, 0, _LAST_PAGE, load_content, lambda image: sizes.append(len(image)))
                file.image_sizes = sizes
            return file.image_sizes

    async def close(self) -> None:
        """End all drawing, and wait until it has ended."""
        await self._processes.close()

    @asynccontextmanager
    async def _lock(self, sha256: str) -> AsyncIterator[_File]:
        file = self._files.setdefault(sha256, _File(sha256))
        self._files.move_to_end(sha256)
        if len(self._files) > _MAX_FILES:
            self._files.popitem(last=False)
        async with file.lock:
            yield file

    async def _draw(
        self, file: _File, first: int, last: int, load_content: LoadContent, on_image: Callable[[bytes], None]
    ) -> None:
        def receive(index: int, image: bytes) -> None:
            self._cache((file.sha256, index), image)
            on_image(image)

        until, message = file.failures.get((first, last), (0.0, ""))
        if self._clock() < until:
            raise ScreenshotError(message)
        total_seconds = self._page_seconds if first == last else self._list_seconds
        async with self._slots:
            content = await load_content()
            try:
                file.num_pages = await self._processes.draw(
                    content, first, last, receive, page_seconds=self._page_seconds, total_seconds=total_seconds
                )
            except PdfError as exc:
                file.failures[first, last] = self._clock() + _FAILURE_SECONDS, str(exc)
                raise ScreenshotError(str(exc)) from None

    def _cache(self, key: tuple[str, int], image: bytes) -> None:
        if key in self._images or len(image) > _MAX_CACHE_BYTES:
            return
        self._images[key] = image
        self._cached_bytes += len(image)
        while self._cached_bytes > _MAX_CACHE_BYTES:
            _, removed = self._images.popitem(last=False)
            self._cached_bytes -= len(removed)
