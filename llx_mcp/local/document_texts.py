"""The text of stored documents, read by pdfium in processes that end."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from llx_mcp.pdf.processes import PdfError, PdfProcesses, SourceText

_MAX_READERS = 2
# Each word takes some 200 bytes.
_MAX_CACHED_WORDS = 250_000
_MAX_DOCUMENTS = 1_000
# What could not be read is not tried again for a while: all who wait for it get the same error.
_FAILURE_SECONDS = 60.0


@dataclass(slots=True)
class _Document:
    """What is known of a document.

    Attributes:
        lock: Held while the document is read.
        text: Its text; None if it has not been read, or is no longer cached.
        num_words: The number of words of the text.
        failed_until: Until when a failure counts, in monotonic seconds.
        failure: Why the document could not be read.
    """

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    text: SourceText | None = None
    num_words: int = 0
    failed_until: float = 0.0
    failure: str = ""


class DocumentTexts:
    """Reads documents, two at a time. Texts are cached under the SHA-256 of their document."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without texts.

        Args:
            clock: Returns monotonic seconds.
        """
        self._clock = clock
        self._slots = anyio.Semaphore(_MAX_READERS)
        self._processes = PdfProcesses()
        self._documents: OrderedDict[str, _Document] = OrderedDict()

    async def read(self, sha256: str, load_content: Callable[[], Awaitable[bytes]]) -> SourceText:
        """Return the text of a document.

        Args:
            sha256: The SHA-256 of the document, in hex.
            load_content: Returns the document.

        Raises:
            PdfError: The document is not a PDF, cannot be read, or needs too much.
        """
        document = self._documents.setdefault(sha256, _Document())
        self._documents.move_to_end(sha256)
        async with document.lock:
            if document.text is not None:
                return document.text
            if self._clock() < document.failed_until:
                raise PdfError(document.failure)
            async with self._slots:
                try:
                    text = await self._processes.read_text(await load_content())
                except PdfError as exc:
                    document.failed_until, document.failure = self._clock() + _FAILURE_SECONDS, str(exc)
                    raise
            document.num_words = sum(len(page.words) for page in text.pages)
            document.text = text
            self._evict()
            return text

    async def close(self) -> None:
        """End all reading, and wait until it has ended."""
        await self._processes.close()

    def _evict(self) -> None:
        """Forget the least recently used texts until the others are few enough."""
        num_words = sum(document.num_words for document in self._documents.values())
        for sha256, document in list(self._documents.items()):
            if num_words <= _MAX_CACHED_WORDS and len(self._documents) <= _MAX_DOCUMENTS:
                return
            num_words -= document.num_words
            # A document that is being read stays with those who wait for it.
            del self._documents[sha256]
