"""A JSON schema as text, as dense as a type definition.

{invoice_number: string! "As printed", line_items: [{amount: number|null, unit: "kg"|"pcs"}]!}
"""

from collections.abc import Mapping
from typing import Any

from llx_mcp.result.paths import join_name
from llx_mcp.result.sanitize import dump_json, sanitize_line, sanitize_text
from llx_mcp.result.schema_parts import find_definition

# The text of what says nothing that is known of a schema.
UNKNOWN = "any"
LEGEND = '! required; "…" after a type: its description'

_MAX_DEPTH = 12
_MAX_OPTIONS = 12
# References can repeat one definition many times over: what comes after this many parts is "…".
_MAX_PARTS = 5_000
_DESCRIPTION_CHARS = 80


def describe_schema(schema: Mapping[str, Any], *, descriptions: bool = True) -> str:
    """Describe a schema as text.

    Args:
        schema: the decoded schema.
        descriptions: whether to add what the schema says of each field, cut to one short line.
    """
    return _Writer(schema, descriptions=descriptions).write(schema, 0)


class _Writer:
    def __init__(self, schema: Mapping[str, Any], *, descriptions: bool) -> None:
        self._schema = schema
        self._descriptions = descriptions
        self._parts = 0
        # The references that are being written: one of them is not written again within itself.
        self._open = ["#"]

    def write(self, part: Any, depth: int) -> str:
        if not isinstance(part, dict):
            return UNKNOWN
        self._parts += 1
        if depth > _MAX_DEPTH or self._parts > _MAX_PARTS or part.get("$ref") in self._open:
            return "…"
        target = find_definition(part.get("$ref"), self._schema)
        if not isinstance(target, dict):
            return self._write_part(part, depth)
        self._open.append(part["$ref"])
        text = self._write_part({**target, **{name: value for name, value in part.items() if name != "$ref"}}, depth)
        self._open.pop()
        return text

    def _write_part(self, part: Mapping[str, Any], depth: int) -> str:
        for keyword in ("anyOf", "oneOf"):
            if isinstance(options := part.get(keyword), list):
                return "|".join(dict.fromkeys(self.write(option, depth + 1) for option in options[:_MAX_OPTIONS]))
        if isinstance(options := part.get("enum"), list):
            return "|".join(sanitize_text(dump_json(option)) for option in options[:_MAX_OPTIONS])
        return self._write_type(part, depth)

    def _write_type(self, part: Mapping[str, Any], depth: int) -> str:
        types = part.get("type")
        names = [types] if isinstance(types, str) else list(map(str, types)) if isinstance(types, list) else []
        words = [self._write_named(name, part, depth) for name in names]
        if not words and "properties" in part:
            words = [self._write_object(part, depth)]
        return "|".join(words) or UNKNOWN

    def _write_named(self, name: str, part: Mapping[str, Any], depth: int) -> str:
        if name == "object":
            return self._write_object(part, depth)
        return f"[{self.write(part.get('items'), depth + 1)}]" if name == "array" else sanitize_line(name, 20)

    def _write_object(self, part: Mapping[str, Any], depth: int) -> str:
        properties = part.get("properties")
        required = part.get("required")
        needed = required if isinstance(required, list) else []
        if not isinstance(properties, dict):
            return "object"
        fields = (
            f"{join_name('', name)}: {self.write(field, depth + 1)}{'!' if name in needed else ''}{self._quote(field)}"
            for name, field in properties.items()
        )
        return f"{{{', '.join(fields)}}}"

    def _quote(self, field: Any) -> str:
        """Return the description of a field in quotes, after a space; "" where there is none."""
        text = field.get("description") if isinstance(field, dict) and self._descriptions else None
        return f" {dump_json(sanitize_line(text, _DESCRIPTION_CHARS))}" if isinstance(text, str) and text else ""
