"""Jobs as answers: fetched, waited for, and read within a budget, for tools, resources and people alike.

Small jobs are read where they come in. Large ones are read in a worker process, since decoding holds the
interpreter; so are queries and reviews, which may have to be ended. The job model and the reading are imported
with the first question: a server that is only started and listed does without them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from llx_mcp.answers.requests import JobRequest, Until, WaitRequest
from llx_mcp.errors import ArgumentError, LlxError, RateLimitedError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.answers.dispatch import Question
    from llx_mcp.answers.header import Header
    from llx_mcp.answers.requests import JobListRequest
    from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
    from llx_mcp.jobs.executor import AnswerExecutor
    from llx_mcp.jobs.poller import JobPoller
    from llx_mcp.jobs.polling import ServiceLimits
    from llx_mcp.jobs.progress import JobSnapshot, OnProgress, WaitProgress
    from llx_mcp.jobs.single_flight import SingleFlight
    from llx_mcp.jobs.task_tokens import TokenSigner
    from llx_mcp.models import Job, JobPage

MAX_JOBS = 100

_COMPRESS_LATER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How jobs are waited for and kept.

    Attributes:
        schedule: intervals between looks.
        requests_per_minute: what the key may do, where that is known; else it is learnt from refusals.
        store_bytes: most compressed bytes of finished jobs in memory.
    """

    schedule: PollSchedule = field(default_factory=PollSchedule)
    requests_per_minute: float | None = None
    cache_bytes: int = 256 * 1024 * 1024


