"""The fields of a schema are listed in plain words, however the schema is written."""

from typing import Any

import pytest

from llx_mcp.answers.schema_lines import count_fields, list_fields

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "lines"),
    [
        ({"properties": {"a": {"type": "string", "description": "As\nprinted\u202e"}}},
         ['a: string "As printed\\\\u202e"']),
        ({"properties": {"a b": {"type": ["number", "null"]}}}, ["['a b']: number|null"]),
        ({"properties": {"o": {"type": "object", "properties": {"x": TEXT}}}}, ["o: object", "o.x: string"]),
        ({"properties": {"l": {"type": "array", "items": TEXT}}}, ["l: [string]"]),
        ({"properties": {"l": {"type": "array", "items": {"properties": {"x": {"enum": ["a", 1]}}}}}},
         ["l: list of objects", 'l[].x: "a"|1']),
        ({"properties": {"m": {"$ref": "#/$defs/m"}}, "$defs": {"m": {"properties": {"x": TEXT}}}},
         ["m: object", "m.x: string"]),
        ({"properties": {"o": {"anyOf": [{"type": "object", "properties": {"x": TEXT}}, {"type": "null"}]}}},
         ["o: {x: string}|null", "o.x: string"]),
        ({"properties": {"a": None, "b": True}}, ["a: any", "b: any"]),
        ({"properties": []}, []),
    ],
)  # fmt: skip
def test_every_field_has_a_line(schema: dict[str, Any], lines: list[str]) -> None:
    assert list_fields(schema) == lines
    assert count_fields(schema) == len(lines)


def test_schema_that_refers_to_itself_or_multiplies_ends() -> None:
    tree = {"properties": {"child": {"$ref": "#"}, "other": {"$ref": "#"}}}
    assert len(list_fields(tree)) == count_fields(tree) == 5_000
    options = {"anyOf": [{"$ref": "#/$defs/a"}] * 50}
    assert list_fields({"properties": {"a": options}, "$defs": {"a": options}})[0].startswith("a: ")
