"""The values at a path, with provenance beside each, as much as fits; then how many remain, and the cursor for them.

A flat object of a list is a row, and rows of the same fields share a table, so that each name is written
once. What a row says of all its cells is written once, too; where the cells differ it is a list in their order.
"""

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, part_cost, start_answer
from llx_mcp.answers.cursors import Position, decode_cursor, encode_cursor
from llx_mcp.answers.header import DEFAULT_CHARS, Header, JobRequest
from llx_mcp.answers.markdown import item_line
from llx_mcp.answers.page_rows import PageRow, count_values, iter_page_rows, single
from llx_mcp.answers.provenance import quote_around
from llx_mcp.result.document import Citation, Document
from llx_mcp.result.jsonpath import PathError, explain_no_match, find_locations, parse_path
from llx_mcp.result.location import Location
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import dump_json, sanitize_json
from llx_mcp.result.sections import JobSections

INCLUDES = ("confidence", "citations", "boxes")
DEFAULT_INCLUDE = ("confidence", "citations")

MAX_MATCHES = 1_000_000
_VERBATIM = "="
_ELEMENTS = ("part of value", "of characters")
_LONGEST_CURSOR = "x" * 40


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which values to read, and what to show beside them."""

    path: str = "$"
    cursor: str | None = None
    include: tuple[str, ...] = DEFAULT_INCLUDE

    def next_call(self, ask: JobRequest, cursor: str) -> str:
        """The call that shows what follows."""
        extra: dict[str, Any] = {} if self.include == DEFAULT_INCLUDE else {"include": list(self.include)}
        if ask.max_chars != DEFAULT_CHARS:
            extra["max_chars"] = ask.max_chars
        return ask.format_call("read_extract_result", path=self.path, **extra, cursor=cursor)


def read_page(extraction: JobSections, heading: Header, ask: JobRequest, page: ReadOptions) -> Answer:
    """The values at `page.path`, within `ask.max_chars`.

    Raises:
        PathError: the path cannot be read, or names nothing.
        CursorError: the cursor was altered, or belongs to something else.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    sheet = start_answer(heading, ask.max_chars)
    if not extraction.has_result:
        return sheet.answer()
    with_metadata = bool(page.include)
    document = extraction.document if with_metadata else extraction.bare_document
    locations = _find(document, page.path)
    source = _source(extraction, ask, page)
    start = decode_cursor(page.cursor, source) if page.cursor else Position()
    total = sum(count_values(location.value) for location in locations)
    sheet.spend("matches", len(locations))
    if len(locations) == 1 and start == Position() and _spend_one_value(sheet, document, locations[0], page):
        return sheet.answer()
    _fill(sheet, document, locations, start, total, ask, page, source)
    return sheet.answer()


def _find(document: Document, path: str) -> list[Location]:
    segments = parse_path(path.strip() or "$")
    locations = list(islice(find_locations(segments, document.root), MAX_MATCHES + 1))
    if not locations:
        raise PathError(explain_no_match(path, segments, document.root))
    if len(locations) > MAX_MATCHES:
        raise PathError(f"path: more than {MAX_MATCHES:,} values match. Name fewer, with slices such as [0:1000].")
    return locations


def _source(extraction: JobSections, ask: JobRequest, page: ReadOptions) -> str:
    raw = extraction.raw("extract_result")
    return f"{ask.job_id}\n{page.path}\n{zlib.crc32(raw) if raw is not None else 0}"


def _spend_one_value(sheet: AnswerBuilder, document: Document, location: Location, page: ReadOptions) -> bool:
    """A single value with all its citations in full, where they fit."""
    if isinstance(location.value, dict | list) and location.value:
        return False
    leaf = document.leaf(document.column(location.node), location.position) if document.has_metadata else None
    value: dict[str, Any] = {"path": show_path(location.path), "value": sanitize_json(location.value)}
    if leaf is not None and "confidence" in page.include:
        value["confidence"] = None if leaf.confidence is None else round(leaf.confidence, 3)
    if leaf is not None and ("citations" in page.include or "boxes" in page.include):
        value["citations"] = sanitize_json([_shown_citation(item, page.include) for item in leaf.citations])
    return Cost().fits(sheet.room - part_cost("value", value)) and sheet.spend("value", value)


