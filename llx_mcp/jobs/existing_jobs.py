"""Jobs that exist already: of the same document and options, or from a request whose answer was lost."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from llx_mcp.errors import LlxError, UnclearOutcomeError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.configurations import has_options, read_configuration
from llx_mcp.jobs.paced_requests import PacedRequests
from llx_mcp.scope import JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

# The same document and options within this time are taken for the same wish.
_SAME_WISH = timedelta(days=1)
# The clock of the service is known to about two seconds.
_CLOCK_MARGIN = timedelta(seconds=5)
# A list has the results of its jobs, which can be large.
_PAGE_SIZE = 5
_MAX_PAGES = 10
_MAX_FILES = 5
_MAX_SENDS = 3
# After a lost answer, the service may still be creating the job.
_LOOK_AFTER_SECONDS = (0.0, 2.0, 5.0)
_UNSUCCESSFUL = frozenset({"FAILED", "CANCELLED"})


class ExistingJobs:
    """Finds jobs by their document and options."""

    def __init__(self, requests: PacedRequests, scope: Scope) -> None:
        self._requests = requests
        self._scope = scope

    async def find(self, files: Sequence[str], options: Mapping[str, Any], now: datetime) -> "Job | None":
        """Return the latest job of one of the files with these options within a day; one without success only last.

        Args:
            files: ids of the document at the service.
            options: the options of the job.
            now: the time by the service's clock.

        Raises:
            LlxError: the service gives no list.
        """
        found = [
            job
            for file_id in files[:_MAX_FILES]
            for job in await self._list(file_id, now - _SAME_WISH)
            if await self._has_options(job, options)
        ]
        return next((job for job in found if job.status not in _UNSUCCESSFUL), found[0] if found else None)

    async def list_ids(self, file_id: str) -> frozenset[str]:
        """Return the ids of the jobs of a file.

        Raises:
            LlxError: the service gives no list.
        """
        return frozenset(job.id for job in await self._list(file_id, None))

    async def create(
        self,
        body: Mapping[str, Any],
        options: Mapping[str, Any],
        earlier: Collection[str],
        service_now: Callable[[], datetime],
        clock: Clock,
    ) -> "Job":
        """Create a job. After a lost answer, look for the job, and send the request again only if there is none.

        Args:
            body: the body of the request.
            options: the options of the job.
            earlier: ids of jobs of the same file that are not the one.
            service_now: returns the time by the service's clock.
            clock: the clock of the pauses.

        Raises:
            UnclearOutcomeError: it is not known whether there is a job.
            LlxError: there is no job.
        """
        started = service_now() - _CLOCK_MARGIN
        for number in range(_MAX_SENDS):
            try:
                return await self._requests.send(lambda creation: creation.create(body, self._scope))
            except UnclearOutcomeError as exc:
                unclear = exc
            job = await self._look(body["file_input"], options, earlier, started, clock, unclear)
            if job is not None:
                return job
            if not unclear.has_ended or number == _MAX_SENDS - 1:
                break
        raise _build_unclear(unclear)

    async def _look(
        self,
        file_id: str,
        options: Mapping[str, Any],
        earlier: Collection[str],
        started: datetime,
        clock: Clock,
        unclear: UnclearOutcomeError,
    ) -> "Job | None":
        for seconds in _LOOK_AFTER_SECONDS:
            await clock.sleep(seconds)
            try:
                jobs = [job for job in await self._list(file_id, started) if job.id not in earlier]
                found = [job for job in jobs if await self._has_options(job, options)]
            except LlxError as exc:
                raise _build_unclear(unclear, f" The jobs could not be listed either: {exc}") from None
            if found:
                return found[0]
            if jobs:
                # Created at the same time with other options, or ours with options that the service has changed.
                ids = ", ".join(job.id for job in jobs[:3])
                raise _build_unclear(unclear, f" It may be this one: {ids}.")
        return None

    async def _list(self, file_id: str, since: datetime | None) -> "list[Job]":
        """Return the jobs of a file, newest first."""
        jobs: list[Job] = []
        wanted = JobFilter(file_input=file_id, created_since=since, page_size=_PAGE_SIZE, expand=("configuration",))
        for _ in range(_MAX_PAGES):
            page = await self._requests.list_jobs(wanted, self._scope)
            jobs += [job for job in page.items if since is None or job.created_at is None or job.created_at >= since]
            if page.next_page_token is None:
                break
            wanted = replace(wanted, page_token=page.next_page_token)
        return jobs

    async def _has_options(self, job: "Job", options: Mapping[str, Any]) -> bool:
        if job.raw("configuration") is None:
            job = await self._requests.fetch_job(job.id, ("configuration",), self._scope)
        return has_options(read_configuration(job), options)


def _build_unclear(error: UnclearOutcomeError, more: str = "") -> UnclearOutcomeError:
    return UnclearOutcomeError(
        f"It is not known whether the job was created, so it was not created again. {error}{more} Call again in a "
        "minute with the same arguments, without again=true: that answers with the job if there is one, and creates it "
        "otherwise. list_extract_jobs shows the jobs too."
    )
