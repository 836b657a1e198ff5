"""Sends poll requests and records their outcomes in the polled jobs."""

import logging
from collections.abc import Sequence

import anyio

from llx_mcp.errors import AuthenticationError, LlxError, OutOfCreditsError, UnreachableError, UpstreamError
from llx_mcp.jobs.batching import UNFINISHED, PollRequest
from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.polled_job import PolledJob
from llx_mcp.jobs.source import JobSource, get_service_time
from llx_mcp.models import EXPANDABLE_SECTIONS, Job
from llx_mcp.scope import JobFilter

# Bounds a poll that hangs. The client's own timeouts are longer, to allow for results of any size.
POLL_TIMEOUT_SECONDS = 60.0
# An unfinished job can be missing from one list by chance, because pages shift; not from several.
_MAX_CONTRADICTIONS = 3
_MAX_PAGES = 10

_log = logging.getLogger("llx_mcp.jobs")


class ListUnusableError(Exception):
    """The service refuses a list request for jobs by id and status, or ignores its filters."""


class PollRecorder:
    """Polls jobs, records the outcomes, and learns whether list requests can be used.

    Attributes:
        allow_lists: whether list requests by id and status can be relied on.
    """

    def __init__(self, cache: JobCache, clock: Clock) -> None:
        self.allow_lists = True
        self._cache = cache
        self._clock = clock
        self._num_contradictions = 0

    async def poll(self, source: JobSource, request: PollRequest) -> None:
        """Send one request and record its outcome in each of its jobs."""
        try:
            if request.is_list:
                await self._poll_many(source, request.jobs)
            else:
                await self._poll_one(source, request.jobs[0])
        except Exception as exc:  # noqa: BLE001 - see below
            # All waits share the loop: an unexpected error must end only the waits for these jobs.
            _log.exception("A poll failed unexpectedly")
            error = UpstreamError(f"The job could not be polled ({type(exc).__name__}).")
            for polled in request.jobs:
                polled.record_failure(error, self._clock.monotonic())

    async def _poll_one(self, source: JobSource, polled: PolledJob) -> None:
        has_sections = polled.needs_full_fetch or polled.is_last_poll
        try:
            job = await _fetch_job(source, polled, with_sections=has_sections)
        except LlxError as exc:
            polled.record_failure(exc, self._clock.monotonic())
            return
        if not job.is_terminal:
            if polled.needs_full_fetch and job.status in UNFINISHED and not polled.is_end_reported:
                self._note_contradiction()
            self._record_job(source, polled, job)
        elif has_sections:
            await self._cache.put(polled.key, job)
            polled.end(job=job)
        else:
            polled.expect_end(self._clock.monotonic())

    async def _poll_many(self, source: JobSource, jobs: Sequence[PolledJob]) -> None:
        try:
            unfinished = await _list_unfinished_jobs(source, jobs)
        except ListUnusableError:
            # The jobs stay due, and are polled one by one.
            self.allow_lists = False
            return
        except LlxError as exc:
            for polled in jobs:
                polled.record_failure(exc, self._clock.monotonic())
            return
        for polled in jobs:
            job = unfinished.get(polled.key.job_id)
            if job is None:
                polled.expect_end(self._clock.monotonic())
            else:
                self._record_job(source, polled, job)

    def _record_job(self, source: JobSource, polled: PolledJob, job: Job) -> None:
        polled.record_job(job, get_service_time(source, self._clock), self._clock.monotonic())

    def _note_contradiction(self) -> None:
        """Note that a job was missing from the list of unfinished jobs, although it is unfinished."""
        self._num_contradictions += 1
        if self._num_contradictions >= _MAX_CONTRADICTIONS:
            self.allow_lists = False


async def _fetch_job(source: JobSource, polled: PolledJob, *, with_sections: bool) -> Job:
    """Fetch one job, with or without its sections.

    Raises:
        LlxError: the job cannot be read, or not now.
    """
    expand = EXPANDABLE_SECTIONS if with_sections else ()
    try:
        with anyio.fail_after(None if polled.needs_full_fetch else POLL_TIMEOUT_SECONDS):
            return await source.fetch_job(polled.key.job_id, expand, polled.key.scope, max_tries=1)
    except TimeoutError:
        raise UnreachableError("The service did not answer a poll of the job in time. Try again later.") from None


async def _list_unfinished_jobs(source: JobSource, jobs: Sequence[PolledJob]) -> dict[str, Job]:
    """Fetch those of the jobs that are unfinished, by id. A job that is missing has probably ended.

    Raises:
        ListUnusableError: list requests do not work for this purpose; poll each job alone.
        LlxError: the service cannot answer now, or refuses the key.
    """
    try:
        with anyio.fail_after(POLL_TIMEOUT_SECONDS):
            return await _list_pages(source, jobs)
    except TimeoutError:
        raise UnreachableError("The service did not answer a poll of the jobs in time. Try again later.") from None
    except UpstreamError as exc:
        if exc.is_transient or isinstance(exc, AuthenticationError | OutOfCreditsError):
            raise
        raise ListUnusableError from None


async def _list_pages(source: JobSource, jobs: Sequence[PolledJob]) -> dict[str, Job]:
    ids = tuple(polled.key.job_id for polled in jobs)
    found: dict[str, Job] = {}
    page_token: str | None = None
    for _ in range(_MAX_PAGES):
        wanted = JobFilter(ids, UNFINISHED, page_size=len(ids), page_token=page_token)
        page = await source.list_jobs(wanted, jobs[0].key.scope, max_tries=1)
        if any(job.id not in ids or job.is_terminal for job in page.items):
            raise ListUnusableError
        found |= {job.id: job for job in page.items}
        page_token = page.next_page_token
        if page_token is None or len(found) == len(ids):
            break
    return found
