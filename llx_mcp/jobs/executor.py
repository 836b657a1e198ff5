"""Answers questions about cached jobs: in this process for small jobs, in a worker process for large ones."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import BuildTables, Message, QueryQuestion, Question, ResultReader, ReviewQuestion
from llx_mcp.errors import ArgumentError, BadResponseError
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
from llx_mcp.raw_json import split_json
from llx_mcp.result.sections import JobSections

if TYPE_CHECKING:
    from llx_mcp.workers.pool import WorkerPool

# Smaller jobs are read in less time than a worker takes to start.
WORKER_BYTES = 1 << 20

_REVIEW_SECONDS = 60.0
# From the deadline of a query until its worker is killed.
_GRACE_SECONDS = 0.25
# These can exceed their time limit, and only a process can be stopped.
_WORKER_QUESTIONS = (QueryQuestion, ReviewQuestion)


class AnswerExecutor:
    """Answers questions in this process or in a worker process."""

    def __init__(self, cache: JobCache, stack: AsyncExitStack, group: TaskGroup) -> None:
        self._cache = cache
        self._stack = stack
        self._group = group
        self._pool: WorkerPool | None = None

    async def answer(self, key: JobKey, cached: CachedJob, question: Question) -> Answer:
        """Answer one question.

        Args:
            key: where the job is cached, if it is.
            cached: the job.
            question: the question.

        Raises:
            ArgumentError: the question cannot be answered as it was asked.
            BadResponseError: the job's result or metadata is not JSON.
        """
        is_stoppable = isinstance(question, _WORKER_QUESTIONS) and cached.job.has_result
        try:
            if cached.num_bytes >= WORKER_BYTES or is_stoppable:
                return await self._answer_in_worker(cached, question)
            return ResultReader(JobSections(split_json(await cached.body()))).answer(question)
        except ArgumentError:
            raise
        except (ValueError, RecursionError) as exc:
            # The message of a parser names a position and a kind of fault, never the text itself.
            raise BadResponseError(
                f"The job was fetched, but its result or metadata cannot be read as JSON ({type(exc).__name__}). A "
                f"retry seldom helps; the resource {question.request.resource()} returns it as the service sent it."
            ) from None
        finally:
            # Compressed after the answer, because both need the processor.
            if cached.job.is_terminal and not cached.is_compressed:
                self._group.start_soon(self._cache.compress, key)

    async def _answer_in_worker(self, cached: CachedJob, question: Question) -> Answer:
        from llx_mcp.workers.pool import WorkerLostError, WorkerPool, WorkerStoppedError

        if self._pool is None:
            self._pool = WorkerPool(self._group)
            self._stack.callback(self._pool.close)
        kind = str(question.__struct_config__.tag)
        messages = _messages_of(question)
        try:
            return await self._pool.answer(cached.name, cached.body, messages)
        except WorkerStoppedError as exc:
            raise ArgumentError(
                f"{kind}: stopped after {exc}. Ask for less: fewer rows, shorter texts, an aggregate "
                "instead of a join of everything with everything."
            ) from None
        except WorkerLostError:
            raise ArgumentError(
                f"{kind}: it took more memory or time than it may, and was stopped. Ask for less at once."
            ) from None


def _messages_of(question: Question) -> list[tuple[Message, float]]:
    """Return what to send to a worker, each message with the seconds that it may take."""
    from llx_mcp.workers.pool import READ_SECONDS

    match question:
        case QueryQuestion(sql=sql, deadline_seconds=seconds):
            return [(BuildTables(sql), READ_SECONDS), (question, seconds + _GRACE_SECONDS)]
        case ReviewQuestion():
            return [(question, _REVIEW_SECONDS)]
        case _:
            return [(question, READ_SECONDS)]
