"""Similar passages are found with other words between, in another order, and with misread characters."""

import pytest

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Match
from llx_mcp.evidence.similar import find_fuzzy, find_scattered, find_similar, find_tokens
from llx_mcp.evidence.streams import build_needle

TEXT = "Chapter 4 Haemoglobin g/l 128 135 175 low. The borrower shall repay the loan in 5 instalments of EUR 40,000."
PAGE = PageIndex(SourcePage(1, TEXT.split()))


@pytest.mark.parametrize(
    ("text", "words", "match"),
    [
        ("Haemoglobin 128 135", "Haemoglobin g/l 128 135", "tokens"),
        ("175 135 128 Haemoglobin", "Haemoglobin g/l 128 135 175", "tokens"),
        ("The b0rrower shall repay the l0an", "The borrower shall repay the loan", "fuzzy"),
        ("repay the the loan in 5", "The borrower shall repay the loan in 5", "tokens"),
        ("Haemo globin 128 135", "Haemoglobin g/l 128 135", "fuzzy"),
    ],
)
def test_similar_passage_is_found(text: str, words: str, match: Match) -> None:
    span = find_similar(PAGE, build_needle(text), 0.75)
    assert span is not None
    assert (PAGE.text(span), span.match) == (words, match)
    assert 0.75 <= span.score < 1


@pytest.mark.parametrize(
    "text", ["The lender may cancel the loan", "Haemoglobin 128 999", "xy", "", "175 Chapter instalments"]
)
def test_other_text_is_not_similar(text: str) -> None:
    assert find_similar(PAGE, build_needle(text), 0.75) is None


def test_each_way_finds_its_own() -> None:
    assert find_tokens(PAGE, build_needle("Haemoglobin")) is None
    assert find_fuzzy(PAGE, build_needle("abcd")) is None
    assert find_scattered(PAGE, build_needle("short")) is None
    assert find_scattered(PAGE, build_needle("Haemoglobin 1X8 135")) is None
    assert find_scattered(PAGE, build_needle("Haemoglobin 1X8 135"), 0.6) is not None
