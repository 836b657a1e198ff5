"""The worker process: it holds one job at a time, and answers requests about it over its standard streams.

It has no API key, opens no file or connection, and ends when its parent does.
"""

import gc
import os
import signal
import sys
from functools import lru_cache
from typing import IO

from llx_mcp.answers.dispatch import (
    BuildTables,
    DecodeJob,
    LoadJob,
    ResultReader,
    Step,
    decode_step,
    explain_unreadable,
)
from llx_mcp.errors import ArgumentError
from llx_mcp.raw_json import split_json
from llx_mcp.result.sections import JobSections
from llx_mcp.workers.frames import read_frame, write_frame
from llx_mcp.workers.limits import limit_memory, limit_processor_time
from llx_mcp.workers.replies import Reply, encode_answer, encode_reply

MAX_CACHED_ANSWERS = 16


class LoadedJob:
    """The job that a worker holds, and the latest answers about it.

    Attributes:
        answer: takes an encoded step with a question, and returns the head and the body of the reply. It is cached
            by the bytes of the step, because models ask the same again.
    """

    def __init__(self, body: bytes) -> None:
        self.reader = ResultReader(JobSections(split_json(body)))
        self.answer = lru_cache(MAX_CACHED_ANSWERS)(self._answer)

    def handle(self, head: bytes, step: Step) -> tuple[bytes, bytes]:
        """Return the head and the body of the reply to a step."""
        match step.message:
            case LoadJob():
                pass
            case DecodeJob():
                self.reader.decode()
            case BuildTables(sql):
                self.reader.build_tables(sql)
            case _:
                return self.answer(head)
        return encode_reply(Reply()), b""

    def _answer(self, head: bytes) -> tuple[bytes, bytes]:
        question = decode_step(head).message
        if isinstance(question, LoadJob | DecodeJob | BuildTables):
            raise TypeError("not a question")
        return encode_answer(self.reader.answer(question))


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    # Ctrl-C reaches all processes of a terminal, and the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    # Anything that a library prints goes to stderr, because stdout carries the replies.
    os.dup2(2, 1)
    # A decoded job has hardly any reference cycles, and looking for them takes longer than reading it.
    gc.disable()
    serve(sys.stdin.buffer, replies)


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Reply to each step in turn. After one that takes too much memory, no other can be trusted to have enough."""
    job = LoadedJob(b"{}")
    try:
        while (frame := read_frame(requests)) is not None:
            head, body = frame
            step = decode_step(head)
            limit_processor_time(step.seconds)
            try:
                if isinstance(step.message, LoadJob):
                    job = LoadedJob(b"{}")
                    gc.collect()
                    job = LoadedJob(body)
                    limit_memory(len(body))
                reply = job.handle(head, step)
            except ArgumentError as exc:
                reply = encode_reply(Reply("argument", str(exc))), b""
            except (ValueError, RecursionError) as exc:
                reply = encode_reply(Reply("unreadable", explain_unreadable(exc))), b""
            write_frame(replies, *reply)
    except MemoryError:
        write_frame(replies, encode_reply(Reply("memory")))


if __name__ == "__main__":
    main()
