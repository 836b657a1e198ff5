"""Where a page of values ended: opaque, bound to one job, path and result, and checked when it comes back."""

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
class Position:
    """How much was shown.

    Attributes:
        units: rows, or single values, that were shown whole.
        leaves: values of the next row that were shown by themselves, where the row is too large for any page.
        chars: characters of the next value that were shown, where it is too large for any page.
        values: scalars and nulls that were shown, all pages together.
    """

    units: int = 0
    leaves: int = 0
    chars: int = 0
    values: int = 0


def encode_cursor(position: Position, source: str) -> str:
    """A cursor for a position in what `source` names."""
    numbers = (position.units, position.leaves, position.chars, position.values)
    return seal(b"".join(map(_varint, numbers)), source)


def decode_cursor(cursor: str, source: str) -> Position:
    """The position of a cursor.

    Raises:
        CursorError: it was altered, or it belongs to another job, path or result.
    """
    payload = unseal(cursor, source, "job or path, or the result has changed since. Repeat job_id and path")
    return Position(*_read_varints(payload))


def seal(payload: bytes, source: str) -> str:
    """A cursor that holds these bytes and belongs to what `source` names."""
    whole = bytes([_VERSION]) + payload
    whole += _check(source.encode()) + _check(whole + _check(source.encode()))
    return base64.urlsafe_b64encode(whole).rstrip(b"=").decode()


def unseal(cursor: str, source: str, other: str) -> bytes:
    """What a cursor holds.

    Args:
        cursor: as it came back.
        source: what it must belong to.
        other: what it belongs to where it does not belong to that, and what to repeat, in words.

    Raises:
        CursorError: it was altered, or it belongs to something else.
    """
    try:
        whole = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        whole = b""
    payload, named, check = whole[: -2 * _CHECK_BYTES], whole[-2 * _CHECK_BYTES : -_CHECK_BYTES], whole[-_CHECK_BYTES:]
    if not payload or payload[0] != _VERSION or check != _check(payload + named):
        raise CursorError(
            "cursor: not one that this server gave, or altered on the way. Copy it whole from the answer before, or "
            "leave it out to begin again."
        )
    if named != _check(source.encode()):
        raise CursorError(
            f"cursor: it belongs to another {other} as they were, or leave the cursor out to begin again."
        )
    return payload[1:]


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
