"""Jobs that exist already: of the same document and options, or from a request whose answer was lost."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from llx_mcp.errors import LlxError, UnavailableError, UnclearOutcomeError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.configurations import read_configuration
from llx_mcp.jobs.paced_requests import PacedRequests
from llx_mcp.scope import JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

# The same document and options within this time are taken for a repetition.
_SAME_REQUEST = timedelta(days=1)
# The clock of the service is known to about two seconds.
_CLOCK_MARGIN = timedelta(seconds=5)
_LATEST = timedelta(minutes=1)
# A list has the results of its jobs, which can be large.
_PAGE_SIZE = 5
# A service whose list never ends.
_MAX_PAGES = 200
_MAX_FILES = 5
_MAX_SENDS = 3
# After a lost answer, the service may still be creating the job.
_LOOK_AFTER_SECONDS = (0.0, 2.0, 5.0)
_UNSUCCESSFUL = frozenset({"FAILED", "CANCELLED"})

IsWanted = Callable[[Mapping[str, Any]], bool]


class ExistingJobs:
    """Finds jobs by their document and configuration."""

    def __init__(self, requests: PacedRequests, scope: Scope, is_wanted: IsWanted) -> None:
        """Prepare a search.

        Args:
            requests: sends the requests.
            scope: project and organization.
            is_wanted: returns whether a configuration is that of the wanted job.
        """
        self._requests = requests
        self._scope = scope
        self._is_wanted = is_wanted

    async def find(self, files: Sequence[str], now: datetime) -> "Job | None":
        """Return the latest wanted job of one of the files within a day; one without success only if there is no other.

        Args:
            files: ids of the document at the service.
            now: the time by the service's clock.

        Raises:
            LlxError: the service gives no list.
        """
        unsuccessful: Job | None = None
        for file_id in files[:_MAX_FILES]:
            async for job in self._iterate(file_id, now - _SAME_REQUEST):
                if not await self._has_options(job):
                    continue
                if job.status not in _UNSUCCESSFUL:
                    return job
                unsuccessful = unsuccessful or job
        return unsuccessful

    async def list_latest_ids(self, file_id: str, now: datetime) -> frozenset[str]:
        """Return the ids of the jobs of a file that could be taken for one that is created now.

        Raises:
            LlxError: the service gives no list.
        """
        return frozenset([job.id async for job in self._iterate(file_id, now - _LATEST)])

    async def create(
        self, body: Mapping[str, Any], earlier: Collection[str], service_now: Callable[[], datetime], clock: Clock
    ) -> "Job":
        """Create a job. After a lost answer, look for the job, and send the request again only if there is none.

        Args:
            body: the body of the request.
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
            job = await self._look(body["file_input"], earlier, started, clock, unclear)
            if job is not None:
                return job
            if not unclear.has_ended or number == _MAX_SENDS - 1:
                break
        raise build_unclear(str(unclear))

    async def _look(
        self, file_id: str, earlier: Collection[str], started: datetime, clock: Clock, unclear: UnclearOutcomeError
    ) -> "Job | None":
        for seconds in _LOOK_AFTER_SECONDS:
            await clock.sleep(seconds)
            try:
                jobs = [job async for job in self._iterate(file_id, started) if job.id not in earlier]
                found = [job for job in jobs if await self._has_options(job)]
            except LlxError as exc:
                raise build_unclear(f"{unclear} The jobs could not be listed either: {exc}") from None
            if found:
                return found[0]
            if jobs:
                # Created at the same time with other options, or ours with options that the service has changed.
                ids = ", ".join(job.id for job in jobs[:3])
                raise build_unclear(f"{unclear} It may be this one: {ids}.")
        return None

    async def _iterate(self, file_id: str, since: datetime) -> "AsyncIterator[Job]":
        """Yield the jobs of a file since a time, newest first."""
        wanted = JobFilter(file_input=file_id, created_since=since, page_size=_PAGE_SIZE, expand=("configuration",))
        for _ in range(_MAX_PAGES):
            page = await self._requests.list_jobs(wanted, self._scope)
            for job in page.items:
                if job.created_at is None or job.created_at >= since:
                    yield job
            oldest = page.items[-1].created_at if page.items else None
            if page.next_page_token is None or (oldest is not None and oldest < since):
                return
            wanted = replace(wanted, page_token=page.next_page_token)
        raise UnavailableError(
            f"The jobs of {file_id} within a day are more than {_MAX_PAGES * _PAGE_SIZE:,}, so it is not known whether "
            "there is one of the same. Nothing was created. To create one in any case, call again with again=true."
        )

    async def _has_options(self, job: "Job") -> bool:
        if job.raw("configuration") is None:
            job = await self._requests.fetch_job(job.id, ("configuration",), self._scope)
        return self._is_wanted(read_configuration(job))


def build_unclear(reason: str) -> UnclearOutcomeError:
    """Return the error that it is not known whether there is a job, and what to do."""
    return UnclearOutcomeError(
        f"It is not known whether the job was created, so it was not created again. {reason} Call again in a minute "
        "with the same arguments, without again=true: that answers with the job if there is one, and creates it "
        "otherwise. list_extract_jobs shows the jobs too."
    )