class JobReader:
    """Answers about jobs. The source is opened with the first question, so that starting costs nothing.

    Attributes:
        clock: the time that waiting goes by.
    """

    def __init__(
        self, open_source: OpenSource, clock: Clock, stack: AsyncExitStack, group: TaskGroup, options: ReaderOptions
    ) -> None:
        self.clock = clock
        self._open_source = open_source
        self._stack = stack
        self._group = group
        self._options = options
        self._identity: str | None = None
        self._allow_names = True
        self._source: JobSource | None = None
        self._watcher: JobPoller | None = None
        self._opening = anyio.Lock()

    @cached_property
    def _store(self) -> "JobCache":
        from llx_mcp.jobs.cache import JobCache

        return JobCache(self.clock, self._options.cache_bytes)

    @cached_property
    def _executor(self) -> "AnswerExecutor":
        from llx_mcp.jobs.executor import AnswerExecutor

        return AnswerExecutor(self._store, self._stack, self._group)

    @cached_property
    def _fetches(self) -> "SingleFlight[CachedJob]":
        from llx_mcp.jobs.single_flight import SingleFlight

        return SingleFlight(self._group)

    @cached_property
    def _service_limits(self) -> "ServiceLimits":
        from llx_mcp.jobs.polling import ServiceLimits
        from llx_mcp.jobs.rate_limit import RateLimit

        return ServiceLimits(RateLimit(self._options.requests_per_minute))

    async def fetch(self, request: JobRequest) -> "Job":
        """The job with all its sections: kept, or fetched once for all who ask for it now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        from llx_mcp.jobs.cache import parse_cached

        return await parse_cached(await self._fetch_cached(request))

    async def get(self, request: JobRequest) -> "Answer":
        """The answer about a job as it is now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        return await self._summarize(await self._fetch_cached(request), request)

    async def read(self, request: JobRequest, path: str, cursor: str | None, include: Sequence[str]) -> "Answer":
        """Return the values at a path, one page of them.

        Raises:
            LlxError: the job cannot be read, or the path or the cursor cannot be used.
        """
        from llx_mcp.answers.dispatch import ReadQuestion
        from llx_mcp.answers.page import ReadOptions

        cached, header = await self._read_header(request)
        return await self._answer(cached, ReadQuestion(request, header, ReadOptions(path, cursor, tuple(include))))

    async def find(self, request: JobRequest, text: str, where: Sequence[str]) -> "Answer":
        """Return where a text stands.

        Raises:
            LlxError: the job cannot be read, or the text has nothing to search for.
        """
        from llx_mcp.answers.dispatch import SearchQuestion

        cached, header = await self._read_header(request)
        return await self._answer(cached, SearchQuestion(request, header, text, tuple(where)))

    async def query(self, request: JobRequest, sql: str, deadline_seconds: float | None = None) -> "Answer":
        """Return the rows of one SELECT over the result's tables.

        Raises:
            LlxError: the job cannot be read, or the query cannot be run.
        """
        from llx_mcp.answers.dispatch import QUERY_SECONDS, QueryQuestion

        cached, header = await self._read_header(request)
        seconds = QUERY_SECONDS if deadline_seconds is None else deadline_seconds
        return await self._answer(cached, QueryQuestion(request, header, sql, seconds))

    async def review(self, request: JobRequest, threshold: float) -> "Answer":
        """Return what to check in a result.

        Raises:
            LlxError: the job cannot be read.
        """
        from llx_mcp.answers.dispatch import ReviewQuestion

        cached, header = await self._read_header(request)
        return await self._answer(cached, ReviewQuestion(request, header, threshold))

    async def wait(
        self, request: WaitRequest, timeout_seconds: float, on_progress: "OnProgress | None" = None
    ) -> "Answer":
        """Return the answer about jobs once they have ended, or as they are at the timeout.

        Raises:
            LlxError: the jobs cannot be read.
        """
        progress = await self.wait_many(
            request.job_ids,
            until=request.until,
            timeout_seconds=timeout_seconds,
            scope=request.scope,
            on_progress=on_progress,
        )
        return await self.build_wait_answer(request, progress)

    async def build_wait_answer(self, request: WaitRequest, progress: "WaitProgress") -> "Answer":
        """Return the answer to a wait, from the last snapshots of its jobs.

        Raises:
            LlxError: the one job cannot be read, or none of them for a reason that is not theirs.
        """
        from llx_mcp.jobs.lister import build_waited_row, get_single_job, raise_common_error

        if not request.is_many:
            (snapshot,) = progress.snapshots
            single = request.job_request(snapshot.job_id)
            cached = await self._cached_of(single, get_single_job(snapshot))
            return await self._summarize(cached, single, progress.waited_seconds)
        from llx_mcp.answers.wait_report import WaitReport

        raise_common_error(progress.snapshots)
        jobs = {snapshot.job_id: snapshot.job for snapshot in progress.snapshots if snapshot.job is not None}
        now = self.service_now()
        rows = [build_waited_row(snapshot, now) for snapshot in progress.snapshots]
        report = WaitReport(rows, request, progress.waited_seconds)
        while (named := report.next_summary()) is not None:
            single = request.job_request(*named)
            try:
                report.add(await self._summarize(await self._cached_of(single, jobs[single.job_id]), single))
            except LlxError as exc:
                report.skip(str(exc))
        return report.build()

    async def wait_many(
        self,
        job_ids: Sequence[str],
        *,
        until: "Until" = "all",
        timeout_seconds: float,
        scope: Scope = DEFAULT_SCOPE,
        on_progress: "OnProgress | None" = None,
    ) -> "WaitProgress":
        """Jobs once all or any of them have ended, or as they are when the time is up.

        What is wrong with one of them is told in its sight, and the others are waited for.

        Args:
            job_ids: up to 100; one that comes twice counts once.
            until: which end ends the wait.
            timeout_seconds: how long to wait; 0 looks once.
            scope: project and organization of all of them.
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
        keys = [await self._key(job_id, scope) for job_id in wanted]
        watcher = await self._watch()
        return await watcher.wait(keys, until=until, timeout_seconds=timeout_seconds, on_progress=on_progress)

    async def watch(self, job_id: str, scope: Scope = DEFAULT_SCOPE) -> "AsyncGenerator[JobSnapshot, None]":
        """The job as it is, and again at each change of status, until it has ended or cannot be read.

        Close the iterator when done (`contextlib.aclosing`): looking stops with the last who waits.

        Raises:
            LlxError: nothing can be asked at all.
        """
        key = await self._key(job_id.strip(), scope)
        watcher = await self._watch()
        async with aclosing(watcher.watch(key)) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def list(self, request: "JobListRequest", cursor: str | None = None) -> "Answer":
        """The jobs that the key sees, newest first, as many as have room.

        Raises:
            LlxError: there is no list, or a filter or the cursor cannot be used; the message says the next move.
        """
        from llx_mcp.jobs.lister import list_jobs

        return await list_jobs(self, request, cursor)

    async def fetch_file_names(self, file_ids: Sequence[str], scope: Scope = DEFAULT_SCOPE) -> "dict[str, str]":
        """The names of those files that the service knows; a list of jobs is useful without them, too."""
        if not file_ids or not self._allow_names:
            return {}
        source = await self._open()
        self._service_limits.rate.spend(self.clock.monotonic())
        try:
            return await source.fetch_file_names(file_ids, scope, max_tries=1)
        except LlxError as exc:
            self._allow_names = exc.is_transient
            return {}

    async def fetch_page(self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE) -> "JobPage":
        """One page of the jobs that the key sees, those that pass every filter given.

        Raises:
            LlxError: there is no list; the message says the next move.
        """
        source = await self._open()
        self._service_limits.rate.spend(self.clock.monotonic())
        try:
            return await source.list_jobs(wanted, scope)
        except RateLimitedError as exc:
            self._service_limits.rate.note_refusal(self.clock.monotonic(), exc.retry_after_seconds)
            raise

    def poll_seconds(self, progress: "WaitProgress") -> float:
        """When it is worth while to look at jobs again that were seen so: as soon as the loop itself would."""
        schedule = self._options.schedule
        ages = [snapshot.age_seconds for snapshot in progress.snapshots if not snapshot.has_ended]
        return min((schedule.mean_seconds(age or 0.0) for age in ages), default=schedule.shortest_seconds)

    async def open_token_signer(self) -> "TokenSigner":
        """What seals and opens handles for this credential; the same in every replica that has it.

        Raises:
            ConfigurationError: there is no key.
        """
        from llx_mcp.jobs.task_tokens import TokenSigner

        source = await self._open()
        return TokenSigner(source.derive_key("handles"), source.identity())

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Have work done beside all else; it is stopped with the reader, and raises nothing."""
        self._group.start_soon(work, *arguments)

    async def identity(self) -> str:
        """A digest of key and address, the same in every process that has both.

        Raises:
            ConfigurationError: there is no key.
        """
        if self._identity is None:
            self._identity = (await self._open()).identity()
        return self._identity

    async def close(self) -> None:
        """Answer every open wait with what was seen last."""
        if self._watcher is not None:
            await self._watcher.close()

    async def _summarize(
        self, cached: "CachedJob", request: JobRequest, waited_seconds: float | None = None
    ) -> "Answer":
        from llx_mcp.answers.dispatch import SummaryQuestion
        from llx_mcp.answers.header import build_header

        header = build_header(cached.job, request, now=self.service_now(), waited_seconds=waited_seconds)
        return await self._answer(cached, SummaryQuestion(request, header))

    async def _read_header(self, request: JobRequest) -> "tuple[CachedJob, Header]":
        from llx_mcp.answers.header import build_header

        cached = await self._fetch_cached(request)
        return cached, build_header(cached.job, request, now=self.service_now())

    async def _answer(self, cached: "CachedJob", question: "Question") -> "Answer":
        return await self._executor.answer(await self._key_of(question.request), cached, question)

    def service_now(self) -> datetime:
        """The time of day by the service's clock, as far as its answers told."""
        ahead = self._source.clock_offset_seconds if self._source is not None else 0.0
        return self.clock.now() + timedelta(seconds=ahead)

    async def _cached_of(self, request: JobRequest, job: "Job") -> "CachedJob":
        """A job that was waited for: as it is kept where it has ended, unless it is too large for that."""
        from llx_mcp.jobs.cache import CachedJob

        cached = self._store.find(await self._key_of(request))
        return cached or (CachedJob.of(job) if job.body else await self._fetch_cached(request))

    async def _fetch_cached(self, request: JobRequest) -> "CachedJob":
        """The job with all its sections: as it is kept where it has ended, else fetched once for all who ask for it."""
        key = await self._key_of(request)
        cached = self._store.find(key, billed="usage" in request.expand)
        return cached or await self._fetches.ask(key, lambda: self._fetch(key))

    async def _fetch(self, key: "JobKey") -> "CachedJob":
        from llx_mcp.models import EXPANDABLE_SECTIONS

        source = await self._open()
        rate = self._service_limits.rate
        rate.spend(self.clock.monotonic())
        try:
            job = await source.fetch_job(key.job_id, EXPANDABLE_SECTIONS, key.scope)
        except RateLimitedError as exc:
            rate.note_refusal(self.clock.monotonic(), exc.retry_after_seconds)
            raise
        return await self._store.put(key, job, compressed=len(job.body) < _COMPRESS_LATER_BYTES)

    async def _key_of(self, request: JobRequest) -> "JobKey":
        return await self._key(request.job_id, request.scope)

    async def _key(self, job_id: str, scope: Scope) -> "JobKey":
        from llx_mcp.jobs.cache import JobKey

        return JobKey(await self.identity(), scope, job_id)

    async def _open(self) -> JobSource:
        if self._source is not None:
            return self._source
        async with self._opening:
            if self._source is None:
                self._source = await self._stack.enter_async_context(self._open_source())
        return self._source

    async def _watch(self) -> "JobPoller":
        source = await self._open()
        if self._watcher is None:
            from llx_mcp.jobs.poller import JobPoller

            self._watcher = JobPoller(
                source,
                self._store,
                self.clock,
                self._group,
                schedule=self._options.schedule,
                service_limits=self._service_limits,
            )
        return self._watcher


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
