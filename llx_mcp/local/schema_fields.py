"""The fields that a `data_schema` describes, with their types. References and alternatives are followed."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import unquote

JsonSchema = Mapping[str, Any]
# The names from the root to a field; None stands for the elements of a list.
FieldPath = tuple[str | None, ...]

_COMBINERS = ("anyOf", "oneOf", "allOf")
# Larger schemas are compared by their first fields. The service takes 5,000 fields on 7 levels.
_MAX_FIELDS = 10_000
_MAX_LEVELS = 20


class SchemaNode:
    """What a schema says about one value."""

    def __init__(self, schemas: Sequence[object], root: JsonSchema) -> None:
        """Describe a value.

        Args:
            schemas: The schemas of the value, as they are written; a value may follow any of them.
            root: The whole schema, which references name parts of.
        """
        self._root = root
        self._parts = _list_parts(schemas, root)

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that the value may have besides null, with `number` for integers; empty if it may have any."""
        return frozenset(name for part in self._parts for name in _list_types(part) if name != "null")

    @cached_property
    def members(self) -> Mapping[str, "SchemaNode"]:
        """What the schema says about each property, if the value is an object."""
        found: dict[str, list[object]] = {}
        for part in self._parts:
            properties = part.get("properties")
            for name, schema in properties.items() if isinstance(properties, Mapping) else ():
                found.setdefault(name, []).append(schema)
        return {name: SchemaNode(schemas, self._root) for name, schemas in found.items()}

    @cached_property
    def element(self) -> "SchemaNode | None":
        """What the schema says about the elements, if the value is a list; None if it says nothing."""
        found = [part["items"] for part in self._parts if isinstance(part.get("items"), Mapping)]
        return SchemaNode(found, self._root) if found else None

    def accepts(self, value: object) -> bool:
        """Return whether a decoded JSON value is null or has a type that the schema allows."""
        return value is None or not self.types or _get_type(value) in self.types


def list_fields(schema: JsonSchema) -> dict[FieldPath, frozenset[str]]:
    """Return the path and the types of every field that holds no other field, up to 10,000 of them."""
    found: dict[FieldPath, frozenset[str]] = {}
    stack: list[tuple[FieldPath, SchemaNode]] = [((), SchemaNode([schema], schema))]
    while stack and len(found) < _MAX_FIELDS:
        path, node = stack.pop()
        children = list(_list_children(node)) if len(path) < _MAX_LEVELS else []
        # The first child is on top, so that fields come in the order of the schema.
        stack += [((*path, step), child) for step, child in reversed(children)]
        if path and not children:
            found[path] = node.types
    return found


def count_shared_fields(
    requested: Mapping[FieldPath, frozenset[str]], recorded: Mapping[FieldPath, frozenset[str]]
) -> int:
    """Return the number of requested fields that were recorded under the same path, with a type in common.

    A field without a type has any type.
    """
    return sum(
        path in recorded and (not types or not recorded[path] or not types.isdisjoint(recorded[path]))
        for path, types in requested.items()
    )


def find_definition(reference: object, root: JsonSchema) -> object:
    """Return the part of a schema that a reference such as `#/$defs/money` names; None if there is none."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    target: object = root
    for step in unquote(reference).split("/")[1:]:
        target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
    return target


def _list_children(node: SchemaNode) -> Iterator[tuple[str | None, SchemaNode]]:
    yield from node.members.items()
    if node.element is not None:
        yield None, node.element


def _list_parts(schemas: Sequence[object], root: JsonSchema) -> list[JsonSchema]:
    """Return some schemas with all that they refer to or combine."""
    parts: dict[int, JsonSchema] = {}
    stack = list(schemas)
    while stack:
        part = stack.pop()
        if not isinstance(part, Mapping) or id(part) in parts:
            continue
        parts[id(part)] = part
        if "$ref" in part:
            stack.append(find_definition(part["$ref"], root))
        stack += [option for name in _COMBINERS if isinstance(part.get(name), list) for option in part[name]]
    return list(parts.values())


def _list_types(part: JsonSchema) -> Iterator[str]:
    declared = part.get("type")
    if declared is None:
        declared = [name for keyword, name in (("properties", "object"), ("items", "array")) if keyword in part]
    for name in declared if isinstance(declared, list) else [declared]:
        if isinstance(name, str):
            yield "number" if name == "integer" else name


def _get_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object"
