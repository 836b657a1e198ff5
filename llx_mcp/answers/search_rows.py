"""Builds the rows of a search's answer: one object, or elements of one list, with the fields that fit the words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from llx_mcp.answers.cells import build_cell, cut_value
from llx_mcp.answers.citation_checks import CitationChecks
from llx_mcp.answers.plurals import format_count
from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.location import Location
from llx_mcp.result.normalize import normalize_text
from llx_mcp.result.outline import Node
from llx_mcp.result.paths import ROOT, join_any, join_name, show_path
from llx_mcp.result.sanitize import sanitize_json
from llx_mcp.result.search_groups import FieldColumn, Group
from llx_mcp.result.search_hits import Found, Hit
from llx_mcp.result.words import Terms

# An object outside all lists shows the fields that match, unless it has no more than these.
_FEW_FIELDS = 2
# An object with at most so many fields is shown whole.
_MAX_SHOWN_FIELDS = 10
_MIN_FIELD_SHARE = 0.6
# How many objects are compared to see in which fields they differ.
_MAX_COMPARED = 100


@dataclass(frozen=True)
class RowBuilder:
    """Builds rows of the objects that were found.

    Attributes:
        document: the document.
        terms: what was searched for.
        found: what was found.
        checks: the checks of the citations, if there is a text to check them against.
    """

    document: Document
    terms: Terms
    found: Found
    checks: CitationChecks | None = None
    _cells: dict[tuple[int, int], Any] = field(default_factory=dict)

    def build(self, hits: Sequence[Hit], num_more: int = 0) -> list[Any]:
        """Build the row of one object, or of elements of one list of scalars that has `num_more` others.

        Returns:
            the path of the object or list, its values by name, and how many more it has, such as `3 fields`, or None.
        """
        first = hits[0]
        node, position = first.group.node, first.position
        cells: dict[str, Any] = {}
        for ancestor, at in _ancestors(first):
            prefix = ancestor.node.path_of(at)
            for column in self._identify(ancestor, at):
                cells[_name(column.node, ancestor.node, prefix)] = self._cell(column, at)
        path, what = node.path_of(position), "element"
        if len(hits) > 1:
            path = Location(node, position).parent_path
            cells |= {f"[{(node.indices or [])[hit.position]}]": self._element(hit) for hit in hits}
        else:
            shown, num_fields = self._select(first)
            cells |= {_name(column.node, node, ROOT) or "value": self._cell(column, position) for column in shown}
            num_more, what = (num_fields, "field") if num_fields else (num_more, what)
        return [show_path(path), sanitize_json(cells), format_count(num_more, what) if num_more else None]

    def fields_apart(self, hit: Hit, positions: Sequence[int]) -> Iterator[str]:
        """Yield the names of the fields whose values fit the words, and that differ from those of other objects.

        Args:
            hit: the object. Its own fields come first, then those of the objects that contain it.
            positions: the positions of the other objects in its group, of which the first are compared.
        """
        others = [list(_lineage(hit.group, position)) for position in positions[:_MAX_COMPARED]]
        for depth, (group, position) in enumerate(_lineage(hit.group, hit.position)):
            for column in group.columns:
                at, value = column.position_in(position), _value(column, position)
                differs = any(_value(column, other[depth][1]) != value for other in others)
                if at is not None and differs and self._matches_value(column, at):
                    yield _name(column.node, group.node, ROOT) if group is hit.group else column.node.path

    def _element(self, hit: Hit) -> Any:
        return self._cell(hit.group.columns[0], hit.position)

    def _cell(self, column: FieldColumn, position: int) -> Any:
        # A row is measured before it is shown, and a check of a citation takes time.
        key = id(column), position
        if key not in self._cells:
            self._cells[key] = self._build_cell(column, position)
        return self._cells[key]

    def _build_cell(self, column: FieldColumn, position: int) -> Any:
        at = column.position_in(position)
        if at is None or not is_scalar(column.node.values[at]):
            return None
        is_matched = self._matches_value(column, at)
        if column.node.is_constant and not is_matched:
            return cut_value(column.node.values[at], self.terms.phrase)
        source = self.document.column(column.node)
        # A quote is shown where a single match leaves no doubt which one is wanted.
        is_only = self.found.num_like == 1
        include = ("quotes",) if is_only and (is_matched or self._matches_quote(column, at)) else ()
        phrase = self.terms.phrase
        return build_cell(self.document, source, at, around=phrase, include=include, checks=self.checks)

    def _select(self, hit: Hit) -> tuple[list[FieldColumn], int]:
        """Return the fields to show of an object, in its own order, and how many others it has."""
        columns = [column for column in hit.group.columns if self._is_shown(column, hit)]
        columns = [column for column in columns if not column.node.counts_elements] or columns
        fits = {id(column): self._fit(column, hit.position) for column in columns}
        best = max(fits.values(), default=0.0)
        if not best:
            fits = {id(column): float(self._is_quoted(column, hit.position)) for column in columns}
            best = max(fits.values(), default=0.0)
        if hit.group.is_single and best and len(columns) > _FEW_FIELDS:
            wanted = {key for key, fit in fits.items() if fit >= best * _MIN_FIELD_SHARE}
            shown = [column for column in columns if id(column) in wanted][:_MAX_SHOWN_FIELDS]
            return shown, len(columns) - len(shown)
        order = sorted(columns, key=lambda column: (-fits[id(column)], column.node.is_constant))
        chosen = {id(column) for column in order[:_MAX_SHOWN_FIELDS]}
        return [column for column in columns if id(column) in chosen], len(columns) - len(chosen)

    def _is_shown(self, column: FieldColumn, hit: Hit) -> bool:
        """Whether a field is shown: it has a value, is null in a row of a list, or has a name that fits."""
        if self.found.column_weights[id(column)] or self._has_value(column, hit.position):
            return True
        return not hit.group.is_single and column.position_in(hit.position) is not None

    def _fit(self, column: FieldColumn, position: int) -> float:
        """Return how well a field of an object fits the words, by its name and by its value."""
        at = column.position_in(position)
        names = self.found.column_weights[id(column)]
        weights = self._weigh_value(None if at is None else column.node.values[at])
        return sum(max(names.get(index, 0.0), weight) for index, weight in enumerate(weights))

    def _matches_value(self, column: FieldColumn, at: int) -> bool:
        return any(self._weigh_value(column.node.values[at]))

    def _weigh_value(self, value: Any) -> Iterator[float]:
        """Yield how well a value fits each term."""
        text = normalize_text(value[:10_000]) if isinstance(value, str) else ""
        for term in self.terms.terms:
            yield max(term.weigh(text), float(_is_number(value) and value in term.numbers))

    def _is_quoted(self, column: FieldColumn, position: int) -> bool:
        at = column.position_in(position)
        return at is not None and self._matches_quote(column, at)

    def _matches_quote(self, column: FieldColumn, at: int) -> bool:
        quotes = normalize_text(" ".join(self.document.quotes(self.document.column(column.node).entries[at])))
        return any(term.weigh(quotes) for term in self.terms.terms)

    def _has_value(self, column: FieldColumn, position: int) -> bool:
        at = column.position_in(position)
        return at is not None and is_scalar(column.node.values[at])

    def _identify(self, group: Group, position: int) -> Iterator[FieldColumn]:
        """Yield the fields that tell an object apart: those that match, else its first text."""
        present = [c for c in group.columns if self._has_value(c, position) and not c.node.counts_elements]
        texts = [c for c in present if set(+c.node.types) == {"string"} and not _is_long(c)]
        matching = [c for c in texts if self._fit(c, position)]
        yield from matching[:2] or texts[:1]


def _lineage(group: Group, position: int) -> Iterator[tuple[Group, int]]:
    """Yield an object, and the objects of lists that contain it, innermost first."""
    yield group, position
    yield from group.containers(position)


def _value(column: FieldColumn, position: int) -> Any:
    at = column.position_in(position)
    return None if at is None else column.node.values[at]


def _ancestors(hit: Hit) -> Iterator[tuple[Group, int]]:
    """Yield the objects of lists that contain an object, outermost first."""
    # The only object of its kind needs no name.
    found = [(group, at) for group, at in hit.group.containers(hit.position) if len(group.node.values) > 1]
    return reversed(found)


def _name(node: Node, ancestor: Node, prefix: str) -> str:
    """Return the path of a field within an object, after the path of the object."""
    path = prefix
    for step in node.steps[len(ancestor.steps) :]:
        path = join_any(path) if step is None else join_name(path, step)
    return path


def _is_long(column: FieldColumn) -> bool:
    return any(isinstance(value, str) and len(value) > 80 for value in column.node.values[:100])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
