"""Each value gets its provenance, whatever the metadata looks like."""

from typing import Any

import pytest

from llx_mcp.result.document import Citation, Document, Leaf, is_scalar, read_document
from tests.result.documents import build_document, build_entry, build_metadata

CITED = (Citation(1, "words"),)


def entry(confidence: Any = 0.9, **keys: Any) -> dict[str, Any]:
    """An entry whose citations are `CITED`."""
    return build_entry(confidence, 1, "words", **keys)


def document_of(result: Any, metadata: Any) -> Document:
    """The document; both readers of metadata must give the same."""
    from_dicts = build_document(result, metadata, struct_min_bytes=1 << 60)
    from_structs = build_document(result, metadata, struct_min_bytes=0)
    assert facts_of(from_dicts) == facts_of(from_structs)
    return from_structs


def facts_of(document: Document) -> tuple[list[Leaf], int, bool, str]:
    """What a document holds, to compare it."""
    return list(document.leaves), document.num_nulls, document.has_metadata, document.error


def read(result: Any, tree: Any) -> list[Leaf]:
    """The values of an object result whose metadata is this tree."""
    return list(document_of(result, build_metadata(tree)).leaves)


def test_values_are_in_document_order_and_nulls_are_counted() -> None:
    result = {"b": 1, "a": {"c": [True, None, "x"], "e": [], "o": {}}}
    leaves = [Leaf("b", 1, None, ()), Leaf("a.c[0]", True, None, ()), Leaf("a.c[2]", "x", None, ())]
    assert facts_of(document_of(result, None)) == (leaves, 1, False, "")


def test_values_without_metadata_have_no_confidence() -> None:
    assert read({"rows": [{"n": 1}, {"n": 2}]}, {"rows": [{"n": entry()}]}) == [
        Leaf("rows[0].n", 1, 0.9, CITED),
        Leaf("rows[1].n", 2, None, ()),
    ]


@pytest.mark.parametrize(
    "tree", [{"n": None}, {"n": {}}, {"n": []}, {"n": "text"}, {"n": 0.5}, {"m": entry()}, "x", [1]]
)
def test_empty_or_unknown_metadata_is_ignored(tree: Any) -> None:
    assert read({"n": 1}, tree) == [Leaf("n", 1, None, ())]


def test_field_named_like_a_metadata_key_is_a_field() -> None:
    result = {"citation": ["Smith 2020", "Lee 2021"], "confidence": 0.5, "reasoning": "because", "page": 7}
    tree = {"citation": [entry(0.1), entry(0.2)], "confidence": entry(0.3), "reasoning": entry(0.4), "page": entry(0.6)}
    assert [(item.path, item.confidence) for item in read(result, tree)] == [
        ("citation[0]", 0.1),
        ("citation[1]", 0.2),
        ("confidence", 0.3),
        ("reasoning", 0.4),
        ("page", 0.6),
    ]


def test_citations_of_an_object_are_not_those_of_its_field_named_citation() -> None:
    tree = {"work": {"citation": [{"page": 4, "matching_text": "whole block"}], "title": entry(0.7)}}
    assert read({"work": {"citation": "Smith 2020", "title": "T"}}, tree) == [
        Leaf("work.citation", "Smith 2020", None, (Citation(4, "whole block"),)),
        Leaf("work.title", "T", 0.7, CITED),
    ]


def test_entry_of_a_list_applies_to_its_elements() -> None:
    assert read({"names": ["A", "B"]}, {"names": entry(0.8)}) == [
        Leaf("names[0]", "A", 0.8, CITED),
        Leaf("names[1]", "B", 0.8, CITED),
    ]


def test_extra_keys_next_to_members_are_ignored_and_the_error_is_read() -> None:
    tree = {"reasoning": "the whole page", "error": "partly", "n": entry(0.7, reasoning="found")}
    document = document_of({"n": 1}, build_metadata(tree))
    assert facts_of(document) == ([Leaf("n", 1, 0.7, CITED)], 0, True, "partly")


