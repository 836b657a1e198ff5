"""The pool of worker processes. Workers stay alive between requests, and are killed when they exceed a time limit."""

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
_MAX_WORKERS = 2
_REAP_INTERVAL_SECONDS = 5.0
_START_CODE = "import sys; sys.path[:] = {path!r}; from llx_mcp.workers.child import main; main()"


class WorkerLostError(LlxError):
    """A worker ended before it answered: it used too much time or memory, or its caller was cancelled."""


class WorkerStoppedError(WorkerLostError):
    """A worker was killed because it did not answer in time."""


class UnreadableError(ValueError):
    """A worker could not read the job as JSON."""


@dataclass(eq=False)
class _Worker:
    """One worker process.

    Attributes:
        process: the process, with pipes for its standard input and output.
        key: the key of the job that it holds; None if it holds none.
        used_at: when it was last used, in seconds of the monotonic clock.
        lock: held while the worker answers a caller.
    """

    process: subprocess.Popen[bytes]
    key: str | None = None
    used_at: float = 0.0
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    def exchange(self, message: Message, body: bytes = b"") -> tuple[Reply, bytes]:
        """Send a message and return the reply. This blocks."""
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

    def kill(self) -> None:
        """Kill the process and close its pipes."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class WorkerPool:
    """At most two workers. Each holds the job of its latest request, and ends when it has been idle for a while."""

    def __init__(self, tasks: anyio.abc.TaskGroup, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._tasks = tasks
        self._idle_seconds = idle_seconds
        self._workers: list[_Worker] = []
        self._slots = anyio.Semaphore(_MAX_WORKERS)
        # One caller at a time starts a worker, so that there are never too many.
        self._choosing = anyio.Lock()
        self._is_reaping = False

    @property
    def num_workers(self) -> int:
        """Number of live workers."""
        return len(self._workers)

    async def answer(
        self,
        key: str,
        fetch_body: Callable[[], Awaitable[bytes]],
        messages: Sequence[tuple[Message, float]],
    ) -> Answer:
        """Send messages about a job to one worker, and return the answer to the last one.

        Args:
            key: name of the job's content; a worker that holds it does not need the body again.
            fetch_body: returns the job's JSON if no worker holds it.
            messages: each with its time limit in seconds; the last is a question.

        Raises:
            WorkerStoppedError: a message exceeded its time limit; the worker was killed.
            WorkerLostError: the worker ended by itself.
            ArgumentError: the request cannot be answered as it is.
            UnreadableError: the job is not valid JSON.
        """
        async with self._slots:
            while True:
                async with self._choosing:
                    worker = self._choose(key) or await self._start()
                async with worker.lock:
                    if worker in self._workers:
                        return await self._send(worker, key, fetch_body, messages)
                # The worker was killed because of the caller before: choose another.

    async def _send(
        self,
        worker: _Worker,
        key: str,
        fetch_body: Callable[[], Awaitable[bytes]],
        messages: Sequence[tuple[Message, float]],
    ) -> Answer:
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
        """Kill all workers."""
        while self._workers:
            self._workers.pop().kill()

    def _choose(self, key: str) -> _Worker | None:
        """Return the worker that holds the job, or an idle one; None if a new worker should start."""
        for worker in list(self._workers):
            if worker.process.poll() is not None:
                self._kill(worker)
        idle = [worker for worker in self._workers if not worker.lock.locked()]
        same = [worker for worker in self._workers if worker.key == key]
        if same:
            return same[0]
        if len(self._workers) < _MAX_WORKERS or not idle:
            return None
        return min(idle, key=lambda worker: worker.used_at)

    async def _start(self) -> _Worker:
        command = [sys.executable, "-I", "-S", "-c", _START_CODE.format(path=sys.path)]
        worker = _Worker(
            await anyio.to_thread.run_sync(
                lambda: subprocess.Popen(  # noqa: S603 - our own code and interpreter
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
                )
            ),
            used_at=time.monotonic(),
        )
        self._workers.append(worker)
        if not self._is_reaping:
            self._is_reaping = True
            self._tasks.start_soon(self._kill_idle_workers)
        return worker

    async def _exchange(
        self, worker: _Worker, message: Message, seconds: float, body: bytes = b""
    ) -> tuple[Reply, bytes]:
        is_timed_out = False
        reply: tuple[Reply, bytes] | None = None

        async def kill_when_late() -> None:
            nonlocal is_timed_out
            try:
                await anyio.sleep(seconds)
                is_timed_out = True
            finally:
                # The time is up, or the caller was cancelled.
                if reply is None:
                    worker.process.kill()

        worker.used_at = time.monotonic()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(kill_when_late)
                # The thread cannot be cancelled, but it ends when the worker is killed.
                with anyio.CancelScope(shield=True):
                    reply = await self._in_thread(worker, message, body)
                tasks.cancel_scope.cancel()
        finally:
            worker.used_at = time.monotonic()
            if reply is None:
                self._kill(worker)
        if reply is None:
            # A cancelled caller ends here.
            await anyio.lowlevel.checkpoint()
            raise WorkerStoppedError(f"{seconds:.0f} s") if is_timed_out else WorkerLostError("lost")
        return reply

    async def _in_thread(self, worker: _Worker, message: Message, body: bytes) -> tuple[Reply, bytes] | None:
        try:
            return await anyio.to_thread.run_sync(worker.exchange, message, body)
        except WorkerLostError:
            return None

    def _kill(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
        worker.kill()

    async def _kill_idle_workers(self) -> None:
        while self._workers:
            now = time.monotonic()
            for worker in list(self._workers):
                if not worker.lock.locked() and now - worker.used_at >= self._idle_seconds:
                    self._kill(worker)
            await anyio.sleep(min(self._idle_seconds / 4, _REAP_INTERVAL_SECONDS))
        self._is_reaping = False


def _environment() -> dict[str, str]:
    # A worker must not see the API key. Windows cannot start a process without these variables.
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}


def _check_reply(exchanged: tuple[Reply, bytes]) -> tuple[Reply, bytes]:
    """Return a reply, or raise the error that it reports."""
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
