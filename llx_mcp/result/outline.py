"""The outline of a result: a tree with one node for each field, which holds all values of that field.

The result is split into columns: a node lists the values of its field in document order, and for each value the
position of its parent in the parent node. So a list of a million objects has only as many nodes as its objects have
fields, and paths are built only for values that are shown.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from llx_mcp.result.paths import ROOT, join_any, join_index, join_name

_MAX_SHAPE_DEPTH = 64
# Each name is looked up in all objects at once. If this takes more lookups for each existing member, because the
# objects have few names in common, the objects are read one by one instead.
_MAX_LOOKUPS_PER_MEMBER = 4
_TYPE_NAMES = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object", list: "list"}


@dataclass(slots=True, eq=False)
class Node:
    """One field with all its values. The elements of a list are one field, too.

    Attributes:
        parent: the node of the objects or lists that contain these values; None for the result itself.
        step: the name of the field in its parent; None for the elements of a list.
        values: all values in document order, including nulls.
        parent_positions: for each value, the index of its parent in `parent.values`, ascending; None where each value
            has the same index as its parent.
        indices: for each element of a list, its index in that list; None for members of objects.
        types: the number of values of each JSON type, without nulls.
        nulls: the number of values that are null.
        absent: the number of objects that do not have the field.
        ordinal: the index of the field among the members of its parent.
        members: the fields of the objects among the values, by name.
        element: the elements of the lists among the values; None where there are no lists.
        like: the earlier list whose elements have the same fields.
        constant: whether all values are the same, once `is_constant` was computed.
        shape: a number that lists with the same fields share; None where no other list is like this one.
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
    constant: bool | None = None

    @property
    def steps(self) -> tuple[str | None, ...]:
        """The steps from the result to this node."""
        steps: list[str | None] = []
        node = self
        while node.parent is not None:
            steps.append(node.step)
            node = node.parent
        return tuple(reversed(steps))

    @property
    def path(self) -> str:
        """The path of the field, with `[*]` for the elements of lists."""
        path = ROOT
        for step in self.steps:
            path = join_any(path) if step is None else join_name(path, step)
        return path

    def path_of(self, position: int, max_name_chars: int | None = None) -> str:
        """Return the exact path of the value at a position; with longer names cut, if there is a limit."""
        steps: list[str | int] = []
        node = self
        while node.parent is not None:
            name = node.step or ""
            if max_name_chars is not None and len(name) > max_name_chars:
                name = f"{name[:max_name_chars]}…"
            steps.append(node.indices[position] if node.indices is not None else name)
            position = position if node.parent_positions is None else node.parent_positions[position]
            node = node.parent
        path = ROOT
        for step in reversed(steps):
            path = join_index(path, step) if isinstance(step, int) else join_name(path, step)
        return path

    @property
    def num_elements(self) -> int:
        """The number of elements in all lists among the values."""
        return len(self.element.values) if self.element else 0

    @property
    def is_constant(self) -> bool:
        """Whether all of several values are the same, such as a unit or a currency."""
        if self.constant is None:
            values = self.values
            self.constant = len(values) > 1 and all(value == values[0] for value in values)
        return self.constant

    @property
    def counts_elements(self) -> bool:
        """Whether the values are only the indices of the elements of their list."""
        element = self.parent
        if element is None or element.indices is None or set(+self.types) != {"integer"}:
            return False
        positions = self.parent_positions or range(len(self.values))
        pairs = zip((element.indices[at] for at in positions), self.values, strict=False)
        return len(self.values) > 1 and all(value == index for index, value in pairs)

    @property
    def has_scalars(self) -> bool:
        """Whether some values are strings, numbers or booleans."""
        return self.types.total() > self.types["object"] + self.types["list"]

    @property
    def example(self) -> Any:
        """The first scalar, or None."""
        return next((value for value in self.values if value is not None and not isinstance(value, dict | list)), None)

    @property
    def nulls_within(self) -> int:
        """The number of nulls and absent values here and in all fields below."""
        return sum(node.nulls + node.absent for node in walk_nodes(self))

    @property
    def num_fields(self) -> int:
        """The number of fields of all objects here and below."""
        return sum(len(node.members) for node in walk_nodes(self))


def build_outline(result: Any) -> Node:
    """Build the outline of a decoded result and return its root."""
    root = Node(None, None, [result])
    stack = [root]
    while stack:
        node = stack.pop()
        _expand(node)
        stack += _child_nodes(node)
    _mark_same_shapes(root)
    return root


