"""What a search of a result found: objects, and the lists that hold them."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llx_mcp.result.search_groups import Group
from llx_mcp.result.words import Weights

# The group of a list's elements, by its id, and the position of the list in its own node.
ListKey = tuple[int, int]


@dataclass(frozen=True, order=True)
class Hit:
    """One object that was found.

    Attributes:
        score: the higher, the better; hits of one score are in the order of the document.
        position: its index in the values of its group.
        group: its group.
        found: the numbers of the terms and options that it has: in its values, its names, or what contains it.
        words: those of them that are words of its own values or names.
    """

    score: float
    position: int = field(compare=False)
    group: Group = field(compare=False)
    found: frozenset[int] = field(compare=False)
    words: frozenset[int] = field(compare=False)

    @property
    def list_key(self) -> ListKey | None:
        """What tells the list apart that holds the object; None for an object that is in no list."""
        node = self.group.node
        if node.indices is None or node.parent_positions is None:
            return None
        return id(self.group), node.parent_positions[self.position]


@dataclass(frozen=True)
class FoundList:
    """A list with a hit, or the objects of such lists that are about the same.

    Attributes:
        group: the group of its elements.
        positions: the positions of its elements in the group, at least one. If the words do not name the list or the
            object that holds it, these are the objects in all lists of the group that have the words of the topic.
        num_like: how many of its elements count as matches.
        is_topic: whether the words are about all elements, and only words such as periods and names tell them apart.
    """

    group: Group
    positions: Sequence[int]
    num_like: int
    is_topic: bool

    @property
    def path(self) -> str:
        """The path of the list; with `[*]` for some indices where the elements stand in several lists."""
        node, parents = self.group.node, self.group.node.parent_positions or [0]
        if node.parent is None:
            return ""
        first, last = parents[self.positions[0]], parents[self.positions[-1]]
        return node.parent.path_of(first) if first == last else node.parent.path

    @property
    def num_others(self) -> int:
        """How many of its elements are no matches."""
        return max(len(self.positions) - self.num_like, 0)

    @property
    def is_scalar(self) -> bool:
        """Whether it is a list of strings, numbers and booleans."""
        types = self.group.node.types
        return not types["object"] and not types["list"]

    def others(self, hits: Iterable[Hit]) -> list[Hit]:
        """Return its elements besides some hits."""
        shown = {hit.position for hit in hits}
        none: frozenset[int] = frozenset()
        return [Hit(0.0, position, self.group, none, none) for position in self.positions if position not in shown]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        hits: the best, best first, and then those with another value.
        num_like: how many objects fit about as well as the best, or have another value that is searched for in a field
            of the best.
        absent: the indices of the terms that stand nowhere in the document.
        column_weights: how well the name and description of each column fit each term, by the id of the column.
        others: the best object with a word that no hit has, and one row for each further value that is searched for in
            its fields.
        lists: the lists that hold the hits and the others.
    """

    hits: list[Hit]
    num_like: int
    absent: frozenset[int]
    column_weights: dict[int, Weights]
    others: list[Hit] = field(default_factory=list)
    lists: dict[ListKey, FoundList] = field(default_factory=dict)


def positions_in_list(group: Group, parent: int) -> range:
    """Return the positions of the elements of the list at a position of the list's node."""
    parents = group.node.parent_positions or []
    return range(bisect_left(parents, parent), bisect_left(parents, parent + 1))
