"""The documented limits of a `data_schema`, checked before it is sent.

https://developers.llamaindex.ai/llamaparse/general/limitations/: 5,000 properties, 7 levels, and 120,000 characters in
all strings.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llx_mcp.errors import ArgumentError
from llx_mcp.result.sanitize import sanitize_line

MAX_PROPERTIES = 5_000
MAX_LEVELS = 7
MAX_STRING_CHARS = 120_000
# Far deeper than any schema that is accepted, and far from Python's own limit.
_MAX_DEPTH = 200
_SHOWN_CHARS = 120
_GROUPS = ("properties", "$defs", "definitions")


def check_limits(schema: Mapping[str, Any]) -> None:
    """Check a schema.

    Raises:
        ArgumentError: it does not describe an object, or is beyond a limit. The message says where.
    """
    if not schema:
        raise ArgumentError('data_schema is empty. Describe the fields: {"type":"object","properties":{…}}.')
    if schema.get("type", "object") != "object":
        raise ArgumentError('data_schema: the type of the root must be "object". Put a list into a property of it.')
    if not any(schema.get(name) for name in ("properties", "$ref", "anyOf", "oneOf", "allOf")):
        raise ArgumentError("data_schema.properties: there is no property. Describe each field that you want.")
    properties = 0
    for path, level in _walk_properties(schema, "data_schema", 1, 0):
        properties += 1
        if level > MAX_LEVELS:
            raise ArgumentError(
                f"{sanitize_line(path, _SHOWN_CHARS)}: the schema has more than {MAX_LEVELS} levels of objects, the "
                "limit of LlamaExtract. Flatten it."
            )
    if properties > MAX_PROPERTIES:
        raise ArgumentError(f"data_schema has {properties:,} properties; the limit is {MAX_PROPERTIES:,}. Split it.")
    if (chars := sum(map(len, _iterate_strings(schema)))) > MAX_STRING_CHARS:
        raise ArgumentError(
            f"data_schema has {chars:,} characters in its names and texts; the limit is {MAX_STRING_CHARS:,}. Shorten "
            "the descriptions."
        )


def _walk_properties(node: Any, path: str, level: int, depth: int) -> Iterator[tuple[str, int]]:
    """Yield the path of each property, and the level of the object that has it, from 1."""
    if depth > _MAX_DEPTH:
        raise ArgumentError(f"{sanitize_line(path, _SHOWN_CHARS)}: the schema is nested too deeply. Flatten it.")
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _walk_properties(child, f"{path}[{index}]", level, depth + 1)
    if not isinstance(node, dict):
        return
    for name, child in node.items():
        if name in _GROUPS and isinstance(child, dict):
            for key, value in child.items():
                place = f"{path}.{name}.{key}"
                if name == "properties":
                    yield place, level
                # A definition is nested where it is used, which its own place does not tell.
                yield from _walk_properties(value, place, level + 1 if name == "properties" else 1, depth + 1)
        elif name not in ("enum", "const", "default", "examples", "example"):
            yield from _walk_properties(child, f"{path}.{name}", level, depth + 1)


def _iterate_strings(schema: Mapping[str, Any]) -> Iterator[str]:
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            for name, child in node.items():
                if name in _GROUPS and isinstance(child, dict):
                    yield from map(str, child)
                pending.append(child)
        elif isinstance(node, list):
            pending += node
