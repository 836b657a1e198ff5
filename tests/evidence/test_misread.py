"""A misread quote is recognised by its value only where nothing but the value differs."""

from typing import Any

import pytest

from llx_mcp.evidence.misread import find_around_value, find_misread
from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.streams import build_needle

TEXT = "Share of 9 % and 34.9 % of 2,376.1 in cell Lek rolov m² 6 537,81 JPN"
PAGE = PageIndex(SourcePage(1, TEXT.split()))


@pytest.mark.parametrize(
    ("value", "quote", "words"),
    [
        (34.9, "3A.9 %", "34.9 %"),
        (34.9, "and 34,g", "and 34.9"),
        (2376.1, "2,3T6.1", "2,376.1"),
        ("JPN", "JRN", "JPN"),
        (6537.81, "6 S37,81", "6 537,81"),
    ],
)
def test_misread_quote_is_recognised(value: Any, quote: str, words: str) -> None:
    span = find_misread(PAGE, build_needle(quote), value)
    assert span is not None
    assert PAGE.text(span) == words
    assert (span.match, span.score < 1) == ("fuzzy", True)


@pytest.mark.parametrize(
    ("value", "quote"),
    [
        ("%", "8 %"),
        (9, "k %"),
        (34.9, "3A.8 %"),
        (34.9, "34.9 kg"),
        (2376.1, "9,376.9"),
        (2376.2, "2,376.2"),
        ("JPN", "J"),
    ],
)
def test_other_quote_is_not_taken_for_a_misread_one(value: Any, quote: str) -> None:
    assert find_misread(PAGE, build_needle(quote), value) is None


def test_row_of_cells_is_recognised_around_its_value() -> None:
    span = find_around_value(PAGE, build_needle("Lek ro1ov 6 537,81"), 6537.81)
    assert span is not None
    assert PAGE.text(span) == "Lek rolov m² 6 537,81"
    assert find_around_value(PAGE, build_needle("Lek ro1ov 6 537,81"), 6537.82) is None
    assert find_around_value(PAGE, build_needle("Lek rolov 7 111,22 and other words"), 6537.81) is None
