"""Jobs as answers: fetched, waited for, and read within a budget, for tools, resources and people alike.

The job model and the reading are imported with the first question: a server that is only started and listed
does without them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llx_mcp.errors import ArgumentError, BadResponseError, RateLimitedError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.looks import Lessons
from llx_mcp.jobs.rate import Rate
from llx_mcp.jobs.schedule import Schedule
from llx_mcp.jobs.sharing import SharedCalls
from llx_mcp.jobs.sights import OnProgress, Progress, Sight
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.jobs.store import MAX_BYTES, FinishedJobs, JobKey
from llx_mcp.jobs.watch import JobWatcher, Until
from llx_mcp.reading.facts import Ask

if TYPE_CHECKING:
    from llx_mcp.models import Job, JobPage
    from llx_mcp.reading.budget import Answer

MAX_JOBS = 100

# Smaller jobs are read in less time than a thread costs.
_THREAD_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How jobs are waited for and kept.

    Attributes:
        schedule: intervals between looks.
        requests_per_minute: what the key may do, where that is known; else it is learnt from refusals.
        store_bytes: most compressed bytes of finished jobs in memory.
    """

    schedule: Schedule = field(default_factory=Schedule)
    requests_per_minute: float | None = None
    store_bytes: int = MAX_BYTES


