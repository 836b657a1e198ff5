"""The values at a path with their provenance, as many as fit, then the cursor for the rest.

A flat object of a list is a row, and rows of the same fields share a table, so that each name is written once. Page
and confidence stand beside each value.
"""

import zlib
from collections.abc import Collection
from itertools import islice
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, build_table, part_cost
from llx_mcp.answers.cells import build_cell, describe_cells
from llx_mcp.answers.citation_checks import CitationChecks, open_checks
from llx_mcp.answers.cursors import PagePosition, decode_cursor, encode_cursor
from llx_mcp.answers.entries import build_entry, check_quotes, describe_checks, describe_entry
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.outputs import Omission, Table
from llx_mcp.answers.page_rows import PageRow, count_values, iter_page_rows, single
from llx_mcp.answers.read_outputs import ReadOutput, Value
from llx_mcp.answers.requests import DEFAULT_INCLUDE, JobRequest, ReadOptions
from llx_mcp.answers.row_lines import row_line
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.result.document import Document
from llx_mcp.result.jsonpath import PathError, find_values
from llx_mcp.result.location import Location
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import dump_json, format_value, sanitize_json
from llx_mcp.result.sections import JobSections

MAX_MATCHES = 1_000_000

_PART_COLUMNS = ("path", "characters", "of", "part of value")
_LONGEST_CURSOR = "x" * 40
# The share of a page that the metadata of an object or list may take.
_ENTRY_SHARE = 0.5


