"""A value stands beside its page and confidence, and beside its quote where that says more."""

from typing import Any

import pytest

from llx_mcp.answers.cells import CELLS, NOT_IN_QUOTE, build_cell, cite_all, describe_cells
from tests.example_jobs import cited
from tests.result.documents import build_document, build_metadata

BOX = {"x": 1, "y": 2, "w": 3, "h": 4.5}


def cell_of(value: Any, entry: Any, **options: Any) -> Any:
    """Return the cell of one value with this metadata."""
    document = build_document({"f": value}, None if entry is None else build_metadata({"f": entry}))
    return build_cell(document, document.column(document.root.members["f"]), 0, **options)


@pytest.mark.parametrize(
    ("include", "text"),
    [
        ((), None),
        (("provenance",), CELLS),
        (("provenance", "quotes"), "[value, page, confidence, quote]"),
        (("quotes", "boxes"), "[value, page, confidence, quote, boxes]"),
    ],
)
def test_parts_of_a_cell_are_named(include: tuple[str, ...], text: str | None) -> None:
    assert describe_cells(include) == text


@pytest.mark.parametrize(
    ("value", "entry", "cell"),
    [
        (12.5, cited(0.87654, 3, "12.50"), [12.5, 3, 0.877]),
        (12.5, {"confidence": 0.5}, [12.5, None, 0.5]),
        (False, cited(0.5, 1, "no word of it"), [False, 1, 0.5]),
        (7, cited(0.5, 1, "eight"), [7, 1, 0.5, f"{NOT_IN_QUOTE}eight"]),
        (None, cited(0.5, 1, "x"), None),
        ([], cited(0.5, 1, "x"), []),
        ({}, cited(0.5, 1, "x"), {}),
        (7, None, 7),
    ],
)
def test_cell_has_value_page_and_confidence(value: Any, entry: Any, cell: Any) -> None:
    assert cell_of(value, entry) == cell


@pytest.mark.parametrize(
    ("value", "quote", "shown"),
    [
        ("Ada", "Ada two three", None),
        ("Ada", "Ada two three four", "Ada two three four"),
        (7, "7 of the goods", "7 of the goods"),
        ("Ada Lund", "Ada Lund of the", None),
    ],
)
def test_quote_is_shown_where_it_has_three_further_words(value: Any, quote: str, shown: str | None) -> None:
    cell = [value, 1, 0.9] if shown is None else [value, 1, 0.9, shown]
    assert cell_of(value, cited(0.9, 1, quote), include=("quotes",)) == cell
    assert cell_of(value, cited(0.9, 1, quote)) == [value, 1, 0.9]


def test_boxes_are_those_of_the_first_citation_that_is_shown() -> None:
    citations = [
        {"page": 1, "matching_text": "12", "bounding_boxes": [BOX]},
        {"page": 2, "matching_text": "12", "bounding_boxes": []},
    ]
    entry = {"confidence": 0.5, "citation": citations}
    assert cell_of(12, entry, include=("quotes", "boxes")) == [12, 1, 0.5, None, [[1, 2, 3, 4.5]]]
    assert cell_of(12, {"confidence": 0.5}, include=("boxes",)) == [12, None, 0.5, None, []]


def test_quote_that_lacks_the_value_is_cut() -> None:
    cell = cell_of(7, cited(0.9, 1, "w" * 300))
    assert cell[3].startswith(f"{NOT_IN_QUOTE}www")
    assert cell[3].index("…") == 100


@pytest.mark.parametrize(("num_chars", "is_cut"), [(240, False), (241, True)])
def test_long_value_is_cut_to_the_part_that_was_searched_for(num_chars: int, is_cut: bool) -> None:
    value = "a" * (num_chars - 6) + "needle"
    assert cell_of(value, None, around="needle").endswith("needle")
    assert (cell_of(value, None, around="needle") != value) == is_cut
    assert cell_of(value, None, around="needle", whole=True) == value


def test_invisible_characters_of_a_value_are_escaped() -> None:
    assert cell_of("a\u202eb", None) == "a\\u202eb"


def test_quote_is_cut_around_the_text_that_was_searched_for_else_around_the_value() -> None:
    entry = cited(0.9, 1, f"Ada {'x ' * 150}needle {'y ' * 150}")
    assert "needle" in cell_of("Ada", entry, around="needle", include=("quotes",))[3]
    assert cell_of("Ada", entry, include=("quotes",))[3].startswith("Ada x")


def test_whole_result_has_a_cell_for_each_value() -> None:
    result = {"a": [{"b": 1}, {"b": None, "c": "x" * 300}], "d": {}, "e": [], "": "n"}
    tree = {"a": [{"b": cited(0.5, 1, "1")}], "": cited(0.6, 2, "n")}
    document = build_document(result, build_metadata(tree))
    assert cite_all(document) == {
        "a": [{"b": [1, 1, 0.5]}, {"b": None, "c": ["x" * 300, None, None]}],
        "d": {},
        "e": [],
        "": ["n", 2, 0.6],
    }
