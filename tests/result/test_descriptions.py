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


@pytest.mark.parametrize(
    "schema", [None, [], "x", {"properties": []}, {"$ref": "#/nowhere"}, {"$ref": "#"}, {"properties": {"n": 3}}]
)
def test_odd_schema_describes_nothing(schema: Any) -> None:
    assert described(schema, {"n": 1}) == {}


def test_reference_to_itself_ends() -> None:
    schema = {"$defs": {"a": {"$ref": "#/$defs/a", "description": "x"}}, "properties": {"n": {"$ref": "#/$defs/a"}}}
    assert described(schema, {"n": {"n": 1}})["n"].startswith("x")
