"""What checks of relations find: which values hold, which relations are broken, and which value is probably wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from llx_mcp.relations.values import count_digit_changes
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.outline import Node
from llx_mcp.result.sanitize import truncate

Key = tuple[int, int]
# In a longer sum any of the values can be wrong, so the total is shown.
_MAX_SUSPECTS = 5_000
_MAX_REASON_CHARS = 600


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value that can be the wrong one of a broken relation.

    Attributes:
        node: the field.
        position: the index of the value in `node.values`.
        shown: the number of the value, in some unit; None where it is no number.
        needed: the number with which the relation would hold, in the same unit; None where it is not known.
    """

    node: Node
    position: int
    shown: int | None = None
    needed: Fraction | int | None = None

    @property
    def key(self) -> Key:
        """What is the same for the same value."""
        return id(self.node), self.position

    @property
    def is_one_digit_off(self) -> bool:
        """Whether one other digit would mend the relation."""
        if self.shown is None or self.needed is None or self.needed != int(self.needed):
            return False
        return count_digit_changes(self.shown, int(self.needed)) == 1


@dataclass(frozen=True, slots=True)
class BrokenRelation:
    """A relation that holds elsewhere, or by its names, and fails for these values.

    Attributes:
        kind: `sum` or `order`.
        suspects: the values; the first is the total, which is shown if nothing tells which one is wrong.
        why: the numbers and the difference, in words.
        size: how large the fault is, 0 to 1.
    """

    kind: str
    suspects: Sequence[Suspect]
    why: str
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class WrongValue:
    """The value that is probably wrong.

    Attributes:
        kind: `sum` or `order`.
        node: the field.
        position: the index of the value in `node.values`.
        why: what is wrong, with the numbers.
        num_relations: how many broken relations another value would mend.
        size: how large the fault is, 0 to 1.
    """

    kind: str
    node: Node
    position: int
    why: str
    num_relations: int
    size: float


@dataclass
class RelationFindings:
    """Collects what the checks find.

    Attributes:
        deadline: when they must stop.
        broken: the broken relations.
        confirmed: for each field, by `id`, the positions of the values of relations that hold.
        ordered: for each field, by `id`, the positions of dates and numbers whose order was checked.
        unchecked: what was left out, in words, with how many.
    """

    deadline: Deadline
    broken: list[BrokenRelation] = field(default_factory=list)
    confirmed: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    ordered: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    unchecked: Counter[str] = field(default_factory=Counter)

    def confirm(self, cells: Iterable[tuple[Node, int]]) -> None:
        """Record values that take part in a relation that holds."""
        for node, position in cells:
            self.confirmed[id(node)].add(position)

    def order(self, node: Node, position: int) -> None:
        """Record a value whose order was checked."""
        self.ordered[id(node)].add(position)


def find_wrong_values(found: RelationFindings) -> list[WrongValue]:
    """Return the values that probably are wrong, one for each fault, the worst first.

    The value that mends the most relations comes first; it stands for all of these.
    """
    wrong: list[WrongValue] = []
    left = dict(enumerate(found.broken))
    of_value: defaultdict[Key, list[int]] = defaultdict(list)
    for index, relation in left.items():
        for suspect in relation.suspects[:_MAX_SUSPECTS]:
            of_value[suspect.key].append(index)
    order = sorted(left, key=lambda index: -max(len(of_value[s.key]) for s in left[index].suspects[:_MAX_SUSPECTS]))
    for index in order:
        if index in left:
            suspect = max(_likely(left[index], found.confirmed, of_value, left), key=lambda pair: pair[0])[1]
            mended = [other for other in of_value[suspect.key] if other in left]
            wrong.append(_describe(suspect, [left.pop(other) for other in mended]))
    return sorted(wrong, key=lambda value: (-value.num_relations, -value.size))


def _likely(
    relation: BrokenRelation,
    confirmed: Mapping[int, set[int]],
    of_value: Mapping[Key, list[int]],
    left: Mapping[int, BrokenRelation],
) -> list[tuple[tuple[int, bool, bool], Suspect]]:
    """Return the suspects of a relation with how likely each is the wrong one."""
    first = relation.suspects[0]
    rated = []
    for suspect in relation.suspects[:_MAX_SUSPECTS]:
        num_mended = sum(other in left for other in of_value[suspect.key])
        # Another number here would break a relation that holds.
        is_confirmed = suspect.position in confirmed.get(id(suspect.node), ())
        score = 2 * num_mended - 3 * is_confirmed
        rated.append(((score, suspect.is_one_digit_off, suspect.key == first.key), suspect))
    return rated


def _describe(suspect: Suspect, mended: Sequence[BrokenRelation]) -> WrongValue:
    """Return a finding for a value; its first relation says why."""
    first = mended[0]
    more = f"; {len(mended)} relations fail here" if len(mended) > 1 else ""
    size = max(relation.size for relation in mended)
    return WrongValue(
        first.kind, suspect.node, suspect.position, truncate(first.why, _MAX_REASON_CHARS) + more, len(mended), size
    )
