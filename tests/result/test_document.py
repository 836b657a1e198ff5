"""Each value finds the provenance that there is, whatever the metadata looks like."""

import json
from typing import Any

import msgspec
import pytest

from llx_mcp.result.document import Citation, Document, Leaf, read_document


def leaf(confidence: Any = 0.9, **keys: Any) -> dict[str, Any]:
    """One entry of the metadata."""
    return {"confidence": confidence, "citation": [{"page": 1, "matching_text": "words"}]} | keys


CITED = (Citation(1, "words"),)


def document_of(result: Any, metadata: Any) -> Document:
    """The document; both readers of metadata must give the same."""
    raw = None if metadata is None else msgspec.Raw(json.dumps(metadata).encode())
    from_dicts = read_document(result, raw, struct_min_bytes=1 << 60)
    from_structs = read_document(result, raw, struct_min_bytes=0)
    assert facts_of(from_dicts) == facts_of(from_structs)
    return from_structs


def facts_of(document: Document) -> tuple[list[Leaf], int, bool, str]:
    """All that a document says."""
    return list(document.leaves), document.num_nulls, document.has_metadata, document.error


def read(result: Any, tree: Any) -> list[Leaf]:
    """The values of an object result with this tree."""
    return list(document_of(result, {"field_metadata": {"document_metadata": tree}}).leaves)


def test_values_come_in_the_order_of_the_document_with_nulls_counted() -> None:
    result = {"b": 1, "a": {"c": [True, None, "x"], "e": [], "o": {}}}
    leaves = [Leaf("b", 1, None, ()), Leaf("a.c[0]", True, None, ()), Leaf("a.c[2]", "x", None, ())]
    assert facts_of(document_of(result, None)) == (leaves, 1, False, "")


def test_metadata_shorter_than_the_data_leaves_the_rest_unrated() -> None:
    assert read({"rows": [{"n": 1}, {"n": 2}]}, {"rows": [{"n": leaf()}]}) == [
        Leaf("rows[0].n", 1, 0.9, CITED),
        Leaf("rows[1].n", 2, None, ()),
    ]


@pytest.mark.parametrize(
    "tree", [{"n": None}, {"n": {}}, {"n": []}, {"n": "text"}, {"n": 0.5}, {"m": leaf()}, "x", [1]]
)
def test_a_node_that_says_nothing_is_no_entry(tree: Any) -> None:
    assert read({"n": 1}, tree) == [Leaf("n", 1, None, ())]


def test_fields_named_like_metadata_are_fields() -> None:
    result = {"citation": ["Smith 2020", "Lee 2021"], "confidence": 0.5, "reasoning": "because", "page": 7}
    tree = {"citation": [leaf(0.1), leaf(0.2)], "confidence": leaf(0.3), "reasoning": leaf(0.4), "page": leaf(0.6)}
    assert [(item.path, item.confidence) for item in read(result, tree)] == [
        ("citation[0]", 0.1),
        ("citation[1]", 0.2),
        ("confidence", 0.3),
        ("reasoning", 0.4),
        ("page", 0.6),
    ]


def test_a_citation_of_an_object_is_not_its_field_citation() -> None:
    tree = {"work": {"citation": [{"page": 4, "matching_text": "whole block"}], "title": leaf(0.7)}}
    assert read({"work": {"citation": "Smith 2020", "title": "T"}}, tree) == [
        Leaf("work.citation", "Smith 2020", None, (Citation(4, "whole block"),)),
        Leaf("work.title", "T", 0.7, CITED),
    ]


def test_one_leaf_for_a_whole_list_speaks_for_its_elements() -> None:
    assert read({"names": ["A", "B"]}, {"names": leaf(0.8)}) == [
        Leaf("names[0]", "A", 0.8, CITED),
        Leaf("names[1]", "B", 0.8, CITED),
    ]


def test_reasoning_beside_the_members_of_an_object_is_not_a_member() -> None:
    tree = {"reasoning": "the whole page", "error": "partly", "n": leaf(0.7, reasoning="found")}
    document = document_of({"n": 1}, {"field_metadata": {"document_metadata": tree}})
    assert facts_of(document) == ([Leaf("n", 1, 0.7, CITED)], 0, True, "partly")


@pytest.mark.parametrize(
    ("page", "expected"), [(2.0, 2), (2.5, 2.5), (3, 3), (None, None), ("3", None), (True, None), (10**400, None)]
)
def test_pages_are_whole_numbers_where_they_can_be(page: Any, expected: Any) -> None:
    tree = {"n": {"citation": [{"page": page, "matching_text": "w"}]}}
    assert read({"n": 1}, tree) == [Leaf("n", 1, None, (Citation(expected, "w"),))]


@pytest.mark.parametrize("entry", [{}, {"matching_text": None}, {"matching_text": 5}, {"bounding_boxes": None}])
def test_a_citation_may_lack_any_key(entry: dict[str, Any]) -> None:
    assert read({"n": 1}, {"n": {"citation": [{"page": 1} | entry, None, 3]}}) == [
        Leaf("n", 1, None, (Citation(1, None),))
    ]


@pytest.mark.parametrize("confidence", [None, "0.9", True, 10**400, []])
def test_a_confidence_that_is_no_number_is_none(confidence: Any) -> None:
    assert read({"n": 1}, {"n": {"confidence": confidence}}) == [Leaf("n", 1, None, ())]


def test_the_extraction_confidence_stands_in_for_a_missing_one() -> None:
    assert read({"n": 1}, {"n": {"parsing_confidence": 0.9, "extraction_confidence": 0.4}})[0].confidence == 0.4


@pytest.mark.parametrize("name", ["row_metadata", "page_metadata"])
def test_a_list_result_has_one_tree_an_element(name: str) -> None:
    fields = {"document_metadata": None, name: [{"n": leaf(0.1)}, {"n": leaf(0.2)}]}
    leaves = document_of([{"n": 1}, {"n": 2}], {"field_metadata": fields}).leaves
    assert list(leaves) == [Leaf("[0].n", 1, 0.1, CITED), Leaf("[1].n", 2, 0.2, CITED)]


@pytest.mark.parametrize("fields", [{"n": leaf(0.3)}, {"document_metadata": {"n": leaf(0.3)}, "page_metadata": None}])
def test_the_document_level_may_be_left_out(fields: dict[str, Any]) -> None:
    assert list(document_of({"n": 1}, {"field_metadata": fields}).leaves) == [Leaf("n", 1, 0.3, CITED)]


@pytest.mark.parametrize(
    "metadata", [None, {}, {"field_metadata": None}, {"field_metadata": {}}, {"field_metadata": []}, [], "x", 3,
                 {"field_metadata": {"document_metadata": None, "row_metadata": None}}, {"field_metadata": "x"}],
)  # fmt: skip
def test_no_metadata_is_told_from_metadata_that_says_nothing(metadata: Any) -> None:
    assert facts_of(document_of({"n": 1}, metadata)) == ([Leaf("n", 1, None, ())], 0, False, "")


def test_depth_costs_no_stack() -> None:
    result: Any = 1
    for _ in range(5_000):
        result = [result]
    assert next(read_document(result, None).leaves).value == 1


def test_entry_of_an_empty_list_is_not_read_as_a_value() -> None:
    document = document_of({"a": [], "n": 1}, {"field_metadata": {"document_metadata": {"a": [], "n": leaf()}}})
    assert document.leaf(document.column(document.root.members["a"]), 0) == Leaf("a", [], None, ())
