"""The shape of a result: every field once, with type, counts and an example; lists of one shape together."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llx_mcp.reading.paths import ROOT, join_any, join_index, join_name, show_path
from llx_mcp.reading.visible import clip, visible_json

OUTLINE_COLUMNS = ["path", "type", "count", "nulls", "example"]

_DEEPEST = 64
_EXAMPLE_CHARS = 60


@dataclass(slots=True)
class Node:
    """One field, with all values that the result holds for it.

    Attributes:
        steps: the names that lead here; None stands for every element of a list.
        types: how often each JSON type stands here; null is not counted as one.
        nulls: values that are null, and objects in which the field is absent.
        example: the first scalar that is not null.
        num_elements: elements of all lists that stand here, together.
        like: the earlier node whose elements have the same shape.
        shape: a number that lists of one shape share; None where no other list has it.
    """

    steps: tuple[str | None, ...]
    types: Counter[str] = field(default_factory=Counter)
    nulls: int = 0
    example: Any = None
    members: dict[str, "Node"] = field(default_factory=dict)
    element: "Node | None" = None
    num_elements: int = 0
    like: "Node | None" = None
    shape: int | None = None

    @property
    def path(self) -> str:
        """The path, with `[*]` for the elements of lists."""
        path = ROOT
        for step in self.steps:
            path = join_any(path) if step is None else join_name(path, step)
        return path

    @property
    def count(self) -> int:
        """Values that are not null; for lists, their elements."""
        return self.num_elements if set(self.types) == {"list"} else self.types.total()

    @property
    def type_name(self) -> str:
        """The type in words: `string`, `integer or string`, `list of object`, `null`."""
        names = [self._list_name() if name == "list" else name for name in sorted(self.types)]
        return " or ".join(names) or "null"

    def _list_name(self) -> str:
        if self.num_elements == 0:
            return "empty list"
        return f"list of {self.element.type_name}" if self.element else "list"

    @property
    def nulls_within(self) -> int:
        """Nulls here and in all fields below."""
        below = [*self.members.values(), *([self.element] if self.element else [])]
        return self.nulls + sum(child.nulls_within for child in below)


def build_outline(result: Any) -> Node:
    """Measure a decoded result, all of it, into one tree of nodes."""
    root = Node(())
    # Values of one node in one go: a list of a million objects visits each node once a field.
    stack: list[tuple[Node, list[Any]]] = [(root, [result])]
    while stack:
        stack.extend(_measure(*stack.pop()))
    _mark_alike(root)
    return root


def walk_outline(root: Node) -> Iterator[Node]:
    """The nodes that an outline shows, in document order; what a shape repeats is left out."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node is not root or "object" not in node.types:
            yield node
        stack.extend(reversed(_children(node)))


def outline_row(node: Node) -> list[Any]:
    """A node as a row: path, type, values or list elements that are not null, nulls, example.

    Lists of one shape have its number behind their type, and all nulls of their fields together.
    """
    type_name, nulls = node.type_name, node.nulls
    if node.shape is not None:
        type_name, nulls = f"{type_name} #{node.shape}", node.nulls_within
    return [show_path(node.path), type_name, node.count, nulls, visible_json(_example(node))]


def _example(node: Node) -> Any:
    return clip(node.example, _EXAMPLE_CHARS)


def _children(node: Node) -> list[Node]:
    if node.like is not None:
        return []
    below = list(node.members.values())
    if node.element is not None:
        # The element itself says no more than its list does, unless it is a list again.
        below += [node.element] if node.element.element else list(node.element.members.values())
    return below


def _measure(node: Node, values: list[Any]) -> list[tuple[Node, list[Any]]]:
    members: dict[str, list[Any]] = {}
    elements: list[Any] = []
    num_objects = 0
    for value in values:
        if value is None:
            node.nulls += 1
            continue
        node.types[_type_name(value)] += 1
        if isinstance(value, dict):
            num_objects += 1
            for name, child in value.items():
                members.setdefault(name, []).append(child)
        elif isinstance(value, list):
            elements.extend(value)
        elif node.example is None:
            node.example = value
    node.num_elements = len(elements)
    found: list[tuple[Node, list[Any]]] = []
    if len(node.steps) >= _DEEPEST:
        return found
    for name, children in members.items():
        child = node.members[name] = Node((*node.steps, name))
        child.nulls += num_objects - len(children)
        found.append((child, children))
    if "list" in node.types:
        node.element = Node((*node.steps, None))
        found.append((node.element, elements))
    return found


def _mark_alike(root: Node) -> None:
    """Point each list of objects at the first list whose elements have the same fields and types."""
    first: dict[str, Node] = {}
    num_shapes = 0
    for node in walk_outline(root):
        if node.element is None or len(node.element.members) < 2:
            continue
        earlier = first.setdefault(_signature(node.element), node)
        if earlier is not node:
            if earlier.shape is None:
                num_shapes += 1
                earlier.shape = num_shapes
            node.like, node.shape = earlier, earlier.shape


def _signature(node: Node) -> str:
    types = ",".join(sorted({"number" if name == "integer" else name for name in node.types}))
    below = ";".join(f"{name!r}:{_signature(child)}" for name, child in sorted(node.members.items()))
    inside = _signature(node.element) if node.element else ""
    return f"{types}{{{below}}}[{inside}]"


def _type_name(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case dict():
            return "object"
        case _:
            return "list"


def first_items(result: Any, node: Node, most: int) -> list[tuple[str, Any]]:
    """The first elements of the lists at a node, each with its exact path."""
    found: list[tuple[str, Any]] = []
    for path, elements in _resolve(result, node.steps):
        for index, element in enumerate(elements if isinstance(elements, list) else []):
            if len(found) == most:
                return found
            found.append((join_index(path, index), element))
    return found


def _resolve(result: Any, steps: tuple[str | None, ...]) -> Iterator[tuple[str, Any]]:
    stack: list[tuple[str, Any, int]] = [(ROOT, result, 0)]
    while stack:
        path, value, at = stack.pop()
        if at == len(steps):
            yield path, value
            continue
        name = steps[at]
        if name is None and isinstance(value, list):
            stack.extend((join_index(path, i), value[i], at + 1) for i in range(len(value) - 1, -1, -1))
        elif name is not None and isinstance(value, dict) and name in value:
            stack.append((join_name(path, name), value[name], at + 1))
