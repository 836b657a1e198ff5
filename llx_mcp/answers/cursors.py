"""Cursors: opaque tokens for the end of a page, bound to one job and path or one list, and checked on return."""

import base64
import binascii
import zlib
from dataclasses import dataclass

from llx_mcp.errors import ArgumentError

_VERSION = 1
_CHECK_BYTES = 4


class CursorError(ArgumentError):
    """A cursor that was altered, or that belongs to something else."""


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The position at which a page ended.

    Attributes:
        rows: rows, or single values, that were shown whole.
        leaves: values of the next row that were shown one by one, where the row is too large for any page.
        chars: characters of the next value that were shown, where it is too large for any page.
        values: scalars and nulls that were shown on all pages together.
    """

    rows: int = 0
    leaves: int = 0
    chars: int = 0
    values: int = 0

    @property
    def is_within_row(self) -> bool:
        """Whether the position is in the middle of a row."""
        return bool(self.leaves or self.chars)


def encode_cursor(position: PagePosition, source: str) -> str:
    """Return the cursor of a position in `source`."""
    numbers = (position.rows, position.leaves, position.chars, position.values)
    return wrap_cursor(b"".join(map(_varint, numbers)), source)


def decode_cursor(cursor: str, source: str) -> PagePosition:
    """Return the position of a cursor.

    Raises:
        CursorError: it was altered, or it belongs to another job, path or result.
    """
    payload = unwrap_cursor(cursor, source, "job or path, or the result has changed since. Repeat job_id and path")
    return PagePosition(*_read_varints(payload))


def wrap_cursor(payload: bytes, source: str) -> str:
    """Return a cursor that holds some bytes and is bound to `source`."""
    whole = bytes([_VERSION]) + payload
    whole += _check(source.encode()) + _check(whole + _check(source.encode()))
    return _encode(whole)


def unwrap_cursor(cursor: str, source: str, other: str) -> bytes:
    """Return the bytes that a cursor holds.

    Args:
        cursor: as it came back.
        source: what it must be bound to.
        other: for the error: what a foreign cursor belongs to, and what to repeat.

    Raises:
        CursorError: it was altered, or it belongs to something else.
    """
    try:
        whole = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        whole = b""
    # The decoder takes `+` for `-` and ignores unused bits, but a cursor is accepted only as it was sent.
    whole = whole if _encode(whole) == cursor else b""
    payload, named, check = whole[: -2 * _CHECK_BYTES], whole[-2 * _CHECK_BYTES : -_CHECK_BYTES], whole[-_CHECK_BYTES:]
    if not payload or payload[0] != _VERSION or check != _check(payload + named):
        raise CursorError(
            "cursor: this server did not create it, or it was altered. Copy it in full from the previous answer, "
            "or leave it out to start again."
        )
    if named != _check(source.encode()):
        raise CursorError(
            f"cursor: it belongs to another {other} as they were, or leave the cursor out to start again."
        )
    return payload[1:]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _check(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECK_BYTES, "big")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varints(data: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
