"""Places are counted in full, or said to be cut; a search that left out pages is not complete."""

import itertools

import pytest

from llx_mcp.evidence.document_index import MAX_SIMILAR, DocumentIndex
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.evidence.streams import build_needle
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Citation
from tests.evidence.documents import build_source

FOREVER = Deadline(float("inf"))


@pytest.mark.parametrize("quote", ["Total amount due 12.50", "Total am0unt due 12.50"])
def test_quote_on_many_pages_is_counted_on_all_of_them(quote: str) -> None:
    source = build_source("Contents", *["Total amount due 12.50"] * 38)
    check = Grounder(source).check(12.5, [Citation(1, quote)])
    assert (check.verdict, check.elsewhere.total, check.elsewhere.num_pages) == ("ambiguous", 38, 38)
    assert not check.elsewhere.is_cut


@pytest.mark.parametrize(
    ("value", "page", "total"),
    [(5, "5 " * 700, 700), ("total due", "total due " * 700, 700), ("2026-03-31", "31 March 2026 . " * 300, 300)],
)
def test_places_on_one_page_are_counted_in_full(value: object, page: str, total: int) -> None:
    places = Grounder(build_source(page)).find_value(value)
    assert (places.total, places.num_pages, places.is_cut) == (total, 1, False)


def test_similar_text_on_very_many_pages_is_said_to_be_cut() -> None:
    source = build_source("Contents", *["Total amount due 12.50"] * (MAX_SIMILAR + 20))
    places = Grounder(source).search("Total am0unt due 12.50")
    assert (places.total, places.is_cut) == (MAX_SIMILAR, True)


def test_search_of_a_document_with_pages_without_text_is_not_complete() -> None:
    grounder = Grounder(build_source("Total 5", "", "Net 6"))
    quoted = grounder.check(7, [Citation(1, "Sum 7")]).elsewhere
    for places in (grounder.find_value(5), grounder.find_value("nowhere"), grounder.search("nowhere at all"), quoted):
        assert (places.is_complete, places.is_cut) == (False, False)
    assert Grounder(build_source("Total 5")).find_value("x").is_complete


def test_pages_are_indexed_until_the_time_is_up_and_then_by_the_next_call() -> None:
    document = DocumentIndex(SourceText("document", [SourcePage(number, ["alpha"]) for number in range(1, 11)]))
    ticks = itertools.count()
    assert len(document.postings(Deadline(4, lambda: float(next(ticks))))["alpha"]) == 3
    assert not document.is_indexed
    over = Deadline(0, lambda: 0.0)
    assert document.find_similar(build_needle("alpha beta gamma"), 0.5, over) == []
    assert len(document.postings(FOREVER)["alpha"]) == 10
    assert document.is_indexed
