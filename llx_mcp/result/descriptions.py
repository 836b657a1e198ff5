"""What a job's data schema says in words about each field."""

from collections.abc import Mapping
from typing import Any

from llx_mcp.result.outline import Node
from llx_mcp.result.schema_parts import find_definition

_MAX_REFERENCES = 16


def describe_fields(schema: Any, root: Node) -> dict[int, str]:
    """Return the titles and descriptions that a schema gives the fields of an outline, by the id of their node.

    Args:
        schema: the decoded schema; anything but an object describes nothing.
        root: the outline of the result.
    """
    found: dict[int, str] = {}
    if not isinstance(schema, dict):
        return found
    stack: list[tuple[Node, Mapping[str, Any]]] = [(find_described_root(schema, root), schema)]
    while stack:
        node, part = stack.pop()
        texts, properties, items = _read(part, schema)
        if texts:
            found[id(node)] = " ".join(texts)
        for name, member in node.members.items():
            if isinstance(inner := properties.get(name), dict):
                stack.append((member, inner))
        if node.element is not None and items is not None:
            stack.append((node.element, items))
    return found


def find_described_root(schema: Mapping[str, Any], root: Node) -> Node:
    """Return the values that a schema describes: for a list result, its elements, one for each page or row."""
    return root.element if root.element is not None and schema.get("type") != "array" else root


def _read(
    part: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[list[str], dict[str, Any], dict[str, Any] | None]:
    """Return the texts, the properties and the items of a part of a schema, through references and alternatives."""
    texts: list[str] = []
    properties: dict[str, Any] = {}
    items: dict[str, Any] | None = None
    stack, num_read = [part], 0
    while stack and num_read < _MAX_REFERENCES:
        current = stack.pop()
        num_read += 1
        texts += [text for name in ("title", "description") if isinstance(text := current.get(name), str)]
        if isinstance(members := current.get("properties"), dict):
            properties = {**members, **properties}
        if items is None and isinstance(element := current.get("items"), dict):
            items = element
        if isinstance(target := find_definition(current.get("$ref"), schema), dict):
            stack.append(target)
        for keyword in ("anyOf", "oneOf", "allOf"):
            if isinstance(options := current.get(keyword), list):
                stack += [option for option in options if isinstance(option, dict)]
    return texts, properties, items
