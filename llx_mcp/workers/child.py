"""The worker process: it holds one job at a time, or several of one query, and answers requests about them.

Requests and replies go over its standard streams. It has no API key, opens no file or connection, and ends when its
parent does.
"""

import gc
import os
import signal
import sys
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from typing import IO

from llx_mcp.answers.dispatch import (
    BuildTables,
    DecodeJob,
    JoinedQueryQuestion,
    JoinedReader,
    LoadJob,
    LoadJobs,
    LoadSource,
    ResultReader,
    Step,
    decode_step,
    explain_unreadable,
)
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.pages import decode_source
from llx_mcp.raw_json import split_json
from llx_mcp.result.sections import JobSections
from llx_mcp.workers.frames import read_frame, write_frame
from llx_mcp.workers.limits import limit_memory, limit_processor_time
from llx_mcp.workers.replies import Reply, encode_answer, encode_reply

MAX_CACHED_ANSWERS = 16


class LoadedJob:
    """The job that a worker holds, and the latest answers about it.

    Attributes:
        num_bytes: size of the JSON of what is loaded.
        answer: takes an encoded step with a question, and returns the head and the body of the reply. It is cached
            by the bytes of the step, because models ask the same again.
    """

    def __init__(self, body: bytes, sizes: Mapping[str, int] | None = None) -> None:
        """Load one job or, where `sizes` has the bytes of each, several."""
        self.reader: ResultReader | JoinedReader
        self.num_bytes = len(body)
        if sizes is None:
            self.reader = ResultReader(JobSections(split_json(body)))
        else:
            self.reader = JoinedReader(split_body(body, sizes))
        self.answer = lru_cache(MAX_CACHED_ANSWERS)(self._answer)

    def load_source(self, body: bytes) -> None:
        """Load the text of the job's document. Answers that were given with another are dropped.

        Raises:
            ValueError: the bytes are not such a text.
        """
        if not isinstance(self.reader, ResultReader):
            raise TypeError("several jobs have no document")
        self.answer.cache_clear()
        self.reader.load_source(decode_source(body))

    def handle(self, head: bytes, step: Step) -> tuple[bytes, bytes]:
        """Return the head and the body of the reply to a step."""
        match step.message:
            case LoadJob() | LoadJobs() | LoadSource():
                pass
            case DecodeJob() if isinstance(self.reader, ResultReader):
                self.reader.decode()
            case BuildTables(sql):
                self.reader.build_tables(sql)
            case _:
                return self.answer(head)
        return encode_reply(Reply()), b""

    def _answer(self, head: bytes) -> tuple[bytes, bytes]:
        step = decode_step(head)
        question = step.message
        if isinstance(question, LoadJob | LoadJobs | LoadSource | DecodeJob | BuildTables):
            raise TypeError("not a question")
        if isinstance(question, JoinedQueryQuestion) and isinstance(self.reader, JoinedReader):
            return encode_answer(self.reader.answer(question))
        if isinstance(question, JoinedQueryQuestion) or isinstance(self.reader, JoinedReader):
            raise TypeError("not a question about what is loaded")
        return encode_answer(self.reader.answer(question, with_source=step.with_source))


def split_body(body: bytes, sizes: Mapping[str, int]) -> dict[str, memoryview]:
    """Return the JSON of each job, by its id, as a view of the body."""
    ends = list(accumulate(sizes.values()))
    view = memoryview(body)
    return {job_id: view[end - size : end] for (job_id, size), end in zip(sizes.items(), ends, strict=True)}


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
                if isinstance(step.message, LoadJob | LoadJobs):
                    job = LoadedJob(b"{}")
                    gc.collect()
                    job = LoadedJob(body, step.message.sizes if isinstance(step.message, LoadJobs) else None)
                    limit_memory(len(body))
                if isinstance(step.message, LoadSource):
                    limit_memory(job.num_bytes + len(body))
                    job.load_source(body)
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
