"""A result held against the schema that the job was given, by column where that proves it, by value where not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llx_mcp.result.location import Location
from llx_mcp.result.outline import Node

MOST_CHECKED = 20_000

_HARMLESS = frozenset(
    {"title", "description", "default", "examples", "format", "$comment", "$schema", "$id", "$defs", "definitions"}
)
_SIMPLE = _HARMLESS | {"type", "enum", "properties", "required", "items", "additionalProperties", "anyOf", "$ref"}
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One value that is not as the schema has it."""

    path: str
    value: Any
    rule: str


@dataclass(frozen=True, slots=True)
class Part:
    """The values of one node, and the part of the schema that is for them."""

    node: Node
    schema: Mapping[str, Any]


class SchemaCheck:
    """What the schema says of the values of an outline.

    Attributes:
        unproven: the parts that have to be checked value by value.
    """

    def __init__(self, schema: Any, root: Node) -> None:
        self._whole = schema
        self.unproven: list[Part] = []
        self._required: list[tuple[Node, str]] = []
        if isinstance(schema, dict):
            self._visit(Part(root, schema), 0)

    def missing(self) -> Iterator[tuple[str, str]]:
        """Required fields that are null or absent: the path, and which of the two."""
        for node, name in self._required:
            member = node.members.get(name)
            for position, value in enumerate(node.values):
                if not isinstance(value, dict):
                    continue
                location = None if member is None else Location(node, position).member(name)
                if location is None:
                    yield Location(node, position).path, f"required field {name!r} is absent"
                elif location.value is None:
                    yield location.path, "required, and null"

    def violations(self) -> Iterator[SchemaViolation]:
        """Values that break the schema, but for required fields; at most `MOST_CHECKED` values a part are looked at."""
        import jsonschema
        from jsonschema.exceptions import SchemaError

        for part in self.unproven:
            schema = dict(part.schema)
            if isinstance(self._whole, dict):
                schema = {
                    **{name: self._whole[name] for name in ("$defs", "definitions") if name in self._whole},
                    **schema,
                }
            try:
                validator = jsonschema.Draft202012Validator(schema)
                for position, value in enumerate(part.node.values[:MOST_CHECKED]):
                    for error in validator.iter_errors(value):
                        if error.validator == "required" or error.instance is None:
                            continue
                        yield _breach(Location(part.node, position), error)
            except (SchemaError, RecursionError, ValueError, TypeError, AttributeError):
                # A schema that is not one cannot be broken; what was found before it showed stands.
                continue
            except Exception as exc:
                if type(exc).__module__.partition(".")[0] not in ("jsonschema", "referencing", "re"):
                    raise

    def _visit(self, part: Part, depth: int) -> None:
        schema = self._resolve(part.schema)
        node = part.node
        required = schema.get("required")
        if isinstance(required, list):
            self._required += [(node, name) for name in required if isinstance(name, str) and _has_empty(node, name)]
        if depth > _DEEPEST or not self._is_proven(schema, node):
            self.unproven.append(Part(node, part.schema))
            return
        properties = schema.get("properties")
        for name, member in node.members.items():
            inner = properties.get(name) if isinstance(properties, dict) else None
            if isinstance(inner, dict):
                self._visit(Part(member, inner), depth + 1)
        items = schema.get("items")
        if node.element is not None and isinstance(items, dict):
            self._visit(Part(node.element, items), depth + 1)

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema behind a reference or an optional, with null among its types."""
        for _ in range(_DEEPEST):
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                target: Any = self._whole
                for step in reference[2:].split("/"):
                    target = target.get(step) if isinstance(target, dict) else None
                if not isinstance(target, dict):
                    return {"not": {}}
                schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
                continue
            options = schema.get("anyOf")
            if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
                return schema
            others = [option for option in options if option != {"type": "null"}]
            if len(others) != 1:
                return schema
            schema = {**others[0], **{name: value for name, value in schema.items() if name != "anyOf"}}
            kinds = schema.get("type")
            if isinstance(kinds, str | list) and len(options) > 1:
                schema["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
        return schema

    def _is_proven(self, schema: Mapping[str, Any], node: Node) -> bool:
        if not schema.keys() <= _SIMPLE or "anyOf" in schema or "$ref" in schema:
            return False
        if "enum" in schema and not _all_among(node.values, schema["enum"]):
            return False
        if schema.get("additionalProperties") not in (None, True):
            properties = schema.get("properties")
            if schema["additionalProperties"] is not False or not isinstance(properties, dict):
                return False
            if not node.members.keys() <= properties.keys():
                return False
        return _types_fit(schema.get("type"), node)


def _has_empty(node: Node, name: str) -> bool:
    member = node.members.get(name)
    return node.types["object"] > 0 and (member is None or member.absent > 0 or member.nulls > 0)


def _types_fit(kinds: Any, node: Node) -> bool:
    if kinds is None:
        return True
    allowed = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
    names = {"list": "array"}
    # A null where a value is required is told as such, and where none is, null is how the service says "not found".
    found = {names.get(name, name) for name in +node.types}
    return all(name in allowed or (name == "integer" and "number" in allowed) for name in found)


def _all_among(values: list[Any], options: Any) -> bool:
    if not isinstance(options, list):
        return False
    try:
        return {(type(value), value) for value in values if value is not None} <= {(type(o), o) for o in options}
    except TypeError:
        return False


def _breach(location: Location, error: Any) -> SchemaViolation:
    for step in error.absolute_path:
        below = next(location.elements(range(step, step + 1)), None) if isinstance(step, int) else location.member(step)
        if below is None:
            break
        location = below
    return SchemaViolation(location.path, location.value, _rule(error))


def _rule(error: Any) -> str:
    limit = error.validator_value
    if error.validator == "type":
        return f"the schema says {limit if isinstance(limit, str) else ' or '.join(map(str, limit))}"
    shown = f" {limit}" if isinstance(limit, int | float | str) and len(str(limit)) <= 60 else ""
    return f"breaks {error.validator}{shown} of the schema"
