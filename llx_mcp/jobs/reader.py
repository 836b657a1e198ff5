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

from llx_mcp.answers.header import JobRequest
from llx_mcp.errors import ArgumentError, LlxError, RateLimitedError
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.answers.job_list import JobListRequest
    from llx_mcp.answers.wait_report import Until, WaitRequest
    from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
    from llx_mcp.jobs.executor import AnswerExecutor
    from llx_mcp.jobs.poller import JobPoller
    from llx_mcp.jobs.polling import ServiceLimits
    from llx_mcp.jobs.progress import JobSnapshot, OnProgress, WaitProgress
    from llx_mcp.jobs.single_flight import SingleFlight
    from llx_mcp.jobs.task_tokens import TokenSigner
    from llx_mcp.models import Job, JobPage

MAX_JOBS = 100
QUERY_SECONDS = 2.0

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
    def _answers(self) -> "AnswerExecutor":
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

    async def fetch(self, ask: JobRequest) -> "Job":
        """The job with all its sections: kept, or fetched once for all who ask for it now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        from llx_mcp.jobs.cache import parse_cached

        return await parse_cached(await self._fetch_kept(ask))

    async def get(self, ask: JobRequest) -> "Answer":
        """The answer about a job as it is now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        return await self._summarize(await self._fetch_kept(ask), ask)

    async def read(self, ask: JobRequest, path: str, cursor: str | None, include: Sequence[str]) -> "Answer":
        """The values at a path, a page of them.

        Raises:
            LlxError: there is no way to the job, or the path or the cursor cannot be used.
        """
        return await self._ask("read", ask, {"path": path, "cursor": cursor, "include": list(include)})

    async def find(self, ask: JobRequest, text: str, where: Sequence[str]) -> "Answer":
        """Where a text stands.

        Raises:
            LlxError: there is no way to the job, or the text holds nothing to look for.
        """
        return await self._ask("find", ask, {"text": text, "where": list(where)})

    async def query(self, ask: JobRequest, sql: str, deadline_seconds: float = QUERY_SECONDS) -> "Answer":
        """The rows of one SELECT over the result's tables.

        Raises:
            LlxError: there is no way to the job, or the query cannot be run.
        """
        return await self._ask("query", ask, {"sql": sql, "deadline_seconds": deadline_seconds})

    async def review(self, ask: JobRequest, threshold: float) -> "Answer":
        """What a careful person would check.

        Raises:
            LlxError: there is no way to the job.
        """
        return await self._ask("review", ask, {"threshold": threshold})

    async def wait(
        self, asks: "WaitRequest", timeout_seconds: float, on_progress: "OnProgress | None" = None
    ) -> "Answer":
        """The answer about jobs once they have ended, or as they are when the time is up.

        Raises:
            LlxError: there is no way to them; the message says the next move.
        """
        progress = await self.wait_many(
            asks.job_ids,
            until=asks.until,
            timeout_seconds=timeout_seconds,
            scope=asks.scope,
            on_progress=on_progress,
        )
        return await self.build_wait_answer(asks, progress)

    async def build_wait_answer(self, asks: "WaitRequest", progress: "WaitProgress") -> "Answer":
        """The answer to a wait, from what was seen last.

        Raises:
            LlxError: there is no way to the one job, or to any of them for a reason that is not theirs.
        """
        from llx_mcp.jobs.lister import build_waited_row, get_single_job, raise_common_error

        if not asks.is_many:
            (snapshot,) = progress.snapshots
            ask = asks.ask(snapshot.job_id)
            return await self._summarize(
                await self._kept_of(ask, get_single_job(snapshot)), ask, progress.waited_seconds
            )
        from llx_mcp.answers.wait_report import WaitReport

        raise_common_error(progress.snapshots)
        jobs = {snapshot.job_id: snapshot.job for snapshot in progress.snapshots if snapshot.job is not None}
        now = self.service_now()
        roll = WaitReport(
            [build_waited_row(snapshot, now) for snapshot in progress.snapshots], asks, progress.waited_seconds
        )
        while (named := roll.next_summary()) is not None:
            ask = asks.ask(*named)
            try:
                roll.add(await self._summarize(await self._kept_of(ask, jobs[ask.job_id]), ask))
            except LlxError as exc:
                roll.skip(str(exc))
        return roll.answer()

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

    async def list(self, ask: "JobListRequest", cursor: str | None = None) -> "Answer":
        """The jobs that the key sees, newest first, as many as have room.

        Raises:
            LlxError: there is no list, or a filter or the cursor cannot be used; the message says the next move.
        """
        from llx_mcp.jobs.lister import list_jobs

        return await list_jobs(self, ask, cursor)

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

    async def _summarize(self, kept: "CachedJob", ask: JobRequest, waited_seconds: float | None = None) -> "Answer":
        from llx_mcp.answers.header import build_header

        heading = build_header(kept.job, ask, now=self.service_now(), waited_seconds=waited_seconds)
        return await self._answers.ask(await self._key_of(ask), kept, heading, "summarize", ask, {})

    async def _ask(self, kind: str, ask: JobRequest, arguments: dict[str, Any]) -> "Answer":
        from llx_mcp.answers.header import build_header

        kept = await self._fetch_kept(ask)
        heading = build_header(kept.job, ask, now=self.service_now())
        return await self._answers.ask(await self._key_of(ask), kept, heading, kind, ask, arguments)

    def service_now(self) -> datetime:
        """The time of day by the service's clock, as far as its answers told."""
        ahead = self._source.clock_offset_seconds if self._source is not None else 0.0
        return self.clock.now() + timedelta(seconds=ahead)

    async def _kept_of(self, ask: JobRequest, job: "Job") -> "CachedJob":
        """A job that was waited for: as it is kept where it has ended, unless it is too large for that."""
        from llx_mcp.jobs.cache import CachedJob

        kept = self._store.find(await self._key_of(ask))
        return kept or (CachedJob.of(job) if job.body else await self._fetch_kept(ask))

    async def _fetch_kept(self, ask: JobRequest) -> "CachedJob":
        """The job with all its sections: as it is kept where it has ended, else fetched once for all who ask for it."""
        key = await self._key_of(ask)
        kept = self._store.find(key, billed="usage" in ask.expand)
        return kept or await self._fetches.ask(key, lambda: self._fetch(key))

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

    async def _key_of(self, ask: JobRequest) -> "JobKey":
        return await self._key(ask.job_id, ask.scope)

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
