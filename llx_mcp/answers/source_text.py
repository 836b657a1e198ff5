"""What the document says: around a value, on some pages, or where some words stand; line by line, then the cursor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, TableBuilder, part_cost
from llx_mcp.answers.cursors import PagePosition, decode_cursor, encode_cursor
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.outputs import Call, NextStep, Omission
from llx_mcp.answers.requests import SOURCE_CHARS, JobRequest, SourceOptions
from llx_mcp.answers.row_lines import source_line, source_place
from llx_mcp.answers.source_lines import DocumentLines, Line, format_ranges, parse_pages
from llx_mcp.answers.source_outputs import SourceTextOutput
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import STILL_READING, SourceText
from llx_mcp.evidence.places import Place
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Leaf
from llx_mcp.result.sanitize import sanitize_line, sanitize_text, truncate
from llx_mcp.result.scalars import find_scalars
from llx_mcp.result.sections import JobSections

_ORIGINS = {"parse_job": "the text that the parse job read", "document": "the text layer of the document"}
# The lines that are shown before and after a place: of one place, and of several.
_LINES_AROUND_ONE, _LINES_AROUND_MANY = 8, 2
_MAX_PLACES = 50
_MAX_VALUES = 20
_SEARCH_SECONDS = 4.0
# The share of the answer that the list of places may take.
_PLACES_SHARE = 0.35
_WORDS_CHARS = 120
_PROBLEM_CHARS = 400
_UNREAD_CHARS = 200
_MAX_UNREAD = 5
_COLUMNS = ("page", "line", "text")
# The lengths to which a line is cut that does not fit alone: a word can be of any length.
_CUTS = (2_000, 1_000, 400, 200, 100, 50, 20)
_EXACT = "found"
_LONGEST_CURSOR = "x" * 40


@dataclass(frozen=True, slots=True)
class _Found:
    """A place where a value or some words stand, and how it was found."""

    place: Place
    how: str


def read_source_text(
    sections: JobSections,
    header: Header,
    request: JobRequest,
    options: SourceOptions,
    source: SourceText | None,
    evidence: Grounder | None,
) -> Answer:
    """Build what the document says at a place, within `request.max_chars`.

    Args:
        sections: the job's sections.
        header: the header of the answer.
        request: the job and the budget.
        options: the place.
        source: the text of the document, or why there is none.
        evidence: finds values and words in that text.

    Raises:
        ArgumentError: more than one place is given, or one that cannot be read or matches nothing.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    if len(options.given) > 1:
        raise ArgumentError("Give one of path, pages and text; without any, the text begins with the first page.")
    if source is None or evidence is None or not source.pages:
        builder = start_answer(header, request.max_chars, SourceTextOutput)
        problem = source.problem if source else "the text was not fetched"
        builder.add("problem", sanitize_line(problem or "the document has no text", _PROBLEM_CHARS))
        step = _build_step(request, options, problem)
        if not header.next_steps and step is not None:
            builder.add_next_steps([step])
        return builder.build()
    # What to do about a job without a result does not matter here: its document has a text.
    builder = start_answer(replace(header, next_steps=()), request.max_chars, SourceTextOutput)
    builder.add("origin", _ORIGINS.get(source.origin, source.origin))
    _SourceText(sections, request, options, source, evidence).add_to(builder)
    return builder.build()


def _build_step(request: JobRequest, options: SourceOptions, problem: str) -> NextStep | None:
    """Build what to do where there is no text; None where there is nothing to do."""
    if problem == STILL_READING:
        return NextStep(text="In a few seconds:", call=_build_call(request, options))
    if not options.path:
        return None
    call = request.call("read_extract_result", path=options.path, include=["provenance", "quotes"])
    return NextStep(text="The words that the service quotes for each value:", call=call)


def _build_call(request: JobRequest, options: SourceOptions, **arguments: Any) -> Call:
    return request.call("read_source_text", **options.given, **arguments)


