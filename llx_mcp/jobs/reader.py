"""Jobs as answers: fetched, waited for, and read within a budget, for tools, resources and people alike.

Small jobs are read where they come in. Large ones are read in a worker process, since decoding holds the
interpreter; so are queries and reviews, which may have to be ended. The job model and the reading are imported
with the first question: a server that is only started and listed does without them.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.abc

from llx_mcp.errors import ArgumentError, BadResponseError
from llx_mcp.jobs.watch import Clock, Look, wait_for_end
from llx_mcp.reading.facts import Ask

if TYPE_CHECKING:
    from llx_mcp.jobs.store import JobStore, KeptJob
    from llx_mcp.models import Job
    from llx_mcp.reading.budget import Answer
    from llx_mcp.reading.facts import Heading
    from llx_mcp.workers.answering import Question
    from llx_mcp.workers.pool import WorkerPool

# Smaller jobs are read in less time than a worker takes to start.
WORKER_BYTES = 1 << 20
QUERY_SECONDS = 2.0

_REVIEW_SECONDS = 60.0
_GRACE_SECONDS = 0.25
_ASK_AGAIN_SECONDS = 60.0
_IN_WORKER = frozenset({"query", "review"})


class JobSource(Protocol):
    """The one endpoint that reading needs."""

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> "Job":
        """One job, with the sections named."""
        ...


OpenSource = Callable[[], AbstractAsyncContextManager[JobSource]]


class JobReader:
    """Answers about jobs. The source is opened with the first question, so that starting costs nothing."""

    def __init__(
        self, open_source: OpenSource, clock: Clock, stack: AsyncExitStack, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._open_source = open_source
        self._clock = clock
        self._stack = stack
        self._tasks = tasks
        self._source: JobSource | None = None
        self._opening = anyio.Lock()
        self._fetching: defaultdict[tuple[str | None, ...], anyio.Lock] = defaultdict(anyio.Lock)
        self._store: JobStore | None = None
        self._pool: WorkerPool | None = None

    async def fetch(self, ask: Ask) -> "Job":
        """The job with all its sections.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        from llx_mcp.models import Job

        return Job.parse(await (await self._fetch(ask)).body())

    async def get(self, ask: Ask) -> "Answer":
        """The answer about a job as it is now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        return await self._summarize(await self._fetch(ask), ask, None)

    async def read(self, ask: Ask, path: str, cursor: str | None, include: Sequence[str]) -> "Answer":
        """The values at a path, a page of them.

        Raises:
            LlxError: there is no way to the job, or the path or the cursor cannot be used.
        """
        return await self._ask("read", ask, {"path": path, "cursor": cursor, "include": list(include)})

    async def find(self, ask: Ask, text: str, where: Sequence[str]) -> "Answer":
        """Where a text stands.

        Raises:
            LlxError: there is no way to the job, or the text holds nothing to look for.
        """
        return await self._ask("find", ask, {"text": text, "where": list(where)})

    async def query(self, ask: Ask, sql: str, deadline_seconds: float = QUERY_SECONDS) -> "Answer":
        """The rows of one SELECT over the result's tables.

        Raises:
            LlxError: there is no way to the job, or the query cannot be run.
        """
        return await self._ask("query", ask, {"sql": sql, "deadline_seconds": deadline_seconds})

    async def review(self, ask: Ask, threshold: float) -> "Answer":
        """What a careful person would check.

        Raises:
            LlxError: there is no way to the job.
        """
        return await self._ask("review", ask, {"threshold": threshold})

    async def wait(self, ask: Ask, timeout_seconds: float, on_look: Callable[[Look], Awaitable[None]]) -> "Answer":
        """The answer about a job once it has ended, or as it is when the time is up.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        seen = await wait_for_end(
            lambda: self._look(ask, ()), timeout_seconds=timeout_seconds, clock=self._clock, on_look=on_look
        )
        if seen.job is not None and not seen.job.is_terminal:
            return await self._summarize(self._keep(seen.job, ()), ask, seen.waited_seconds)
        # A wait that saw the job never ends without one; the sections are fetched once, at the end.
        return await self._summarize(await self._fetch(ask), ask, seen.waited_seconds)

    async def _look(self, ask: Ask, expand: Sequence[str]) -> "Job":
        source = await self._open()
        return await source.fetch_job(ask.job_id, expand, ask.project_id, ask.organization_id)

    async def _open(self) -> JobSource:
        async with self._opening:
            if self._source is None:
                self._source = await self._stack.enter_async_context(self._open_source())
        return self._source

    async def _fetch(self, ask: Ask) -> "KeptJob":
        """The job with all its sections: as it is kept where it has ended, else as it is now."""
        from llx_mcp.jobs.store import JobStore

        if self._store is None:
            self._store = JobStore()
        key = (ask.job_id, ask.project_id, ask.organization_id)
        # Whoever asks for the same job meanwhile waits for this one request.
        lock = self._fetching[key]
        try:
            async with lock:
                return await self._fetch_alone(ask, key, self._store)
        finally:
            if not lock.statistics().tasks_waiting:
                self._fetching.pop(key, None)

    async def _fetch_alone(self, ask: Ask, key: tuple[str | None, ...], store: "JobStore") -> "KeptJob":
        from llx_mcp.models import EXPANDABLE_SECTIONS

        kept = store.get(key)
        if kept is not None and (kept.is_billed or self._clock.monotonic() - kept.fetched_at < _ASK_AGAIN_SECONDS):
            return kept
        kept = self._keep(await self._look(ask, EXPANDABLE_SECTIONS), key)
        if kept.job.is_terminal:
            store.put(key, kept)
        return kept

    def _keep(self, job: "Job", key: tuple[str | None, ...]) -> "KeptJob":
        from llx_mcp.jobs.store import KeptJob

        return KeptJob.of(job, key=key, fetched_at=self._clock.monotonic())

    async def _compress(self, kept: "KeptJob") -> None:
        await kept.compress()
        if self._store is not None:
            self._store.measure(kept.key)

    async def _summarize(self, kept: "KeptJob", ask: Ask, waited_seconds: float | None) -> "Answer":
        from llx_mcp.reading.facts import build_heading

        heading = build_heading(kept.job, ask, now=self._clock.now(), waited_seconds=waited_seconds)
        return await self._answer(kept, heading, "summarize", ask, {})

    async def _ask(self, kind: str, ask: Ask, arguments: dict[str, Any]) -> "Answer":
        from llx_mcp.reading.facts import build_heading

        kept = await self._fetch(ask)
        heading = build_heading(kept.job, ask, now=self._clock.now())
        return await self._answer(kept, heading, kind, ask, arguments)

    async def _answer(
        self, kept: "KeptJob", heading: "Heading", kind: str, ask: Ask, arguments: dict[str, Any]
    ) -> "Answer":
        from llx_mcp.reading.visible import dump_json
        from llx_mcp.workers.answering import Question

        asked = (kind, ask, dump_json(arguments), dump_json(heading.facts))
        known = kept.answer_to(asked) if kept.job.is_terminal else None
        if known is not None:
            return known
        question = Question(kind, ask, arguments)
        try:
            if kept.num_bytes >= WORKER_BYTES or (kind in _IN_WORKER and kept.job.has_result):
                answer = await self._answer_in_worker(kept, heading, question)
            else:
                answer = await _answer_here(kept, heading, question)
        except ArgumentError:
            raise
        except (ValueError, RecursionError) as exc:
            # The message of a parser names a place and a kind of fault, never the text itself.
            raise BadResponseError(
                f"The job came, but its result or metadata cannot be read as JSON ({type(exc).__name__}). A retry "
                f"seldom helps; the resource {ask.resource()} gives it as it came."
            ) from None
        finally:
            # Not before the answer: both want the processor.
            if kept.job.is_terminal and not kept.is_compressed:
                self._tasks.start_soon(self._compress, kept)
        if kept.job.is_terminal:
            kept.keep_answer(asked, answer)
            if self._store is not None:
                self._store.measure(kept.key)
        return answer

    async def _answer_in_worker(self, kept: "KeptJob", heading: "Heading", question: "Question") -> "Answer":
        from llx_mcp.reading.budget import Answer
        from llx_mcp.workers.pool import READ_SECONDS, WorkerLostError, WorkerPool, WorkerStoppedError

        if self._pool is None:
            self._pool = WorkerPool(self._tasks)
            self._stack.callback(self._pool.close)
        messages = [(question.dump(heading), READ_SECONDS)]
        if question.kind == "query":
            deadline = float(question.arguments["deadline_seconds"])
            build = {"kind": "build", "sql": question.arguments["sql"]}
            messages = [(build, READ_SECONDS), (question.dump(heading), deadline + _GRACE_SECONDS)]
        elif question.kind == "review":
            messages = [(question.dump(heading), _REVIEW_SECONDS)]
        try:
            reply = await self._pool.ask(kept.body_key, kept.body, messages)
        except WorkerStoppedError:
            seconds = messages[-1][1]
            raise ArgumentError(
                f"{question.kind}: stopped after {seconds:.0f} s. Ask for less: fewer rows, shorter texts, an "
                "aggregate instead of a join of everything with everything."
            ) from None
        except WorkerLostError:
            raise ArgumentError(
                f"{question.kind}: it took more memory or time than it may, and was ended. Ask for less at once."
            ) from None
        return Answer(reply["view"], reply["text"])


async def _answer_here(kept: "KeptJob", heading: "Heading", question: "Question") -> "Answer":
    from llx_mcp.reading.extraction import Extraction
    from llx_mcp.wire import split_json
    from llx_mcp.workers.answering import Reading

    return Reading(Extraction(split_json(await kept.body()))).answer(question, heading)


@asynccontextmanager
async def open_reader(open_source: OpenSource, clock: Clock) -> AsyncIterator[JobReader]:
    """A reader whose source and workers are closed at the end."""
    error: Exception | None = None
    async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
        try:
            yield JobReader(open_source, clock, stack, tasks)
        except Exception as exc:
            # Raised below as it is: the task group would wrap it.
            error = exc
        tasks.cancel_scope.cancel()
    if error is not None:
        raise error