def walk_nodes(root: Node) -> Iterator[Node]:
    """Yield every node in document order, parents before their children."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(_child_nodes(node)))


def walk_members(node: Node) -> Iterator[Node]:
    """Yield the fields of an object and of the objects within it in document order, without those in lists."""
    stack = list(reversed(node.members.values()))
    while stack:
        member = stack.pop()
        yield member
        stack.extend(reversed(member.members.values()))


def walk_values(root: Node) -> Iterator[tuple[Node, int]]:
    """Yield the node and position of every scalar and null, in document order."""
    next_positions: dict[int, int] = {}
    stack = [iter([(root, root.values[0])])]
    while stack:
        for node, value in stack[-1]:
            # The values of each node are listed in the same order, so their positions only need to be counted.
            position = next_positions.get(id(node), 0)
            next_positions[id(node)] = position + 1
            if isinstance(value, dict | list):
                stack.append(_iter_children(node, value))
                break
            yield node, position
        else:
            stack.pop()


def _iter_children(node: Node, value: dict[str, Any] | list[Any]) -> Iterator[tuple[Node, Any]]:
    if isinstance(value, dict):
        return ((node.members[name], child) for name, child in value.items())
    element = node.element
    return ((element, child) for child in value) if element else iter(())


def walk_outline(root: Node) -> Iterator[Node]:
    """Yield the nodes that an outline shows, in document order.

    The fields of a list that is like an earlier one are left out.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if node is not root or "object" not in +node.types:
            yield node
        stack.extend(reversed(_outline_children(node)))


def levels_between(node: Node, ancestor: Node) -> list[list[int]]:
    """Return the parent positions of each level from a node up to an ancestor, without levels that share positions."""
    levels: list[list[int]] = []
    while node is not ancestor and node.parent is not None:
        if node.parent_positions is not None:
            levels.append(node.parent_positions)
        node = node.parent
    return levels


def ancestor_position(position: int, levels: list[list[int]]) -> int:
    """Return the position of what contains the value at a position, some levels up."""
    for parent_positions in levels:
        position = parent_positions[position]
    return position


def descendant_positions(position: int, levels: list[list[int]]) -> Iterator[int]:
    """Yield the positions at the lowest level whose ancestor is at a position of the highest."""
    first, last = position, position + 1
    for parent_positions in reversed(levels):
        first, last = bisect_left(parent_positions, first), bisect_left(parent_positions, last)
    yield from range(first, last)


def _child_nodes(node: Node) -> list[Node]:
    return [*node.members.values(), *([node.element] if node.element else [])]


def _outline_children(node: Node) -> list[Node]:
    if node.like is not None:
        return []
    children = list(node.members.values())
    if node.element is not None:
        # The row of a list describes its elements, too, so these get a row only if they are lists again.
        children += [node.element] if node.element.element else list(node.element.members.values())
    return children


def _expand(node: Node) -> None:
    """Count the types of a node's values and add its child nodes."""
    kinds = Counter(map(type, node.values))
    node.nulls = kinds.pop(type(None), 0)
    for kind, count in kinds.items():
        node.types[_TYPE_NAMES[kind]] += count
    if num_objects := node.types["object"]:
        _add_members(node, num_objects)
    if num_lists := node.types["list"]:
        _add_element(node, num_lists)


def _add_members(node: Node, num_objects: int) -> None:
    are_all_objects = num_objects == len(node.values)
    positions = None if are_all_objects else [i for i, value in enumerate(node.values) if isinstance(value, dict)]
    objects = node.values if positions is None else [node.values[i] for i in positions]
    names = list(dict.fromkeys(chain.from_iterable(objects)))
    if len(names) * len(objects) > _MAX_LOOKUPS_PER_MEMBER * sum(map(len, objects)):
        _add_members_one_by_one(node, objects, positions)
        return
    for ordinal, name in enumerate(names):
        try:
            values = [item[name] for item in objects]
            node.members[name] = Node(node, name, values, positions, ordinal=ordinal)
        except KeyError:
            having = [i for i, item in enumerate(objects) if name in item]
            values = [objects[i][name] for i in having]
            parent_positions = having if positions is None else [positions[i] for i in having]
            absent = len(objects) - len(having)
            node.members[name] = Node(node, name, values, parent_positions, absent=absent, ordinal=ordinal)


def _add_members_one_by_one(node: Node, objects: list[dict[str, Any]], positions: list[int] | None) -> None:
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


def _add_element(node: Node, num_lists: int) -> None:
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


def _mark_same_shapes(root: Node) -> None:
    """Set `like` and `shape` of lists whose elements have the same fields."""
    first_lists: dict[str, Node] = {}
    num_shapes = 0
    for node in walk_outline(root):
        if node.element is None or len(node.element.members) < 2:
            continue
        signature = _signature(node.element, 0)
        earlier = node if signature is None else first_lists.setdefault(signature, node)
        if earlier is not node:
            if earlier.shape is None:
                num_shapes += 1
                earlier.shape = num_shapes
            node.like, node.shape = earlier, earlier.shape


def _signature(node: Node, depth: int) -> str | None:
    """Return a text that is equal for nodes with the same fields; None where they are nested too deeply.

    Fields of scalars are the same whatever their types: one list has a value, another none, or a text for a number.
    """
    if depth > _MAX_SHAPE_DEPTH:
        return None
    types = ",".join(sorted(name for name in +node.types if name in ("object", "list")))
    parts = []
    for name, child in sorted(node.members.items()):
        signature = _signature(child, depth + 1)
        if signature is None:
            return None
        parts.append(f"{name!r}:{signature}")
    element = _signature(node.element, depth + 1) if node.element else ""
    return None if element is None else f"{types}{{{';'.join(parts)}}}[{element}]"
