"""The objects of a result as a search sees them: grouped by path, each with its fields.

An object in a list has the fields of the objects within it. Elements of a list of scalars form a group of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from llx_mcp.result.outline import (
    Node,
    ancestor_position,
    descendant_positions,
    levels_between,
    walk_members,
    walk_nodes,
)


@dataclass(frozen=True, eq=False)
class FieldColumn:
    """A field of the objects of a group.

    Attributes:
        node: the field.
        levels: parent positions of each level from the field up to the object.
    """

    node: Node
    levels: list[list[int]]

    def position_in(self, position: int) -> int | None:
        """Return the index of the field's value in the object at a position; None where the object lacks the field."""
        return next(descendant_positions(position, self.levels), None)


@dataclass(eq=False)
class Group:
    """Objects that have the same path except for the indices, or the elements of lists of scalars.

    Attributes:
        node: the objects, or the elements.
        columns: their fields; for elements, the elements themselves.
        parent: the group of the objects that contain these.
        levels: parent positions of each level up to the objects of the parent group.
    """

    node: Node
    columns: list[FieldColumn]
    parent: "Group | None" = None
    levels: list[list[int]] = field(default_factory=list)

    @property
    def is_single(self) -> bool:
        """Whether the group is one object that is in no list."""
        return not any(step is None for step in self.node.steps)

    def containers(self, position: int) -> Iterator[tuple["Group", int]]:
        """Yield group and position of each object of a list that contains the one at a position, innermost first."""
        group = self
        while group.parent is not None and not group.parent.is_single:
            position = ancestor_position(position, group.levels)
            group = group.parent
            yield group, position


def find_groups(root: Node) -> list[Group]:
    """Return the groups of a result, each after the one that contains it."""
    groups: dict[int, Group] = {}
    for node in walk_nodes(root):
        is_in_list = any(step is None for step in node.steps)
        is_element = node.parent is not None and node.step is None
        if node.types["object"] and (is_element or not is_in_list):
            members = walk_members(node) if is_element else node.members.values()
            columns = [FieldColumn(each, levels_between(each, node)) for each in members if _is_field(each)]
            # A list may hold scalars besides objects.
            columns += [FieldColumn(node, [])] if node.has_scalars else []
        elif node.has_scalars and (is_element or node.parent is None):
            columns = [FieldColumn(node, [])]
        else:
            continue
        if columns:
            group = Group(node, columns)
            ancestor = node.parent
            while ancestor is not None and id(ancestor) not in groups:
                ancestor = ancestor.parent
            if ancestor is not None:
                group.parent, group.levels = groups[id(ancestor)], levels_between(node, ancestor)
            groups[id(node)] = group
    return list(groups.values())


def _is_field(node: Node) -> bool:
    """Whether a node has scalars, or is empty in every object."""
    return node.has_scalars or not +node.types or (node.element is not None and not node.element.values)
