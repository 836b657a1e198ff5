"""Compares a result with the JSON schema of its job.

Fields whose schema uses only simple rules are checked by column. Only the others are validated value by value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llx_mcp.result.location import Location
from llx_mcp.result.outline import Node

if TYPE_CHECKING:
    from jsonschema import ValidationError

# The most values of one field that are validated one by one.
MAX_VALIDATED = 20_000

_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "format", "$comment", "$schema", "$id", "$defs", "definitions"}
)
_SIMPLE_RULES = _ANNOTATIONS | {"type", "enum", "properties", "required", "items", "additionalProperties"}
_MAX_DEPTH = 64
_MAX_RULE_CHARS = 60
# jsonschema lets errors of these packages through when the schema itself is broken.
_VALIDATOR_PACKAGES = ("jsonschema", "referencing", "re")

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One value that breaks the schema.

    Attributes:
        path: the exact path of the value.
        value: the value.
        rule: the rule that it breaks, in words.
    """

    path: str
    value: Any
    rule: str


class SchemaCheck:
    """The check of an outline against a schema.

    Args:
        schema: the decoded schema; anything but an object is no schema, and nothing breaks it.
        root: the outline of the values that the schema describes.
    """

    def __init__(self, schema: Any, root: Node) -> None:
        self._schema: JsonSchema = schema if isinstance(schema, dict) else {}
        # The fields to validate value by value, each with its part of the schema.
        self._needs_validation: list[tuple[Node, JsonSchema]] = []
        # Objects with a required field that some of them do not have.
        self._required: list[tuple[Node, str]] = []
        if self._schema:
            self._visit(root, self._schema, 0)

    def missing(self) -> Iterator[tuple[str, str]]:
        """Yield required fields that are null or absent, as path and reason.

        The path of an absent field is the path of the object that should have it.
        """
        for node, name in self._required:
            for position, value in enumerate(node.values):
                if not isinstance(value, dict):
                    continue
                member = Location(node, position).member(name)
                if member is None:
                    yield Location(node, position).path, f"required field {name!r} is absent"
                elif member.value is None:
                    yield member.path, "required, and null"

    def violations(self) -> Iterator[SchemaViolation]:
        """Yield values that break the schema; missing values are left out.

        At most `MAX_VALIDATED` values of each field are validated.
        """
        if not self._needs_validation:
            return
        # Imported here, because importing it is slow and most results need no validation.
        from jsonschema import SchemaError

        for node, schema in self._needs_validation:
            try:
                yield from self._validate(node, schema)
            except (SchemaError, RecursionError, ValueError, TypeError, AttributeError):
                # An invalid schema cannot be checked. Violations found before the error are valid.
                continue
            except Exception as exc:
                if type(exc).__module__.partition(".")[0] not in _VALIDATOR_PACKAGES:
                    raise

    def _validate(self, node: Node, schema: JsonSchema) -> Iterator[SchemaViolation]:
        from jsonschema import Draft202012Validator

        definitions = {name: self._schema[name] for name in ("$defs", "definitions") if name in self._schema}
        validator = Draft202012Validator({**definitions, **schema})
        for position, value in enumerate(node.values[:MAX_VALIDATED]):
            for error in validator.iter_errors(value):
                if error.validator != "required" and error.instance is not None:
                    yield _build_violation(Location(node, position), error)

    def _visit(self, node: Node, part: JsonSchema, depth: int) -> None:
        """Check a node and its children by column, and note what needs validation."""
        schema = self._resolve(part)
        required = schema.get("required")
        if isinstance(required, list):
            self._required += [(node, name) for name in required if isinstance(name, str) and _has_gaps(node, name)]
        if depth > _MAX_DEPTH or not _is_valid_column(node, schema):
            self._needs_validation.append((node, part))
            return
        properties = schema.get("properties")
        for name, member in node.members.items():
            inner = properties.get(name) if isinstance(properties, dict) else None
            if isinstance(inner, dict):
                self._visit(member, inner, depth + 1)
        items = schema.get("items")
        if node.element is not None and isinstance(items, dict):
            self._visit(node.element, items, depth + 1)

    def _resolve(self, schema: JsonSchema) -> JsonSchema:
        """Replace references and optional types; the result has null among the types of an optional value."""
        for _ in range(_MAX_DEPTH):
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                target = self._find_definition(reference)
                if target is None:
                    return {"not": {}}
                schema = {**target, **_without(schema, "$ref")}
                continue
            optional = _resolve_optional(schema)
            if optional is None:
                return schema
            schema = optional
        return schema

    def _find_definition(self, reference: str) -> JsonSchema | None:
        target: Any = self._schema
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step) if isinstance(target, dict) else None
        return target if isinstance(target, dict) else None


def _resolve_optional(schema: JsonSchema) -> dict[str, Any] | None:
    """Return the schema of an optional value (`anyOf` one schema and null) without its `anyOf`, else None."""
    options = schema.get("anyOf")
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        return None
    others = [option for option in options if option != {"type": "null"}]
    if len(others) != 1:
        return None
    resolved = {**others[0], **_without(schema, "anyOf")}
    types = resolved.get("type")
    if isinstance(types, str | list) and len(options) > 1:
        resolved["type"] = [*([types] if isinstance(types, str) else types), "null"]
    return resolved


def _without(schema: JsonSchema, key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _has_gaps(node: Node, name: str) -> bool:
    """Whether a field is null or absent in any object of a node."""
    member = node.members.get(name)
    return node.types["object"] > 0 and (member is None or member.absent > 0 or member.nulls > 0)


def _is_valid_column(node: Node, schema: JsonSchema) -> bool:
    """Whether all values of a node are known to be valid, apart from their members and elements."""
    if not schema.keys() <= _SIMPLE_RULES:
        return False
    if "enum" in schema and not _are_all_among(node.values, schema["enum"]):
        return False
    additional = schema.get("additionalProperties")
    if additional not in (None, True):
        properties = schema.get("properties")
        if additional is not False or not isinstance(properties, dict):
            return False
        if not node.members.keys() <= properties.keys():
            return False
    return _are_types_allowed(node, schema.get("type"))


def _are_types_allowed(node: Node, types: Any) -> bool:
    if types is None:
        return True
    allowed = {types} if isinstance(types, str) else set(types) if isinstance(types, list) else set()
    # Null is always allowed here: `missing` reports a required null, and any other null means "not found".
    found = {"array" if name == "list" else name for name in +node.types}
    return all(name in allowed or (name == "integer" and "number" in allowed) for name in found)


def _are_all_among(values: list[Any], options: Any) -> bool:
    if not isinstance(options, list):
        return False
    try:
        found = {(type(value), value) for value in values if value is not None}
        return found <= {(type(option), option) for option in options}
    except TypeError:
        # Lists and objects cannot be put in a set.
        return False


def _build_violation(location: Location, error: "ValidationError") -> SchemaViolation:
    for step in error.absolute_path:
        elements = location.elements(range(step, step + 1)) if isinstance(step, int) else None
        child = location.member(str(step)) if elements is None else next(elements, None)
        if child is None:
            break
        location = child
    return SchemaViolation(location.path, location.value, _describe_rule(error))


def _describe_rule(error: "ValidationError") -> str:
    expected: Any = error.validator_value
    if error.validator == "type":
        return f"the schema says {expected if isinstance(expected, str) else ' or '.join(map(str, expected))}"
    is_short = isinstance(expected, int | float | str) and len(str(expected)) <= _MAX_RULE_CHARS
    return f"breaks {error.validator}{f' {expected}' if is_short else ''} of the schema"
