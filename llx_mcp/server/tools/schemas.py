"""Compact schemas, and argument errors that a model can read."""

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from llx_mcp.errors import excerpt

# A model pays for these in every conversation, and rarely exceeds them. The error that it then gets names them.
_BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def compact_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without `$ref`, titles, bounds, and nulls that are never sent.

    Several clients refuse references, and the others cost tokens. Validation is not affected.
    """
    return _drop_bounds(inline_schema(schema))


def inline_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without `$ref`, titles, and nulls that are never sent."""
    published: dict[str, Any] = _inline(schema, schema.get("$defs", {}))
    published.pop("$defs", None)
    published.pop("description", None)
    return published


def hide_arguments(schema: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the schema of a tool's arguments without some of them."""
    properties = {name: value for name, value in schema.get("properties", {}).items() if name not in names}
    return {**schema, "properties": properties} if names else schema


def explain_arguments(tool: str, error: ValidationError, schema: dict[str, Any]) -> str:
    """Explain what is wrong with each argument, and which values it takes."""
    properties = schema.get("properties", {})
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else "arguments"
        allowed = _describe(properties.get(name, {}))
        if fault["type"] == "missing":
            lines.append(f"{name} is missing: {allowed}")
            continue
        given = _describe_input(fault["input"], properties.get(name, {}))
        lines.append(f"{name}{given}: {allowed}")
    return f"{tool} was not called, because of its arguments. " + " ".join(dict.fromkeys(lines))


_KINDS = {
    "array": "a list",
    "integer": "a whole number",
    "string": "a text",
    "object": "a JSON object",
    "boolean": "true or false",
}


def _drop_bounds(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: {key: value for key, value in child.items() if key not in _BOUNDS}
        for name, child in schema.get("properties", {}).items()
    }
    return {**schema, **({"properties": properties} if properties else {})}


def _describe(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "value")
    words = _KINDS.get(kind, f"a {kind}")
    if kind == "array":
        words += f" of {', '.join(schema.get('items', {}).get('enum', ['texts']))}"
    elif "enum" in schema:
        words = f"one of {', '.join(schema['enum'])}"
    if "minimum" in schema and "maximum" in schema:
        words += f" from {schema['minimum']:,} to {schema['maximum']:,}"
    if schema.get("minLength"):
        words += " that is not empty"
    if "maxLength" in schema:
        words += f" of at most {schema['maxLength']:,} characters"
    if schema.get("minItems"):
        words += f", at least {schema['minItems']:,}"
    if "maxItems" in schema:
        words += f", at most {schema['maxItems']:,}"
    if "default" in schema:
        words += f", by default {schema['default']}"
    return f"{words}. {schema.get('description', '')}".strip()


def _describe_input(value: object, schema: dict[str, Any]) -> str:
    """Return what was given, in words, where that is short or of another kind than it should be."""
    if value == []:
        return " (given: an empty list)"
    if isinstance(value, list):
        return "" if schema.get("type") == "array" else " (given: a list, not one value)"
    return "" if isinstance(value, dict) else f" (given: {excerpt(repr(value), 60)})"


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]] | {k: v for k, v in node.items() if k != "$ref"}
    if "anyOf" in node:
        kinds = [kind for kind in node["anyOf"] if kind != {"type": "null"}]
        if len(kinds) == 1:
            # A value that is absent is left out, never sent as null.
            rest = {k: v for k, v in node.items() if k not in ("anyOf", "default")}
            return _inline({**_resolve(kinds[0], definitions), **rest}, definitions)
    inlined = {}
    for name, child in node.items():
        if name == "properties":
            inlined[name] = {prop: _inline(schema, definitions) for prop, schema in child.items()}
        elif name not in ("title", "$defs") and not (name == "default" and child is None):
            inlined[name] = _inline(child, definitions)
    return inlined


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return dict(definitions[node["$ref"].rpartition("/")[2]]) if "$ref" in node else node
