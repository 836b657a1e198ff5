"""Undecoded values are decoded one by one, and what is no JSON counts as absent where a caller can do without it."""

from typing import Any

import msgspec
import pytest

from llx_mcp.raw_json import decode_member, decode_or_none, decode_text

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("raw", "value"), [(b"1", 1), (b'"a"', "a"), (b'{"a":NaN}', {"a": "NaN"}), (b"null", None), (b'"\xff"', None),
                       (b"[1", None), (DEEP, None)],
)  # fmt: skip
def test_value_that_is_no_json_counts_as_absent(raw: bytes, value: Any) -> None:
    assert decode_or_none(msgspec.Raw(raw)) == value


def test_absent_value_stays_absent() -> None:
    assert decode_or_none(None) is None
    assert decode_text(None) is None
    assert decode_member(None, "a") is None


@pytest.mark.parametrize(
    ("raw", "text"), [(b'"a"', "a"), (b'""', ""), (b"1", None), (b'["a"]', None), (b'"\xff"', None)]
)
def test_only_a_string_is_a_text(raw: bytes, text: str | None) -> None:
    assert decode_text(msgspec.Raw(raw)) == text


@pytest.mark.parametrize(
    ("raw", "value"),
    [(b'{"a":{"b":1},"c":2}', {"b": 1}), (b'{"c":2}', None), (b'{"a":null}', None), (b"[1]", None), (b"{", None),
     (b'{"a":"\xff"}', None)],
)  # fmt: skip
def test_one_member_is_decoded_without_the_others(raw: bytes, value: Any) -> None:
    assert decode_member(msgspec.Raw(raw), "a") == value
