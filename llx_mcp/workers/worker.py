"""One worker process, and the errors of workers."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Message
from llx_mcp.errors import ArgumentError, LlxError
from llx_mcp.workers.frames import read_frame, write_frame
from llx_mcp.workers.replies import Reply, decode_answer, decode_reply

_START_CODE = "import sys; sys.path[:] = {path!r}; from llx_mcp.workers.child import main; main()"
# An answer is far smaller: its budget is counted in characters.
_MAX_REPLY_BYTES = 1 << 26
_EXIT_SECONDS = 2.0


class WorkerError(LlxError):
    """A worker could not answer."""


class OutOfTimeError(WorkerError):
    """A worker was killed because it did not reply in time.

    Attributes:
        message: what the worker was doing.
        seconds: how long it could take.
    """

    def __init__(self, message: Message, seconds: float) -> None:
        super().__init__(f"no reply within {seconds:g} s")
        self.message = message
        self.seconds = seconds


class OutOfMemoryError(WorkerError):
    """A worker ended because it needed more memory than it may have."""


class WorkerDiedError(WorkerError):
    """A worker ended, or its reply was not valid. The message says how."""


class SourceError(WorkerError):
    """A worker could not load the text of the document. The job itself can be read without it."""


class UnreadableError(WorkerError):
    """A worker could not read the job. The message is that of `explain_unreadable`."""


@dataclass(eq=False)
class Worker:
    """One worker process.

    Attributes:
        process: the process, with pipes for its standard input and output.
        name: the name of the job that it holds; None if it holds none.
        source_name: the name of the text of the document that it holds for this job; None if it holds none.
        used_at: when it last had a turn, in seconds of the event loop's clock.
        is_ready: whether it waits for a message. The caller unsets it before an exchange, which sets it at its end. A
            worker that is not ready after a turn must be ended.
    """

    process: subprocess.Popen[bytes]
    name: str | None = None
    source_name: str | None = None
    used_at: float = 0.0
    is_ready: bool = True

    @classmethod
    def start(cls) -> "Worker":
        """Start a process, which takes a few milliseconds. The process then imports our code.

        Raises:
            WorkerDiedError: the system starts no process.
        """
        command = [sys.executable, "-I", "-S", "-c", _START_CODE.format(path=sys.path)]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own code and interpreter
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
            )
        except OSError as exc:
            raise WorkerDiedError(f"it could not be started: {exc.strerror}") from None
        return cls(process)

    def exchange(self, head: bytes, body: bytes = b"") -> Answer | None:
        """Send an encoded step, and return the answer, if its message is a question. This blocks.

        Raises:
            OutOfMemoryError: it took too much memory.
            WorkerDiedError: the process ended, or its reply is not valid.
            UnreadableError: the job is not valid JSON.
            ArgumentError: the question cannot be answered as it is.
        """
        reply, answer = self._exchange(head, body)
        if reply.error == "memory":
            raise OutOfMemoryError("out of memory")
        self.is_ready = True
        if reply.error == "argument":
            raise ArgumentError(reply.message)
        if reply.error == "unreadable":
            raise UnreadableError(reply.message)
        return answer

    def end(self) -> None:
        """Kill the process, wait until it has ended, and close its pipes."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _exchange(self, head: bytes, body: bytes) -> tuple[Reply, Answer | None]:
        requests, replies = self.process.stdin, self.process.stdout
        try:
            if requests is None or replies is None:
                raise WorkerDiedError("it has no pipes")
            write_frame(requests, head, body)
            frame = read_frame(replies, _MAX_REPLY_BYTES)
        except OSError:
            frame = None
        except ValueError:
            raise WorkerDiedError("its reply was too large") from None
        if frame is None:
            raise WorkerDiedError(self._describe_exit())
        try:
            reply = decode_reply(frame[0])
            return reply, decode_answer(reply, frame[1]) if reply.structured_bytes else None
        except ValueError:
            raise WorkerDiedError("its reply was not valid") from None

    def _describe_exit(self) -> str:
        try:
            code = self.process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its pipes"
        if code >= 0:
            return f"exit status {code}"
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"


def _environment() -> dict[str, str]:
    # A worker must not see the API key. Windows cannot start a process without these variables.
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