class JobReader:
    """Answers about jobs. The source is opened with the first question, so that starting costs nothing."""

    def __init__(
        self, open_source: OpenSource, clock: Clock, stack: AsyncExitStack, group: TaskGroup, options: ReaderOptions
    ) -> None:
        self._open_source = open_source
        self._clock = clock
        self._stack = stack
        self._group = group
        self._options = options
        self._store = FinishedJobs(clock, options.store_bytes)
        self._fetches: SharedCalls[Job] = SharedCalls(group)
        self._lessons = Lessons(Rate(options.requests_per_minute))
        self._source: JobSource | None = None
        self._watcher: JobWatcher | None = None
        self._opening = anyio.Lock()

    async def fetch(self, ask: Ask) -> "Job":
        """The job with all its sections: kept, or fetched once for all who ask for it now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        key = await self._key(ask.job_id, ask.project_id, ask.organization_id)
        kept = await self._store.get(key)
        if kept is not None and ("usage" not in ask.expand or (kept.usage and kept.usage.credits is not None)):
            return kept
        return await self._fetches.ask(key, lambda: self._fetch(key))

    async def get(self, ask: Ask) -> "Answer":
        """The answer about a job as it is now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        return await self.answer(await self.fetch(ask), ask)

    async def wait(self, ask: Ask, timeout_seconds: float, on_progress: OnProgress | None = None) -> "Answer":
        """The answer about a job once it has ended, or as it is when the time is up.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        progress = await self.wait_many(
            [ask.job_id],
            timeout_seconds=timeout_seconds,
            project_id=ask.project_id,
            organization_id=ask.organization_id,
            on_progress=on_progress,
        )
        (sight,) = progress.sights
        return await self.answer(_job_of(sight), ask, progress.waited_seconds)

    async def wait_many(
        self,
        job_ids: Sequence[str],
        *,
        until: Until = "all",
        timeout_seconds: float,
        project_id: str | None = None,
        organization_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Progress:
        """Jobs once all or any of them have ended, or as they are when the time is up.

        What is wrong with one of them is told in its sight, and the others are waited for.

        Args:
            job_ids: up to 100; one that comes twice counts once.
            until: which end ends the wait.
            timeout_seconds: how long to wait; 0 looks once.
            project_id: of all of them; the key's default where it is None.
            organization_id: likewise.
            on_progress: told of every look. Without it only changes are looked into, which is cheaper.

        Raises:
            ArgumentError: no id, or too many.
            LlxError: nothing can be asked at all; the message says the next move.
        """
        wanted = list(dict.fromkeys(job_id.strip() for job_id in job_ids))
        if not wanted:
            raise ArgumentError("No job is named. Give the ids of the extract jobs to wait for; they begin with ext-.")
        if len(wanted) > MAX_JOBS:
            raise ArgumentError(
                f"{len(wanted)} jobs are more than one wait takes. Give at most {MAX_JOBS}, and the rest in another."
            )
        keys = [await self._key(job_id, project_id, organization_id) for job_id in wanted]
        watcher = await self._watch()
        return await watcher.wait(keys, until=until, timeout_seconds=timeout_seconds, on_progress=on_progress)

    async def look(self, job_id: str, project_id: str | None = None, organization_id: str | None = None) -> Sight:
        """One look at a job, shared with those who wait for it.

        Raises:
            LlxError: nothing can be asked at all; what is wrong with the job is told in the sight.
        """
        progress = await self.wait_many(
            [job_id], timeout_seconds=0, project_id=project_id, organization_id=organization_id
        )
        return progress.sights[0]

    async def watch(
        self, job_id: str, project_id: str | None = None, organization_id: str | None = None
    ) -> AsyncGenerator[Sight, None]:
        """The job as it is, and again at each change of status, until it has ended or cannot be read.

        Close the iterator when done (`contextlib.aclosing`): looking stops with the last who waits.

        Raises:
            LlxError: nothing can be asked at all.
        """
        key = await self._key(job_id.strip(), project_id, organization_id)
        watcher = await self._watch()
        async with aclosing(watcher.watch(key)) as sights:
            async for sight in sights:
                yield sight

    async def list(
        self,
        *,
        status: Sequence[str] = (),
        file_input: str | None = None,
        configuration_id: str | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> "JobPage":
        """One page of the jobs that the key sees, those that pass every filter given.

        Raises:
            LlxError: there is no list; the message says the next move.
        """
        source = await self._open()
        self._lessons.rate.spend(self._clock.monotonic())
        return await source.list_jobs(
            status=status,
            file_input=file_input,
            configuration_id=configuration_id,
            created_since=created_since,
            created_until=created_until,
            page_size=page_size,
            page_token=page_token,
            project_id=project_id,
            organization_id=organization_id,
        )

    async def identity(self) -> str:
        """A digest of key and address, the same in every process that has both.

        Raises:
            ConfigurationError: there is no key.
        """
        return (await self._open()).identity()

    async def close(self) -> None:
        """Answer every open wait with what was seen last."""
        if self._watcher is not None:
            await self._watcher.close()

    async def answer(self, job: "Job", ask: Ask, waited_seconds: float | None = None) -> "Answer":
        """A job, read within the budget of the ask.

        Raises:
            BadResponseError: its result or metadata is no JSON.
        """
        from llx_mcp.reading.summary import summarize

        def read() -> "Answer":
            return summarize(job, ask, now=now, waited_seconds=waited_seconds)

        now = self._clock.now()
        size = sum(memoryview(raw).nbytes for raw in job.sections.values())
        try:
            return read() if size < _THREAD_BYTES else await anyio.to_thread.run_sync(read)
        except (ValueError, RecursionError) as exc:
            # The message of a parser names a place and a kind of fault, never the text itself.
            raise BadResponseError(
                f"The job came, but its result or metadata cannot be read as JSON ({type(exc).__name__}). A retry "
                f"seldom helps; the resource {ask.resource()} gives it as it came."
            ) from None

    async def _fetch(self, key: JobKey) -> "Job":
        from llx_mcp.models import EXPANDABLE_SECTIONS

        source = await self._open()
        rate = self._lessons.rate
        rate.spend(self._clock.monotonic())
        try:
            job = await source.fetch_job(key.job_id, EXPANDABLE_SECTIONS, key.project_id, key.organization_id)
        except RateLimitedError as exc:
            rate.note_refusal(self._clock.monotonic(), exc.retry_after_seconds)
            raise
        await self._store.put(key, job)
        return job

    async def _key(self, job_id: str, project_id: str | None, organization_id: str | None) -> JobKey:
        return JobKey(await self.identity(), project_id, organization_id, job_id)

    async def _open(self) -> JobSource:
        if self._source is not None:
            return self._source
        async with self._opening:
            if self._source is None:
                self._source = await self._stack.enter_async_context(self._open_source())
        return self._source

    async def _watch(self) -> JobWatcher:
        source = await self._open()
        if self._watcher is None:
            self._watcher = JobWatcher(
                source,
                self._store,
                self._clock,
                self._group,
                schedule=self._options.schedule,
                lessons=self._lessons,
            )
        return self._watcher


def _job_of(sight: Sight) -> "Job":
    """The job of a single wait, or what stood in its way."""
    error = sight.error or (sight.failure if sight.job is None else None)
    if error is not None:
        raise error.with_traceback(None)
    if sight.job is None:
        raise RateLimitedError(
            "The time was up before the job could be read: the requests that this key may make are used up, or its "
            "result is still on its way. Call again in a minute, with a longer timeout_seconds."
        )
    return sight.job


@asynccontextmanager
async def open_reader(
    open_source: OpenSource, clock: Clock, options: ReaderOptions | None = None
) -> AsyncIterator[JobReader]:
    """A reader; at the end its waits are answered, what it does is stopped, and its source is closed."""
    failure: Exception | None = None
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        reader = JobReader(open_source, clock, stack, group, options or ReaderOptions())
        try:
            yield reader
        except Exception as exc:
            # Raised inside the group it would come out as a group.
            failure = exc
        finally:
            await reader.close()
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