def read_page(
    sections: JobSections,
    header: Header,
    request: JobRequest,
    options: ReadOptions,
    evidence: Grounder | None = None,
) -> Answer:
    """Build the values at `options.path`, within `request.max_chars`.

    Raises:
        PathError: the path cannot be read, or matches nothing.
        CursorError: the cursor was altered, or belongs to something else.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    builder = start_answer(header, request.max_chars, ReadOutput)
    if not sections.has_result:
        return builder.build()
    document = sections.document if options.include else sections.bare_document
    locations = _find(document, options.path)
    # Only what is read alone is shown with all that the metadata says of it.
    entry = sections.entries.read(locations[0]) if len(locations) == 1 and options.include else {}
    checks = open_checks(document, evidence)
    page = _Page(document, locations, request, options, _cursor_source(sections, request, options), checks)
    builder.add("matches", len(locations))
    if checks is not None:
        builder.add("citation_check", checks.note)
    if not page.add_single_value(builder, entry):
        page.add_entry(builder, entry)
        page.add_tables(builder)
    return builder.build()


def _find(document: Document, path: str) -> list[Location]:
    locations = list(islice(find_values(document.root, path), MAX_MATCHES + 1))
    if len(locations) > MAX_MATCHES:
        raise PathError(f"path: more than {MAX_MATCHES:,} values match. Name fewer, with slices such as [0:1000].")
    return locations


def _cursor_source(sections: JobSections, request: JobRequest, options: ReadOptions) -> str:
    raw = sections.raw("extract_result")
    return f"{request.job_id}\n{options.path}\n{zlib.crc32(raw) if raw is not None else 0}"


class _Page:
    """One page of the values at some locations."""

    def __init__(
        self,
        document: Document,
        locations: list[Location],
        request: JobRequest,
        options: ReadOptions,
        source: str,
        checks: CitationChecks | None,
    ) -> None:
        self._document = document
        self._locations = locations
        self._request = request
        self._options = options
        self._source = source
        self._checks = checks
        self._start = decode_cursor(options.cursor, source) if options.cursor else PagePosition()
        self._total = sum(count_values(location.value) for location in locations)

    def add_single_value(self, builder: AnswerBuilder, entry: dict[str, Any]) -> bool:
        """Add a single value with its whole metadata entry, where there is only one and it fits."""
        location = self._locations[0]
        is_container = isinstance(location.value, dict | list) and bool(location.value)
        if len(self._locations) > 1 or self._start != PagePosition() or is_container:
            return False
        value = self._build_value(location, entry)
        return Cost().fits(builder.room - part_cost("value", value)) and builder.add("value", value)

    def add_entry(self, builder: AnswerBuilder, entry: dict[str, Any]) -> None:
        """Add the metadata entry of the object or list at the path, or of a value in parts, to the first page."""
        shown = build_entry(entry, self._options.include) if self._start == PagePosition() else None
        if shown is None:
            return
        cost = part_cost("entry", shown)
        if cost.fits(builder.room.share(_ENTRY_SHARE)):
            builder.add("entry", shown)
            return
        need = self._request.max_chars + int(cost.chars / _ENTRY_SHARE)
        include = None if self._options.include == DEFAULT_INCLUDE else list(self._options.include)
        call = self._request.larger_call(need, "read_extract_result", path=self._options.path, include=include)
        resource = None if call else self._request.resource("metadata")
        builder.omit(Omission(what="characters of entry", count=cost.data, call=call, resource=resource))

    def add_tables(self, builder: AnswerBuilder) -> None:
        """Add the values as tables, and the cursor for what does not fit."""
        reserve = builder.omissions_cost(self._omission(self._total, _LONGEST_CURSOR))
        reserve += part_cost("cursor", _LONGEST_CURSOR)
        tables = _PageTables(builder.room - reserve, self._document, self._options.include, self._checks)
        end = _take_rows(tables, self._locations, self._start, self._total)
        if tables.tables:
            builder.add("values", tables.build())
        for omission in tables.omissions:
            builder.omit(omission)
        if end.values < self._total:
            cursor = encode_cursor(end, self._source)
            builder.omit(self._omission(self._total - end.values, cursor))
            builder.add("cursor", cursor)

    def _build_value(self, location: Location, entry: dict[str, Any]) -> Value:
        """Build a single value with all that the metadata says of it, and what the check of its citations found."""
        shown = describe_entry(entry, self._options.include)
        if self._document.has_provenance:
            column = self._document.column(location.node)
            shown = {"confidence": column.confidences[location.position], "citations": []} | shown
            if location.value is not None:
                shown["citations"] = check_quotes(shown["citations"], location.value)
            if self._checks is not None and location.value is not None:
                shown |= describe_checks(
                    shown["citations"], self._checks, column, location.position, self._options.include
                )
        return Value(path=show_path(location.path), value=sanitize_json(location.value), **shown)

    def _omission(self, num_left: int, cursor: str) -> Omission:
        call = self._options.next_call(self._request, cursor)
        return Omission(what="values", count=num_left, total=self._total, call=call)


def _take_rows(tables: "_PageTables", locations: list[Location], start: PagePosition, total: int) -> PagePosition:
    """Fill a page with rows from `start` on; return where it ended."""
    end = start
    for row in islice(iter_page_rows(locations), start.rows, None):
        if not end.is_within_row and tables.add_row(row):
            end = PagePosition(end.rows + 1, 0, 0, end.values + len(row.leaves))
            continue
        if not tables.is_empty and not end.is_within_row:
            return end
        end = _take_leaves(tables, row, end)
        if end.is_within_row:
            return end
    return PagePosition(end.rows, 0, 0, total)


def _take_leaves(tables: "_PageTables", row: PageRow, start: PagePosition) -> PagePosition:
    """Show a row that is too large for any page value by value, and a value that is too large in parts."""
    end = start
    for index, location in enumerate(row.leaves):
        if index < start.leaves:
            continue
        if end.chars == 0 and tables.add_row(single(location)):
            end = PagePosition(end.rows, index + 1, 0, end.values + 1)
            continue
        if not tables.is_empty:
            return end
        shown_to = tables.add_part(location, end.chars)
        if shown_to is not None:
            return PagePosition(end.rows, index, shown_to, end.values)
        end = PagePosition(end.rows, index + 1, 0, end.values + 1)
    return PagePosition(end.rows + 1, 0, 0, end.values)


class _PageTables:
    """Tables of values that grow by rows for as long as they stay within the room."""

    def __init__(self, room: Cost, document: Document, include: Collection[str], checks: CitationChecks | None) -> None:
        self.tables: list[tuple[tuple[str, ...], list[list[Any]]]] = []
        self.omissions: list[Omission] = []
        self._room = room - part_cost("values", [])
        self._document = document
        self._checks = checks
        self._include = include if document.has_provenance else ()
        self._cells = describe_cells(self._include)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self.tables and not self.omissions

    def build(self) -> list[Table]:
        """Build the tables."""
        return [self._table(columns, rows) for columns, rows in self.tables]

    def add_row(self, row: PageRow) -> bool:
        """Add a row, if there is room for it."""
        mark = "_" if row.columns else ""
        labels = (f"{mark}path", *map(sanitize_json, row.columns or ("value",)))
        return self._add(labels, [show_path(row.path), *sanitize_json([self._cell(cell) for cell in row.cells])])

    def add_part(self, location: Location, start: int) -> int | None:
        """Add as much of a value as there is room for, from a character on.

        Returns where the part ends, or None where the value ends with it, or cannot be shown within this budget.
        """
        text = format_value(location.value)
        path = show_path(location.path)

        def part(length: int) -> list[Any]:
            end = start + length
            return [path, f"{start}:{end}", len(text), sanitize_json(text[start:end])]

        low, high = 0, len(text) - start
        while low < high:
            middle = (low + high + 1) // 2
            if self._cost(_PART_COLUMNS, part(middle)).fits(self._room):
                low = middle
            else:
                high = middle - 1
        if low == 0:
            what = f"value, whose path alone takes {len(path)} characters"
            self.omissions.append(Omission(what=what, count=1, hint="raise max_chars"))
            return None
        self._add(_PART_COLUMNS, part(low))
        return None if start + low == len(text) else start + low

    def _cell(self, cell: "Location | tuple[Location, ...]") -> Any:
        if isinstance(cell, tuple):
            return [self._cell(location) for location in cell]
        if not self._include:
            return cell.value
        column = self._document.column(cell.node)
        include, checks = self._include, self._checks
        return build_cell(self._document, column, cell.position, whole=True, include=include, checks=checks)

    def _cells_in(self, columns: tuple[str, ...]) -> str | None:
        return None if columns == _PART_COLUMNS else self._cells

    def _table(self, columns: tuple[str, ...], rows: list[list[Any]]) -> Table:
        return build_table(columns, rows, self._cells_in(columns))

    def _cost(self, columns: tuple[str, ...], row: list[Any]) -> Cost:
        if self.tables and columns == self.tables[-1][0]:
            line = row_line(self._cells_in(columns))(row)
            return Cost(len(line) + 1, len(dump_json(row)) + 1)
        whole = part_cost("values", [self._table(columns, [row])])
        empty = part_cost("values", [])
        return Cost(whole.text - empty.text, whole.data - empty.data + 1)

    def _add(self, columns: tuple[str, ...], row: list[Any]) -> bool:
        cost = self._cost(columns, row)
        if not cost.fits(self._room):
            return False
        self._room -= cost
        if self.tables and columns == self.tables[-1][0]:
            self.tables[-1][1].append(row)
        else:
            self.tables.append((columns, [row]))
        return True
