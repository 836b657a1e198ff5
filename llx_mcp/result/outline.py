"""The shape of a result: every field once, with all values that stand there, type, counts and an example.

A result is taken apart into columns: one node a field, its values in the order of the document, each
with the place of its holder. So a list of a million objects visits each node once a field, and paths are
written only for what is shown.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from llx_mcp.result.paths import ROOT, join_any, join_index, join_name, show_path
from llx_mcp.result.sanitize import sanitize_json, truncate

OUTLINE_COLUMNS = ["path", "type", "count", "nulls", "example"]

_EXAMPLE_CHARS = 60
_DEEPEST_SHAPE = 64
# More distinct names than this for each member that exists, and objects are taken one by one.
_NAMES_A_MEMBER = 4
_TYPE_NAMES = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object", list: "list"}


@dataclass(slots=True, eq=False)
class Node:
    """One field, with all values that the result holds for it.

    Attributes:
        parent: the node whose values hold these; None for the result itself.
        step: the name that leads here from the parent; None stands for every element of a list.
        values: the values that stand here, nulls included, in the order of the document.
        holders: for each value, the position of its holder among the parent's values; None where they are the same.
        indices: for each element of a list, its index there; None for members of objects.
        types: how often each JSON type stands here; null is not counted as one.
        nulls: values that are null.
        absent: objects in which the field is absent.
        ordinal: place among the parent's members.
        like: the earlier node whose elements have the same shape.
        shape: a number that lists of one shape share; None where no other list has it.
    """

    parent: "Node | None"
    step: str | None
    values: list[Any]
    parent_positions: list[int] | None = None
    indices: list[int] | None = None
    types: Counter[str] = field(default_factory=Counter)
    nulls: int = 0
    absent: int = 0
    ordinal: int = 0
    members: dict[str, "Node"] = field(default_factory=dict)
    element: "Node | None" = None
    like: "Node | None" = None
    shape: int | None = None

    @property
    def steps(self) -> tuple[str | None, ...]:
        """The steps that lead here from the result."""
        steps: list[str | None] = []
        node = self
        while node.parent is not None:
            steps.append(node.step)
            node = node.parent
        return tuple(reversed(steps))

    @property
    def path(self) -> str:
        """The path, with `[*]` for the elements of lists."""
        path = ROOT
        for step in self.steps:
            path = join_any(path) if step is None else join_name(path, step)
        return path

    def path_of(self, position: int) -> str:
        """The exact path of one of the values."""
        steps: list[str | int] = []
        node = self
        while node.parent is not None:
            steps.append(node.indices[position] if node.indices is not None else node.step or "")
            position = position if node.parent_positions is None else node.parent_positions[position]
            node = node.parent
        path = ROOT
        for step in reversed(steps):
            path = join_index(path, step) if isinstance(step, int) else join_name(path, step)
        return path

    @property
    def num_elements(self) -> int:
        """Elements of all lists that stand here, together."""
        return len(self.element.values) if self.element else 0

    @property
    def has_scalars(self) -> bool:
        """Whether values other than objects, lists and nulls stand here."""
        return self.types.total() > self.types["object"] + self.types["list"]

    @property
    def example(self) -> Any:
        """The first scalar that is not null."""
        if not self.has_scalars:
            return None
        return next(value for value in self.values if value is not None and not isinstance(value, dict | list))

    @property
    def count(self) -> int:
        """Values that are not null; for lists, their elements."""
        return self.num_elements if set(+self.types) == {"list"} else self.types.total()

    @property
    def type_name(self) -> str:
        """The type in words: `string`, `integer or string`, `list of object`, `null`."""
        names = [self._list_name() if name == "list" else name for name in sorted(+self.types)]
        return " or ".join(names) or "null"

    def _list_name(self) -> str:
        # Lists of lists are named from the inside, so that depth costs no stack.
        words, node = "", self
        while True:
            if node.num_elements == 0:
                return f"{words}empty list"
            node = node.element or node
            words += "list of "
            if set(+node.types) != {"list"}:
                return words + node.type_name

    @property
    def nulls_within(self) -> int:
        """Nulls here and in all fields below."""
        return sum(node.nulls + node.absent for node in walk_nodes(self))


def build_outline(result: Any) -> Node:
    """Take a decoded result apart, all of it, into one tree of nodes."""
    root = Node(None, None, [result])
    stack = [root]
    while stack:
        node = stack.pop()
        _measure(node)
        stack += _below(node)
    _mark_alike(root)
    return root


def walk_nodes(root: Node) -> Iterator[Node]:
    """Every node, holders before what they hold, in document order."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(_below(node)))


def walk_values(root: Node) -> Iterator[tuple[Node, int]]:
    """Every scalar and null with its node and its position there, in the order of the document."""
    taken: dict[int, int] = {}
    stack = [iter([(root, root.values[0])])]
    while stack:
        for node, value in stack[-1]:
            # Values were collected in this very order, so each node's are met one after the other.
            position = taken.get(id(node), 0)
            taken[id(node)] = position + 1
            if isinstance(value, dict | list):
                stack.append(_inside(node, value))
                break
            yield node, position
        else:
            stack.pop()


