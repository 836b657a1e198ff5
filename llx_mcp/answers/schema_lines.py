"""The fields of a schema in plain words, one line each."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from llx_mcp.answers.schema_text import describe_schema
from llx_mcp.result.paths import join_name
from llx_mcp.result.sanitize import dump_json, sanitize_line
from llx_mcp.result.schema_parts import find_definition

_MAX_LINES = 5_000
# References can repeat one definition many times over.
_MAX_PARTS = 50_000
_MAX_DEPTH = 24
_DESCRIPTION_CHARS = 160
_PATH_CHARS = 200
_TYPE_CHARS = 80


def list_fields(schema: Mapping[str, Any]) -> list[str]:
    """Return a line for each field: `line_items[].amount: number "Net amount"`."""
    return [_describe_field(path, part) for path, part in islice(_Walk(schema).fields(schema, "", 0), _MAX_LINES)]


def count_fields(schema: Mapping[str, Any]) -> int:
    """Return the number of fields, nested ones included, up to the most that are listed."""
    return sum(1 for _ in islice(_Walk(schema).fields(schema, "", 0), _MAX_LINES))


def _describe_field(path: str, part: Mapping[str, Any]) -> str:
    words = part.get("description")
    about = f" {dump_json(sanitize_line(words, _DESCRIPTION_CHARS))}" if isinstance(words, str) and words else ""
    return f"{sanitize_line(path, _PATH_CHARS)}: {_describe_kind(part)}{about}"


def _describe_kind(part: Mapping[str, Any]) -> str:
    if "properties" in part:
        return "object"
    # Its fields have lines of their own.
    if part.get("type") == "array" and isinstance(items := part.get("items"), dict) and "properties" in items:
        return "list of objects"
    return sanitize_line(describe_schema(part, descriptions=False), _TYPE_CHARS)


class _Walk:
    """One walk over the fields of a schema, of bounded length."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._num_parts = 0

    def fields(self, part: Any, path: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the path of each field below a part, and what the schema says of it."""
        part = self._resolve(part)
        self._num_parts += 1
        if depth > _MAX_DEPTH or self._num_parts > _MAX_PARTS or not isinstance(part, dict):
            return
        yield from self.fields(part.get("items"), f"{path}[]", depth + 1)
        for name in ("anyOf", "oneOf", "allOf"):
            for option in options if isinstance(options := part.get(name), list) else ():
                yield from self.fields(option, path, depth + 1)
        properties = part.get("properties")
        for name, child in properties.items() if isinstance(properties, dict) else ():
            place, field = join_name(path, name), self._resolve(child)
            yield place, field if isinstance(field, dict) else {}
            yield from self.fields(child, place, depth + 1)

    def _resolve(self, part: Any) -> Any:
        target = find_definition(part.get("$ref"), self._schema) if isinstance(part, dict) else None
        return part if target is None else target
