"""One value of a result, from which its path, members and elements can be reached."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llx_mcp.result.outline import Node


@dataclass(frozen=True, slots=True)
class Location:
    """One value of a result.

    Attributes:
        node: the field.
        position: the index of the value in `node.values`.
    """

    node: Node
    position: int

    @property
    def value(self) -> Any:
        """The value itself."""
        return self.node.values[self.position]

    @property
    def path(self) -> str:
        """The exact path of the value."""
        return self.node.path_of(self.position)

    @property
    def parent(self) -> "Location | None":
        """The object or list that contains the value; None for the result itself."""
        parent, positions = self.node.parent, self.node.parent_positions
        if parent is None:
            return None
        return Location(parent, self.position if positions is None else positions[self.position])

    @property
    def parent_path(self) -> str:
        """The exact path of the object or list that contains the value; "" for the result itself."""
        return "" if self.parent is None else self.parent.path

    @property
    def step(self) -> str | int:
        """The name in the object, or the index in the list, that contains the value."""
        return self.node.indices[self.position] if self.node.indices is not None else self.node.step or ""

    def lineage(self) -> list["Location"]:
        """Return the values on the path of this one, from the whole result to the value itself."""
        found = [self]
        while (parent := found[-1].parent) is not None:
            found.append(parent)
        return found[::-1]

    def member(self, name: str) -> "Location | None":
        """Return a member of this object, or None where it has no member of that name."""
        child = self.node.members.get(name)
        if child is None:
            return None
        positions = child.parent_positions
        if positions is None:
            return Location(child, self.position)
        # Parent positions are sorted, because values are collected in document order.
        found = bisect_left(positions, self.position)
        return Location(child, found) if found < len(positions) and positions[found] == self.position else None

    def members(self) -> Iterator["Location"]:
        """Yield the members of this object, in its own order."""
        for name in self.value:
            location = self.member(name)
            if location is not None:
                yield location

    def elements(self, indices: range) -> Iterator["Location"]:
        """Yield the elements of this list at some indices, which must exist."""
        element = self.node.element
        if element is not None and element.parent_positions is not None:
            first = bisect_left(element.parent_positions, self.position)
            for index in indices:
                yield Location(element, first + index)


def root_location(root: Node) -> Location:
    """Return the location of the whole result."""
    return Location(root, 0)
