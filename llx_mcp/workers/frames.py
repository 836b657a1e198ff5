"""Messages on a pipe: a JSON header and bytes, each with its length."""

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct(">IQ")


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message and flush it."""
    head = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    stream.write(_LENGTHS.pack(len(head), len(body)) + head)
    if body:
        stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read one message; None where the stream has ended."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_size, body_size = _LENGTHS.unpack(lengths)
    head = stream.read(head_size)
    body = stream.read(body_size)
    if len(head) < head_size or len(body) < body_size:
        return None
    header: dict[str, Any] = json.loads(head)
    return header, body
