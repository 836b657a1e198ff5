"""The worker process: it holds one job at a time, and answers requests about it over its standard streams.

It has no API key, opens no file or connection, and ends when its parent does.
"""

import gc
import os
import sys
from typing import IO

import msgspec

from llx_mcp.answers.dispatch import BuildTables, LoadJob, QueryQuestion, Question, ResultReader, decode_message
from llx_mcp.errors import ArgumentError
from llx_mcp.raw_json import split_json
from llx_mcp.result.sections import JobSections
from llx_mcp.workers.frames import read_frame, write_frame
from llx_mcp.workers.limits import limit_memory, limit_processor_time
from llx_mcp.workers.replies import Reply, encode_answer, encode_reply

_MAX_CACHED_ANSWERS = 16


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    replies = os.fdopen(os.dup(1), "wb")
    # Anything that a library prints goes to stderr, because stdout carries the replies.
    os.dup2(2, 1)
    # A decoded job has hardly any reference cycles, and looking for them takes longer than reading it.
    gc.disable()
    serve(sys.stdin.buffer, replies)


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer each message in turn."""
    reader: ResultReader | None = None
    # The answers about this job by the question as it was sent: models ask the same again.
    answers: dict[bytes, tuple[bytes, bytes]] = {}
    while (frame := read_frame(requests)) is not None:
        head, body = frame
        message = decode_message(head)
        try:
            if isinstance(message, LoadJob):
                reader = None
                answers.clear()
                gc.collect()
                reader = _load(body)
                reply = encode_reply(Reply()), b""
            elif head in answers:
                reply = answers[head]
            else:
                reply = _answer(reader, message)
                if reply[1]:
                    answers[head] = reply
                    if len(answers) > _MAX_CACHED_ANSWERS:
                        del answers[next(iter(answers))]
        except MemoryError:
            write_frame(replies, encode_reply(Reply("memory")))
            return
        write_frame(replies, *reply)


def _load(body: bytes) -> ResultReader | None:
    try:
        reader = ResultReader(JobSections(split_json(body)))
    except (msgspec.DecodeError, RecursionError):
        return None
    limit_memory(len(body))
    return reader


def _answer(reader: ResultReader | None, message: Question | BuildTables) -> tuple[bytes, bytes]:
    if reader is None:
        return encode_reply(Reply("unreadable", "not JSON")), b""
    try:
        if isinstance(message, BuildTables):
            reader.build_tables(message.sql)
            return encode_reply(Reply()), b""
        limit_processor_time(message.deadline_seconds if isinstance(message, QueryQuestion) else None)
        return encode_answer(reader.answer(message))
    except ArgumentError as exc:
        return encode_reply(Reply("argument", str(exc))), b""
    except (ValueError, RecursionError) as exc:
        return encode_reply(Reply("unreadable", type(exc).__name__)), b""


if __name__ == "__main__":
    main()
