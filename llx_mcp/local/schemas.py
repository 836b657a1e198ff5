"""Whether a JSON Schema can be extracted by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """What is wrong with a schema.

    Attributes:
        path: names and indices that lead to the place.
        message: one line.
    """

    path: list[str | int]
    message: str


def find_fault(data_schema: Mapping[str, Any]) -> SchemaFault | None:
    """What is wrong with a schema, or None: it is to be JSON Schema (2020-12), and to describe an object."""
    # Slow to import, and only a validation needs it.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match

    kind = data_schema.get("type", "object")
    if kind != "object":
        return SchemaFault(["type"], "Value error, the schema's root must be an object")
    try:
        error: SchemaError | None = best_match(
            Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(data_schema)
        )
    except RecursionError:
        return SchemaFault([], "Value error, the schema is nested too deep")
    if error is None:
        return None
    return SchemaFault(list(error.absolute_path), f"Value error, not a JSON Schema: {error.message[:200]}")
