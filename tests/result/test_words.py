"""The terms of a search, and how well a text contains each."""

import pytest

from llx_mcp.result.words import INSIDE, PREFIX, WORD, split_terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("What is the governing law?", ["governing", "law"]),
        ("revenue in the Second Quarter", ["revenue", "q2"]),
        ("1st half 2025", ["h1", "2025"]),
        ("total_amount total-amount", ["total", "amount", "total-amount"]),
        ("law law", ["law"]),
        ("to be or not to be", ["not"]),
        ("to be", ["to", "be"]),
        ("is it", ["is", "it"]),
        ("“quoted” (words)", ["quoted", "words"]),
        ("?!", []),
    ],
)
def test_text_is_split_into_the_terms_that_tell_something(text: str, terms: list[str]) -> None:
    assert [term.text for term in split_terms(text).terms] == terms


@pytest.mark.parametrize(
    ("term", "text", "weight"),
    [
        ("law", "the governing law", WORD),
        ("law", "laws", WORD),
        ("laws", "the law", WORD),
        ("companies", "a company", WORD),
        ("company", "two companies", WORD),
        ("boxes", "box", WORD),
        ("address", "addresses", WORD),
        ("q2", "fy2025 q2", WORD),
        ("q2", "second quarter", WORD),
        ("q2", "q21", 0.0),
        ("2025", "fy2025", WORD),
        ("25", "fy2025", 0.0),
        ("fiscal", "fy2025", WORD),
        ("amort", "amortization", PREFIX),
        ("tion", "amortization", INSIDE),
        ("at", "that", 0.0),
        ("緩衝", "高緩衝液", WORD),
        ("march", "2026-03-04", WORD),
        ("march", "mar 2026", WORD),
        ("jul", "july 2016", WORD),
        ("july", "2016-07", WORD),
        ("march", "ab-0310", 0.0),
        ("law", "", 0.0),
    ],
)
def test_whole_word_fits_best_then_its_beginning_then_its_inside(term: str, text: str, weight: float) -> None:
    (found,) = split_terms(term).terms
    assert found.weigh(text) == weight


def test_name_with_other_words_fits_less() -> None:
    terms = split_terms("revenue")
    assert terms.weigh_name("revenue") == {0: 1.0}
    assert terms.weigh_name("revenueGrowth")[0] == pytest.approx(0.8)
    assert terms.weigh_name("cost") == {}


@pytest.mark.parametrize("name", ["lineItems", "line_items", "LINE-ITEMS", "lineitems"])
def test_name_is_found_however_its_words_are_joined(name: str) -> None:
    assert split_terms("line items").weigh_name(name).keys() == {0, 1}
    assert split_terms("lineitems").weigh_name(name).keys() == {0}
