"""A JSON schema is written as a short type."""

from typing import Any

import pytest

from llx_mcp.answers.schema_text import describe_schema

DEFINITIONS = {
    "money": {"type": "object", "properties": {"amount": {"type": "number"}}, "description": "An amount"},
    "name": {"type": "string"},
}


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["string", "null"]}, "string|null"),
        ({"type": "string", "description": "As printed"}, 'string "As printed"'),
        ({"type": "string", "description": "line one\nline two"}, 'string "line one line two"'),
        ({"type": "string", "description": "d" * 80}, f'string "{"d" * 80}"'),
        ({"type": "string", "description": "d" * 81}, f'string "{"d" * 79}…"'),
        ({"type": "string", "description": ""}, "string"),
        ({"type": "string", "description": 5}, "string"),
        ({"enum": ["kg", 2, None]}, '"kg"|2|null'),
        ({"enum": list(range(20))}, "0|1|2|3|4|5|6|7|8|9|10|11"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string|null"),
        ({"oneOf": [{"type": "string"}, {"type": "string"}]}, "string"),
        ({"oneOf": [{"enum": [number]} for number in range(20)]}, "0|1|2|3|4|5|6|7|8|9|10|11"),
        ({"anyOf": [{"$ref": "#/$defs/name"}, True]}, "string|any"),
        ({"type": "array", "items": {"type": "number"}}, "[number]"),
        ({"type": "array"}, "[any]"),
        ({"type": ["array", "null"], "items": {"$ref": "#/$defs/name"}}, "[string]|null"),
        ({"type": "object"}, "object"),
        ({"properties": {"n": {"type": "integer"}}}, "{n: integer}"),
        ({"type": "object", "properties": {}}, "{}"),
        ({"type": "object", "properties": {"odd name": {}}, "required": ["odd name"]}, "{['odd name']: any!}"),
        ({"type": "object", "properties": {"n": {"type": "integer"}}, "required": "n"}, "{n: integer}"),
        ({"$ref": "#/$defs/money"}, "{amount: number}"),
        ({"$ref": "#/$defs/money", "properties": {"n": {}}}, "{n: any}"),
        ({"$ref": "#/nowhere"}, "any"),
        ({"type": "w" * 30}, f"{'w' * 19}…"),
        ({"type": 5}, "any"),
        ({}, "any"),
        (5, "any"),
    ],
)
def test_part_of_a_schema_is_written_as_a_type(part: Any, text: str) -> None:
    schema = {"type": "object", "properties": {"f": part}, "$defs": DEFINITIONS}
    assert describe_schema(schema) == f"{{f: {text}}}"


def test_required_mark_comes_before_the_description() -> None:
    field = {"type": "object", "description": "A part", "properties": {"n": {"description": "A number"}}}
    schema = {"type": "object", "properties": {"f": field, "g": field}, "required": ["f"]}
    part = '{n: any "A number"}'
    assert describe_schema(schema) == f'{{f: {part}! "A part", g: {part} "A part"}}'
    assert describe_schema(schema, descriptions=False) == "{f: {n: any}!, g: {n: any}}"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "object", "properties": {"next": {"$ref": "#/$defs/loop"}}}, "{next: …}"),
        ({"type": "array", "items": {"$ref": "#/$defs/loop"}}, "[…]"),
        ({"anyOf": [{"$ref": "#/$defs/loop"}, {"type": "null"}]}, "…|null"),
    ],
)
def test_definition_is_not_repeated_within_itself(part: Any, text: str) -> None:
    assert describe_schema({"$ref": "#/$defs/loop", "$defs": {"loop": part}}) == text


def test_schema_is_not_repeated_within_itself() -> None:
    children = {name: {"$ref": "#"} for name in "abc"}
    assert describe_schema({"type": "object", "properties": children}) == "{a: …, b: …, c: …}"


def test_definition_may_be_used_twice() -> None:
    fields = {name: {"$ref": "#/$defs/name"} for name in "ab"}
    assert describe_schema({"properties": fields, "$defs": DEFINITIONS}) == "{a: string, b: string}"


def test_deep_schema_is_written_to_a_depth() -> None:
    part: Any = {"type": "string"}
    for _ in range(20):
        part = {"type": "array", "items": part}
    assert describe_schema(part) == "[" * 13 + "…" + "]" * 13


def test_definitions_that_multiply_are_written_to_a_bound() -> None:
    levels = {
        f"d{level}": {"properties": {name: {"$ref": f"#/$defs/d{level + 1}"} for name in "abcdefgh"}}
        for level in range(11)
    }
    text = describe_schema({"$ref": "#/$defs/d0", "$defs": levels})
    assert len(text) < 100_000
    assert "…" in text
