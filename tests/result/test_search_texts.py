"""What is prepared of a field serves every search, and finds what is there at every position."""

from llx_mcp.result.search_texts import FieldNumbers, FieldQuotes, FieldTexts
from llx_mcp.result.words import Term, split_terms
from tests.result.documents import build_document, build_entry, build_metadata


def term_of(text: str) -> Term:
    """Return the only term of a text."""
    (term,) = split_terms(text).terms
    return term


def test_repeated_string_is_found_at_every_position() -> None:
    values = ["North", None, "South", "North", 7, "north wing", "1.234,50 EUR", "North"]
    (column,) = build_document({"branch": values}, None).columns
    texts = FieldTexts(column.node)
    assert texts.find(term_of("north")) == {0: 1.5, 3: 1.5, 5: 1.0, 7: 1.5}
    assert list(texts.find(term_of("north"))) == [0, 3, 5, 7]
    assert texts.find(term_of("1234.5")) == {6: 1.3}
    assert texts.find(term_of("west")) == {}


def test_word_counts_less_in_a_long_text() -> None:
    (column,) = build_document({"text": ["the agent " + "of the bank " * 9, "the agent", "the agents"]}, None).columns
    assert FieldTexts(column.node).find(term_of("agent")) == {0: 0.8, 1: 1.0, 2: 0.9}


def test_word_with_another_ending_fits_less_than_the_word() -> None:
    (column,) = build_document({"text": ["matured", "maturity", "mature", "it is mature", "premature"]}, None).columns
    assert FieldTexts(column.node).find(term_of("mature")) == {0: 0.9, 1: 0.9, 2: 1.5, 3: 1.0, 4: 0.35}


def test_number_is_found_by_its_value_and_by_its_digits() -> None:
    (column,) = build_document({"n": [1234.5, True, 1, None, 912341, 1234, 1234.5]}, None).columns
    numbers = FieldNumbers(column.node)
    assert numbers.find(term_of("1,234.50")) == {0: 1.5, 6: 1.5}
    assert numbers.find(term_of("1234")) == {0: 0.7, 4: 0.7, 5: 1.5, 6: 0.7}
    assert numbers.find(term_of("1")) == {2: 1.5}


def test_quotes_are_found_with_the_whole_text_of_their_value() -> None:
    tree = {
        "n": [build_entry(0.9, 1, "Zürich Bahnhof"), None, build_entry(0.9, 1, "Bern"), build_entry(0.9, 1, "ZURICH")]
    }
    document = build_document({"n": [1, 2, 3, None]}, build_metadata(tree))
    (column,) = document.columns
    quotes = FieldQuotes(document, column.node)
    assert list(quotes.find([term_of("zurich")])) == [(0, "zurich bahnhof")]
    assert list(quotes.find([term_of("bern"), term_of("zurich")])) == [(0, "zurich bahnhof"), (2, "bern")]
    assert list(quotes.find([term_of("basel")])) == []
    assert list(quotes.find([term_of("bahnhofs")])) == [(0, "zurich bahnhof")]
