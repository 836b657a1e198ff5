"""Findings of a review in groups: one row for all values of a field, or of like fields, that have the same fault."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import chain, islice
from typing import Any

from llx_mcp.answers.cells import build_cell
from llx_mcp.answers.citation_checks import CitationChecks
from llx_mcp.answers.provenance import quote_around
from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.location import Location
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.paths import ROOT, join_any, join_name, join_names, show_path
from llx_mcp.result.sanitize import begin_json, sanitize_json, truncate

COLUMNS = ("kind", "path", "count", "total", "where", "example", "value", "why")

_VALUE_CHARS = 80
_QUOTE_CHARS = 100
# The kinds whose findings are doubts rather than faults.
DOUBTS = frozenset({"quote", "page", "ambiguous", "confidence", "citation"})
# The kinds that are not about what a value says.
_WITHOUT_VALUE = frozenset({"required", "metadata"})

# Up to so many elements of a group are named.
_MAX_ELEMENTS = 10
_MAX_DOUBTFUL_ELEMENTS = 5
# Fewer fields are better shown one by one.
_MIN_LIKE_FIELDS = 3
# A field with so few different values for each value holds labels, such as countries or segments.
_LABEL_SHARE = 0.25
_MAX_COMPARED = 1_000
_LONG_PATH_CHARS = 300
# Fields that repeat what unit the numbers beside them have.
_UNIT_NAMES = ("unit", "units", "uom", "currency", "currency_code", "currencycode")


class Wildcard(Enum):
    """A step of a pattern that stands for any name."""

    ANY = "*"


PatternStep = str | None | Wildcard


@dataclass(frozen=True, slots=True)
class FieldFindings:
    """The findings of one kind in one field.

    Attributes:
        node: the field; for a field that is absent, the objects that should have it.
        positions: the indices of the values in `node.values`, ascending.
        worst: the index of the value to show as the example.
        rank: fields of lower rank are shown first.
        rule: what is wrong, in words, where that differs between the findings of one kind.
        absent: the name of the field that is absent.
    """

    node: Node
    positions: Sequence[int]
    worst: int
    rank: float = 0.0
    rule: str = ""
    absent: str | None = None


@dataclass(frozen=True)
class Group:
    """Findings of one kind with the same reason, in one field or in several like fields.

    Attributes:
        fields: the findings of each field.
        is_repetitive: whether the fields only repeat a constant, a unit, or the index of an element.
        is_whole: whether these are all findings of their kind, wherever they are.
    """

    fields: Sequence[FieldFindings]
    is_repetitive: bool
    is_whole: bool = False

    @property
    def count(self) -> int:
        """The number of findings."""
        return sum(len(field.positions) for field in self.fields)

    @property
    def worst(self) -> FieldFindings:
        """The field that has the example."""
        return min(self.fields, key=_rank)

    @cached_property
    def order(self) -> tuple[bool, bool, float, int]:
        """Sort key: values that differ before labels that repeat, the worst example first, then the largest group.

        A field with a very long path comes last, because it can take all of the room.
        """
        num_chars = sum(len(step) for step in self.steps if isinstance(step, str))
        # What breaks a rule is a fault wherever it is.
        are_labels = not self.fields[0].rule and self._repeats_few_values()
        return num_chars > _LONG_PATH_CHARS, are_labels, self.worst.rank, -self.count

    def _repeats_few_values(self) -> bool:
        values = chain.from_iterable(field.node.values for field in self.fields)
        first = [value for value in islice(values, _MAX_COMPARED) if is_scalar(value)]
        return 0 < len(set(first)) <= len(first) * _LABEL_SHARE

    @cached_property
    def steps(self) -> tuple[PatternStep, ...]:
        """The steps of the path of all fields: None for the elements of a list, `ANY` for names that differ."""
        if self.is_whole:
            return ()
        columns = zip(*(_steps(field) for field in self.fields), strict=True)
        return tuple(names[0] if len(set(names)) == 1 else Wildcard.ANY for names in columns)

    @property
    def path(self) -> str:
        """The path of all fields, as a pattern."""
        path = ROOT
        for step in self.steps:
            if isinstance(step, str):
                path = join_name(path, step)
            else:
                path = join_any(path) if step is None else join_names(path)
        return path

    @property
    def can_be_read(self) -> bool:
        """Whether the path names values of the result."""
        return any(field.absent is None or field.absent in field.node.members for field in self.fields)


def group_fields(fields: Iterable[FieldFindings], index_names: set[str]) -> list[Group]:
    """Put findings of one kind in groups, the worst first.

    Fields are alike if they are the same field of lists that have the same fields. Repetitive fields are alike if
    they have the same name.
    """
    classes: defaultdict[tuple[object, ...], list[FieldFindings]] = defaultdict(list)
    for field in fields:
        classes[(field.rule, field.absent, *_similarity_key(field))].append(field)
    repetitive: defaultdict[tuple[object, ...], list[FieldFindings]] = defaultdict(list)
    groups: list[Group] = []
    for members in classes.values():
        if _are_repetitive([field.node for field in members], index_names):
            for field in members:
                repetitive[field.rule, field.absent, field.node.step, _levels(field)].append(field)
        else:
            groups += _join(members, is_repetitive=False)
    for members in repetitive.values():
        groups += _join(members, is_repetitive=True)
    return sorted(_merge_into_patterns(groups), key=_order)


def find_index_names(document: Document) -> set[str]:
    """Return the names of the fields that only hold the index of an element in its list."""
    nodes = (column.node for column in document.columns)
    return {node.step for node in nodes if node.step is not None and node.counts_elements}


def build_rows(
    document: Document,
    kind: str,
    groups: Iterable[Group],
    explain: Callable[[Group], str | None],
    checks: CitationChecks | None = None,
) -> Iterator[list[Any]]:
    """Yield a row with `COLUMNS` for each group; `explain` says why its values are listed."""
    for group in groups:
        worst, count, total = group.worst, group.count, _count_total(document, group)
        path, exact = show_path(group.path), show_path(worst.node.path_of(worst.worst))
        limit = _MAX_DOUBTFUL_ELEMENTS if kind in DOUBTS else _MAX_ELEMENTS
        where = _say_where(group, limit) if 1 < count < total else None
        # The words around a value help to judge a doubt.
        cell = None if kind in _WITHOUT_VALUE else _build_cell(document, worst, checks, with_quote=kind in DOUBTS)
        example: str | None = exact
        if count == 1:
            path, example = show_path(exact if worst.absent is None else _absent_path(worst)), None
        elif kind == "required" and (where is not None or count == total):
            # The example would tell nothing more.
            example = None
        yield [kind, path, count, total, where, example, cell, sanitize_json(explain(group))]


def _absent_path(field: FieldFindings) -> str:
    return join_name(field.node.path_of(field.worst), field.absent or "")


def _rank(field: FieldFindings) -> float:
    return field.rank


def _order(group: Group) -> tuple[bool, bool, float, int]:
    return group.order


def _steps(field: FieldFindings) -> tuple[str | None, ...]:
    return field.node.steps if field.absent is None else (*field.node.steps, field.absent)


def _levels(field: FieldFindings) -> tuple[bool, ...]:
    """Return for each step whether it goes to the elements of a list."""
    return tuple(step is None for step in field.node.steps)


def _similarity_key(field: FieldFindings) -> tuple[object, ...]:
    """Return what is equal for the same field of lists with the same fields; else only for the field itself."""
    node: Node | None = field.node
    below: list[str | None] = []
    while node is not None and node.shape is None:
        below.append(node.step)
        node = node.parent
    return (id(field.node),) if node is None else (node.shape, *below, *_levels(field))


def _join(fields: list[FieldFindings], *, is_repetitive: bool) -> list[Group]:
    """Return one group of like fields; one for each of them where they are few."""
    if len(fields) >= _MIN_LIKE_FIELDS:
        return [Group(fields, is_repetitive)]
    return [Group([field], is_repetitive) for field in fields]


def _merge_into_patterns(groups: list[Group]) -> list[Group]:
    """Put single fields into the group whose pattern names them, too. So its count is of all that its path names."""
    patterns: defaultdict[tuple[object, ...], list[Group]] = defaultdict(list)
    for group in groups:
        if len(group.fields) > 1:
            patterns[_pattern_key(group.fields[0])].append(group)
    merged: defaultdict[int, list[FieldFindings]] = defaultdict(list)
    kept: list[Group] = []
    for group in groups:
        (field, *others) = group.fields
        alike = () if others else patterns.get(_pattern_key(field), ())
        wider = next((other for other in alike if _matches(_steps(field), other.steps)), None)
        if wider is None:
            kept.append(group)
        else:
            merged[id(wider)].append(field)
    return [Group([*group.fields, *merged[id(group)]], group.is_repetitive) for group in kept]


def _pattern_key(field: FieldFindings) -> tuple[object, ...]:
    return field.rule, field.absent, len(field.node.steps), field.node.step


def _are_repetitive(nodes: list[Node], index_names: set[str]) -> bool:
    """Whether like fields only repeat a constant, a unit, or the index of an element."""
    name = nodes[0].step
    if name is None or None not in nodes[0].steps:
        return False
    if name in index_names or name.casefold().endswith(_UNIT_NAMES):
        return True
    first = nodes[0].values[0]
    return sum(len(node.values) for node in nodes) > 1 and all(
        all(value == first for value in node.values) for node in nodes
    )


def _count_total(document: Document, group: Group) -> int:
    """Return how many values, or objects that should have the field, the path of a group names."""
    if group.is_whole:
        return document.num_with_confidence
    first = group.fields[0]
    if len(group.fields) == 1:
        nodes = [first.node]
    else:
        depth = len(first.node.steps)
        wanted = group.steps[:depth]
        nodes = [node for node in walk_nodes(document.root) if _matches(node.steps, wanted)]
    if first.absent is not None:
        return sum(node.types["object"] for node in nodes)
    if all(first.node.values[position] is None for position in first.positions[:1]):
        return sum(len(node.values) for node in nodes)
    return sum(node.types.total() for node in nodes)


def _matches(steps: tuple[str | None, ...], wanted: tuple[PatternStep, ...]) -> bool:
    if len(steps) != len(wanted):
        return False
    # `[*]` and `*` name elements of lists and members of objects alike.
    return all(not isinstance(want, str) or step == want for step, want in zip(steps, wanted, strict=True))


def _say_where(group: Group, limit: int) -> str | None:
    """Return the indices of few findings in the list of their field, `[0] [3] [7]`, or the number of like fields."""
    (field, *others) = group.fields
    if others:
        return f"in {len(group.fields)} fields"
    if None not in field.node.steps or len(field.positions) > limit:
        return None
    return " ".join(_indices(field.node, position) for position in field.positions)


def _indices(node: Node, position: int) -> str:
    """Return the index that stands for each `[*]` of the path."""
    lineage = Location(node, position).lineage()
    return "".join(f"[{at.node.indices[at.position]}]" for at in lineage if at.node.indices is not None)


def _build_cell(document: Document, field: FieldFindings, checks: CitationChecks | None, *, with_quote: bool) -> Any:
    value = field.node.values[field.worst]
    if value is not None and not is_scalar(value):
        return sanitize_json(begin_json(value, _VALUE_CHARS))
    cell = build_cell(document, document.column(field.node), field.worst, include=("quotes",), checks=checks)
    if not isinstance(cell, list):
        return truncate(cell, _VALUE_CHARS)
    shown, page, confidence, *quotes = cell
    cell = [truncate(shown, _VALUE_CHARS), page, confidence]
    return [*cell, *(quote_around(quote, str(value), _QUOTE_CHARS) for quote in quotes)] if with_quote else cell
