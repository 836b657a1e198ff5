"""What a schema says of a field is found through references, alternatives and lists."""

from typing import Any

import pytest

from llx_mcp.result.descriptions import describe_fields
from llx_mcp.result.outline import build_outline, walk_nodes


def described(schema: Any, result: Any) -> dict[str, str]:
    """Return what the schema says, by the path of the field."""
    root = build_outline(result)
    found = describe_fields(schema, root)
    return {node.path: found[id(node)] for node in walk_nodes(root) if id(node) in found}


def test_titles_and_descriptions_are_found_at_every_depth() -> None:
    schema = {
        "properties": {
            "vendor": {"title": "Seller", "properties": {"name": {"description": "Legal name"}}},
            "rows": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/row"}]}},
        },
        "$defs": {"row": {"description": "One line", "properties": {"n": {"allOf": [{"description": "Amount"}]}}}},
    }
    assert described(schema, {"vendor": {"name": "A"}, "rows": [{"n": 1, "other": 2}]}) == {
        "vendor": "Seller",
        "vendor.name": "Legal name",
        "rows[*]": "One line",
        "rows[*].n": "Amount",
    }


def test_list_result_has_one_object_of_the_schema_for_each_element() -> None:
    assert described({"properties": {"n": {"description": "Amount"}}}, [{"n": 1}]) == {"[*].n": "Amount"}


def test_schema_of_a_list_describes_the_list_and_its_elements() -> None:
    schema = {"type": "array", "title": "Lines", "items": {"description": "One line"}}
    assert described(schema, [{"n": 1}]) == {"": "Lines", "[*]": "One line"}


def test_every_level_of_a_deep_result_is_described() -> None:
    schema: dict[str, Any] = {"description": "inmost"}
    result: Any = 1
    for _ in range(100):
        schema, result = {"properties": {"a": {"items": schema}}}, {"a": [result]}
    (path,) = described(schema, result)
    assert path == ".".join(["a[*]"] * 100)


def test_own_properties_and_items_come_before_those_of_a_reference() -> None:
    schema = {
        "$defs": {"base": {"title": "Base", "properties": {"n": {"title": "theirs"}, "m": {"title": "theirs"}}}},
        "$ref": "#/$defs/base",
        "title": "Own",
        "properties": {"n": {"title": "own"}},
    }
    assert described(schema, {"n": 1, "m": 2}) == {"": "Own Base", "n": "own", "m": "theirs"}
    lists = {"items": {"title": "own"}, "anyOf": [{"items": {"title": "theirs"}}]}
    assert described({"properties": {"rows": lists}}, {"rows": [1]}) == {"rows[*]": "own"}


@pytest.mark.parametrize(("num_references", "is_found"), [(15, True), (16, False)])
def test_chain_of_references_is_followed_to_a_limit(num_references: int, is_found: bool) -> None:
    chain: dict[str, Any] = {f"d{index}": {"$ref": f"#/$defs/d{index + 1}"} for index in range(1, num_references)}
    chain[f"d{num_references}"] = {"title": "end"}
    schema = {"properties": {"n": {"$ref": "#/$defs/d1"}}, "$defs": chain}
    assert described(schema, {"n": 1}) == ({"n": "end"} if is_found else {})


@pytest.mark.parametrize(
    "schema", [None, [], "x", {"properties": []}, {"$ref": "#/nowhere"}, {"$ref": "#"}, {"properties": {"n": 3}}]
)
def test_odd_schema_describes_nothing(schema: Any) -> None:
    assert described(schema, {"n": 1}) == {}


def test_reference_to_itself_ends() -> None:
    schema = {"$defs": {"a": {"$ref": "#/$defs/a", "description": "x"}}, "properties": {"n": {"$ref": "#/$defs/a"}}}
    assert described(schema, {"n": {"n": 1}})["n"].startswith("x")
