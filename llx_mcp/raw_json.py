"""Splits JSON objects without decoding their values, and decodes values leniently."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

# Escaped backslashes and surrogate pairs match first, so that the group matches lone surrogates only.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_NULL = b"null"
# Enough for an empty value with some whitespace; a longer value is not copied.
_EMPTY_MAX_BYTES = 64
_envelope_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def split_json(body: bytes | memoryview | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the keys of a JSON object with their undecoded values. The values are views that keep the body alive.

    JSON can hold a lone surrogate (half of a pair), which UTF-8 cannot. It becomes the text of its escape.

    Raises:
        msgspec.DecodeError: the body is not one JSON object.
    """
    try:
        return _envelope_decoder.decode(body)
    except msgspec.DecodeError:
        repaired = _SURROGATES.sub(_escape_lone_surrogate, bytes(body))
        if repaired == body:
            raise
        return _envelope_decoder.decode(repaired)


def split_list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the undecoded elements of a JSON list.

    Raises:
        msgspec.DecodeError: the value is not a list.
    """
    return _list_decoder.decode(raw)


def first_byte(raw: msgspec.Raw) -> bytes:
    """Return the first byte of an undecoded value, which tells its kind."""
    return bytes(memoryview(raw)[:_EMPTY_MAX_BYTES]).lstrip()[:1]


def _escape_lone_surrogate(match: re.Match[bytes]) -> bytes:
    lone: bytes | None = match.group(1)
    return match.group() if lone is None else b"\\\\" + lone


def join_json(sections: Mapping[str, msgspec.Raw]) -> bytes:
    """Return one JSON object made of undecoded values, without whitespace between them."""
    pairs = (msgspec.json.encode(key) + b":" + bytes(value) for key, value in sections.items())
    return b"{" + b",".join(pairs) + b"}"


def is_null(raw: msgspec.Raw) -> bool:
    """Return whether an undecoded value is `null`."""
    return memoryview(raw).nbytes == len(_NULL) and bytes(raw) == _NULL


def is_empty(raw: msgspec.Raw) -> bool:
    """Return whether an undecoded value is `null`, `{}` or `[]`."""
    start = bytes(memoryview(raw)[:_EMPTY_MAX_BYTES])
    return len(start) < _EMPTY_MAX_BYTES and b"".join(start.split()) in (_NULL, b"{}", b"[]")


def decode_json(raw: msgspec.Raw | bytes) -> Any:
    """Decode a value to Python objects.

    Python's own parser handles what msgspec rejects and a service may send:

    - NaN, numbers too large for a double and integers of more digits than Python reads become their text;
    - a lone surrogate stays in a value; in a name it becomes the text of its escape, since a path cannot hold one.

    Raises:
        ValueError: neither parser accepts the value.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(
            bytes(raw),
            parse_int=_int_or_text,
            parse_float=_finite_or_text,
            parse_constant=str,
            object_pairs_hook=_build_object,
        )


def decode_or_none(raw: msgspec.Raw | None) -> Any:
    """Decode a value; None where there is none, or it is not UTF-8, too deep, or in another way no JSON."""
    if raw is None:
        return None
    try:
        return decode_json(raw)
    except (ValueError, RecursionError):
        return None


def decode_text(raw: msgspec.Raw | None) -> str | None:
    """Decode a string; None for anything else."""
    value = decode_or_none(raw)
    return value if isinstance(value, str) else None


def decode_member(raw: msgspec.Raw | None, name: str) -> Any:
    """Decode one member of an object and none of the others; None where there is none, or it is no JSON."""
    if raw is None:
        return None
    try:
        return decode_or_none(split_json(raw).get(name))
    except (msgspec.DecodeError, RecursionError):
        return None


def _int_or_text(literal: str) -> int | str:
    try:
        return int(literal)
    except ValueError:
        # Python limits the digits of an integer, because reading them takes quadratic time.
        return literal


def _finite_or_text(literal: str) -> float | str:
    number = float(literal)
    return number if math.isfinite(number) else literal


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        name if name.isascii() else name.encode("utf-8", "backslashreplace").decode(): value for name, value in pairs
    }
