"""Answers to questions about kept jobs: worked out here for small ones, in a worker process for large ones."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskGroup

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Question
from llx_mcp.answers.header import Header, JobRequest
from llx_mcp.errors import ArgumentError, BadResponseError
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
from llx_mcp.result.sanitize import dump_json

if TYPE_CHECKING:
    from llx_mcp.workers.pool import WorkerPool

# Smaller jobs are read in less time than a worker takes to start.
WORKER_BYTES = 1 << 20

_REVIEW_SECONDS = 60.0
_GRACE_SECONDS = 0.25
_IN_WORKER = frozenset({"query", "review"})


class AnswerExecutor:
    """Questions to jobs. Answers about jobs that have ended are kept with them."""

    def __init__(self, store: JobCache, stack: AsyncExitStack, group: TaskGroup) -> None:
        self._store = store
        self._stack = stack
        self._group = group
        self._pool: WorkerPool | None = None

    async def ask(
        self, key: JobKey, kept: CachedJob, heading: Header, kind: str, ask: JobRequest, arguments: dict[str, Any]
    ) -> Answer:
        """The answer to one question.

        Args:
            key: where the job is kept, if it is.
            kept: the job.
            heading: what the answer says of the job.
            kind: of question, as `workers.answering` knows them.
            ask: which job, and how much of it.
            arguments: of the question.

        Raises:
            ArgumentError: the question cannot be answered as it was asked.
            BadResponseError: the job's result or metadata is no JSON.
        """
        asked = (kind, ask, dump_json(arguments), dump_json(heading.facts))
        known = kept.answer_to(asked) if kept.job.is_terminal else None
        if known is not None:
            return known
        question = Question(kind, ask, arguments)
        try:
            if kept.num_bytes >= WORKER_BYTES or (kind in _IN_WORKER and kept.job.has_result):
                answer = await self._ask_worker(kept, heading, question)
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
                self._group.start_soon(self._store.compress, key)
        if kept.job.is_terminal:
            kept.keep_answer(asked, answer)
            self._store.measure(key)
        return answer

    async def _ask_worker(self, kept: CachedJob, heading: Header, question: Question) -> Answer:
        from llx_mcp.workers.pool import READ_SECONDS, WorkerLostError, WorkerPool, WorkerStoppedError

        if self._pool is None:
            self._pool = WorkerPool(self._group)
            self._stack.callback(self._pool.close)
        messages = [(question.dump(heading), READ_SECONDS)]
        if question.kind == "query":
            deadline = float(question.arguments["deadline_seconds"])
            build = {"kind": "build", "sql": question.arguments["sql"]}
            messages = [(build, READ_SECONDS), (question.dump(heading), deadline + _GRACE_SECONDS)]
        elif question.kind == "review":
            messages = [(question.dump(heading), _REVIEW_SECONDS)]
        try:
            reply = await self._pool.ask(kept.name, kept.body, messages)
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


async def _answer_here(kept: CachedJob, heading: Header, question: Question) -> Answer:
    from llx_mcp.answers.dispatch import ResultReader
    from llx_mcp.raw_json import split_json
    from llx_mcp.result.sections import JobSections

    return ResultReader(JobSections(split_json(await kept.body()))).answer(question, heading)