@pytest.mark.parametrize(
    ("page", "expected"), [(2.0, 2), (2.5, 2.5), (3, 3), (None, None), ("3", None), (True, None), (10**400, None)]
)
def test_page_is_an_integer_where_possible(page: Any, expected: Any) -> None:
    tree = {"n": {"citation": [{"page": page, "matching_text": "w"}]}}
    assert read({"n": 1}, tree) == [Leaf("n", 1, None, (Citation(expected, "w"),))]


@pytest.mark.parametrize("keys", [{}, {"matching_text": None}, {"matching_text": 5}, {"bounding_boxes": None}])
def test_citation_may_lack_any_key(keys: dict[str, Any]) -> None:
    assert read({"n": 1}, {"n": {"citation": [{"page": 1} | keys, None, 3]}}) == [
        Leaf("n", 1, None, (Citation(1, None),))
    ]


@pytest.mark.parametrize("confidence", [None, "0.9", True, 10**400, []])
def test_invalid_confidence_is_none(confidence: Any) -> None:
    assert read({"n": 1}, {"n": {"confidence": confidence}}) == [Leaf("n", 1, None, ())]


def test_extraction_confidence_replaces_a_missing_confidence() -> None:
    assert read({"n": 1}, {"n": {"parsing_confidence": 0.9, "extraction_confidence": 0.4}})[0].confidence == 0.4


@pytest.mark.parametrize("name", ["row_metadata", "page_metadata"])
def test_list_result_has_one_tree_for_each_element(name: str) -> None:
    fields = {"document_metadata": None, name: [{"n": entry(0.1)}, {"n": entry(0.2)}]}
    leaves = document_of([{"n": 1}, {"n": 2}], {"field_metadata": fields}).leaves
    assert list(leaves) == [Leaf("[0].n", 1, 0.1, CITED), Leaf("[1].n", 2, 0.2, CITED)]


@pytest.mark.parametrize("fields", [{"n": entry(0.3)}, {"document_metadata": {"n": entry(0.3)}, "page_metadata": None}])
def test_document_level_of_metadata_is_optional(fields: dict[str, Any]) -> None:
    assert list(document_of({"n": 1}, {"field_metadata": fields}).leaves) == [Leaf("n", 1, 0.3, CITED)]


@pytest.mark.parametrize(
    "metadata", [None, {}, {"field_metadata": None}, {"field_metadata": {}}, {"field_metadata": []}, [], "x", 3,
                 {"field_metadata": {"document_metadata": None, "row_metadata": None}}, {"field_metadata": "x"}],
)  # fmt: skip
def test_document_without_metadata_has_no_metadata(metadata: Any) -> None:
    assert facts_of(document_of({"n": 1}, metadata)) == ([Leaf("n", 1, None, ())], 0, False, "")


def test_deeply_nested_result_is_read_without_recursion() -> None:
    result: Any = 1
    for _ in range(5_000):
        result = [result]
    assert next(read_document(result, None).leaves).value == 1


def test_entry_of_an_empty_list_is_not_read_as_a_value() -> None:
    document = document_of({"a": [], "n": 1}, build_metadata({"a": [], "n": entry()}))
    assert document.leaf(document.column(document.root.members["a"]), 0) == Leaf("a", [], None, ())


@pytest.mark.parametrize("limit", range(6))
def test_ranking_has_lowest_confidences_first_and_then_values_without_one(limit: int) -> None:
    document = document_of({"d": 4, "a": 1, "b": 2, "c": 3}, build_metadata({"a": entry(0.5), "b": entry(0.2)}))
    assert [leaf.path for leaf in document.ranked(limit)] == ["b", "a", "d", "c"][:limit]