class _SourceText:
    """The lines to show, in groups: one for each page or place."""

    def __init__(
        self,
        sections: JobSections,
        request: JobRequest,
        options: SourceOptions,
        source: SourceText,
        evidence: Grounder,
    ) -> None:
        self._sections = sections
        self._request = request
        self._options = options
        self._source = source
        self._evidence = evidence
        self._lines = DocumentLines(source)
        self._deadline = Deadline(_SEARCH_SECONDS)
        num_words = sum(len(page.words) for page in source.pages)
        self._name = f"{request.job_id}\n{options.given}\n{source.origin} {len(source.pages)} {num_words}"
        self._start = decode_cursor(options.cursor, self._name) if options.cursor else PagePosition()

    def add_to(self, builder: AnswerBuilder) -> None:
        """Add the lines, and the cursor for what does not fit."""
        if self._options.path or self._options.text:
            self._add_places(builder)
        else:
            numbers = self._choose_pages(builder)
            self._add_lines(builder, "pages", len(numbers), map(self._lines.of_page, numbers))

    def _choose_pages(self, builder: AnswerBuilder) -> list[int]:
        known = [page.number for page in self._source.pages]
        numbers, unknown = (known, []) if not self._options.pages else parse_pages(self._options.pages, known)
        wanted = set(numbers)
        reasons: dict[str, list[int]] = {}
        for page in self._source.pages:
            if page.number in wanted and page.problem:
                reasons.setdefault(page.problem, []).append(page.number)
        if unknown:
            reasons[f"there is no such page; the text has the pages {format_ranges(known)}"] = sorted(unknown)
        self._add_unread(builder, reasons)
        return numbers

    def _add_unread(self, builder: AnswerBuilder, reasons: dict[str, list[int]]) -> None:
        if not reasons or self._start != PagePosition():
            return
        shown = [f"{format_ranges(numbers)}: {reason}" for reason, numbers in islice(reasons.items(), _MAX_UNREAD)]
        builder.add("unread", [sanitize_line(line, _UNREAD_CHARS) for line in shown])
        if (left := len(reasons) - len(shown)) > 0:
            builder.omit(Omission(what="further reasons why pages have no text", count=left))

    def _add_places(self, builder: AnswerBuilder) -> None:
        found, total, cited_pages, num_values_left = self._search()
        builder.add("num_places", total)
        if num_values_left:
            builder.omit(Omission(what="values at the path", count=num_values_left, hint="name fewer in path"))
        if not found:
            self._add_not_found(builder, cited_pages)
            return
        if self._start == PagePosition():
            self._add_table_of_places(builder, found)
        if total > len(found):
            hint = "give more words" if self._options.text else None
            builder.omit(Omission(what="places", count=total - len(found), total=total, hint=hint))
        num_around = _LINES_AROUND_ONE if len(found) == 1 else _LINES_AROUND_MANY
        self._add_lines(builder, "places", len(found), self._without_repeated(found, num_around))

    def _add_not_found(self, builder: AnswerBuilder, cited_pages: Sequence[int]) -> None:
        """Show the pages that are cited, since the value may stand there in other words."""
        if not cited_pages:
            call = self._request.call("read_source_text")
            builder.add_next_steps(
                [NextStep(text="Nothing like this was found in the text. To read the text:", call=call)]
            )
            return
        self._add_lines(builder, "pages", len(cited_pages), map(self._lines.of_page, cited_pages))

    def _add_table_of_places(self, builder: AnswerBuilder, found: Sequence[_Found]) -> None:
        rows = ([each.place.page, self._lines.line_of(each.place), each.how, self._words(each)] for each in found)
        columns: tuple[str, ...] = ("page", "line", "how", "words")
        if self._options.text and all(each.how == _EXACT for each in found):
            # Their words are those that were looked for.
            columns, rows = columns[:2], (row[:2] for row in rows)
        table = TableBuilder("places", columns, rows, source_place)
        table.fill(builder.room.share(_PLACES_SHARE))
        if table.rows:
            builder.add("places", table.table)
        # The lines of every place follow, so those without a row are not lost.

    def _words(self, found: _Found) -> str:
        return sanitize_line(self._lines.words_of(found.place), _WORDS_CHARS)

    def _without_repeated(self, found: Sequence[_Found], num_around: int) -> Iterator[list[Line]]:
        """Yield the lines around each place, without those that were shown around an earlier one."""
        shown: set[tuple[int, int]] = set()
        for each in found:
            lines = self._lines.around(each.place, num_around)
            yield [line for line in lines if (line.page, line.number) not in shown]
            shown |= {(line.page, line.number) for line in lines}

    def _add_lines(self, builder: AnswerBuilder, what: str, total: int, groups: Iterator[list[Line]]) -> None:
        """Add the lines of as many groups as fit, from the cursor on."""
        longest = f"{what} and further lines of the last of the {what} shown"
        reserve = builder.omissions_cost(self._omission(longest, total, total, _LONGEST_CURSOR))
        reserve += part_cost("cursor", _LONGEST_CURSOR)
        rows, end = self._take_lines(builder.room - reserve, groups)
        if rows.rows:
            builder.add("lines", rows.table)
        if end.rows < total:
            if end == self._start:
                builder.omit(Omission(what=what, count=total - end.rows, total=total, hint="raise max_chars"))
                return
            cursor = encode_cursor(end, self._name)
            # A page or place of which some lines are shown is not left out.
            left = total - end.rows - (1 if end.leaves else 0)
            rest = f"further lines of the last of the {what} shown" if end.leaves else None
            if left:
                builder.omit(self._omission(f"{what} and {rest}" if rest else what, left, total, cursor))
            else:
                builder.omit(self._omission(rest or what, None, None, cursor))
            builder.add("cursor", cursor)

    def _take_lines(self, room: Cost, groups: Iterator[list[Line]]) -> tuple[TableBuilder, PagePosition]:
        """Return a table of lines, and where it ends."""
        taken: list[int] = []
        first_row: list[list[Any]] = []

        def iter_rows() -> Iterator[list[Any]]:
            first = self._start.leaves
            for lines in islice(groups, self._start.rows, None):
                rows = [[line.page, line.number, sanitize_text(line.text)] for line in lines[first:]]
                taken.append(len(rows))
                first_row.extend(rows[:1])
                yield from rows
                first = 0

        table = TableBuilder("lines", _COLUMNS, iter_rows(), source_line)
        table.fill(room)
        if first_row and not table.rows:
            table = _cut_line(room, first_row[0])
        left, end = len(table.rows), self._start
        for num_lines in taken:
            if left < num_lines:
                return table, replace(end, leaves=end.leaves + left)
            left -= num_lines
            end = PagePosition(end.rows + 1)
        return table, end

    def _omission(self, what: str, count: int | None, total: int | None, cursor: str) -> Omission:
        max_chars = None if self._request.max_chars == SOURCE_CHARS else self._request.max_chars
        call = _build_call(self._request, self._options, max_chars=max_chars, cursor=cursor)
        return Omission(what=what, count=count, total=total, call=call)

    def _search(self) -> tuple[list[_Found], int, list[int], int]:
        """Return the places that are wanted, how many there are, the pages that are cited, and the values left out."""
        if self._options.text:
            places = self._evidence.search(self._options.text, _MAX_PLACES, deadline=self._deadline)
            found = [_Found(place, _EXACT if place.match == "exact" else "similar") for place in places.places]
            return found, max(places.total, len(found)), [], 0
        found, total, cited = [], 0, set()
        document = self._sections.document
        locations = list(find_scalars(document.root, self._options.path or ""))
        for location in locations[:_MAX_VALUES]:
            leaf = document.leaf(document.column(location.node), location.position)
            more, num_places = self._find_value(leaf)
            found += more
            total += num_places
            cited |= {int(citation.page) for citation in leaf.citations if isinstance(citation.page, int)}
        # The first of several that are the same place.
        unique = list({(each.place.page, each.place.first): each for each in reversed(found)}.values())[::-1]
        known = sorted(number for number in cited if len(self._lines.of_page(number)))
        total = max(total - len(found) + len(unique), len(unique))
        return unique[:_MAX_PLACES], total, known, len(locations[_MAX_VALUES:])

    def _find_value(self, leaf: Leaf) -> tuple[list[_Found], int]:
        """Return where a value stands: where it is cited, else where its quote stands, else where it is found."""
        checks = self._evidence.check(leaf.value, leaf.citations, deadline=self._deadline).citations
        if found := [_Found(place, "cited") for check in checks for place in check.places]:
            return found, len(found)
        if found := [_Found(place, "quote found") for check in checks for place in check.elsewhere.places]:
            return found, sum(check.elsewhere.total for check in checks)
        places = self._evidence.find_value(leaf.value, limit=5, deadline=self._deadline)
        return [_Found(place, "found, not cited") for place in places.places], places.total


def _cut_line(room: Cost, row: list[Any]) -> TableBuilder:
    """Return a table of one line that is too long for any page of an answer, cut so that it fits."""
    page, line, text = row
    table = TableBuilder("lines", _COLUMNS, iter(()), source_line)
    for num_chars in _CUTS:
        table = TableBuilder("lines", _COLUMNS, iter([[page, line, truncate(text, num_chars)]]), source_line)
        table.fill(room)
        if table.rows:
            break
    return table
