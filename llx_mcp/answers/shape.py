"""The shape of a result as text, as dense as a type definition: each field once, with a count and an example.

vendor: {name: "Fjord Pumps AS", vat_id: null}
line_items: 34 x {description: "Impeller", unit: "piece"|"hour", amount: 12.5 ?3}
"""

from dataclasses import dataclass, replace
from typing import Any

from llx_mcp.answers.labels import TYPE_NAMES, LabelFinder
from llx_mcp.result.outline import Node
from llx_mcp.result.paths import join_name
from llx_mcp.result.sanitize import dump_json, sanitize_json, sanitize_text

# What the marks mean; a shape explains those that it has.
_GAPS = "?n: n fields null or absent"
_LABELS = '"a"|"b": all values'
_NUMBERED = "a, b: n x #1: lists of n, with the fields of #1"
_TABLES = "SQL table of a.b: a_b"

_EXAMPLE_CHARS = (24, 12, 0)
_MAX_DEPTH = 24
_DEPTHS = (4, 3, 2, 1, 0)
_CONTAINERS = frozenset({"list", "object"})


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape as text.

    Attributes:
        text: the text.
        num_left: how many fields it leaves out.
        lacks_labels: whether it has an example where the few values of a field would have had no room.
    """

    text: str
    num_left: int = 0
    lacks_labels: bool = False


def describe_shape(root: Node, max_chars: int) -> Shape:
    """Describe a result in at most `max_chars` characters: first without examples, then without deep fields.

    A text field of a list that has few values is written with all of them, for as long as there is room.
    """
    labels = LabelFinder(root)
    for finder in (labels, None):
        for example_chars in _EXAMPLE_CHARS:
            shape = _Writer(example_chars, _MAX_DEPTH, finder).write(root)
            if len(shape.text) <= max_chars:
                return replace(shape, lacks_labels=finder is None and labels.has_found)
    for depth in _DEPTHS:
        shape = replace(_Writer(0, depth).write(root), lacks_labels=labels.has_found)
        if len(shape.text) <= max_chars:
            return shape
    return _cut(shape, max_chars)


def _cut(shape: Shape, max_chars: int) -> Shape:
    """Keep the first lines of a shape that is still too long."""
    lines = shape.text.split("\n")
    kept: list[str] = []
    room = max_chars
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return replace(shape, text="\n".join(kept), num_left=shape.num_left + len(lines) - len(kept))


class _Writer:
    def __init__(self, example_chars: int, max_depth: int, labels: LabelFinder | None = None) -> None:
        self._example_chars = example_chars
        self._max_depth = max_depth
        self._labels = labels
        self._num_left = 0
        self._marks: set[str] = {_TABLES}
        # The fields of each numbered shape so far.
        self._shapes: dict[int, frozenset[str]] = {}

    def write(self, root: Node) -> Shape:
        # One line for each field of a result that is an object.
        is_object = "object" in +root.types and not root.nulls
        lines = self._members(root, 0) if is_object else [self._value(root, 0)]
        marks = "; ".join(mark for mark in (_GAPS, _LABELS, _NUMBERED, _TABLES) if mark in self._marks)
        return Shape("\n".join([f"({marks})", *lines]), self._num_left)

    def _members(self, node: Node, depth: int) -> list[str]:
        """Return the members of objects; lists of one shape share an entry."""
        groups: dict[tuple[int, int], list[Node]] = {}
        for member in node.members.values():
            key = (id(member), 0) if member.shape is None else (member.shape, member.num_elements)
            groups.setdefault(key, []).append(member)
        return [self._entry(group, depth) for group in groups.values()]

    def _entry(self, group: list[Node], depth: int) -> str:
        names = [sanitize_text(join_name("", node.step or "")) for node in group]
        if len(group) == 1:
            return f"{names[0]}: {self._value(group[0], depth)}{self._gaps(group[0])}"
        marked = [f"{name}{self._gaps(node)}" for name, node in zip(names, group, strict=True)]
        return f"{', '.join(marked)}: {self._value(group[0], depth)}"

    def _value(self, node: Node, depth: int) -> str:
        kinds = set(+node.types)
        words = []
        if "list" in kinds:
            many = f"{node.num_elements} x " if node.num_elements else ""
            words.append(f"{many}{self._elements(node, depth)}")
        if "object" in kinds:
            words.append(self._object(node, depth))
        if kinds - _CONTAINERS or not kinds:
            words.append(self._example(node))
        return " or ".join(words)

    def _elements(self, node: Node, depth: int) -> str:
        if node.element is None or not node.element.values:
            return "[]"
        if depth >= self._max_depth:
            self._num_left += node.num_fields
            return "[…]"
        if node.shape is None:
            return self._value(node.element, depth + 1)
        self._marks.add(_NUMBERED)
        if node.like is not None:
            return f"#{node.shape}"
        return f"#{node.shape} {self._numbered(node, node.element, depth + 1)}"

    def _numbered(self, node: Node, element: Node, depth: int) -> str:
        """Write the fields of a numbered shape, and those that an earlier one has as its number."""
        names = frozenset(element.members)
        earlier = [(len(fields), number) for number, fields in self._shapes.items() if fields < names]
        self._shapes[node.shape or 0] = names
        if not earlier or set(+element.types) != {"object"}:
            return self._value(element, depth)
        number = max(earlier)[1]
        own = [member for name, member in element.members.items() if name not in self._shapes[number]]
        return f"{{#{number}, {', '.join(self._entry([member], depth + 1) for member in own)}}}"

    def _object(self, node: Node, depth: int) -> str:
        if depth >= self._max_depth:
            self._num_left += node.num_fields
            return f"{{{len(node.members)} fields}}"
        return f"{{{', '.join(self._members(node, depth + 1))}}}"

    def _example(self, node: Node) -> str:
        if not node.has_scalars:
            return "null"
        if self._labels is not None and (labels := self._labels.find(node)):
            self._marks.add(_LABELS)
            return labels
        names = sorted({TYPE_NAMES[name] for name in +node.types if name not in _CONTAINERS})
        if not self._example_chars or len(names) > 1:
            return "|".join(names)
        return dump_json(_shorten(node.example, self._example_chars))

    def _gaps(self, node: Node) -> str:
        gaps = node.nulls + node.absent if node.shape is None else node.nulls_within
        if not gaps or not +node.types:
            return ""
        self._marks.add(_GAPS)
        return f" ?{gaps}"


def _shorten(value: Any, max_chars: int) -> Any:
    if not isinstance(value, str):
        return value
    line = " ".join(value[: max_chars * 2].split())
    return sanitize_json(line if len(line) <= max_chars and len(value) <= max_chars * 2 else f"{line[:max_chars]}…")
