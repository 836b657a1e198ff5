"""Validation of a `data_schema`: it must be JSON Schema, describe an object, and stay within the service's limits."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from llx_mcp.local.request_models import Location, validation_error
from llx_mcp.local.schema_fields import find_definition

# The service's documented limits.
MAX_PROPERTIES = 5_000
MAX_LEVELS = 7
MAX_STRING_CHARS = 120_000
MAX_SCHEMA_CHARS = 150_000

# Keywords whose keys are names that the author of the schema chose.
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_COMBINERS = ("anyOf", "oneOf", "allOf")


def check_schema(data_schema: Mapping[str, Any], location: Location) -> None:
    """Refuse a schema that is not valid (JSON Schema 2020-12) or larger than the service takes.

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
        excess = None if error else next(_find_excess(data_schema), None)
    except RecursionError:
        message = "Value error, the schema is nested too deep"
        raise validation_error("value_error", location, message, None) from None
    if error is not None:
        message = f"Value error, not a JSON Schema: {error.message[:200]}"
        raise validation_error("value_error", [*location, *error.absolute_path], message, None)
    if excess is not None:
        raise validation_error("value_error", location, f"Value error, the schema has {excess}", None)


def _find_excess(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield, in words, each limit that a valid schema exceeds."""
    num_properties, num_chars = _count_content(schema)
    for count, limit, what in (
        (num_properties, MAX_PROPERTIES, "properties"),
        (_count_levels(schema, schema, {}), MAX_LEVELS, "levels of nested objects"),
        (num_chars, MAX_STRING_CHARS, "characters in its names and texts"),
        (len(msgspec.json.encode(schema).decode()), MAX_SCHEMA_CHARS, "characters of JSON"),
    ):
        if count > limit:
            yield f"{count:,} {what}, and the limit is {limit:,}"


def _count_content(schema: Mapping[str, Any]) -> tuple[int, int]:
    """Return the number of properties, and the characters of all names and texts."""
    num_properties = num_chars = 0
    stack: list[object] = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            num_chars += len(part)
        elif isinstance(part, list):
            stack += part
        elif isinstance(part, Mapping):
            stack += part.values()
            for names in (part[keyword] for keyword in _NAMED if isinstance(part.get(keyword), Mapping)):
                num_chars += sum(map(len, names))
            properties = part.get("properties")
            num_properties += len(properties) if isinstance(properties, Mapping) else 0
    return num_properties, num_chars


def _count_levels(part: object, root: Mapping[str, Any], known: dict[int, int]) -> int:
    """Return how many objects are within one another, the outermost included.

    Args:
        part: A part of the schema. A part within itself adds nothing.
        root: The whole schema.
        known: The levels of parts that were counted, by their identity.
    """
    if not isinstance(part, Mapping):
        return 0
    if id(part) in known:
        return known[id(part)]
    known[id(part)] = 0
    same_level = [part.get("items"), find_definition(part.get("$ref"), root)]
    same_level += [option for name in _COMBINERS if isinstance(part.get(name), list) for option in part[name]]
    levels = [_count_levels(each, root, known) for each in same_level]
    properties = part.get("properties")
    if isinstance(properties, Mapping):
        levels.append(1 + max((_count_levels(each, root, known) for each in properties.values()), default=0))
    known[id(part)] = max(levels)
    return known[id(part)]
