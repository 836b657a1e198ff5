"""Messages on a pipe: a head and a body, both bytes, each after its length."""

import struct
from typing import IO

_LENGTHS = struct.Struct(">IQ")


def write_frame(stream: IO[bytes], head: bytes, body: bytes = b"") -> None:
    """Write one message and flush it."""
    stream.write(_LENGTHS.pack(len(head), len(body)) + head)
    if body:
        stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Read one message; return None where the stream has ended."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_size, body_size = _LENGTHS.unpack(lengths)
    head = stream.read(head_size)
    body = stream.read(body_size)
    return None if len(head) < head_size or len(body) < body_size else (head, body)
