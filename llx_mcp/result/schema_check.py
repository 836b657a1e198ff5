"""Compares a result with the JSON schema of its job.

The schema is taken apart along the outline. What concerns types, members and required fields is checked for all values
of a field at once. Only the keywords that must look at single values, such as `minimum`, are validated value by value.
Keywords that JSON Schema does not define are ignored.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llx_mcp.result.deadline import Deadline, DeadlineReachedError
from llx_mcp.result.location import Location
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.sanitize import begin_json
from llx_mcp.result.schema_parts import (
    CannotCheckError,
    JsonSchema,
    copy_without_dialects,
    find_definition,
    find_optional,
)

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from llx_mcp.result.schema_validator import SchemaValidator

TIME_IS_UP = "the time for the review was up"

# The keywords that are validated value by value, where a field's values are not known to pass. A pattern comes last,
# because it alone may turn out to be impossible to check.
_KEYWORD_NAMES = """
    $dynamicRef additionalProperties anyOf const contains dependentRequired dependentSchemas else enum exclusiveMaximum
    exclusiveMinimum if maxContains maxItems maxLength maxProperties maximum minContains minItems minLength
    minProperties minimum multipleOf not oneOf propertyNames then type uniqueItems pattern
"""
_VALUE_KEYWORDS = tuple(_KEYWORD_NAMES.split())
# With these keywords, which fields and elements the others concern depends on the value.
_ENTANGLED = frozenset({"patternProperties", "prefixItems", "unevaluatedItems", "unevaluatedProperties"})
_MAX_RULE_CHARS = 60
# The rules that a missing field breaks.
ABSENT = "absent"
NULL = "null"


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """The values of one field that break one rule of the schema.

    Attributes:
        node: the field; for a field that is absent, the objects that should have it.
        rule: the rule that they break, in words.
        positions: the indices of the values in `node.values`, ascending, each once.
        absent: the name of the field that is absent; None where the values themselves break the rule.
    """

    node: Node
    rule: str
    positions: Sequence[int]
    absent: str | None = None


class SchemaCheck:
    """The check of an outline against a schema.

    Args:
        schema: the decoded schema; anything but an object is no schema, and nothing breaks it.
        root: the outline of the values that the schema describes.
        deadline: when to stop.

    Attributes:
        unchecked: number of values that were not or not fully checked, by reason.
    """

    def __init__(self, schema: Any, root: Node, deadline: Deadline) -> None:
        self.unchecked: Counter[str] = Counter()
        self._schema = copy_without_dialects(schema) if isinstance(schema, dict) else {}
        self._deadline = deadline
        # The fields to validate value by value, each with the part of the schema to validate them against.
        self._needs_validation: list[tuple[Node, JsonSchema]] = []
        # Required fields by the id of the node of their objects, and name.
        self._required: dict[tuple[int, str], Node] = {}
        # By the id of a node, the parts of the schema that its objects have for it.
        self._parts: defaultdict[int, list[Any]] = defaultdict(list)
        # The positions of what breaks the schema, by field, rule and absent field. A schema can say a rule twice.
        self._invalid: defaultdict[tuple[Node, str, str | None], set[int]] = defaultdict(set)
        if self._schema:
            self._check_columns(root)
            self._find_missing()
            for node, part in self._needs_validation:
                self._validate(node, part)

    @property
    def violations(self) -> list[BrokenRule]:
        """Values that break the schema. A null breaks nothing: it says that no value was found."""
        return [broken for broken in self._broken if broken.rule not in (ABSENT, NULL)]

    @property
    def missing(self) -> list[BrokenRule]:
        """Required fields that are absent, or null where the schema does not allow null."""
        return [broken for broken in self._broken if broken.rule in (ABSENT, NULL)]

    @cached_property
    def _broken(self) -> list[BrokenRule]:
        return [BrokenRule(node, rule, sorted(at), name) for (node, rule, name), at in self._invalid.items()]

    @cached_property
    def _validator(self) -> "SchemaValidator":
        # Imported here, because importing jsonschema is slow and most results need no validation.
        from llx_mcp.result.schema_validator import SchemaValidator

        return SchemaValidator(self._schema, self._deadline)

    def _check_columns(self, root: Node) -> None:
        """Check by column, and note what needs validation."""
        seen: set[tuple[int, int]] = set()
        stack: list[tuple[Node, Any]] = [(root, self._schema)]
        while stack:
            node, part = stack.pop()
            # References can form a cycle.
            if (id(node), id(part)) in seen:
                continue
            if self._deadline.is_over:
                visited = {node_id for node_id, _ in seen}
                unvisited = (len(other.values) - other.nulls for other in walk_nodes(root) if id(other) not in visited)
                self.unchecked[TIME_IS_UP] += sum(unvisited)
                return
            seen.add((id(node), id(part)))
            stack += reversed(self._check_column(node, part))

    def _check_column(self, node: Node, part: Any) -> list[tuple[Node, Any]]:
        """Check a field against one part of the schema; return the nodes and parts that are left to check."""
        if part is False:
            self._needs_validation.append((node, {"not": {}}))
        if not isinstance(part, dict):
            return []
        if not _ENTANGLED.isdisjoint(part):
            self._needs_validation.append((node, part))
            return []
        # What no column can answer; a keyword of the wrong type is left to the validation, which reports it.
        rest = {name: part[name] for name in _VALUE_KEYWORDS if name in part and not _is_valid_column(node, part, name)}
        if rest.get("additionalProperties") is False:
            rest["properties"] = dict.fromkeys(part.get("properties", {}), True)
        left = [*self._split_alternatives(node, part, rest), *self._split_members(node, part, rest)]
        if rest:
            self._needs_validation.append((node, rest))
        return left

    def _split_alternatives(self, node: Node, part: JsonSchema, rest: dict[str, Any]) -> list[tuple[Node, Any]]:
        """Return the other parts that concern the same values."""
        left: list[Any] = []
        if "$ref" in part:
            target = find_definition(part["$ref"], self._schema)
            if target is None:
                rest["$ref"] = part["$ref"]
            left.append(target)
        if isinstance(part.get("allOf"), list):
            left += part["allOf"]
        elif "allOf" in part:
            rest["allOf"] = part["allOf"]
        optional = find_optional(part.get("anyOf"))
        if optional is not None:
            left.append(part["anyOf"][optional])
        return [(node, other) for other in left]

    def _split_members(self, node: Node, part: JsonSchema, rest: dict[str, Any]) -> list[tuple[Node, Any]]:
        """Return the members and elements with their parts, and note the required fields."""
        left: list[tuple[Node, Any]] = []
        properties, additional, items = part.get("properties", {}), part.get("additionalProperties"), part.get("items")
        if not isinstance(properties, dict):
            rest["properties"], properties = properties, {}
        others = additional if isinstance(additional, dict) else None
        for name, member in node.members.items():
            inner = properties.get(name, others)
            self._parts[id(member)].append(inner)
            left.append((member, inner))
        if isinstance(items, dict) and node.element is not None:
            left.append((node.element, items))
        elif not isinstance(items, dict) and items not in (None, True):
            rest["items"] = items
        required = part.get("required", [])
        if isinstance(required, list):
            self._required |= {(id(node), name): node for name in required if isinstance(name, str)}
        else:
            rest["required"] = required
        return left

    def _find_missing(self) -> None:
        for (_, name), node in self._required.items():
            member = node.members.get(name)
            if (member is None or member.absent) and (absent := _find_absent(node, member)):
                self._invalid[node, ABSENT, name].update(absent)
            if member is not None and member.nulls and self._rejects_null(member):
                nulls = (position for position, value in enumerate(member.values) if value is None)
                self._invalid[member, NULL, None].update(nulls)

    def _rejects_null(self, node: Node) -> bool:
        """Whether the schema does not allow null for a field."""
        return any(self._part_rejects_null(part, node) for part in self._parts[id(node)])

    def _part_rejects_null(self, part: Any, node: Node) -> bool:
        if not isinstance(part, dict):
            return part is False
        kind = part.get("type")
        if isinstance(kind, str) and kind != "null":
            return True
        try:
            return any(True for _ in self._validator.select(part)(None))
        except CannotCheckError as exc:
            self.unchecked[str(exc)] += node.nulls
        except DeadlineReachedError:
            self.unchecked[TIME_IS_UP] += node.nulls
        return False

    def _validate(self, node: Node, part: JsonSchema) -> None:
        """Validate the values of a field one by one."""
        values = [(position, value) for position, value in enumerate(node.values) if value is not None]
        try:
            find_errors = self._validator.select(part)
        except CannotCheckError as exc:
            self.unchecked[str(exc)] += len(values)
            return
        for index, (position, value) in enumerate(values):
            try:
                for error in find_errors(value):
                    self._record(Location(node, position), error)
            except CannotCheckError as exc:
                self.unchecked[str(exc)] += 1
            except DeadlineReachedError:
                self.unchecked[TIME_IS_UP] += len(values) - index
                return

    def _record(self, location: Location, error: "ValidationError") -> None:
        found = _find_value(location, error)
        if error.validator != "required":
            if error.instance is not None:
                self._invalid[found.node, describe_rule(error), None].add(found.position)
        elif error.instance is None:
            self._invalid[found.node, NULL, None].add(found.position)
        else:
            self._invalid[found.node, ABSENT, str(error.validator_value)].add(found.position)


def _find_absent(node: Node, member: Node | None) -> list[int]:
    """Return the positions of the objects that do not have a member."""
    objects = (position for position, value in enumerate(node.values) if isinstance(value, dict))
    if member is None:
        return list(objects)
    having = range(len(node.values)) if member.parent_positions is None else set(member.parent_positions)
    return [position for position in objects if position not in having]


def _is_valid_column(node: Node, part: JsonSchema, keyword: str) -> bool:
    """Whether all values of a node are known to pass a keyword, or it has no meaning of its own."""
    expected = part[keyword]
    match keyword:
        case "anyOf":
            return find_optional(expected) is not None
        case "then" | "else":
            return "if" not in part
        case "minContains" | "maxContains":
            return "contains" not in part
        case "enum":
            return _are_all_among(node.values, expected)
        case "type":
            return _are_types_allowed(node, expected)
        case "additionalProperties":
            properties = part.get("properties", {})
            return expected is not False or (isinstance(properties, dict) and node.members.keys() <= properties.keys())
    return False


def _are_types_allowed(node: Node, types: Any) -> bool:
    allowed = [types] if isinstance(types, str) else types if isinstance(types, list) else []
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


def _find_value(location: Location, error: "ValidationError") -> Location:
    """Return the value that an error of a value is about, which may be inside it."""
    for step in error.absolute_path:
        elements = location.elements(range(step, step + 1)) if isinstance(step, int) else None
        child = location.member(str(step)) if elements is None else next(elements, None)
        if child is None:
            break
        location = child
    return location


def describe_rule(error: "ValidationError") -> str:
    """Return the rule that a value breaks, in words."""
    expected: Any = error.validator_value
    if error.validator == "type":
        return f"the schema says {expected if isinstance(expected, str) else ' or '.join(map(str, expected))}"
    if error.schema is False or (error.validator == "not" and expected == {}):
        return "the schema allows no value here"
    if error.validator == "enum" and isinstance(expected, list):
        return f"breaks enum {_list_options(expected)} of the schema"
    is_short = isinstance(expected, int | float | str) and len(str(expected)) <= _MAX_RULE_CHARS
    return f"breaks {error.validator}{f' {expected}' if is_short else ''} of the schema"


def _list_options(options: list[Any]) -> str:
    """Return the first options as JSON, and how many more there are."""
    shown: list[str] = []
    for option in options:
        text = begin_json(option, _MAX_RULE_CHARS)
        if shown and len(", ".join([*shown, text])) > _MAX_RULE_CHARS:
            break
        shown.append(text)
    num_more = len(options) - len(shown)
    return ", ".join(shown) + (f" and {num_more} more" if num_more else "")
