"""Invisible characters are shown as escapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.result.sanitize import begin_json, dump_json, sanitize_json, sanitize_line, sanitize_text, truncate


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ümlauts, 日本語 and 🙂", "plain, with ümlauts, 日本語 and 🙂"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\U000e0049\U000e0047", "\\u{e0049}\\u{e0047}"),
        ("soft\u00adhyphen", "soft\\u00adhyphen"),
        ("c1\x9b31m", "c1\\u009b31m"),
        ("lone \ud800 half", "lone \\ud800 half"),
        ("line\u2028separator", "line\\u2028separator"),
        ("filler\u3164", "filler\\u3164"),
        ("last\uffff", "last\\uffff"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert sanitize_text(text) == shown


def test_nested_names_and_values_are_sanitized() -> None:
    assert sanitize_json({"a\u200b": ["b\u202e", {"c": 1}]}) == {"a\\u200b": ["b\\u202e", {"c": 1}]}


def test_value_without_invisible_characters_is_returned_unchanged() -> None:
    value = {"a": ["b", 1.5, None]}
    assert sanitize_json(value) is value


@given(st.text(alphabet=st.characters()), st.integers(2, 40))
def test_sanitized_line_is_one_line_of_limited_length(text: str, max_chars: int) -> None:
    line = sanitize_line(text, max_chars)
    assert len(line) <= max_chars
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("abcd", "abcd"),
        ("abcde", "abc…"),
        (" a\tb\n", "a b"),
        ("a\u202e", "a\\u…"),
        # Only four times as many characters are looked at.
        ("a" + " " * 15, "a"),
        ("a" + " " * 16, "a…"),
        (" " * 15 + "ab", "a…"),
    ],
)
def test_line_that_is_cut_ends_in_an_ellipsis(text: str, line: str) -> None:
    assert sanitize_line(text, 4) == line


@pytest.mark.parametrize(("max_chars", "text"), [(7, "[1,2,3]"), (6, "[1,2,3…"), (1, "[…"), (0, "…"), (100, "[1,2,3]")])
def test_long_json_is_cut_at_its_beginning(max_chars: int, text: str) -> None:
    assert begin_json([1, 2, 3], max_chars) == text


def test_no_more_json_is_encoded_than_is_shown() -> None:
    no_json = object()
    assert begin_json([1, 2, 3, no_json], 3) == "[1,…"


@given(st.text(alphabet=st.characters()))
def test_sanitized_text_can_be_encoded_as_utf_8(text: str) -> None:
    dump_json(sanitize_text(text)).encode()


def test_truncated_text_ends_with_the_number_of_missing_characters() -> None:
    assert (truncate("abcdef", 4), truncate("abcd", 4), truncate(123456, 2)) == ("abcd…[+2]", "abcd", 123456)
