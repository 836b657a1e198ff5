"""Validation of a `data_schema`: it must be JSON Schema and describe an object."""

from collections.abc import Mapping
from typing import Any

from llx_mcp.local.request_models import Location, validation_error


def check_schema(data_schema: Mapping[str, Any], location: Location) -> None:
    """Refuse a schema that is not valid (JSON Schema 2020-12).

    Args:
        data_schema: The schema of a request.
        location: Where the schema stands in the request.

    Raises:
        HTTPException: 422 that names the place of the most relevant error.
    """
    # Imported here because the import is slow and few servers validate a schema.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match

    if data_schema.get("type", "object") != "object":
        message = "Value error, the schema's root must be an object"
        raise validation_error("value_error", [*location, "type"], message, None)
    try:
        error: SchemaError | None = best_match(
            Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(data_schema)
        )
    except RecursionError:
        message = "Value error, the schema is nested too deep"
        raise validation_error("value_error", location, message, None) from None
    if error is not None:
        message = f"Value error, not a JSON Schema: {error.message[:200]}"
        raise validation_error("value_error", [*location, *error.absolute_path], message, None)
