"""Secrets are removed from any text, also where markup, white space or a cut is inside them."""

import json
import logging
import random
import string
from types import TracebackType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.redaction import RedactingFilter, Redactor

KEY = "llx-aB3dE6gH9kLmN2pQ5sT8vW1yZ4cF7"
REDACTOR = Redactor(KEY)
GAPS = ["\n", " ", "\t\r\n", "\u00a0", "\u200b", "\u00ad", "\ud800", "\x00", "<b>", '<a href="x">', "</b>\n<wbr>"]
ESCAPED_GAPS = [r"\n", r"\\n", r"\u200b", r"\\u00a0", r"\u{e0041}", r"\xa0"]


@pytest.mark.parametrize("gap", ["", *GAPS, *ESCAPED_GAPS])
@pytest.mark.parametrize("position", [1, 4, 11, 30])
def test_key_is_replaced_with_what_is_inside_it(gap: str, position: int) -> None:
    text = f"before {KEY[:position]}{gap}{KEY[position:]} after"
    assert REDACTOR.redact(text) == "before [key] after"
    assert REDACTOR.may_hold(json.dumps(text).encode())


@pytest.mark.parametrize("gap", [" ", "\n", "<i>", "\u200b"])
def test_key_with_a_gap_after_every_character_is_replaced(gap: str) -> None:
    assert REDACTOR.redact(f"({gap.join(KEY)})") == "([key])"


def test_key_inside_markup_is_replaced() -> None:
    assert REDACTOR.redact(f'<a href="{KEY}">link</a>') == '<a href="[key]">link</a>'


def test_every_occurrence_is_replaced() -> None:
    assert REDACTOR.redact(f"a {KEY} b {KEY}{KEY} c") == "a [key] b [key][key] c"


@pytest.mark.parametrize("cut", [slice(None, 20), slice(-20, None), slice(8, 26)])
def test_half_of_a_key_counts_as_the_key(cut: slice) -> None:
    assert REDACTOR.redact(f"so says {KEY[cut]}…") == "so says [key]…"


def test_a_few_characters_of_a_key_are_left() -> None:
    assert REDACTOR.redact(f"keys begin with {KEY[:8]}") == f"keys begin with {KEY[:8]}"
    assert not REDACTOR.is_in(KEY[:8])


def test_short_placeholder_is_not_redacted() -> None:
    assert Redactor("e").redact("extract") == "extract"
    assert not Redactor("e").is_in("extract")
    assert Redactor().redact(KEY) == KEY


def test_several_secrets_are_replaced() -> None:
    assert Redactor(KEY, "password-of-proxy").redact(f"{KEY}, password-of-proxy") == "[key], [key]"


def test_repr_hides_the_secret() -> None:
    assert KEY not in repr(REDACTOR)
    assert KEY not in repr(vars(REDACTOR))


@given(st.text(), st.text(), st.sampled_from([*GAPS, ""]), st.integers(1, len(KEY) - 1))
def test_no_text_around_it_hides_a_key(before: str, after: str, gap: str, position: int) -> None:
    redacted = REDACTOR.redact(before + KEY[:position] + gap + KEY[position:] + after)
    plain = "".join(char for char in redacted if "!" <= char <= "~")
    assert KEY not in plain


@given(st.text(alphabet=string.printable + "äß<>\\\u200b"))
def test_text_without_a_key_is_returned_as_it_is(text: str) -> None:
    assert REDACTOR.redact(text) == text


@pytest.mark.parametrize("repeated", ["<", "\\", "<a", "\\n", KEY[:6], KEY + " "])
def test_work_does_not_grow_with_the_square_of_a_text(repeated: str) -> None:
    # A redaction that did would take minutes for this text; the suite's time limit would end it.
    REDACTOR.redact(repeated * (500_000 // len(repeated)) + random.Random(1).choice("ab"))


def make_record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    """Return a log record, filtered."""
    trace: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if error is not None:
        trace = (type(error), error, error.__traceback__)
    record = logging.LogRecord("httpx", logging.INFO, __file__, 1, message, arguments, trace)
    assert RedactingFilter(REDACTOR).filter(record)
    return record


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (f"key {KEY}", ()),
        ("key %s", (KEY,)),
        ("key %r", ({"headers": [(b"x-key", KEY.encode())]},)),
        ("%s%s", (KEY[:10], KEY[10:])),
    ],
)
def test_log_record_holds_no_key(message: str, arguments: tuple[Any, ...]) -> None:
    record = make_record(message, *arguments)
    assert "[key]" in logging.Formatter().format(record)
    assert KEY not in repr(vars(record))


def test_logged_traceback_holds_no_key() -> None:
    with pytest.raises(ValueError, match="bad header") as caught:
        int(f"bad header {KEY}")
    text = logging.Formatter().format(make_record("failed", error=caught.value))
    assert KEY not in text
    assert "ValueError: invalid literal for int() with base 10: 'bad header [key]'" in text


def test_log_record_without_a_key_stays_as_it_is() -> None:
    error = ValueError("x")
    record = make_record("%s of %d", "x", 1, error=error)
    assert (record.msg, record.args) == ("%s of %d", ("x", 1))
    assert record.exc_info
    assert record.exc_info[1] is error
