"""Whole words and numbers are found on a page, parts of them are not."""

import pytest

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.streams import build_needle

TEXT = "Total 1,234.5 1 234 567 in 2025. Q2 grew 12.5 % to IBAN DE10 9990 1700 the TotalRevenue-2024 end"
PAGE = PageIndex(SourcePage(1, TEXT.split()))


@pytest.mark.parametrize(
    ("text", "words", "score"),
    [
        ("total", "Total", 1.0),
        ("1.234,5", "1,234.5", 1.0),
        ("1,234,567", "1 234 567", 0.95),
        ("12.5%", "12.5 %", 1.0),
        ("2025", "2025.", 1.0),
        ("2024", "TotalRevenue-2024", 1.0),
        ("DE1099901700", "DE10 9990 1700", 0.95),
        ("grew 12.5 % to IB", "grew 12.5 % to IBAN", 0.95),
        ("to ta l", "Total", 1.0),
    ],
)
def test_text_is_found(text: str, words: str, score: float) -> None:
    (span,) = PAGE.find_exact(build_needle(text), 5)
    assert (PAGE.text(span), span.score) == (words, score)


@pytest.mark.parametrize("text", ["34.5", "025", "ota", "rev", "12 5 5", "125", "Total 1", "", "—"])
def test_part_of_a_word_or_number_is_not_found(text: str) -> None:
    assert PAGE.find_exact(build_needle(text), 5) == []


def test_search_may_be_limited() -> None:
    page = PageIndex(SourcePage(1, ["a", "b", "a", "b", "a b"]))
    needle = build_needle("a b")
    assert page.find_exact(needle, 2) == [Span(0, 1), Span(2, 3)]
    assert page.find_exact(needle, 9, Span(1, 4)) == [Span(2, 3), Span(4, 4)]
    assert page.find_exact(build_needle("b"), 9, Span(2, 3)) == [Span(3, 3)]
    assert page.find_exact(build_needle("b"), 9, Span(0, 0)) == []


def test_symbols_are_found_across_words() -> None:
    page = PageIndex(SourcePage(1, ["a☒", "☐", "b"]))
    assert page.find_symbols("☒☐") == Span(0, 1)
    assert page.find_symbols("☑") is None
    assert page.find_symbols("") is None
