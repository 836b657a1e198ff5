"""The pool of worker processes. Workers stay alive between requests, and are killed when they exceed a time limit."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass

import anyio
import anyio.abc
import anyio.to_thread

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Step, encode_step
from llx_mcp.errors import ArgumentError
from llx_mcp.turns import TurnQueue
from llx_mcp.workers.worker import OutOfTimeError, SourceError, Worker, WorkerDiedError, WorkerError

IDLE_SECONDS = 60.0
MAX_WORKERS = 2
_REAP_INTERVAL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SourceLoad:
    """The text of a document that a worker needs beside a job.

    Attributes:
        name: its name; a worker that holds it does not need the body again.
        fetch_body: returns the encoded text.
        step: loads it.
    """

    name: str
    fetch_body: Callable[[], Awaitable[bytes]]
    step: Step


class WorkerPool:
    """At most two workers, each with at most one caller. The callers of one job take turns at one worker.

    A worker keeps the job of its last caller, and ends when it has been idle for a while. One whose caller was
    cancelled, or took too long, is killed: nothing else stops a call inside SQLite or a parser.
    """

    def __init__(self, tasks: anyio.abc.TaskGroup, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._tasks = tasks
        self._idle_seconds = idle_seconds
        self._turns = TurnQueue(MAX_WORKERS)
        self._workers: set[Worker] = set()
        # The workers without a caller.
        self._idle: list[Worker] = []
        self._is_reaping = False
        self._is_closed = False

    @property
    def num_workers(self) -> int:
        """Number of workers that have not ended."""
        return len(self._workers)

    async def answer(
        self,
        job: Hashable,
        name: str,
        fetch_body: Callable[[], Awaitable[bytes]],
        steps: Sequence[Step],
        source: SourceLoad | None = None,
    ) -> Answer:
        """Send the steps of a question to one worker, and return its answer.

        Args:
            job: the job whose turn it takes.
            name: name of the job's content; a worker that holds it does not need the body again.
            fetch_body: returns the job's JSON if the worker does not hold it.
            steps: what to send. The first loads the job and is left out where the worker holds it, the last is a
                question.
            source: the text of the document, where the question needs it.

        Raises:
            SourceError: the worker could not load the text of the document, and was killed.
            WorkerError: the worker was killed or ended, or could not read the job.
            ArgumentError: the question cannot be answered as it is.
            UnicodeEncodeError: a text of the question has half of a surrogate pair.
        """
        load, *others = [(step, encode_step(step)) for step in steps]
        async with self._turns.turn(job):
            worker = self._take(name)
            try:
                if worker.name != name:
                    body = await fetch_body()
                    worker.name = worker.source_name = None
                    await _exchange(worker, *load, body)
                    del body
                    worker.name = name
                if source is not None and worker.source_name != source.name:
                    await _load_source(worker, source)
                answer = None
                for step, head in others:
                    answer = await _exchange(worker, step, head)
            finally:
                await self._put_back(worker)
        if answer is None:
            raise WorkerDiedError("it gave no answer")
        return answer

    def close(self) -> None:
        """End all workers."""
        self._is_closed = True
        self._idle.clear()
        while self._workers:
            self._workers.pop().end()

    def _take(self, name: str) -> Worker:
        """Return the idle worker that holds the job, or a new one where there is room, or the longest idle one."""
        if self._is_closed:
            raise WorkerDiedError("the server is stopping")
        for worker in list(self._idle):
            if worker.process.poll() is not None:
                self._idle.remove(worker)
                self._end(worker)
        found = next((worker for worker in self._idle if worker.name == name), None)
        # Each running turn has a worker, or is about to have one; ours is among them.
        if found is None and len(self._idle) + self._turns.num_running <= MAX_WORKERS:
            return self._start()
        found = found or min(self._idle, key=lambda worker: worker.used_at)
        self._idle.remove(found)
        return found

    def _start(self) -> Worker:
        if not self._is_reaping:
            self._is_reaping = True
            self._tasks.start_soon(self._end_idle_workers)
        worker = Worker.start()
        self._workers.add(worker)
        return worker

    async def _put_back(self, worker: Worker) -> None:
        if worker.is_ready and worker in self._workers:
            worker.used_at = anyio.current_time()
            self._idle.append(worker)
            return
        worker.process.kill()
        # The turn lasts until the process is gone, so that there are never more than two.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._end, worker)

    def _end(self, worker: Worker) -> None:
        worker.end()
        self._workers.discard(worker)

    async def _end_idle_workers(self) -> None:
        while self._workers:
            await anyio.sleep(min(self._idle_seconds / 4, _REAP_INTERVAL_SECONDS))
            for worker in list(self._idle):
                if anyio.current_time() - worker.used_at >= self._idle_seconds:
                    self._idle.remove(worker)
                    self._end(worker)
        self._is_reaping = False


async def _load_source(worker: Worker, source: SourceLoad) -> None:
    body = await source.fetch_body()
    worker.source_name = None
    try:
        await _exchange(worker, source.step, encode_step(source.step), body)
    except (WorkerError, ArgumentError) as exc:
        worker.is_ready = False
        raise SourceError(str(exc)) from None
    worker.source_name = source.name


async def _exchange(worker: Worker, step: Step, head: bytes, body: bytes = b"") -> Answer | None:
    """Send one step, and return the answer, if it is a question. The time limit is ours: the worker may be stopped."""
    worker.is_ready = False
    try:
        with anyio.fail_after(step.seconds):
            # The thread ends with the worker.
            return await anyio.to_thread.run_sync(worker.exchange, head, body, abandon_on_cancel=True)
    except TimeoutError:
        raise OutOfTimeError(step.message, step.seconds) from None
