"""What the checks by column and by value share about the parts of a JSON schema."""

from collections.abc import Mapping
from typing import Any

JsonSchema = Mapping[str, Any]

INVALID = "the schema is not valid there, or refers to something that it does not define"

_NULL = {"type": "null"}


class CannotCheckError(Exception):
    """A value cannot be checked against a part of the schema; the message says why."""


def find_optional(options: Any) -> int | None:
    """Return the index of the one schema in the `anyOf` of an optional value; None for any other `anyOf`."""
    if not isinstance(options, list) or len(options) != 2 or _NULL not in options:
        return None
    index = 1 - options.index(_NULL)
    return index if isinstance(options[index], dict) else None


def copy_without_dialects(schema: JsonSchema) -> dict[str, Any]:
    """Copy a schema without `$schema` at any depth, which would make jsonschema choose a validator of its own."""
    copy = dict(schema)
    stack: list[Any] = [copy]
    while stack:
        part = stack.pop()
        if isinstance(part, dict) and isinstance(part.get("$schema"), str):
            del part["$schema"]
        for key, value in list(part.items() if isinstance(part, dict) else enumerate(part)):
            if isinstance(value, dict | list):
                part[key] = value.copy()
                stack.append(part[key])
    return copy
