"""The documented limits of a schema are checked before it is sent, with the place of the fault."""

from typing import Any

import pytest

from llx_mcp.errors import ArgumentError
from llx_mcp.result.schema_limits import MAX_LEVELS, MAX_PROPERTIES, MAX_STRING_CHARS, check_limits

TEXT = {"type": "string"}


def nest(levels: int) -> dict[str, Any]:
    """Return a schema with objects within objects, and lists between them."""
    schema: dict[str, Any] = {"type": "object", "properties": {"leaf": TEXT}}
    for level in range(levels - 1):
        child = {"type": "array", "items": schema} if level % 2 else schema
        schema = {"type": "object", "properties": {f"level_{level}": child}}
    return schema


def wide(count: int, **part: Any) -> dict[str, Any]:
    """Return a schema with many properties."""
    return {"type": "object", "properties": {f"p{index}": {"type": "string", **part} for index in range(count)}}


@pytest.mark.parametrize(
    "schema",
    [nest(MAX_LEVELS), wide(MAX_PROPERTIES), {"properties": {"a": TEXT}},
     {"$ref": "#/$defs/a", "$defs": {"a": nest(2)}},
     {"type": "object", "properties": {"type": {"const": "object"}, "properties": TEXT}}],
    ids=["deep", "wide", "without type", "reference", "names of keywords"],
)  # fmt: skip
def test_schema_within_the_limits_is_accepted(schema: dict[str, Any]) -> None:
    check_limits(schema)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "data_schema is empty"),
        ({"type": "array", "items": TEXT}, 'data_schema: the type of the root must be "object"'),
        ({"type": "object"}, "data_schema.properties: there is no property"),
        ({"type": "object", "properties": {}}, "data_schema.properties: there is no property"),
        (nest(MAX_LEVELS + 1), r"data_schema\.properties\.level_6\S+: the schema has more than 7 levels"),
        (nest(500), "levels"),
        (wide(MAX_PROPERTIES + 1), "has 5,001 properties; the limit is 5,000"),
        (wide(1, description="x" * MAX_STRING_CHARS), "characters in its names and texts; the limit is 120,000"),
        (wide(1, enum=["x" * 1_000] * 120), "characters in its names and texts"),
    ],
    ids=range(9),
)
def test_schema_beyond_a_limit_is_refused_with_its_place(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        check_limits(schema)


def test_schema_that_is_nested_without_properties_is_refused() -> None:
    schema: Any = TEXT
    for _ in range(900):
        schema = {"anyOf": [schema]}
    with pytest.raises(ArgumentError, match="nested too deeply"):
        check_limits({"type": "object", "properties": {"a": schema}})
