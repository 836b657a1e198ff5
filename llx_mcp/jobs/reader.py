"""Reads jobs and answers requests about them, for tools, resources and the command line.

Small jobs are read in this process. Large ones are read in a worker process, because decoding holds the interpreter
lock; so are queries and reviews, which may have to be stopped. The job model and the answers are imported with the
first request, which keeps the start of the server fast.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from llx_mcp.answers.requests import JobListRequest, JobRequest, SourceOptions, Until, WaitRequest
from llx_mcp.jobs.cache import JobCache, parse_cached
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.job_ids import check_job_ids
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from llx_mcp.jobs.source import OpenSource
from llx_mcp.scope import DEFAULT_SCOPE, Scope

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.jobs.answering import JobAnswers
    from llx_mcp.jobs.citation_pictures import CitationPictures
    from llx_mcp.jobs.evidence import EvidenceFinder
    from llx_mcp.jobs.executor import AnswerExecutor
    from llx_mcp.jobs.joined import JoinedJobs
    from llx_mcp.jobs.poller import JobPoller
    from llx_mcp.jobs.progress import JobSnapshot, OnProgress, WaitProgress
    from llx_mcp.jobs.writer import JobWriter
    from llx_mcp.models import Job
    from llx_mcp.pdf.processes import PdfProcesses


class JobReader:
    """Reads, lists and polls jobs, and answers requests about them. It opens the source with the first request.

    Attributes:
        clock: the clock of the polling.
        fetcher: fetches and caches jobs.
    """

    def __init__(
        self,
        open_source: OpenSource,
        clock: Clock,
        stack: AsyncExitStack,
        group: TaskGroup,
        options: ReaderOptions,
        shared: SharedResources | None = None,
    ) -> None:
        self.clock = clock
        self._stack = stack
        self._group = group
        self._options = options
        self._poller: JobPoller | None = None
        self._is_ending = False
        self._shared = shared or SharedResources(JobCache(clock, options.cache_bytes), SharedWorkers(group, stack))
        self.fetcher = JobFetcher(
            open_source,
            clock,
            stack,
            group,
            cache=self._shared.cache,
            requests_per_minute=options.requests_per_minute,
            coordination=self._shared.coordination,
        )

    @property
    def num_waits(self) -> int:
        """How many waits are open."""
        return 0 if self._poller is None else self._poller.num_waits

    @cached_property
    def _executor(self) -> "AnswerExecutor":
        from llx_mcp.jobs.executor import AnswerExecutor

        return AnswerExecutor(self.fetcher.cache, self._shared.workers, self._group)

    @cached_property
    def answers(self) -> "JobAnswers":
        """Answers questions about one job each."""
        from llx_mcp.jobs.answering import JobAnswers

        return JobAnswers(self.fetcher, self._executor, self.evidence, self._options.call_seconds)

    @cached_property
    def _pdfs(self) -> "PdfProcesses":
        processes = self._shared.pdfs.open_processes()
        self._stack.push_async_callback(processes.close)
        return processes

    @cached_property
    def writer(self) -> "JobWriter":
        """Creates, cancels and deletes jobs."""
        from llx_mcp.jobs.writer import JobWriter

        return JobWriter(self.fetcher, self.clock, self._group, self._options, lambda: self._pdfs)

    @cached_property
    def evidence(self) -> "EvidenceFinder":
        """Finds the texts of the documents of jobs."""
        from llx_mcp.jobs.evidence import EvidenceFinder

        return EvidenceFinder(self.fetcher, self._pdfs, self.clock, self._group, self._shared.documents, self._options)

    @cached_property
    def citations(self) -> "CitationPictures":
        """Shows values where they stand in their documents."""
        from llx_mcp.jobs.citation_pictures import CitationPictures

        return CitationPictures(self.fetcher, self._executor, self.evidence, self._options.call_seconds)

    @cached_property
    def joined(self) -> "JoinedJobs":
        """Answers questions about several jobs."""
        from llx_mcp.jobs.joined import JoinedJobs

        return JoinedJobs(self.fetcher, self._executor, self._options.call_seconds, self.evidence)

    async def fetch(self, request: JobRequest) -> "Job":
        """Return the job with all its sections, from the cache or from a fetch that concurrent callers share.

        Raises:
            LlxError: the job cannot be read; the message says what to do next.
        """
        with limit_call(self._options.call_seconds):
            return await parse_cached(await self.fetcher.fetch_job(request))

    async def get(self, request: JobRequest) -> "Answer":
        """Return the answer about a job as it is now.

        Raises:
            LlxError: the job cannot be read; the message says what to do next.
        """
        from llx_mcp.answers.dispatch import SummaryQuestion

        return await self.answers.answer(request, lambda header: SummaryQuestion(request, header))

    async def read(self, request: JobRequest, path: str, cursor: str | None, include: Sequence[str]) -> "Answer":
        """Return the values at a path, one page of them.

        Raises:
            LlxError: the job cannot be read, or the path or the cursor cannot be used.
        """
        from llx_mcp.answers.dispatch import ReadQuestion
        from llx_mcp.answers.requests import ReadOptions

        options = ReadOptions(path, cursor, tuple(include))
        return await self.answers.answer(request, lambda header: ReadQuestion(request, header, options))

    async def find(self, request: JobRequest, text: str, limit: int) -> "Answer":
        """Return what a result says about some words, best match first.

        Raises:
            LlxError: the job cannot be read, or the text has nothing to search for.
        """
        from llx_mcp.answers.dispatch import SearchQuestion

        return await self.answers.answer(request, lambda header: SearchQuestion(request, header, text, limit))

    async def query(self, request: JobRequest, sql: str, deadline_seconds: float | None = None) -> "Answer":
        """Return the rows of one SELECT over the result's tables.

        Raises:
            LlxError: the job cannot be read, or the query cannot be run.
        """
        from llx_mcp.answers.dispatch import QUERY_SECONDS, QueryQuestion

        seconds = QUERY_SECONDS if deadline_seconds is None else deadline_seconds
        return await self.answers.answer(request, lambda header: QueryQuestion(request, header, sql, seconds))

    async def read_source_text(self, request: JobRequest, options: SourceOptions) -> "Answer":
        """Return what the document of a job says: around a value, on some pages, or where some words stand.

        Raises:
            LlxError: the job cannot be read, or the arguments or the cursor cannot be used.
        """
        from llx_mcp.answers.dispatch import SourceTextQuestion

        return await self.answers.answer(request, lambda header: SourceTextQuestion(request, header, options))

    async def review(self, request: JobRequest, threshold: float, *, check_citations: bool = True) -> "Answer":
        """Return what to check in a result.

        Args:
            request: the job and the budget.
            threshold: a confidence below this is low, 0 to 1.
            check_citations: whether to check the citations against the text of the document.

        Raises:
            LlxError: the job cannot be read.
        """
        from llx_mcp.answers.dispatch import ReviewQuestion

        return await self.answers.answer(
            request, lambda header: ReviewQuestion(request, header, threshold, check_citations)
        )

    async def wait(
        self, request: WaitRequest, timeout_seconds: float, on_progress: "OnProgress | None" = None
    ) -> "Answer":
        """Wait for jobs, and return the answer about them once they have ended or the time is up.

        Raises:
            LlxError: the jobs cannot be read; the message says what to do next.
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
        """Return the answer to a wait, from its last progress.

        Raises:
            LlxError: the only job cannot be read, or none of several can for a reason that they share.
        """
        from llx_mcp.jobs.wait_answers import build_wait_answer

        seconds = self._options.call_seconds
        return await build_wait_answer(self.fetcher, self.answers.summarize, seconds, request, progress)

    async def wait_many(
        self,
        job_ids: Sequence[str],
        *,
        until: "Until" = "all",
        timeout_seconds: float,
        scope: Scope = DEFAULT_SCOPE,
        on_progress: "OnProgress | None" = None,
    ) -> "WaitProgress":
        """Wait until all or any of the jobs have ended, or the time is up; return the last progress.

        An error of one job is recorded in its snapshot, and the wait goes on for the others.

        Args:
            job_ids: up to 100 ids; duplicates count once.
            until: whether all jobs must end, or any one.
            timeout_seconds: how long to wait; 0 polls once.
            scope: project and organization of all jobs.
            on_progress: called after every poll. Without it only changes are processed, which is cheaper.

        Raises:
            ArgumentError: there is no id, or there are too many.
            LlxError: no request can be made at all; the message says what to do next.
        """
        keys = [await self.fetcher.build_key(job_id, scope) for job_id in check_job_ids(job_ids)]
        poller = await self._open_poller()
        seconds = 0.0 if self._is_ending else timeout_seconds
        return await poller.wait(keys, until=until, timeout_seconds=seconds, on_progress=on_progress)

    async def watch(self, job_id: str, scope: Scope = DEFAULT_SCOPE) -> "AsyncGenerator[JobSnapshot, None]":
        """Yield the job now and after each change of status, until it has ended or cannot be read.

        Close the iterator when done (`contextlib.aclosing`), because an open one keeps the polling going.

        Raises:
            LlxError: no request can be made at all.
        """
        key = await self.fetcher.build_key(job_id.strip(), scope)
        poller = await self._open_poller()
        async with aclosing(poller.watch(key)) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def list(self, request: "JobListRequest", cursor: str | None = None) -> "Answer":
        """Return the jobs of the key, newest first, as many as fit into the answer.

        Raises:
            LlxError: the service gives no list, or a filter or the cursor is invalid; the message says what to do
                next.
        """
        from llx_mcp.jobs.lister import list_jobs

        return await list_jobs(self.fetcher, request, cursor, self._options.call_seconds)

    def poll_seconds(self, progress: "WaitProgress") -> float:
        """Return the seconds until the poll loop would poll these jobs again."""
        schedule = self._options.schedule
        ages = [snapshot.age_seconds for snapshot in progress.snapshots if not snapshot.has_ended]
        return min((schedule.mean_interval_seconds(age or 0.0) for age in ages), default=schedule.shortest_seconds)

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Start a background task that ends with the reader. It must not raise."""
        self._group.start_soon(work, *arguments)

    def end_waits(self) -> None:
        """End every open wait with its progress so far. A wait that begins later polls once."""
        self._is_ending = True
        if self._poller is not None:
            self._poller.end_waits()

    async def close(self) -> None:
        """End every open wait with its progress so far, and refuse new ones."""
        if self._poller is not None:
            await self._poller.close()

    async def _open_poller(self) -> "JobPoller":
        # Imported with the first wait, because it needs the job model.
        from llx_mcp.jobs.poller import JobPoller

        source = await self.fetcher.open()
        if self._poller is None:
            self._poller = JobPoller(
                source,
                self.fetcher.cache,
                self.clock,
                self._group,
                self._options.schedule,
                self.fetcher.coordinator,
            )
        return self._poller


@asynccontextmanager
async def open_reader(
    open_source: OpenSource,
    clock: Clock,
    options: ReaderOptions | None = None,
    shared: SharedResources | None = None,
) -> AsyncIterator[JobReader]:
    """Open a reader, alone or sharing with others. On exit, its waits and tasks end, and its source is closed."""
    failure: Exception | None = None
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        reader = JobReader(open_source, clock, stack, group, options or ReaderOptions(), shared)
        try:
            yield reader
        except Exception as exc:  # noqa: BLE001 - it is raised again below
            # Inside the task group it would become an exception group.
            failure = exc
        finally:
            await reader.close()
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
