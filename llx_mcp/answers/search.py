"""Finds what a result says about a few words: the objects and values that fit best, with their provenance."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, TableBuilder
from llx_mcp.answers.cells import CELLS, build_cell, cut_value
from llx_mcp.answers.citation_checks import CitationChecks, open_checks
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.answers.outputs import NextStep, Omission, SearchCounts, SearchOutput
from llx_mcp.answers.requests import DEFAULT_HITS, MAX_HITS, JobRequest
from llx_mcp.answers.row_lines import hit_line
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.result.descriptions import describe_fields
from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.location import Location
from llx_mcp.result.normalize import normalize_name, normalize_text
from llx_mcp.result.object_search import Found, Hit, ObjectSearch
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.paths import ROOT, join_any, join_name, show_path
from llx_mcp.result.sanitize import dump_json, sanitize_json
from llx_mcp.result.search_groups import FieldColumn, Group
from llx_mcp.result.sections import JobSections
from llx_mcp.result.words import Terms, split_terms

_COLUMNS = ("path", "values", "more_fields")
# An object outside all lists shows the fields that match, unless it has no more than these.
_FEW_FIELDS = 2
# The share of the best score from which the best row of another list fits as well.
_AS_WELL = 0.97
# An object with at most so many fields is shown whole.
_MAX_SHOWN_FIELDS = 10
_MIN_FIELD_SHARE = 0.6
_MAX_NAMES = 12
_SIMILARITY = 0.6
# The elements of a list of scalars that share a row.
_ELEMENTS_A_ROW = 10
_MANY = 20


def prepare_search(sections: JobSections) -> ObjectSearch:
    """Prepare the search of a job: its values, and what its schema says of them."""
    schema = sections.configuration.get("data_schema")
    return ObjectSearch(sections.document, describe_fields(schema, sections.document.root))


def find_text(
    sections: JobSections,
    header: Header,
    request: JobRequest,
    text: str,
    limit: int = DEFAULT_HITS,
    search: ObjectSearch | None = None,
    evidence: Grounder | None = None,
) -> Answer:
    """Build what the result says about some words, best match first, within `request.max_chars`.

    Args:
        sections: the job's sections.
        header: the header of the answer.
        request: the job and the budget.
        text: what to search for.
        limit: the most matches to show.
        search: the prepared search of the job; prepared here where it is not given.
        evidence: the text of the document, to check citations against; None where there is none at hand.

    Raises:
        ArgumentError: the text has nothing to search for.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    terms = split_terms(text)
    if not terms.terms:
        raise ArgumentError("text: there is nothing to search for. Give a word, a phrase, a number or a date.")
    builder = start_answer(header, request.max_chars, SearchOutput)
    if sections.has_result:
        found = (search or prepare_search(sections)).run(terms, limit * _ELEMENTS_A_ROW)
        document = sections.document
        checks = open_checks(document, evidence)
        _Matches(document, request, text, terms, found, limit, checks).add_to(builder)
    return builder.build()


