"""A schema that is larger than the service takes is refused, with the number and the limit."""

from typing import Any

import pytest
from starlette.exceptions import HTTPException

from llx_mcp.local.samples import SAMPLES, read_sample
from llx_mcp.local.schemas import check_schema
from llx_mcp.raw_json import decode_json

TEXT = {"type": "string"}
PREFIX = "422 body.data_schema: Value error, "


def refusal_of(schema: dict[str, Any]) -> str | None:
    """Return the message with which a schema is refused; None if it is accepted."""
    try:
        check_schema(schema, ["body", "data_schema"])
    except HTTPException as exc:
        detail: Any = exc.detail
        return "; ".join(f"{exc.status_code} {'.'.join(entry['loc'])}: {entry['msg']}" for entry in detail)
    return None


def nest(levels: int, wrap: Any = lambda schema: schema) -> dict[str, Any]:
    """Return a schema of so many objects within one another."""
    schema: dict[str, Any] = TEXT
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": wrap(schema)}}
    return schema


def build_wide(num_properties: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{number}": {} for number in range(num_properties)}}


@pytest.mark.parametrize(
    ("accepted", "refused", "message"),
    [(build_wide(5_000), build_wide(5_001), "5,001 properties, and the limit is 5,000"),
     ({"$defs": {"a": build_wide(2_500)}, **build_wide(2_500)},
      {"$defs": {"a": build_wide(2_501)}, **build_wide(2_500)}, "5,001 properties, and the limit is 5,000"),
     (nest(7), nest(8), "8 levels of nested objects, and the limit is 7"),
     (nest(7, lambda schema: {"anyOf": [{"type": "array", "items": schema}, {"type": "null"}]}),
      nest(9, lambda schema: {"type": "array", "items": schema}), "9 levels of nested objects, and the limit is 7"),
     ({"$defs": {"a": nest(5)}, "properties": {"x": {"properties": {"y": {"$ref": "#/$defs/a"}}}}},
      {"$defs": {"a": nest(6)}, "properties": {"x": {"properties": {"y": {"$ref": "#/$defs/a"}}}}},
      "8 levels of nested objects, and the limit is 7"),
     ({"description": "x" * 120_000}, {"description": "x" * 120_001},
      "120,001 characters in its names and texts, and the limit is 120,000"),
     ({"properties": {"p" * 60_000: {"enum": ["e" * 60_000]}}},
      {"properties": {"p" * 60_000: {"enum": ["e" * 60_001]}}},
      "120,001 characters in its names and texts, and the limit is 120,000"),
     ({"default": [1234567] * 18_000}, {"default": [1234567] * 19_000},
      "152,013 characters of JSON, and the limit is 150,000")],
    ids=["properties", "definitions", "levels", "levels of lists", "levels of references", "text", "names", "JSON"],
)  # fmt: skip
def test_limits_are_those_of_the_service(accepted: dict[str, Any], refused: dict[str, Any], message: str) -> None:
    assert refusal_of(accepted) is None
    assert refusal_of(refused) == f"{PREFIX}the schema has {message}"


def test_a_schema_that_refers_to_itself_is_accepted() -> None:
    assert refusal_of({"type": "object", "properties": {"name": TEXT, "child": {"$ref": "#"}}}) is None


def test_a_long_chain_of_references_is_refused() -> None:
    chain: dict[str, Any] = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(4_000)}
    assert refusal_of({"$defs": chain, "$ref": "#/$defs/d0"}) == f"{PREFIX}the schema is nested too deep"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_schemas_of_the_samples_are_accepted(sample: Any) -> None:
    assert refusal_of(decode_json(read_sample(sample))["configuration"]["data_schema"]) is None
