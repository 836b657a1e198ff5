"""Fetches the text of the documents of jobs: from the parse job, else from the file; each once for all callers.

An answer never fails because there is no text: what is returned then says why. A fetch goes on when its callers no
longer wait, so that the next call has the text.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from llx_mcp.errors import ArgumentError, BadResponseError, LlxError, NotFoundError, RejectedError, excerpt
from llx_mcp.evidence.pages import STILL_READING, SourceText
from llx_mcp.evidence.parse_pages import UNFINISHED
from llx_mcp.jobs.byte_cache import ByteCache, CachedBytes
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.cached_source import (
    BytesKey,
    CachedSource,
    DocumentKey,
    build_missing,
    cache_source,
    find_document,
)
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from llx_mcp.jobs.single_flight import SingleFlight
from llx_mcp.pdf.processes import PdfError
from llx_mcp.turns import Call, TurnQueue

# How long a fetch may take in all, and how long an answer waits for it.
FETCH_SECONDS = 20.0
WAIT_SECONDS = 8.0
# Less than the whole, so that the pages that were read by then are not lost.
_PDF_SECONDS = 14.0
# A PDF whose reading fails later than this may have failed because the machine was busy.
_SLOW_SECONDS = 5.0
_TOO_SLOW = f"the document could not be fetched and read within {FETCH_SECONDS:g} s"

# What could change soon is tried again after this time.
_RETRY_SECONDS = 60.0
_MAX_REMEMBERED = 4_096
# The files that are kept for pictures of their pages, and the share of the cache that one may take.
_MAX_FILES = 4
_FILE_SHARE = 1 / 8
# Requests are not repeated here: the polling comes first, and the file is the second way to the text.
_TRIES = 1
_PROBLEM_CHARS = 200
# These are the same at every try.
_PERMANENT = (ArgumentError, BadResponseError, NotFoundError, RejectedError)

Key = TypeVar("Key")
Value = TypeVar("Value")
GONE = "The service no longer has the document, or this key may not see it"
_log = logging.getLogger("llx_mcp.jobs")
OpenSource = Callable[[], Awaitable[RateLimitedSource]]


class PdfReader(Protocol):
    """Reads the text of PDFs."""

    async def read_text(self, content: bytes, *, total_seconds: float) -> SourceText:
        """Return the text of a PDF.

        Raises:
            PdfError: there is none; the message says why.
        """
        ...


class SourceTexts:
    """The texts of documents, cached within the budget that they share with jobs."""

    def __init__(
        self,
        open_source: OpenSource,
        pdfs: PdfReader,
        clock: Clock,
        group: TaskGroup,
        cache: ByteCache,
        turns: TurnQueue,
    ) -> None:
        """Start without any text.

        Args:
            open_source: returns the source of the jobs.
            pdfs: reads the text of PDFs.
            clock: the clock of the pauses.
            group: runs the fetches, which outlive their callers.
            cache: holds the texts.
            turns: the turns at having a document in memory.
        """
        self._open_source = open_source
        self._pdfs = pdfs
        self._clock = clock
        self._group = group
        self._cache = cache
        self._documents: OrderedDict[JobKey, DocumentKey] = OrderedDict()
        self._missing: OrderedDict[DocumentKey, tuple[CachedSource, float]] = OrderedDict()
        self._files: OrderedDict[BytesKey, None] = OrderedDict()
        self._running: set[DocumentKey] = set()
        self._turns = turns
        self._texts: SingleFlight[CachedSource] = SingleFlight(group)
        self._contents: SingleFlight[bytes] = SingleFlight(group)

    def peek(self, key: JobKey) -> CachedSource | None:
        """Return the text of a job's document if it is cached; None otherwise, also where there is none."""
        document = self._documents.get(key)
        cached = None if document is None else self._cache.find(document)
        return cached if isinstance(cached, CachedSource) else None

    async def fetch(self, key: JobKey, cached: CachedJob, max_wait_seconds: float = WAIT_SECONDS) -> CachedSource:
        """Return the text of a job's document; where there is none now, what says why.

        Args:
            key: the job and its credential.
            cached: the job.
            max_wait_seconds: how long to wait, at most `WAIT_SECONDS`. The fetch then goes on for the next call.
        """
        return await self._wait_for_text(await self._find_document(key, cached), max_wait_seconds)

    async def fetch_text_layer(self, key: JobKey, cached: CachedJob) -> CachedSource:
        """Return the text layer of a job's document, where `fetch` would return the text of its parse job.

        Its words have boxes. Where there is none now, or no parse job, what says so is returned.
        """
        document = await self._find_document(key, cached)
        if not document.parse_job_id or not document.file_id:
            return build_missing("there is no other text of the document")
        return await self._wait_for_text(replace(document, parse_job_id=""), WAIT_SECONDS)

    async def fetch_screenshot(self, key: JobKey, cached: CachedJob, page_index: int) -> bytes | None:
        """Return the service's picture of a page, counted from 0; None where it gives none."""
        document = await self._find_document(key, cached)
        if not document.file_id:
            return None
        try:
            source = await self._open()
            return await source.documents.fetch_screenshot(
                document.file_id, page_index, document.scope, max_tries=_TRIES
            )
        except LlxError:
            # Most files have none, whatever the service answers then.
            return None

    @asynccontextmanager
    async def open_document(self, key: JobKey, cached: CachedJob) -> AsyncIterator[bytes]:
        """Open the content of a job's document, from the cache or from a fetch that concurrent callers share.

        Raises:
            LlxError: there is none; the message says why.
        """
        async with self._open_content(await self._find_document(key, cached)) as content:
            yield content

    async def _wait_for_text(self, document: DocumentKey, max_wait_seconds: float) -> CachedSource:
        if (found := self._find(document)) is not None:
            return found
        # Without a cache the next call would begin again.
        with anyio.move_on_after(min(max_wait_seconds, WAIT_SECONDS) if self._cache.max_bytes else FETCH_SECONDS):
            self._keep_running(document)
            return await self._share_fetch(document)
        return build_missing(STILL_READING, may_come=True)

    async def _find_document(self, key: JobKey, cached: CachedJob) -> DocumentKey:
        document = self._documents.get(key)
        if document is None:
            document = await find_document(cached, key.identity, key.scope)
            # A job that still runs may get its parse job later.
            if cached.job.is_terminal:
                _remember(self._documents, key, document)
        return document

    def _find(self, document: DocumentKey) -> CachedSource | None:
        found = self._cache.find(document)
        if isinstance(found, CachedSource):
            return found
        missing, until = self._missing.get(document, (None, 0.0))
        return missing if self._clock.monotonic() < until else None

    def _keep_running(self, document: DocumentKey) -> None:
        """Let the fetch of a text run to its end, whoever still waits for it."""
        if document in self._running:
            return
        self._running.add(document)

        async def wait() -> None:
            try:
                await self._share_fetch(document)
            finally:
                self._running.discard(document)

        self._group.start_soon(wait)

    async def _share_fetch(self, document: DocumentKey) -> CachedSource:
        return await self._texts.run(document, lambda: self._fetch(document))

    async def _fetch(self, document: DocumentKey) -> CachedSource:
        """Fetch a text and cache it, or why there is none. It raises nothing."""
        found = await self._read_in_time(document)
        if found.problem:
            seconds = _RETRY_SECONDS if found.may_come else math.inf
            _remember(self._missing, document, (found, self._clock.monotonic() + seconds))
        else:
            await self._cache.put(document, found)
        return found

    async def _read_in_time(self, document: DocumentKey) -> CachedSource:
        with anyio.move_on_after(FETCH_SECONDS):
            try:
                return await self._read(document)
            except Exception as exc:  # noqa: BLE001 - a document can hold anything, and must not end the server
                # The text of the error could quote the document.
                _log.warning("The text of a document could not be read: %s", type(exc).__name__)
                reason = f"the document could not be read ({type(exc).__name__})"
                return build_missing(reason, may_come=isinstance(exc, OSError | MemoryError))
        return build_missing(_TOO_SLOW, may_come=True)

    async def _read(self, document: DocumentKey) -> CachedSource:
        """Return the text of the parse job, else that of the file, else both reasons why there is none."""
        problems: list[CachedSource] = []
        for read in (self._read_parse_job, self._read_file):
            found = await read(document)
            if not found.problem:
                return found
            problems.append(found)
        # Both may be gone for the same reason.
        reasons = dict.fromkeys(problem.problem for problem in problems if problem.problem)
        return build_missing("; ".join(reasons), may_come=any(problem.may_come for problem in problems))

    async def _read_parse_job(self, document: DocumentKey) -> CachedSource:
        if not document.parse_job_id:
            return build_missing("the job names no parse job")
        try:
            # First the pause of the rate limit, then the turn: no other key waits for that pause.
            source = await self._open()
            async with self._turns.turn(Call(document.identity)):
                text = await source.documents.fetch_parse_pages(document.parse_job_id, document.scope, max_tries=_TRIES)
                if text.pages:
                    return await cache_source(text)
        except LlxError as exc:
            return _explain("the text of the parse job", exc)
        return build_missing(text.problem or "the parse job has no pages", may_come=text.problem == UNFINISHED)

    async def _read_file(self, document: DocumentKey) -> CachedSource:
        try:
            async with self._open_content(document) as content:
                return await self._read_content(content)
        except LlxError as exc:
            return _explain("the file", exc)

    async def _read_content(self, content: bytes) -> CachedSource:
        started_at = self._clock.monotonic()
        try:
            text = await self._pdfs.read_text(content, total_seconds=_PDF_SECONDS)
        except PdfError as exc:
            is_slow = self._clock.monotonic() - started_at > _SLOW_SECONDS
            return build_missing(str(exc), may_come=is_slow)
        return build_missing(f"the file has no text: {text.problem}") if text.problem else await cache_source(text)

    @asynccontextmanager
    async def _open_content(self, document: DocumentKey) -> AsyncIterator[bytes]:
        """Hold the content of a file in memory for the time of a turn.

        Raises:
            LlxError: there is none; the message says why.
        """
        # The file is the same, whichever text is read.
        key = BytesKey(replace(document, parse_job_id=""))
        if not document.file_id:
            raise ArgumentError("The job does not name its file.")
        if self._cache.peek(key) is None:
            await self._open()
        async with self._turns.turn(Call(document.identity)):
            yield await self._share_content(key)

    async def _share_content(self, key: BytesKey) -> bytes:
        if (cached := self._cache.find(key)) is not None:
            return await cached.body()
        return await self._contents.run(key, lambda: self._fetch_content(key))

    async def _fetch_content(self, key: BytesKey) -> bytes:
        source = await self._open()
        content = await source.documents.fetch_content(key.document.file_id, key.document.scope, max_tries=_TRIES)
        if len(content) <= self._cache.max_bytes * _FILE_SHARE:
            # A PDF is compressed already.
            await self._cache.put(key, CachedBytes(content, compressible=False))
            self._files[key] = None
            self._files.move_to_end(key)
            while len(self._files) > _MAX_FILES:
                self._cache.drop(self._files.popitem(last=False)[0])
        return content

    async def _open(self) -> RateLimitedSource:
        """Return the source once the rate limit has room for a request."""
        source = await self._open_source()
        while (seconds := source.rate.wait_seconds(self._clock.monotonic())) > 0:
            await self._clock.sleep(seconds)
        return source


def _explain(what: str, error: LlxError) -> CachedSource:
    may_come = error.is_transient or not isinstance(error, _PERMANENT)
    if isinstance(error, NotFoundError):
        return build_missing(GONE, may_come=may_come)
    return build_missing(f"{what} could not be fetched: {excerpt(str(error), _PROBLEM_CHARS)}", may_come=may_come)


def _remember(entries: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    """Add an entry, and drop the oldest where there are too many."""
    entries[key] = value
    entries.move_to_end(key)
    if len(entries) > _MAX_REMEMBERED:
        entries.popitem(last=False)
