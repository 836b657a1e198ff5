"""A cursor holds its position in few characters, and is bound to its source."""

import base64

import pytest

from llx_mcp.answers.cursors import (
    CursorError,
    PagePosition,
    decode_cursor,
    encode_cursor,
    unwrap_cursor,
    wrap_cursor,
)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 129, 255, 256, 16_383, 16_384, 2**40 - 1])
def test_number_of_any_size_is_read_back(number: int) -> None:
    position = PagePosition(number, 0, number + 1, 7)
    assert decode_cursor(encode_cursor(position, "a"), "a") == position


@pytest.mark.parametrize(
    ("position", "num_chars"),
    [(PagePosition(127, 127, 127, 127), 18), (PagePosition(128, 127, 127, 127), 19), (PagePosition(200, 0, 0, 9), 19)],
)
def test_small_numbers_take_one_byte_each(position: PagePosition, num_chars: int) -> None:
    assert len(encode_cursor(position, "a")) == num_chars


@pytest.mark.parametrize(
    ("position", "is_within"),
    [
        (PagePosition(3, 0, 0, 9), False),
        (PagePosition(0, 1, 0, 0), True),
        (PagePosition(0, 0, 1, 0), True),
    ],
)
def test_position_within_a_row_has_values_or_characters_of_it(position: PagePosition, is_within: bool) -> None:
    assert position.is_within_row is is_within


@pytest.mark.parametrize("payload", [b"x", b"xy", b"xyz", b"\xff\xfe\xfb\xef" * 9])
def test_cursor_of_bytes_is_url_safe_and_read_back(payload: bytes) -> None:
    cursor = wrap_cursor(payload, "source")
    assert set(cursor).isdisjoint("+/=")
    assert unwrap_cursor(cursor, "source", "list") == payload


def test_cursor_is_accepted_only_as_it_was_sent() -> None:
    cursor = wrap_cursor(b"\xff\xfe\xfb\xef" * 9, "one")
    assert {"-", "_"} <= set(cursor)
    last = chr(ord(cursor[-1]) + 1)
    for altered in (cursor.replace("-", "+"), cursor.replace("_", "/"), cursor[:-1] + last, f"{cursor}=", f" {cursor}"):
        with pytest.raises(CursorError, match="it was altered"):
            unwrap_cursor(altered, "one", "list")


def test_cursor_of_another_source_says_what_to_repeat() -> None:
    with pytest.raises(CursorError, match=r"another list\. Repeat the filters as they were"):
        unwrap_cursor(wrap_cursor(b"x", "one"), "two", "list. Repeat the filters")


def test_cursor_of_another_version_is_refused() -> None:
    padded = wrap_cursor(b"x", "one")
    whole = base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4))
    altered = base64.urlsafe_b64encode(bytes([whole[0] + 1]) + whole[1:]).rstrip(b"=").decode()
    with pytest.raises(CursorError, match="this server did not create it"):
        unwrap_cursor(altered, "one", "list")
