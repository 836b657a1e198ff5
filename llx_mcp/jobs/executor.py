"""Answers questions about cached jobs: in this process where that is fast, else in a worker process.

In this process nothing else happens meanwhile. Every question in a worker has time limits, because a document can make
any of them slow.
"""

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import (
    BuildTables,
    DecodeJob,
    JoinedQueryQuestion,
    JoinedReader,
    LoadJob,
    LoadJobs,
    LoadSource,
    Message,
    QueryQuestion,
    Question,
    ResultReader,
    ReviewQuestion,
    Step,
    explain_unreadable,
)
from llx_mcp.errors import ArgumentError, BadResponseError, LlxError
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
from llx_mcp.jobs.cached_source import CachedSource, build_missing
from llx_mcp.jobs.shared import SharedWorkers
from llx_mcp.observation import observe
from llx_mcp.raw_json import split_json
from llx_mcp.result.deadline import DeadlineReachedError, give_up_after
from llx_mcp.result.sections import JobSections

if TYPE_CHECKING:
    from llx_mcp.workers.pool import SourceLoad
    from llx_mcp.workers.worker import OutOfTimeError

# Smaller jobs, and the texts of their documents, are read in this process at first. The worst of them take half a
# second to read.
WORKER_BYTES = 1 << 18
# The processor time after which checks in this process are given up, and a worker answers. Ordinary jobs need a tenth.
_HERE_SECONDS = 0.25
# The most that the jobs of one query may have together: a worker needs a multiple of it, and there can be two.
MAX_JOINED_BYTES = 128 << 20
_MEGABYTE = 1_000_000

# Loading, decoding, building tables, and every question that has no limit of its own. Ordinary jobs need a twentieth.
_READ_SECONDS = 10.0
_READ_SECONDS_PER_BYTE = 0.5e-6
# A review checks the time itself, and answers what it has after 5 s.
_REVIEW_SECONDS = 6.0
# From the deadline of a query until its worker is killed.
_GRACE_SECONDS = 0.25
# These can exceed their time limit, and only a process can be stopped.
_WORKER_QUESTIONS = (QueryQuestion, ReviewQuestion)
_HINTS = {
    "load_jobs": "Reading the jobs took too long. Query fewer jobs at once.",
    "build": "Query fewer tables at once.",
    "summary": "Read one path at a time.",
    "read": "Read a longer path, or set a smaller max_chars.",
    "search": "Search for fewer words, or for rarer ones.",
    "citations": "Name fewer values at once.",
    "report": "Export the values instead.",
    "source_text": "Read fewer pages at once, or look for fewer words.",
    "review": "Check one kind of problem at a time with a query over the table fields.",
    "query": "Ask for less: fewer rows, shorter texts, an aggregate instead of a join of everything with everything.",
}


class AnswerExecutor:
    """Answers questions in this process or in a worker process.

    Attributes:
        workers: the processes, and the turns at answering in this one.
    """

    def __init__(self, cache: JobCache, workers: SharedWorkers, group: TaskGroup) -> None:
        self._cache = cache
        self.workers = workers
        self._group = group

    async def answer(
        self, key: JobKey, cached: CachedJob, question: Question, source: CachedSource | None = None
    ) -> Answer:
        """Answer one question.

        Args:
            key: where the job is cached, if it is. Questions with the same key take turns at one worker.
            cached: the job.
            question: the question.
            source: the text of the document, or why there is none; None where the question does not need it.

        Raises:
            ArgumentError: the question cannot be answered as it was asked, or took too much time or memory.
            BadResponseError: the job's result or metadata is not JSON.
            LlxError: the worker ended before it answered.
        """
        is_stoppable = isinstance(question, _WORKER_QUESTIONS) and cached.job.has_result
        is_large = max(cached.num_bytes, source.num_bytes if source else 0) >= WORKER_BYTES
        try:
            if not (is_stoppable or is_large or cached.is_slow):
                async with self.workers.turn_here(key):
                    with suppress(DeadlineReachedError):
                        return await _answer_here(cached, question, source)
            return await self._answer_with_source(key, cached, question, source)
        finally:
            self._compress_later(key, cached)

    async def answer_joined(
        self, jobs: Mapping[str, tuple[JobKey, CachedJob]], question: JoinedQueryQuestion
    ) -> Answer:
        """Answer a query over several jobs, all loaded into one worker.

        Args:
            jobs: the jobs that have a result, by the ids that the tables show, each with where it is cached. Queries
                over the same jobs, in any order, take turns at one worker.
            question: the question.

        Raises:
            ArgumentError: the query cannot be run, took too much time or memory, or the jobs are too large together.
            LlxError: the worker ended before it answered.
        """
        if not jobs:
            return JoinedReader({}).answer(question)
        sizes = {job_id: cached.num_bytes for job_id, (_, cached) in jobs.items()}
        _check_size(sizes)
        name = "\n".join(f"{job_id}\n{cached.name}" for job_id, (_, cached) in jobs.items())

        async def fetch_bodies() -> bytes:
            return b"".join([await cached.body() for _, cached in jobs.values()])

        try:
            steps = _joined_steps_of(question, sizes)
            turn = frozenset(key for key, _ in jobs.values())
            return await self._answer_in_worker(turn, name, fetch_bodies, question, steps)
        finally:
            for key, cached in jobs.values():
                self._compress_later(key, cached)

    def _compress_later(self, key: JobKey, cached: CachedJob) -> None:
        # Compressed after the answer, because both need the processor.
        if cached.job.is_terminal and not cached.is_compressed:
            self._group.start_soon(self._cache.compress, key)

    async def _answer_with_source(
        self, key: JobKey, cached: CachedJob, question: Question, source: CachedSource | None
    ) -> Answer:
        """Answer in a worker; without the text of the document where the worker cannot load it."""
        from llx_mcp.workers.pool import SourceLoad
        from llx_mcp.workers.worker import SourceError

        load = None
        if source is not None:
            step = Step(LoadSource(), _read_seconds(source.num_bytes))
            load = SourceLoad(source.name, source.body, step)
        num_bytes = cached.num_bytes + (source.num_bytes if source else 0)
        steps = _steps_of(question, num_bytes, with_source=load is not None)
        try:
            return await self._answer_in_worker(key, cached.name, cached.body, question, steps, load)
        except SourceError as exc:
            missing = build_missing(f"the text of the document takes too much time or memory to check ({exc})")
        return await self._answer_with_source(key, cached, question, missing)

    async def _answer_in_worker(
        self,
        turn: Hashable,
        name: str,
        fetch_body: Callable[[], Awaitable[bytes]],
        question: Question | JoinedQueryQuestion,
        steps: Sequence[Step],
        source: "SourceLoad | None" = None,
    ) -> Answer:
        from llx_mcp.workers.worker import OutOfMemoryError, OutOfTimeError, UnreadableError, WorkerDiedError

        kind = _kind_of(question)
        try:
            with observe("worker", question=kind):
                return await self.workers.open_pool().answer(turn, name, fetch_body, steps, source)
        except OutOfTimeError as exc:
            raise ArgumentError(_explain_late(exc, question)) from None
        except OutOfMemoryError:
            raise ArgumentError(
                f"{kind}: needed more memory than one question may use, and was stopped. {_HINTS[kind]}"
            ) from None
        except UnreadableError as exc:
            raise _unreadable(question, str(exc)) from None
        except WorkerDiedError as exc:
            raise LlxError(
                f"{kind}: the process that reads the job ended before it answered ({exc}). Call again; another process "
                "takes over. If this happens again, the machine may have too little memory."
            ) from None
        except UnicodeEncodeError:
            raise ArgumentError(
                f"{kind}: an argument holds half of a surrogate pair. Leave that character out."
            ) from None


