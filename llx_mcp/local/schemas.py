"""Validation of a `data_schema`: it must be JSON Schema and describe an object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llx_mcp.local.request_models import Location, validation_error


@dataclass(frozen=True, slots=True)
class DataSchemaError:
    """The reason why a schema is invalid.

    Attributes:
        path: Keys and indices from the root of the schema to the error.
        message: One line.
    """

    path: list[str | int]
    message: str


def find_schema_error(data_schema: Mapping[str, Any]) -> DataSchemaError | None:
    """Return the most relevant error of a schema (JSON Schema 2020-12), or None if it is valid."""
    # Imported here because the import is slow and few servers validate a schema.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match

    if data_schema.get("type", "object") != "object":
        return DataSchemaError(["type"], "Value error, the schema's root must be an object")
    try:
        error: SchemaError | None = best_match(
            Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(data_schema)
        )
    except RecursionError:
        return DataSchemaError([], "Value error, the schema is nested too deep")
    if error is None:
        return None
    return DataSchemaError(list(error.absolute_path), f"Value error, not a JSON Schema: {error.message[:200]}")


def check_schema(data_schema: Mapping[str, Any], location: Location) -> None:
    """Refuse an invalid schema.

    Args:
        data_schema: The schema of a request.
        location: Where the schema stands in the request.

    Raises:
        HTTPException: 422 that names the place of the error.
    """
    error = find_schema_error(data_schema)
    if error is not None:
        raise validation_error("value_error", [*location, *error.path], error.message, None)
