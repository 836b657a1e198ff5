"""The parent's side: workers that are kept warm, waited for no longer than they may take, and ended."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import LoadJob, Message, encode_message
from llx_mcp.errors import ArgumentError, LlxError
from llx_mcp.workers.frames import read_frame, write_frame
from llx_mcp.workers.replies import Reply, decode_answer, decode_reply

READ_SECONDS = 120.0
IDLE_SECONDS = 60.0
_MOST_WORKERS = 2
_START = "import sys; sys.path[:] = {path!r}; from llx_mcp.workers.child import main; main()"


class WorkerLostError(LlxError):
    """A worker ended before it answered: it took too long, too much memory, or was ended with its caller."""


class WorkerStoppedError(WorkerLostError):
    """A worker was ended, because it did not answer in time."""


class UnreadableError(ValueError):
    """A worker could not read the job as JSON."""


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    key: str | None = None
    used_at: float = 0.0
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    def exchange(self, message: Message, body: bytes = b"") -> tuple[Reply, bytes]:
        """Send a message and wait for the reply to it; blocks."""
        requests, replies = self.process.stdin, self.process.stdout
        try:
            if requests is None or replies is None:
                raise WorkerLostError("the worker has no pipes")
            write_frame(requests, encode_message(message), body)
            frame = read_frame(replies)
        except (OSError, ValueError):
            frame = None
        if frame is None:
            raise WorkerLostError("the worker ended before it answered")
        head, reply_body = frame
        return decode_reply(head), reply_body

    def end(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class WorkerPool:
    """At most two workers. Each keeps the job that it was last asked about, and ends when it is idle."""

    def __init__(self, tasks: anyio.abc.TaskGroup, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._tasks = tasks
        self._idle_seconds = idle_seconds
        self._workers: list[_Worker] = []
        self._slots = anyio.Semaphore(_MOST_WORKERS)
        self._reaping = False

    @property
    def num_workers(self) -> int:
        """Workers that are alive."""
        return len(self._workers)

    async def ask(
        self,
        key: str,
        fetch_body: Callable[[], Awaitable[bytes]],
        messages: Sequence[tuple[Message, float]],
    ) -> Answer:
        """Send messages about a job, each with the seconds that it may take; return the answer to the last.

        Args:
            key: names the job and its content; a worker that has it need not be given it again.
            fetch_body: gives the job's JSON where no worker has it.
            messages: what to send, each with its deadline in seconds; the last is a question.

        Raises:
            WorkerStoppedError: a deadline passed; the worker was ended.
            WorkerLostError: the worker ended by itself.
            ArgumentError: the question cannot be answered as it is.
            UnreadableError: the job is not JSON that can be read.
        """
        async with self._slots:
            worker = self._choose(key) or await self._start()
            async with worker.lock:
                if worker.key != key:
                    body = await fetch_body()
                    worker.key = None
                    _check_reply(await self._exchange(worker, LoadJob(), READ_SECONDS, body))
                    del body
                    worker.key = key
                *first, (question, question_seconds) = messages
                for message, seconds in first:
                    _check_reply(await self._exchange(worker, message, seconds))
                return decode_answer(*_check_reply(await self._exchange(worker, question, question_seconds)))

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.pop().end()

    def _choose(self, key: str) -> _Worker | None:
        for worker in list(self._workers):
            if worker.process.poll() is not None:
                self._end(worker)
        idle = [worker for worker in self._workers if not worker.lock.locked()]
        same = [worker for worker in self._workers if worker.key == key]
        if same:
            return same[0]
        if len(self._workers) < _MOST_WORKERS or not idle:
            return None
        return min(idle, key=lambda worker: worker.used_at)

    async def _start(self) -> _Worker:
        command = [sys.executable, "-I", "-S", "-c", _START.format(path=sys.path)]
        worker = _Worker(
            await anyio.to_thread.run_sync(
                lambda: subprocess.Popen(  # noqa: S603
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
                )
            ),
            used_at=time.monotonic(),
        )
        self._workers.append(worker)
        if not self._reaping:
            self._reaping = True
            self._tasks.start_soon(self._end_idle)
        return worker

    async def _exchange(
        self, worker: _Worker, message: Message, seconds: float, body: bytes = b""
    ) -> tuple[Reply, bytes]:
        timed_out = False
        reply: tuple[Reply, bytes] | None = None

        async def watch() -> None:
            nonlocal timed_out
            try:
                await anyio.sleep(seconds)
                timed_out = True
            finally:
                # The time is up, or the caller has gone.
                if reply is None:
                    worker.process.kill()

        worker.used_at = time.monotonic()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                # The thread cannot be cancelled, but what it waits for can be ended.
                with anyio.CancelScope(shield=True):
                    reply = await self._in_thread(worker, message, body)
                tasks.cancel_scope.cancel()
        finally:
            worker.used_at = time.monotonic()
            if reply is None:
                self._end(worker)
        if reply is None:
            # Where the caller has gone this is where it ends.
            await anyio.lowlevel.checkpoint()
            raise WorkerStoppedError("stopped") if timed_out else WorkerLostError("lost")
        return reply

    async def _in_thread(self, worker: _Worker, message: Message, body: bytes) -> tuple[Reply, bytes] | None:
        try:
            return await anyio.to_thread.run_sync(worker.exchange, message, body)
        except WorkerLostError:
            return None

    def _end(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
        worker.end()

    async def _end_idle(self) -> None:
        while self._workers:
            now = time.monotonic()
            for worker in list(self._workers):
                if not worker.lock.locked() and now - worker.used_at >= self._idle_seconds:
                    self._end(worker)
            await anyio.sleep(min(self._idle_seconds / 4, 5.0))
        self._reaping = False


def _environment() -> dict[str, str]:
    # No key reaches a worker; Windows cannot start a process without the rest.
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}


def _check_reply(exchanged: tuple[Reply, bytes]) -> tuple[Reply, bytes]:
    reply, _ = exchanged
    match reply.error:
        case None:
            return exchanged
        case "argument":
            raise ArgumentError(reply.message)
        case "memory":
            raise WorkerLostError("out of memory")
        case "unreadable":
            raise UnreadableError(reply.message)