def _shown_citation(citation: Citation, include: Collection[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"page": citation.page, "quote": citation.quote}
    if "boxes" in include:
        shown["boxes"] = [[box.x, box.y, box.w, box.h] for box in citation.boxes]
    return {name: value for name, value in shown.items() if value is not None}


def _fill(
    sheet: AnswerBuilder,
    document: Document,
    locations: list[Location],
    start: Position,
    total: int,
    ask: JobRequest,
    page: ReadOptions,
    source: str,
) -> None:
    rest = f"{total} of {total} values: {page.next_call(ask, _LONGEST_CURSOR)}"
    reserve = sheet.notes_cost([rest]) + part_cost("cursor", _LONGEST_CURSOR)
    tables = _Tables(sheet.room - reserve, document, page.include)
    end = _take(tables, locations, start, total)
    if tables.tables:
        sheet.spend("values", tables.tables)
    for note in tables.notes:
        sheet.note(note)
    if end.values < total:
        cursor = encode_cursor(end, source)
        sheet.note(f"{total - end.values} of {total} values: {page.next_call(ask, cursor)}")
        sheet.spend("cursor", cursor)


def _take(tables: "_Tables", locations: list[Location], start: Position, total: int) -> Position:
    """Fill a page with units from `start` on; returns where it ended."""
    end = start
    for unit in islice(iter_page_rows(locations), start.units, None):
        if not (end.leaves or end.chars) and tables.take(unit):
            end = Position(end.units + 1, 0, 0, end.values + len(unit.leaves or (None,)))
            continue
        if not tables.is_empty and not (end.leaves or end.chars):
            return end
        end = _take_leaves(tables, unit, end)
        if end.leaves or end.chars:
            return end
    return Position(end.units, 0, 0, total)


def _take_leaves(tables: "_Tables", unit: PageRow, start: Position) -> Position:
    """Show a unit that is too large for any page value by value, and a value that is, in parts."""
    end = start
    for index, location in enumerate(unit.leaves):
        if index < start.leaves:
            continue
        if end.chars == 0 and tables.take(single(location)):
            end = Position(end.units, index + 1, 0, end.values + 1)
            continue
        if not tables.is_empty:
            return end
        taken = tables.take_part(location, end.chars)
        if taken is None:
            end = Position(end.units, index + 1, 0, end.values + 1)
        else:
            return Position(end.units, index, taken, end.values)
    return Position(end.units + 1, 0, 0, end.values)


class _Tables:
    """Tables of values that grow by rows for as long as they stay within a room."""

    def __init__(self, room: Cost, document: Document, include: Collection[str]) -> None:
        self.tables: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._room = room - part_cost("values", [])
        self._document = document
        self._include = include
        self._columns: tuple[str, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was taken yet."""
        return not self.tables and not self.notes

    def take(self, unit: PageRow) -> bool:
        """Take a unit as a row, if there is room for it."""
        columns = unit.columns or ("value",)
        row = [show_path(unit.path), *sanitize_json(unit.values), *self._provenance(unit)]
        return self._add(self._labels(columns, is_record=bool(unit.columns)), row)

    def take_part(self, location: Location, start: int) -> int | None:
        """Take as much of a value as there is room for, from a character on.

        Returns where it ended, or None where the value ended with it, or cannot be shown at any budget like this.
        """
        text = location.value if isinstance(location.value, str) else dump_json(location.value)
        labels = ("path", "characters", "of", "part of value")
        path = show_path(location.path)
        low, high = 0, len(text) - start
        while low < high:
            middle = (low + high + 1) // 2
            row = [path, f"{start}:{start + middle}", len(text), sanitize_json(text[start : start + middle])]
            if self._fits(labels, row):
                low = middle
            else:
                high = middle - 1
        if low == 0:
            self.notes.append(f"1 value, whose path alone takes {len(path)} characters; raise max_chars")
            return None
        row = [path, f"{start}:{start + low}", len(text), sanitize_json(text[start : start + low])]
        self._add(labels, row)
        return None if start + low == len(text) else start + low

    def _labels(self, columns: tuple[str, ...], *, is_record: bool) -> tuple[str, ...]:
        mark = "_" if is_record else ""
        beside = self._beside()
        return (f"{mark}path", *map(sanitize_json, columns), *(f"{mark}{name}" for name in beside))

    def _beside(self) -> list[str]:
        if not self._document.has_metadata:
            return []
        names = {"confidence": ["confidence"], "citations": ["page", "quote"], "boxes": ["boxes"]}
        return [name for part in INCLUDES if part in self._include for name in names[part]]

    def _provenance(self, unit: PageRow) -> list[Any]:
        if not self._beside():
            return []
        cells = [self._cell(cell) for cell in unit.cells]
        return [_collapse([cell[index] for cell in cells]) for index in range(len(self._beside()))]

    def _cell(self, cell: "Location | tuple[Location, ...]") -> list[Any]:
        if isinstance(cell, tuple):
            inside = [self._cell(location) for location in cell]
            return [_collapse([values[index] for values in inside]) for index in range(len(self._beside()))]
        column = self._document.column(cell.node)
        confidence = column.confidences[cell.position]
        shown: dict[str, Any] = {"confidence": None if confidence is None else round(confidence, 3)}
        citations = (
            self._document.citations(column.entries[cell.position])
            if len(self._include) > 1 or ("confidence" not in self._include)
            else ()
        )
        if citations:
            first = citations[0]
            quote = None if first.quote is None else _shown_quote(first.quote, cell.value)
            more = f" [+{len(citations) - 1} citations]" if len(citations) > 1 else ""
            shown |= {"page": first.page, "quote": f"{quote or ''}{more}".strip() or None}
            shown["boxes"] = [[box.x, box.y, box.w, box.h] for box in first.boxes]
        return [shown.get(name) for name in self._beside()]

    def _fits(self, labels: tuple[str, ...], row: list[Any]) -> bool:
        return self._cost(labels, row).fits(self._room)

    def _cost(self, labels: tuple[str, ...], row: list[Any]) -> Cost:
        if labels == self._columns:
            return Cost(len(item_line(row)) + 1, len(dump_json(row)) + 1)
        table = {"columns": list(labels), "rows": [row]}
        whole = part_cost("values", [table])
        empty = part_cost("values", [])
        return Cost(whole.text - empty.text, whole.data - empty.data + 1)

    def _add(self, labels: tuple[str, ...], row: list[Any]) -> bool:
        cost = self._cost(labels, row)
        if not cost.fits(self._room):
            return False
        self._room -= cost
        if labels == self._columns:
            self.tables[-1]["rows"].append(row)
        else:
            self.tables.append({"columns": list(labels), "rows": [row]})
            self._columns = labels
        return True


def _shown_quote(quote: str, value: Any) -> str:
    text = value if isinstance(value, str) else dump_json(value)
    return _VERBATIM if quote.strip() == text else quote_around(quote, text)


def _collapse(values: list[Any]) -> Any:
    """One value for all where they agree, else each."""
    first = values[0] if values else None
    return first if all(value == first for value in values) else values