def test_values_of_equal_confidence_are_ranked_in_document_order_across_the_columns_of_a_list() -> None:
    rows = [{"a": 1, "b": 2}, {"b": 3, "a": 4}, {"a": 5, "b": 6}]
    tree = {"rows": [{name: entry(0.5) for name in row} for row in rows], "z": entry(0.5), "y": entry(0.5)}
    document = document_of({"z": 0, "rows": rows, "y": 9}, build_metadata(tree))
    ranked = [leaf.path for leaf in document.ranked(10)]
    assert ranked == ["z", "rows[0].a", "rows[0].b", "rows[1].a", "rows[1].b", "rows[2].a", "rows[2].b", "y"]
    assert [leaf.path for leaf in document.ranked(4)] == ranked[:4]


COUNTED = {"a": 1, "b": [2, None, {"c": 3}], "d": "x", "e": "y"}
COUNTED_TREE = {
    "a": entry(0.5),
    "b": [entry(0.9), entry(0.1), {"c": {"confidence": 0.2}}],
    "d": {"citation": [{"page": 1, "matching_text": "x"}]},
}


def counted() -> Document:
    """A document with scalars of every kind of metadata, and a list that also holds a null and an object."""
    return build_document(COUNTED, build_metadata(COUNTED_TREE))


def test_scalars_are_counted_by_their_metadata() -> None:
    document = counted()
    assert (document.num_values, document.num_nulls, document.num_fields) == (5, 1, 5)
    assert (document.num_with_confidence, document.num_with_citation) == (3, 3)
    assert [document.num_below(limit) for limit in (0.2, 0.5, 0.51, 1.0)] == [0, 1, 2, 3]
    assert document.has_provenance


def test_null_or_object_among_scalars_has_no_confidence_and_no_citation() -> None:
    document = counted()
    elements = document.root.members["b"].element
    assert elements is not None
    column = document.column(elements)
    assert (column.is_mixed, column.confidences, document.cited(column)) == (
        True, [0.9, None, None], [True, False, False]
    )  # fmt: skip
    plain = document.column(document.root.members["a"])
    assert (plain.is_mixed, document.cited(plain), document.quotes(plain.entries[0])) == (False, [True], ["words"])
    assert document.first_citation(plain.entries[0]) == (1, "words")


@pytest.mark.parametrize("limit", range(7))
def test_least_certain_values_come_first_then_those_without_a_confidence(limit: int) -> None:
    paths = ["b[2].c", "a", "b[0]", "d", "e"]
    assert [leaf.path for leaf in counted().ranked(limit)] == paths[:limit]


def test_values_of_one_confidence_are_ranked_in_document_order() -> None:
    rows = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    tree = {"rows": [{"x": entry(0.5), "y": entry(0.5)}, {"x": entry(0.5), "y": entry(0.5)}]}
    document = build_document({"rows": rows}, build_metadata(tree))
    assert [leaf.value for leaf in document.ranked(3)] == [1, 2, 3]


def test_constants_and_numbers_of_rows_are_left_out() -> None:
    rows = [{"unit": "USD", "index": index, "n": index * 7} for index in range(4)]
    tree = {"rows": [{"unit": entry(0.1), "index": entry(0.2), "n": entry(0.3 + n / 10)} for n in range(4)]}
    document = build_document({"rows": rows}, build_metadata(tree))
    assert [leaf.path for leaf in document.lowest_informative(10)] == ["rows[0].n", "rows[1].n"]
    assert list(document.lowest_informative(8)) == []


def test_document_without_metadata_has_no_provenance() -> None:
    document = build_document({"a": 1}, None)
    column = document.column(document.root.members["a"])
    assert (document.has_metadata, document.has_provenance, document.cited(column)) == (False, False, [False])
    assert (document.quotes(None), document.first_citation(None), document.citations(None)) == ([], (None, None), ())
    assert [leaf.path for leaf in document.ranked(5)] == ["a"]
    bare = build_document({"a": 1}, build_metadata({"a": {"other": 1}}))
    assert (bare.has_metadata, bare.has_provenance) == (True, False)


@pytest.mark.parametrize(
    ("value", "is_one"), [(0, True), ("", True), (False, True), (None, False), ([], False), ({}, False)]
)
def test_scalar_is_a_string_a_number_or_a_boolean(value: Any, is_one: bool) -> None:
    assert is_scalar(value) is is_one
