"""The worker process: it holds one job at a time, and answers requests about it over its standard streams.

It has no API key, opens no file or connection, and ends when its parent does.
"""

import gc
import os
import sys
from typing import IO, Any

import msgspec

from llx_mcp.answers.dispatch import ResultReader, load_question
from llx_mcp.errors import ArgumentError
from llx_mcp.raw_json import split_json
from llx_mcp.result.sections import JobSections
from llx_mcp.workers.frames import read_frame, write_frame
from llx_mcp.workers.limits import limit_memory, limit_processor_time


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    replies = os.fdopen(os.dup(1), "wb")
    # Anything that a library prints goes to stderr, because stdout carries the replies.
    os.dup2(2, 1)
    # A decoded job has hardly any reference cycles, and looking for them takes longer than reading it.
    gc.disable()
    serve(sys.stdin.buffer, replies)


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer each request in turn."""
    reading: ResultReader | None = None
    while (frame := read_frame(requests)) is not None:
        header, body = frame
        if header["kind"] == "load":
            reading = None
            gc.collect()
            try:
                reading = ResultReader(JobSections(split_json(body)))
            except (msgspec.DecodeError, RecursionError):
                write_frame(replies, {"error": "unreadable", "message": "not JSON"})
                continue
            limit_memory(len(body))
            write_frame(replies, {})
            continue
        try:
            reply = _reply(reading, header)
        except MemoryError:
            write_frame(replies, {"error": "memory"})
            return
        write_frame(replies, reply)


def _reply(reading: ResultReader | None, header: dict[str, Any]) -> dict[str, Any]:
    if reading is None:
        return {"error": "unreadable", "message": "no job"}
    try:
        if header["kind"] == "build":
            reading.build_tables(header["sql"])
            return {}
        question, heading = load_question(header)
        limit_processor_time(question.arguments.get("deadline_seconds"))
        answer = reading.answer(question, heading)
    except ArgumentError as exc:
        return {"error": "argument", "message": str(exc)}
    except (ValueError, RecursionError) as exc:
        return {"error": "unreadable", "message": type(exc).__name__}
    return {"view": answer.view, "text": answer.text}


if __name__ == "__main__":
    main()