@dataclass(frozen=True)
class _Matches:
    document: Document
    request: JobRequest
    text: str
    terms: Terms
    found: Found
    limit: int
    checks: CitationChecks | None = None

    def add_to(self, builder: AnswerBuilder) -> None:
        """Add what was found, or what there is instead."""
        absent = [term.text for index, term in enumerate(self.terms.terms) if index in self.found.absent]
        builder.add("found", SearchCounts(matches=self._num_matches, absent_words=absent or None))
        if not self.found.hits:
            self._add_nearest(builder)
            return
        if self.checks is not None:
            builder.add("citation_check", self.checks.note)
        rows = _pick(_join_elements(self.found.hits), self.limit)
        others = [] if self.found.other is None else [[self.found.other]]
        cells = CELLS if self.document.has_provenance else None
        shown = list(map(self._row, [*rows, *others]))
        if shared := _take_shared(shown):
            builder.add("shared", shared)
        # Nothing is said of more fields where no object has any.
        num_columns = len(_COLUMNS) if any(more for *_, more in shown) else len(_COLUMNS) - 1
        rows_shown = (row[:num_columns] for row in shown)
        table = TableBuilder("hits", _COLUMNS[:num_columns], rows_shown, hit_line, cells)
        table.fill(builder.room - builder.omissions_cost(self._omission(self._num_matches, is_cut=True)))
        if table.rows:
            builder.add("hits", table.table)
        if left := self._num_matches - sum(map(len, [*rows, *others][: len(table.rows)])):
            builder.omit(self._omission(left, is_cut=len(table.rows) < len(shown)))

    @property
    def _num_matches(self) -> int:
        return self.found.num_like + (self.found.other is not None)

    def _omission(self, left: int, *, is_cut: bool) -> Omission:
        total = self._num_matches
        hint = None if total <= _MANY else "give more words, or count and filter with query_extract_result"
        if is_cut:
            limit = None if self.limit == DEFAULT_HITS else self.limit
            need = self.request.max_chars * 4
            call = self.request.larger_call(need, "find_in_extract_result", text=self.text, limit=limit)
        elif self.limit >= MAX_HITS:
            call, hint = None, "count and filter with query_extract_result"
        else:
            max_chars = None if self.request.max_chars == DEFAULT_CHARS else self.request.max_chars
            call = self.request.call(
                "find_in_extract_result", text=self.text, limit=min(total, MAX_HITS), max_chars=max_chars
            )
        return Omission(what="matches", count=left, total=total, call=call, hint=hint)

    def _add_nearest(self, builder: AnswerBuilder) -> None:
        """Say which names are nearest, and which fields are there and empty."""
        nodes = [node for node in walk_nodes(self.document.root) if node.step]
        if names := self._nearest_names(nodes):
            builder.add("similar_names", names)
        overview = self.request.call("get_extract_job")
        step = NextStep(
            text="Not found in values, names or descriptions of fields. To see what there is:", call=overview
        )
        builder.add_next_steps([step])

    def _nearest_names(self, nodes: list[Node]) -> list[str]:
        by_word: dict[str, list[Node]] = {}
        for node in nodes:
            for word in normalize_name(node.step or "").split():
                by_word.setdefault(word, []).append(node)
        close = [word for term in self.terms.terms for word in get_close_matches(term.text, by_word, 3, _SIMILARITY)]
        return list(dict.fromkeys(str(show_path(node.path)) for word in close for node in by_word[word]))[:_MAX_NAMES]

    def _row(self, hits: list[Hit]) -> list[Any]:
        """Return the cells of `_COLUMNS`."""
        first = hits[0]
        node, position = first.group.node, first.position
        cells: dict[str, Any] = {}
        for ancestor, at in _ancestors(first):
            prefix = ancestor.node.path_of(at)
            for column in self._identify(ancestor, at):
                cells[_name(column.node, ancestor.node, prefix)] = self._cell(column, at)
        if len(hits) > 1:
            path = Location(node, position).parent_path
            cells |= {f"[{(node.indices or [])[hit.position]}]": self._element(hit) for hit in hits}
            return [show_path(path), sanitize_json(cells), 0]
        shown, num_more = self._select(first)
        cells |= {_name(column.node, node, ROOT) or "value": self._cell(column, position) for column in shown}
        return [show_path(node.path_of(position)), sanitize_json(cells), num_more]

    def _element(self, hit: Hit) -> Any:
        return self._cell(hit.group.columns[0], hit.position)

    def _cell(self, column: FieldColumn, position: int) -> Any:
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


def _pick(rows: list[list[Hit]], limit: int) -> list[list[Hit]]:
    """Return the best rows, with some of each list whose best row fits as well as any."""
    groups: dict[int, list[int]] = {}
    for index, hits in enumerate(rows):
        groups.setdefault(id(hits[0].group), []).append(index)
    close = [group for group in groups.values() if rows[group[0]][0].score >= rows[0][0].score * _AS_WELL]
    share = max(limit // len(close), 1)
    first = [index for group in close[:limit] for index in group[:share]]
    rest = [index for index in range(len(rows)) if index not in first]
    return [rows[index] for index in sorted((first + rest)[:limit])]


def _take_shared(rows: list[list[Any]]) -> dict[str, Any]:
    """Remove the constants that all of several rows have, and return them."""
    values = [cells for _, cells, _ in rows]
    if len(values) < 2 or any(name.startswith("[") for cells in values for name in cells):
        return {}
    first = {name: value for name, value in values[0].items() if not isinstance(value, list)}
    # As JSON, because 1 and true are equal in Python.
    shared = {n: v for n, v in first.items() if all(n in c and dump_json(c[n]) == dump_json(v) for c in values)}
    for cells in values:
        for name in shared:
            # A row is never left without a field.
            if len(cells) > 1:
                del cells[name]
    return shared


def _join_elements(hits: list[Hit]) -> list[list[Hit]]:
    """Put elements of one list that fit equally well into one row; every other hit is a row of its own."""
    rows: list[list[Hit]] = []
    for hit in hits:
        last = rows[-1][-1] if rows else None
        if last is not None and len(rows[-1]) < _ELEMENTS_A_ROW and _are_alike(last, hit):
            rows[-1].append(hit)
        else:
            rows.append([hit])
    return rows


def _are_alike(hit: Hit, other: Hit) -> bool:
    """Whether two hits are elements of one list of scalars that fit equally well."""
    node, parents = hit.group.node, hit.group.node.parent_positions
    if hit.group is not other.group or hit.score != other.score or node.types["object"] or parents is None:
        return False
    return parents[hit.position] == parents[other.position]


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
