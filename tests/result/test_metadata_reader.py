"""Both readers of metadata read the same from an entry, whatever the entry holds."""

import json
from typing import Any

import msgspec
import pytest

from llx_mcp.result.metadata_reader import DictReader, is_citation_list, parse_number
from llx_mcp.result.metadata_structs import StructReader, ValueEntry


def both(entry: Any, method: str) -> Any:
    """Return what both readers say of an entry, which must be the same."""
    struct = msgspec.json.decode(json.dumps(entry).encode(), type=ValueEntry)
    is_by_column = method in ("confidences", "cited")
    from_dict = getattr(DictReader(), method)([entry] if is_by_column else entry)
    from_struct = getattr(StructReader(), method)([struct] if is_by_column else struct)
    assert from_dict == from_struct
    return from_dict


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (-1.5, -1.5),
        (999_999_999_999_999, 999_999_999_999_999),
        (1e15, None),
        (-1e15, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        ("1", None),
        (None, None),
    ],
)
def test_number_is_one_that_can_be_a_confidence_or_a_page(value: Any, number: Any) -> None:
    assert parse_number(value) == number


@pytest.mark.parametrize(
    ("value", "is_list"),
    [
        ([{"page": 1}], True),
        ([{"matching_text": ""}], True),
        ([{"bounding_boxes": []}], True),
        ([5, {"page": 1}], True),
        ([{"page": "1"}], False),
        ([{"page": None, "matching_text": None, "bounding_boxes": None}], False),
        ([{"confidence": 1}], False),
        ([], False),
        ({"page": 1}, False),
    ],
)
def test_list_of_citations_has_a_page_a_text_or_boxes(value: Any, is_list: bool) -> None:
    assert is_citation_list(value) is is_list


@pytest.mark.parametrize(
    ("entry", "confidence"),
    [
        ({"confidence": 0.5, "extraction_confidence": 0.1}, 0.5),
        ({"confidence": 0.0, "extraction_confidence": 0.1}, 0.0),
        ({"confidence": None, "extraction_confidence": 0.1, "parsing_confidence": 0.2}, 0.1),
        ({"extraction_confidence": 1e15, "parsing_confidence": 0.2}, 0.2),
        ({"confidence": 1e15, "parsing_confidence": -1e15}, None),
        ({"confidence": -1e15, "parsing_confidence": 0.3}, 0.3),
        ({"confidence": 1e300, "extraction_confidence": -1e15, "parsing_confidence": 1e15}, None),
        ({}, None),
    ],
)
def test_confidence_is_the_first_that_is_a_number(entry: Any, confidence: float | None) -> None:
    assert both(entry, "confidences") == [confidence]


@pytest.mark.parametrize(
    ("citation", "is_cited", "quotes", "first"),
    [
        (None, False, [], (None, None)),
        ([], False, [], (None, None)),
        ([{"page": 2, "matching_text": "a"}, {"matching_text": "b"}], True, ["a", "b"], (2, "a")),
        ([{"matching_text": ""}, {"matching_text": "b"}], True, ["b"], (None, "")),
        ([{"page": "2", "matching_text": 5}, {"matching_text": "b"}], True, ["b"], ("2", 5)),
        ([{}], True, [], (None, None)),
        ([5, {"page": 3}], True, [], (3, None)),
        ("text", False, [], (None, None)),
        ([5], False, [], (None, None)),
        ({"page": 1}, False, [], (None, None)),
    ],
)
def test_citations_are_the_objects_in_their_list(citation: Any, is_cited: bool, quotes: list[str], first: Any) -> None:
    entry = {"citation": citation}
    assert both(entry, "cited") == [is_cited]
    assert both(entry, "quotes") == quotes
    assert both(entry, "first_citation") == first
    assert bool(both(entry, "citations")) is is_cited


@pytest.mark.parametrize(
    ("entry", "is_entry"),
    [
        ({"confidence": 0.0}, True),
        ({"citation": [{"page": 1}]}, True),
        ({"citation": []}, False),
        ({"citation": [{"other": 1}]}, False),
        ({"citation": None}, False),
        ({}, False),
    ],
)
def test_entry_of_an_object_has_a_confidence_or_citations(entry: Any, is_entry: bool) -> None:
    struct = msgspec.json.decode(json.dumps(entry).encode(), type=ValueEntry)
    assert DictReader().container_entry(entry) == (entry if is_entry else None)
    assert StructReader().container_entry(struct) == (struct if is_entry else None)


@pytest.mark.parametrize("reader", [DictReader(), StructReader()])
@pytest.mark.parametrize("entry", [None, "text", 5, []])
def test_anything_else_is_no_entry(reader: Any, entry: Any) -> None:
    assert reader.container_entry(entry) is None
    assert reader.is_value_entry(entry) is False
    assert reader.confidences([entry]) == [None]
    assert reader.cited([entry]) == [False]
    assert (reader.citations(entry), reader.quotes(entry), reader.first_citation(entry)) == ([], [], (None, None))
    assert reader.members([entry], "a") == [None]


def test_members_of_objects_leave_out_the_citations_of_the_object_itself() -> None:
    entries: list[object] = [{"a": 1, "citation": [{"page": 1}]}, {"citation": {"page": 1}}, None]
    assert DictReader().members(entries, "a") == [1, None, None]
    assert DictReader().members(entries, "citation") == [None, {"page": 1}, None]
