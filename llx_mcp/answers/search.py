"""Finds what a result says about a few words: the objects and values that fit best, with their provenance."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, TableBuilder, part_cost
from llx_mcp.answers.cells import CELLS
from llx_mcp.answers.citation_checks import CitationChecks, open_checks
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.limits import DEFAULT_CHARS, MIN_CHARS
from llx_mcp.answers.outputs import Call, NextStep, Omission
from llx_mcp.answers.requests import DEFAULT_HITS, MAX_HITS, JobRequest
from llx_mcp.answers.row_lines import hit_line
from llx_mcp.answers.search_lists import ELEMENTS_A_ROW, Row, RowPicker
from llx_mcp.answers.search_outputs import SearchCounts, SearchOutput
from llx_mcp.answers.search_rows import RowBuilder
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.result.descriptions import describe_fields
from llx_mcp.result.document import Document
from llx_mcp.result.normalize import normalize_name
from llx_mcp.result.object_search import ObjectSearch
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import dump_json, truncate
from llx_mcp.result.search_hits import Found, FoundList
from llx_mcp.result.sections import JobSections
from llx_mcp.result.words import Terms, split_terms

_COLUMNS = ("path", "values", "more")
_MAX_NAMES = 12
_SIMILARITY = 0.6
_MANY = 20
# The characters that the rows of related objects may take.
_RELATED_CHARS = 250
_PATH_CHARS = 200
# If more lists are not shown whole, the last of them share a note.
_MAX_LISTS = 3


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
        found = (search or prepare_search(sections)).run(terms, limit * ELEMENTS_A_ROW)
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
        rows = self._choose_rows() if self.found.hits else []
        absent = [term.text for index, term in enumerate(self.terms.terms) if index in self.found.absent]
        related = sum(len(row.others) for row in rows)
        counts = SearchCounts(matches=self._num_matches, related=related or None, absent_words=absent or None)
        builder.add("found", counts)
        if not rows:
            self._add_nearest(builder)
            return
        if self.checks is not None:
            builder.add("citation_check", self.checks.note)
        shown = self._build(rows)
        if shared := _take_shared(shown):
            builder.add("shared", shared)
        cells = CELLS if self.document.has_provenance else None
        # Nothing is said of more where no row has any.
        num_columns = len(_COLUMNS) if any(more for *_, more in shown) else len(_COLUMNS) - 1
        rows_shown = (row[:num_columns] for row in shown)
        table = TableBuilder("hits", _COLUMNS[:num_columns], rows_shown, hit_line, cells)
        omissions = [self._omission(self._num_matches, is_cut=True), *self._omit_related(rows, [])]
        table.fill(builder.room - builder.omissions_cost(*omissions))
        if table.rows:
            builder.add("hits", table.table)
        kept = rows[: len(table.rows)]
        if left := self._num_matches - sum(len(row.hits) for row in kept):
            builder.omit(self._omission(left, is_cut=len(kept) < len(rows)))
        for omission in self._omit_related(rows, kept):
            builder.omit(omission)

    @cached_property
    def _picker(self) -> RowPicker:
        rows = RowBuilder(self.document, self.terms, self.found, self.checks)
        return RowPicker(self.found, rows, self.limit, self.request.max_chars)

    def _build(self, rows: list[Row]) -> list[list[Any]]:
        return [self._picker.builder.build(row.shown, row.num_more) for row in rows]

    def _choose_rows(self) -> list[Row]:
        """Return the rows of the matches, and of the others in their lists if these are short."""
        rows = self._picker.pick()
        if related := self._picker.related(rows):
            both = [*rows, *related]
            if self._measure(both) <= self._measure(rows) + _RELATED_CHARS:
                return both
        return rows

    def _measure(self, rows: list[Row]) -> int:
        """Return how many characters some rows take as text."""
        shown = self._build(rows)
        shared = _take_shared(shown)
        return sum(len(hit_line(row)) for row in shown) + (part_cost("shared", shared).text if shared else 0)

    def _omit_related(self, rows: list[Row], kept: list[Row]) -> Iterator[Omission]:
        """Yield what is left out of the lists of some rows that the words are about, where only some rows are kept."""
        shown = Counter(id(row.others_of) for row in kept for _ in row.others)
        left_out = [each for each in self._picker.topic_lists(rows) if each.num_others > shown[id(each)]]
        num_named = len(left_out) if len(left_out) <= _MAX_LISTS else _MAX_LISTS - 1
        for found in left_out[:num_named]:
            what, call = self._describe(found, rows)
            count = found.num_others - shown[id(found)]
            yield Omission(what=what, count=count, total=len(found.positions), call=call)
        if further := left_out[num_named:]:
            count = sum(each.num_others - shown[id(each)] for each in further)
            yield Omission(what=f"rows of {len(further)} other lists", count=count)

    def _describe(self, found: FoundList, rows: list[Row]) -> tuple[str, Call | None]:
        """Return what is left out of a list in words, and the call that reads a list of scalars."""
        if not found.is_scalar:
            names = " or ".join(map(_show, self._picker.fields_apart(found, rows)))
            return f"rows of {_show(found.path)}{f' that differ in {names}' if names else ''}", None
        call = self.request.call("read_extract_result")
        # A path is not shortened as other arguments are.
        arguments = {**call.arguments, "path": show_path(found.path)}
        is_long = len(found.path) > _PATH_CHARS
        return f"elements of {_show(found.path)}", None if is_long else Call(tool=call.tool, arguments=arguments)

    @property
    def _num_matches(self) -> int:
        return self.found.num_like + len(self.found.others)

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
            # A search of several jobs has less room for each than a call may ask for.
            max_chars = None if self.request.max_chars == DEFAULT_CHARS else max(self.request.max_chars, MIN_CHARS)
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


def _show(path: str) -> str:
    return str(truncate(show_path(path), _PATH_CHARS))


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
