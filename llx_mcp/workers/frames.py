"""The frames on the pipes of a worker: the lengths of head and body, then the head and the body, both in bytes."""

import struct
import sys
from typing import IO

_LENGTHS = struct.Struct(">IQ")


def write_frame(stream: IO[bytes], head: bytes, body: bytes = b"") -> None:
    """Write one frame and flush it."""
    stream.write(_LENGTHS.pack(len(head), len(body)) + head)
    if body:
        stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes], max_bytes: int = sys.maxsize) -> tuple[bytes, bytes] | None:
    """Read one frame; return None at the end of the stream, also within a frame.

    Raises:
        ValueError: head and body have more than `max_bytes` bytes. They are not read.
    """
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_size, body_size = _LENGTHS.unpack(lengths)
    if head_size + body_size > max_bytes:
        raise ValueError(f"a frame of {head_size + body_size} bytes")
    head = stream.read(head_size)
    body = stream.read(body_size)
    return None if len(head) < head_size or len(body) < body_size else (head, body)
