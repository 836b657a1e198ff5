"""A job source that counts the requests of a key, and learns its rate limit from the responses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llx_mcp.errors import RateLimitedError, UnavailableError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.source import DocumentSource, JobSource
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.evidence.pages import SourceText
    from llx_mcp.jobs.creation_source import CreationSource
    from llx_mcp.models import Job, JobPage


class RateLimitedSource:
    """Passes requests on to a source and records each in the rate limit of the key. It never delays a request.

    Attributes:
        rate: the rate limit of the key.
    """

    def __init__(self, source: JobSource, rate: RateLimit, clock: Clock, *, num_reserved: int = 0) -> None:
        """Wrap a source.

        Args:
            source: sends the requests.
            rate: the rate limit that all requests of the key share.
            clock: the clock of the rate limit.
            num_reserved: number of the first requests that are already counted.
        """
        self.rate = rate
        self._source = source
        self._clock = clock
        self._num_reserved = num_reserved

    @property
    def clock_offset_seconds(self) -> float:
        """How far the service's clock is ahead of this machine's."""
        return self._source.clock_offset_seconds

    @property
    def documents(self) -> "RateLimitedDocuments":
        """Reads the documents of the jobs."""
        return RateLimitedDocuments(self._source.documents, self.rate, self._clock)

    def reserve_request(self) -> "RateLimitedSource":
        """Count one request now, and return a source whose first request is that one.

        A task that is started now sends its request only later. Until then other tasks must not use up its place.
        """
        self.rate.spend(self._clock.monotonic())
        return RateLimitedSource(self._source, self.rate, self._clock, num_reserved=1)

    @property
    def creation(self) -> "CreationSource":
        """The requests that create, which are not counted here."""
        return self._source.creation

    def identity(self) -> str:
        """Return the source's digest of key and address."""
        return self._source.identity()

    def derive_key(self, purpose: str) -> bytes:
        """Return the source's secret for one purpose."""
        return self._source.derive_key(purpose)

    async def fetch_job(
        self, job_id: str, expand: Sequence[str] = (), scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> "Job":
        """Fetch one job with the named sections."""
        with self.count_request():
            return await self._source.fetch_job(job_id, expand, scope, max_tries=max_tries)

    async def list_jobs(
        self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> "JobPage":
        """Fetch one page of the jobs that pass every filter."""
        with self.count_request():
            return await self._source.list_jobs(wanted, scope, max_tries=max_tries)

    async def fetch_file_names(
        self, file_ids: Sequence[str], scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> dict[str, str]:
        """Fetch the names of those files that the service knows, by id."""
        with self.count_request():
            return await self._source.fetch_file_names(file_ids, scope, max_tries=max_tries)

    @contextmanager
    def count_request(self) -> Iterator[None]:
        """Count the request of the body, and learn from a refusal of it."""
        if self._num_reserved:
            self._num_reserved -= 1
        else:
            self.rate.spend(self._clock.monotonic())
        try:
            yield
        except RateLimitedError as exc:
            self.rate.note_refusal(self._clock.monotonic(), exc.retry_after_seconds)
            raise
        except UnavailableError as exc:
            if exc.retry_after_seconds:
                self.rate.pause(self._clock.monotonic(), exc.retry_after_seconds)
            raise
        self.rate.note_success()


class RateLimitedDocuments:
    """Passes requests for documents on, and counts each in the rate limit of the key.

    The limit is not learned from their responses: a refusal must not slow down the polling, whose own responses teach
    it.
    """

    def __init__(self, source: DocumentSource, rate: RateLimit, clock: Clock) -> None:
        self._source = source
        self._rate = rate
        self._clock = clock

    async def fetch_parse_pages(
        self, parse_job_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> "SourceText":
        """Fetch the text of a parse job."""
        self._rate.spend(self._clock.monotonic())
        return await self._source.fetch_parse_pages(parse_job_id, scope, max_tries=max_tries)

    async def fetch_content(self, file_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None) -> bytes:
        """Fetch the content of a file."""
        self._rate.spend(self._clock.monotonic())
        return await self._source.fetch_content(file_id, scope, max_tries=max_tries)

    async def fetch_screenshot(
        self, file_id: str, page_index: int, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> bytes | None:
        """Fetch the picture of one page."""
        self._rate.spend(self._clock.monotonic())
        return await self._source.fetch_screenshot(file_id, page_index, scope, max_tries=max_tries)
