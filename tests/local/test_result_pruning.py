"""A recorded result is reduced to the fields of another schema, with the metadata of these fields."""

from typing import Any

import pytest

from llx_mcp.local.result_pruning import prune_result

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
SCHEMA = {
    "type": "object",
    "properties": {
        "total": {"anyOf": [NUMBER, {"type": "null"}]},
        "seller": {"type": "object", "properties": {"name": TEXT, "fax": TEXT}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"price": NUMBER}}},
    },
}
RESULT = {
    "number": "A-1", "total": 3.5, "seller": {"name": "Acme", "vat": "NO1"},
    "items": [{"price": 1, "text": "x"}, {"price": 2.5, "text": "y"}],
}  # fmt: skip


def entry(confidence: float) -> dict[str, Any]:
    return {"confidence": confidence, "citation": [{"page": 1, "matching_text": "as printed"}]}


TREE: dict[str, Any] = {
    "number": entry(0.1), "total": entry(0.2), "seller": {"name": entry(0.3), "vat": entry(0.4), "confidence": 0.5},
    "items": [{"price": entry(0.6), "text": entry(0.7)}, {"price": entry(0.8), "text": entry(0.9)}],
}  # fmt: skip
PRUNED_RESULT = {"total": 3.5, "seller": {"name": "Acme", "fax": None}, "items": [{"price": 1}, {"price": 2.5}]}
PRUNED_TREE = {
    "total": entry(0.2), "seller": {"confidence": 0.5, "name": entry(0.3)},
    "items": [{"price": entry(0.6)}, {"price": entry(0.8)}],
}  # fmt: skip


def test_fields_that_are_asked_for_stay_with_their_metadata() -> None:
    trees = {"document_metadata": TREE, "page_metadata": None, "row_metadata": None}
    metadata = {"field_metadata": trees, "parse_job_id": "pjb-1", "parse_tier": "agentic"}
    assert prune_result(RESULT, metadata, SCHEMA) == (
        PRUNED_RESULT,
        {**metadata, "field_metadata": {**trees, "document_metadata": PRUNED_TREE}},
    )


def test_metadata_without_the_level_of_targets_is_pruned_alike() -> None:
    assert prune_result(RESULT, {"field_metadata": TREE}, SCHEMA) == (PRUNED_RESULT, {"field_metadata": PRUNED_TREE})


@pytest.mark.parametrize("target", ["page_metadata", "row_metadata"])
def test_each_element_of_a_list_result_is_pruned(target: str) -> None:
    metadata = {"field_metadata": {"document_metadata": None, target: [TREE, TREE]}}
    pruned = {"field_metadata": {"document_metadata": None, target: [PRUNED_TREE, PRUNED_TREE]}}
    assert prune_result([RESULT, RESULT], metadata, SCHEMA) == ([PRUNED_RESULT] * 2, pruned)


@pytest.mark.parametrize("metadata", [None, {}, {"field_metadata": None}, [], "text"])
def test_absent_metadata_stays_absent(metadata: Any) -> None:
    assert prune_result(RESULT, metadata, SCHEMA) == (PRUNED_RESULT, metadata)


def test_metadata_of_another_shape_stays_with_its_value() -> None:
    tree = {"total": None, "seller": entry(0.1), "items": entry(0.2)}
    _, metadata = prune_result(RESULT, {"field_metadata": tree}, SCHEMA)
    assert metadata == {"field_metadata": tree}


def test_metadata_of_fewer_elements_stays_aligned() -> None:
    _, metadata = prune_result(RESULT, {"field_metadata": {"items": TREE["items"][:1]}}, SCHEMA)
    assert metadata == {"field_metadata": {"items": [{"price": entry(0.6)}]}}


def test_value_of_another_type_is_null_without_metadata() -> None:
    schema = {"properties": {"total": TEXT, "number": NUMBER, "seller": TEXT, "items": {"items": TEXT}}}
    result, metadata = prune_result(RESULT, {"field_metadata": TREE}, schema)
    assert result == {"total": None, "number": None, "seller": None, "items": None}
    assert metadata == {"field_metadata": dict.fromkeys(("total", "number", "seller", "items"))}


def test_elements_of_another_type_are_left_out_with_their_metadata() -> None:
    schema = {"properties": {"a": {"items": NUMBER}}}
    pruned = prune_result({"a": [1, "x", None, 2]}, {"field_metadata": {"a": [1, 2, 3, 4]}}, schema)
    assert pruned == ({"a": [1, None, 2]}, {"field_metadata": {"a": [1, 3, 4]}})
    assert prune_result({"a": []}, None, schema) == ({"a": []}, None)


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {}}])
def test_a_schema_without_fields_leaves_everything(schema: dict[str, Any]) -> None:
    assert prune_result(RESULT, {"field_metadata": TREE}, schema) == (RESULT, {"field_metadata": TREE})


def test_objects_and_lists_of_unknown_content_stay_whole() -> None:
    schema = {"properties": {"seller": {"type": "object"}, "items": {"type": "array"}, "number": {}}}
    result, metadata = prune_result(RESULT, {"field_metadata": TREE}, schema)
    assert result == {name: RESULT[name] for name in ("seller", "items", "number")}
    assert metadata == {"field_metadata": {name: TREE[name] for name in ("seller", "items", "number")}}


def test_a_schema_that_refers_to_itself_prunes_a_deep_result() -> None:
    schema = {"properties": {"name": TEXT, "child": {"$ref": "#"}}}
    value: Any = {"name": "leaf", "other": 1}
    for _ in range(200):
        value = {"name": "node", "other": 1, "child": value}
    pruned, _ = prune_result(value, None, schema)
    for _ in range(50):
        assert pruned.keys() == {"name", "child"}
        pruned = pruned["child"]
    assert pruned["other"] == 1