def _inside(node: Node, value: dict[str, Any] | list[Any]) -> Iterator[tuple[Node, Any]]:
    if isinstance(value, dict):
        return ((node.members[name], child) for name, child in value.items())
    element = node.element
    return ((element, child) for child in value) if element else iter(())


def walk_outline(root: Node) -> Iterator[Node]:
    """The nodes that an outline shows, in document order; what a shape repeats is left out."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node is not root or "object" not in +node.types:
            yield node
        stack.extend(reversed(_children(node)))


def outline_row(node: Node) -> list[Any]:
    """A node as a row: path, type, values or list elements that are not null, nulls, example.

    Lists of one shape have its number behind their type, and all nulls of their fields together.
    """
    type_name, nulls = node.type_name, node.nulls + node.absent
    if node.shape is not None:
        type_name, nulls = f"{type_name} #{node.shape}", node.nulls_within
    return [show_path(node.path), type_name, node.count, nulls, sanitize_json(truncate(node.example, _EXAMPLE_CHARS))]


def _below(node: Node) -> list[Node]:
    return [*node.members.values(), *([node.element] if node.element else [])]


def _children(node: Node) -> list[Node]:
    if node.like is not None:
        return []
    below = list(node.members.values())
    if node.element is not None:
        # The element itself says no more than its list does, unless it is a list again.
        below += [node.element] if node.element.element else list(node.element.members.values())
    return below


def _measure(node: Node) -> None:
    kinds = Counter(map(type, node.values))
    node.nulls = kinds.pop(type(None), 0)
    for kind, count in kinds.items():
        node.types[_TYPE_NAMES[kind]] += count
    if num_objects := node.types["object"]:
        _measure_members(node, num_objects)
    if num_lists := node.types["list"]:
        _measure_elements(node, num_lists)


def _measure_members(node: Node, num_objects: int) -> None:
    same = num_objects == len(node.values)
    positions = None if same else [i for i, value in enumerate(node.values) if isinstance(value, dict)]
    objects = node.values if positions is None else [node.values[i] for i in positions]
    names = list(dict.fromkeys(chain.from_iterable(objects)))
    if len(names) * len(objects) > _NAMES_A_MEMBER * sum(map(len, objects)):
        _measure_one_by_one(node, objects, positions)
        return
    for ordinal, name in enumerate(names):
        try:
            values = [item[name] for item in objects]
            node.members[name] = Node(node, name, values, positions, ordinal=ordinal)
        except KeyError:
            held = [i for i, item in enumerate(objects) if name in item]
            values = [objects[i][name] for i in held]
            parent_positions = held if positions is None else [positions[i] for i in held]
            node.members[name] = Node(
                node, name, values, parent_positions, absent=len(objects) - len(held), ordinal=ordinal
            )


def _measure_one_by_one(node: Node, objects: list[dict[str, Any]], positions: list[int] | None) -> None:
    for i, item in enumerate(objects):
        for name, value in item.items():
            member = node.members.get(name)
            if member is None:
                member = node.members[name] = Node(node, name, [], [], ordinal=len(node.members))
            member.values.append(value)
            if member.parent_positions is not None:
                member.parent_positions.append(i if positions is None else positions[i])
    for member in node.members.values():
        member.absent = len(objects) - len(member.values)


def _measure_elements(node: Node, num_lists: int) -> None:
    if num_lists == len(node.values) == 1:
        (only,) = node.values
        node.element = Node(node, None, only, [0] * len(only), list(range(len(only))))
        return
    lists = [(i, value) for i, value in enumerate(node.values) if isinstance(value, list)]
    node.element = Node(
        node,
        None,
        list(chain.from_iterable(value for _, value in lists)),
        [i for i, value in lists for _ in value],
        [index for _, value in lists for index in range(len(value))],
    )


def _mark_alike(root: Node) -> None:
    """Point each list of objects at the first list whose elements have the same fields and types."""
    first: dict[str, Node] = {}
    num_shapes = 0
    for node in walk_outline(root):
        if node.element is None or len(node.element.members) < 2:
            continue
        signature = _signature(node.element, 0)
        earlier = node if signature is None else first.setdefault(signature, node)
        if earlier is not node:
            if earlier.shape is None:
                num_shapes += 1
                earlier.shape = num_shapes
            node.like, node.shape = earlier, earlier.shape


def _signature(node: Node, depth: int) -> str | None:
    """The fields and types below, or None where they go deeper than is compared."""
    if depth > _DEEPEST_SHAPE:
        return None
    types = ",".join(sorted({"number" if name == "integer" else name for name in +node.types}))
    parts = []
    for name, child in sorted(node.members.items()):
        below = _signature(child, depth + 1)
        if below is None:
            return None
        parts.append(f"{name!r}:{below}")
    inside = _signature(node.element, depth + 1) if node.element else ""
    return None if inside is None else f"{types}{{{';'.join(parts)}}}[{inside}]"


def first_items(node: Node, most: int) -> list[tuple[str, Any]]:
    """The first elements of the lists at a node, each with its exact path."""
    if node.element is None:
        return []
    return [(node.element.path_of(i), value) for i, value in enumerate(node.element.values[:most])]