async def _answer_here(cached: CachedJob, question: Question, source: CachedSource | None) -> Answer:
    """Answer in this process.

    Raises:
        BadResponseError: the job's result or metadata is not JSON.
        DeadlineReachedError: its checks take too long.
    """
    text, body = None if source is None else await source.read(), await cached.body()
    began = time.thread_time()
    try:
        with give_up_after(_HERE_SECONDS):
            return ResultReader(JobSections(split_json(body)), text).answer(question)
    except (ValueError, RecursionError) as exc:
        raise _unreadable(question, explain_unreadable(exc)) from None
    finally:
        cached.is_slow = time.thread_time() - began >= _HERE_SECONDS


def _read_seconds(num_bytes: int) -> float:
    """Return the time limit of every step that reads this much."""
    return _READ_SECONDS + _READ_SECONDS_PER_BYTE * num_bytes


def _steps_of(question: Question, num_bytes: int, *, with_source: bool = False) -> Sequence[Step]:
    """Return what to send to a worker, each with its time limit."""
    read_seconds = _read_seconds(num_bytes)
    load = Step(LoadJob(), read_seconds)
    match question:
        case QueryQuestion(sql=sql, deadline_seconds=seconds):
            return load, Step(BuildTables(sql), read_seconds), Step(question, seconds + _GRACE_SECONDS)
        case ReviewQuestion():
            return load, Step(DecodeJob(), read_seconds), Step(question, _REVIEW_SECONDS, with_source)
        case _:
            return load, Step(question, read_seconds, with_source)


def _joined_steps_of(question: JoinedQueryQuestion, sizes: dict[str, int]) -> Sequence[Step]:
    read_seconds = _read_seconds(sum(sizes.values()))
    return (
        Step(LoadJobs(sizes), read_seconds),
        Step(BuildTables(question.sql), read_seconds),
        Step(question, question.deadline_seconds + _GRACE_SECONDS),
    )


def _check_size(sizes: dict[str, int]) -> None:
    """Refuse jobs that are too large together.

    Raises:
        ArgumentError: they are, and the message names the largest.
    """
    total = sum(sizes.values())
    if total > MAX_JOINED_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        raise ArgumentError(
            f"job_ids: these jobs have {total / _MEGABYTE:.0f} MB together, and one query reads at most "
            f"{MAX_JOINED_BYTES / _MEGABYTE:.0f} MB. Query fewer at once; the largest is {largest} with "
            f"{sizes[largest] / _MEGABYTE:.0f} MB."
        )


def _kind_of(message: Message) -> str:
    return "query" if isinstance(message, JoinedQueryQuestion) else str(message.__struct_config__.tag)


def _explain_late(late: "OutOfTimeError", question: Question | JoinedQueryQuestion) -> str:
    if isinstance(question, JoinedQueryQuestion):
        hint = _HINTS["query" if isinstance(late.message, JoinedQueryQuestion) else "load_jobs"]
    else:
        hint = _HINTS.get(_kind_of(late.message)) or (
            f"Reading the job took too long. Call again; if it is stopped again, the resource "
            f"{question.request.resource()} returns the job as the service sent it."
        )
    return f"{_kind_of(question)}: stopped after {late.seconds:.3g} s. {hint}"


def _unreadable(question: Question | JoinedQueryQuestion, why: str) -> BadResponseError:
    if isinstance(question, JoinedQueryQuestion):
        return BadResponseError(
            f"The jobs were fetched, but the result or the metadata of one {why}. Query each with job_id to see which."
        )
    return BadResponseError(
        f"The job was fetched, but its result or its metadata {why}. A retry seldom helps; the resource "
        f"{question.request.resource()} returns it as the service sent it."
    )
