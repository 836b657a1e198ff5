"""One value of a result, as a place in its outline: the way to its path, its members and its provenance."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llx_mcp.result.outline import Node


@dataclass(frozen=True, slots=True)
class Location:
    """One value: a node, and the position of the value among those that stand there."""

    node: Node
    position: int

    @property
    def value(self) -> Any:
        """The value."""
        return self.node.values[self.position]

    @property
    def path(self) -> str:
        """Its exact path."""
        return self.node.path_of(self.position)

    def member(self, name: str) -> "Location | None":
        """A member of the object that stands here, or None where it has none of the name."""
        child = self.node.members.get(name)
        if child is None:
            return None
        if child.parent_positions is None:
            return Location(child, self.position)
        # Holders rise with the position, as values are collected in the order of the document.
        at = bisect_left(child.parent_positions, self.position)
        return (
            Location(child, at)
            if at < len(child.parent_positions) and child.parent_positions[at] == self.position
            else None
        )

    def members(self) -> Iterator["Location"]:
        """The members of the object that stands here, in its own order."""
        for name in self.value:
            location = self.member(name)
            if location is not None:
                yield location

    def elements(self, indices: range) -> Iterator["Location"]:
        """Elements of the list that stands here."""
        element = self.node.element
        if element is not None and element.parent_positions is not None:
            first = bisect_left(element.parent_positions, self.position)
            for index in indices:
                yield Location(element, first + index)


def root_location(root: Node) -> Location:
    """The whole result."""
    return Location(root, 0)
