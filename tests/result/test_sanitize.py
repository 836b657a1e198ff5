"""What a person cannot see, a model is shown as an escape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.result.sanitize import dump_json, sanitize_json, sanitize_line, sanitize_text, truncate


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
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert sanitize_text(text) == shown


def test_names_and_values_are_made_visible_throughout() -> None:
    assert sanitize_json({"a\u200b": ["b\u202e", {"c": 1}]}) == {"a\\u200b": ["b\\u202e", {"c": 1}]}


def test_a_value_without_anything_hidden_is_the_same_object() -> None:
    value = {"a": ["b", 1.5, None]}
    assert sanitize_json(value) is value


@given(st.text(alphabet=st.characters()), st.integers(2, 40))
def test_a_line_is_one_line_within_its_length(text: str, max_chars: int) -> None:
    line = sanitize_line(text, max_chars)
    assert len(line) <= max_chars
    assert len(line.splitlines()) <= 1


@given(st.text(alphabet=st.characters()))
def test_what_is_visible_can_be_sent(text: str) -> None:
    dump_json(sanitize_text(text)).encode()


def test_a_cut_says_how_much_is_missing() -> None:
    assert (truncate("abcdef", 4), truncate("abcd", 4), truncate(123456, 2)) == ("abcd…[+2]", "abcd", 123456)
