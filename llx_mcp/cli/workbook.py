"""Writes values as an Excel workbook: a sheet for the values themselves, and one for each list in them."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import IO, Any, TypeAlias

from llx_mcp.answers.plurals import format_count
from llx_mcp.errors import MissingExtraError
from llx_mcp.result.document import Document
from llx_mcp.result.location import Location
from llx_mcp.result.records import build_records, is_formula, list_elements
from llx_mcp.result.sanitize import dump_json

Scalar: TypeAlias = str | int | float | bool | None

# The limits of Excel.
MAX_CELL_CHARS = 32_767
MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_NAME_CHARS = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
# Excel keeps this name for itself.
_RESERVED_NAMES = ("history",)
# Characters that XML, and so a workbook, cannot hold.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# The numbers of a workbook are doubles: integers from here on are not exact.
_FIRST_INEXACT_INTEGER = 1 << 53


@dataclass(slots=True)
class _Sheet:
    """One list, or the values at the path; its name is set when all lists are known."""

    title: str
    locations: list[Location] = field(default_factory=list)
    name: str = ""


class Workbook:
    """Writes a workbook, and remembers what did not fit.

    Attributes:
        num_cut_texts: how many texts were too long for a cell.
        num_cut_columns: how many columns were too many for a sheet.
    """

    def __init__(self, document: Document, *, provenance: bool) -> None:
        self._document = document
        self._provenance = provenance
        self._lists: dict[int, _Sheet] = {}
        self.num_cut_texts = 0
        self.num_cut_columns = 0

    def write(self, matches: list[Location], target: IO[bytes]) -> None:
        """Write values.

        Args:
            matches: the values. If it is a single list, its elements are the rows of the first sheet.
            target: a binary file.

        Raises:
            MissingExtraError: openpyxl is not installed.
        """
        try:
            from openpyxl import Workbook as Book
        except ImportError:
            raise MissingExtraError("xlsx", "export") from None
        locations = list_elements(matches)
        first = _Sheet(_name_list(matches[0]) if locations is not matches else "result", locations)
        self._collect_lists(locations)
        sheets = [first, *self._lists.values()]
        taken = set(_RESERVED_NAMES)
        for sheet in sheets:
            sheet.name = make_sheet_name(sheet.title, taken)
        book = Book(write_only=True)
        for sheet in sheets:
            self._write_sheet(book, sheet, taken)
        # A ZIP file whose target is closed while it is written raises again when it is deleted.
        content = io.BytesIO()
        book.save(content)
        target.write(content.getbuffer())

    def describe_cuts(self) -> list[str]:
        """Return a sentence for each kind of thing that did not fit."""
        notes = []
        if self.num_cut_texts:
            notes.append(f"texts cut at {MAX_CELL_CHARS:,} characters, the most of a cell: {self.num_cut_texts:,}")
        if self.num_cut_columns:
            notes.append(f"columns left out beyond {MAX_COLUMNS:,}, the most of a sheet: {self.num_cut_columns:,}")
        return [f"{note}. csv, jsonl and parquet have no such limit." for note in notes]

    def _collect_lists(self, locations: Sequence[Location]) -> None:
        """Find the lists in some values, also in the elements of other lists, in the order of the document."""
        stack = list(reversed(locations))
        while stack:
            location = stack.pop()
            if isinstance(location.value, dict):
                stack.extend(reversed(list(location.members())))
            elif isinstance(location.value, list) and _needs_sheet(location.value):
                elements = list_elements([location])
                sheet = self._lists.setdefault(id(location.node), _Sheet(_name_list(location)))
                sheet.locations += elements
                stack.extend(reversed(elements))

    def _write_sheet(self, book: Any, sheet: _Sheet, taken: set[str]) -> None:
        """Write the rows of a sheet, and go on in further sheets where they are too many. openpyxl is not typed."""
        records = build_records(self._document, sheet.locations, provenance=self._provenance, show_cell=self._show_cell)
        self.num_cut_columns += max(len(records.columns) - MAX_COLUMNS, 0)
        header: list[Any] = records.columns[:MAX_COLUMNS]
        rows: Iterator[list[Any]] = (row[:MAX_COLUMNS] for row in records.rows)
        name = sheet.name
        while True:
            target = book.create_sheet(name)
            self._append(target, [header])
            self._append(target, islice(rows, MAX_ROWS - 1))
            following = next(rows, None)
            if following is None:
                return
            rows = chain([following], rows)
            name = make_sheet_name(sheet.title, taken)

    def _append(self, sheet: Any, rows: Iterable[list[Any]]) -> None:
        for row in rows:
            cells = map(self._to_cell_value, row)
            sheet.append([_build_text_cell(sheet, cell) if isinstance(cell, str) else cell for cell in cells])

    def _show_cell(self, location: Location) -> Any:
        value = location.value
        sheet = self._lists.get(id(location.node))
        if sheet is not None and isinstance(value, list) and _needs_sheet(value):
            return f"{format_count(len(value), 'row')} in sheet {sheet.name}"
        return dump_json(value) if isinstance(value, dict | list) else value

    def _to_cell_value(self, value: Scalar) -> Scalar:
        if not isinstance(value, str):
            is_inexact = isinstance(value, int) and abs(value) >= _FIRST_INEXACT_INTEGER
            return str(value) if is_inexact else value
        text = _NOT_IN_XML.sub(lambda match: f"\\u{ord(match.group()):04x}", value)
        # Excel counts UTF-16 code units.
        units = text.encode("utf-16-le")
        num_units = len(units) // 2
        if num_units <= MAX_CELL_CHARS:
            return text
        self.num_cut_texts += 1
        note = f"… [cut: {num_units:,} characters in all]"
        return units[: 2 * (MAX_CELL_CHARS - len(note))].decode("utf-16-le", "ignore") + note


def make_sheet_name(title: str, taken: set[str]) -> str:
    """Return a name that Excel allows and that no sheet has yet, where case does not count, and add it to the taken.

    Args:
        title: what the sheet holds.
        taken: the names so far, in lower case.
    """
    plain = _NOT_IN_NAMES.sub("_", _NOT_IN_XML.sub("_", title)).strip("' ") or "sheet"
    name, number = plain[:MAX_NAME_CHARS].rstrip("' "), 1
    while not name or name.casefold() in taken:
        number += 1
        suffix = f"_{number}"
        name = plain[: MAX_NAME_CHARS - len(suffix)] + suffix
    taken.add(name.casefold())
    return name


def _needs_sheet(values: list[Any]) -> bool:
    """Whether a list has more in it than one cell shows well."""
    return bool(values) and (
        any(isinstance(value, dict | list) for value in values) or len(dump_json(values)) > MAX_CELL_CHARS
    )


def _name_list(location: Location) -> str:
    """Return the names on the way to a list, such as `totals.taxes`; `result` where there are none."""
    return ".".join(step for step in location.node.steps if step) or "result"


def _build_text_cell(sheet: Any, text: str) -> Any:
    """Build a cell that a spreadsheet shows as text, even if it looks like a formula."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    cell.quotePrefix = is_formula(text)
    return cell
