"""Fields of schemas are found through references and alternatives, and compared by path and type."""

import json
from typing import Any

import pytest

from llx_mcp.local.samples import SAMPLES, read_sample
from llx_mcp.local.schema_fields import SchemaNode, count_shared_fields, list_fields

TEXT = {"type": "string"}
NUMBER = {"type": "number"}


def describe(schema: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a schema in short: their paths with dots, and their types."""
    return {
        ".".join("[]" if step is None else step for step in path): " ".join(sorted(types))
        for path, types in list_fields(schema).items()
    }


def build_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_fields_have_paths_and_types_in_the_order_of_the_schema() -> None:
    schema = build_object(
        number=TEXT,
        total={"anyOf": [{"type": "integer"}, {"type": "null"}]},
        seller=build_object(name={"type": ["string", "null"]}),
        items={"type": "array", "items": build_object(price=NUMBER, tags={"type": "array", "items": TEXT})},
        anything={"description": "of any type"},
        free={"type": "object"},
    )
    assert list(describe(schema).items()) == [
        ("number", "string"), ("total", "number"), ("seller.name", "string"), ("items.[].price", "number"),
        ("items.[].tags.[]", "string"), ("anything", ""), ("free", "object"),
    ]  # fmt: skip


def test_references_and_combined_schemas_are_followed() -> None:
    schema = build_object(
        price={"$ref": "#/$defs/mo~0n%2Fey"},
        party={"oneOf": [build_object(name=TEXT), build_object(vat=TEXT, name=NUMBER)]},
        both={"allOf": [build_object(a=TEXT), {"properties": {"b": TEXT}}]},
        missing={"$ref": "#/$defs/nowhere"},
        remote={"$ref": "https://example.com/schema"},
        odd={"$ref": 3},
    ) | {"$defs": {"mo~n": {"ey": {}}, "mo~n/ey": build_object(amount=NUMBER)}}
    assert describe(schema)["price"] == ""
    schema["properties"]["price"] = {"$ref": "#/$defs/mo~0n~1ey"}
    assert describe(schema) == {
        "price.amount": "number", "party.vat": "string", "party.name": "number string", "both.a": "string",
        "both.b": "string", "missing": "", "remote": "", "odd": "",
    }  # fmt: skip


def test_a_schema_that_refers_to_itself_is_read_to_a_limit() -> None:
    tree = build_object(name=TEXT, left={"$ref": "#"}, right={"$ref": "#"})
    assert len(list_fields(tree)) == 10_000
    assert list_fields({"$ref": "#"}) == {}
    assert list_fields({"anyOf": [{"$ref": "#"}], "properties": {"a": {"$ref": "#/properties/a"}}}) == {
        ("a",): frozenset()
    }


@pytest.mark.parametrize("schema", [{}, {"properties": 3}, {"properties": {"a": 3}}, {"items": True}, {"anyOf": {}}])
def test_odd_schemas_are_read(schema: dict[str, Any]) -> None:
    assert len(list_fields(schema)) <= 1


@pytest.mark.parametrize(
    ("requested", "shared"),
    [(build_object(a=TEXT), 1), (build_object(a=NUMBER), 0), (build_object(a={}), 1), (build_object(b=TEXT), 0),
     (build_object(n={"type": "integer"}), 1), (build_object(a=TEXT, n=NUMBER, c=build_object(d=TEXT)), 3),
     (build_object(c=TEXT), 0), (build_object(c={"type": "object"}), 0), (build_object(any=TEXT), 1)],
)  # fmt: skip
def test_shared_fields_have_the_same_path_and_a_type_in_common(requested: dict[str, Any], shared: int) -> None:
    recorded = build_object(a=TEXT, n=NUMBER, c=build_object(d=TEXT, e=TEXT), any={})
    assert count_shared_fields(list_fields(requested), list_fields(recorded)) == shared


@pytest.mark.parametrize(
    ("schema", "accepted"),
    [({}, ["null", "boolean", "string", "integer", "number", "array", "object"]), (TEXT, ["null", "string"]),
     (NUMBER, ["null", "integer", "number"]), ({"type": "integer"}, ["null", "integer", "number"]),
     ({"type": "boolean"}, ["null", "boolean"]), ({"properties": {}}, ["null", "object"]),
     ({"items": TEXT}, ["null", "array"]), ({"anyOf": [TEXT, {"type": "null"}, {"items": {}}]},
      ["null", "string", "array"])],
)  # fmt: skip
def test_values_are_accepted_by_their_type(schema: dict[str, Any], accepted: list[str]) -> None:
    values: dict[str, Any] = {
        "null": None,
        "boolean": True,
        "string": "a",
        "integer": 1,
        "number": 1.5,
        "array": [],
        "object": {},
    }
    node = SchemaNode([schema], schema)
    assert [name for name, value in values.items() if node.accepts(value)] == accepted


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_field_of_a_sample_is_shared_with_itself(sample: Any) -> None:
    fields = list_fields(json.loads(read_sample(sample))["configuration"]["data_schema"])
    assert count_shared_fields(fields, fields) == len(fields) > 5
