"""What the checks by column and by value share about the parts of a JSON schema."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

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


def find_definition(reference: Any, schema: JsonSchema) -> Any:
    """Return what a reference within a schema names, such as `#/$defs/money`; None where there is none.

    Args:
        reference: the value of `$ref`: a JSON pointer (RFC 6901) as the fragment of a URI.
        schema: the whole schema.
    """
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    target: Any = schema
    for step in unquote(reference).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list):
            target = target[int(name)] if name in map(str, range(len(target))) else None
        else:
            target = target.get(name) if isinstance(target, dict) else None
    return target


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
