"""Requests within the rate limit of the key, sent again after errors that pass."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from llx_mcp.errors import LlxError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.creation_source import CreationSource, Download
from llx_mcp.jobs.document_types import MAX_DOCUMENT_BYTES
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from llx_mcp.scope import JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job, JobPage

Result = TypeVar("Result")

_MAX_TRIES = 6
_FIRST_PAUSE_SECONDS = 0.5


class PacedRequests:
    """Sends requests within the rate limit of the key, and again after errors that pass."""

    def __init__(self, source: RateLimitedSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    async def send(self, call: Callable[[CreationSource], Awaitable[Result]], *, max_tries: int = _MAX_TRIES) -> Result:
        """Send a request until it is answered.

        The request must be harmless to repeat, or raise `UnclearOutcomeError` where it is not: that is not repeated.

        Raises:
            LlxError: the error of the last try.
        """
        creation = self._source.creation

        async def attempt() -> Result:
            with self._source.count_request():
                return await call(creation)

        return await self._repeat(attempt, max_tries)

    async def download(self, url: str) -> Download:
        """Download a document from the web, which is no request of the key.

        Raises:
            LlxError: there is no such document.
        """
        return await self._source.creation.download(url, MAX_DOCUMENT_BYTES)

    async def fetch_job(self, job_id: str, expand: tuple[str, ...], scope: Scope) -> "Job":
        """Fetch a job with the named sections.

        Raises:
            LlxError: the error of the last try.
        """
        return await self._repeat(lambda: self._source.fetch_job(job_id, expand, scope, max_tries=1))

    async def list_jobs(self, wanted: JobFilter, scope: Scope) -> "JobPage":
        """Fetch one page of the jobs that pass every filter.

        Raises:
            LlxError: the error of the last try.
        """
        return await self._repeat(lambda: self._source.list_jobs(wanted, scope, max_tries=1))

    async def _repeat(self, attempt: Callable[[], Awaitable[Result]], max_tries: int = _MAX_TRIES) -> Result:
        for number in range(max_tries):
            await self._wait_for_turn()
            try:
                return await attempt()
            except LlxError as exc:
                if number == max_tries - 1 or not exc.is_transient:
                    raise
            await self._clock.sleep(_FIRST_PAUSE_SECONDS * 2**number)
        raise AssertionError("the last try either returns or raises")

    async def _wait_for_turn(self) -> None:
        # After each pause another task may have used the request that became free.
        while (seconds := self._source.rate.wait_seconds(self._clock.monotonic())) > 0:
            await self._clock.sleep(seconds)
