"""JSON taken apart without decoding what is large, and decoded leniently where it is read."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

# Backslashes and pairs are taken first, so that what is left is alone.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_NULL = b"null"
_BRIEF = 64
_envelope_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def split_json(body: bytes | memoryview | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The keys of a JSON object with their values undecoded: views into the body, which they keep alive.

    Half of a surrogate pair, which JSON lets a service send and no text can hold, becomes its own escape.

    Raises:
        msgspec.DecodeError: the body is not one JSON object.
    """
    try:
        return _envelope_decoder.decode(body)
    except msgspec.DecodeError:
        repaired = _SURROGATES.sub(_escape_lone, bytes(body))
        if repaired == body:
            raise
        return _envelope_decoder.decode(repaired)


def _escape_lone(match: re.Match[bytes]) -> bytes:
    lone: bytes | None = match.group(1)
    return match.group() if lone is None else b"\\\\" + lone


def join_json(sections: Mapping[str, msgspec.Raw]) -> bytes:
    """One JSON object from undecoded values, compact between them."""
    pairs = (msgspec.json.encode(key) + b":" + bytes(value) for key, value in sections.items())
    return b"{" + b",".join(pairs) + b"}"


def is_null(raw: msgspec.Raw) -> bool:
    """Whether an undecoded value is `null`."""
    return memoryview(raw).nbytes == len(_NULL) and bytes(raw) == _NULL


def is_empty(raw: msgspec.Raw) -> bool:
    """Whether an undecoded value is `null`, `{}` or `[]`."""
    start = bytes(memoryview(raw)[:_BRIEF])
    return len(start) < _BRIEF and b"".join(start.split()) in (_NULL, b"{}", b"[]")


def decode_json(raw: msgspec.Raw | bytes) -> Any:
    """The value as Python objects.

    Python's own parser takes over where msgspec refuses what a service may still send: a number beyond a
    double and NaN, which become their own text, and a lone surrogate, which in a name becomes its escape,
    since no path can hold one.

    Raises:
        ValueError: neither parser accepts it.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(
            bytes(raw), parse_float=_finite_or_text, parse_constant=str, object_pairs_hook=_with_plain_names
        )


def _finite_or_text(literal: str) -> float | str:
    number = float(literal)
    return number if math.isfinite(number) else literal


def _with_plain_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        name if name.isascii() else name.encode("utf-8", "backslashreplace").decode(): value for name, value in pairs
    }
