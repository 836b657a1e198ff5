"""Values as flat rows with the same columns, for CSV files and other exports."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from llx_mcp.result.document import Document
from llx_mcp.result.location import Location
from llx_mcp.result.paths import ROOT, join_name, show_path
from llx_mcp.result.sanitize import dump_json

_PROVENANCE_COLUMNS = ("confidence", "page", "quote")
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\Z")


@dataclass(frozen=True, slots=True)
class Records:
    """Rows with the same columns.

    Attributes:
        columns: the names of the columns.
        rows: the rows, each with one cell for each column; a list or an empty object is a cell of JSON.
    """

    columns: list[str]
    rows: Iterator[list[Any]]


def list_elements(locations: list[Location]) -> list[Location]:
    """Return the elements of a single list; any other locations are returned unchanged."""
    if len(locations) == 1 and isinstance(locations[0].value, list):
        return list(locations[0].elements(range(len(locations[0].value))))
    return locations


def find_nested_lists(location: Location) -> list[Location]:
    """Return the lists of several objects in the row of a location, each of which is one cell."""
    cells = (cell for _, cell in _iter_cells(location))
    return [cell for cell in cells if _has_objects(cell.value)]


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and isinstance(value[0], dict)


def show_flat(location: Location) -> Any:
    """Return the value of a cell: a list or an empty object as JSON, any other value as it is."""
    value = location.value
    return dump_json(value) if isinstance(value, dict | list) else value


def build_records(
    document: Document,
    locations: list[Location],
    *,
    provenance: bool,
    show_cell: Callable[[Location], Any] = show_flat,
) -> Records:
    """Build one row for each location.

    An object becomes a row of its fields, including those of nested objects. Any other value becomes one cell.

    Args:
        document: the document that the locations belong to.
        locations: the values to write.
        provenance: add the columns confidence, page and quote after each column.
        show_cell: returns what stands in the cell of a value.
    """
    names = list(dict.fromkeys(name for location in locations for name, _ in _iter_cells(location)))
    columns = ["_path"]
    for name in names:
        columns.append(name)
        if provenance:
            columns += [f"{name}.{column}" for column in _PROVENANCE_COLUMNS]
    return Records(columns, _iter_rows(document, locations, names, show_cell, provenance=provenance))


def write_csv(records: Records, target: IO[bytes]) -> None:
    """Write records as CSV (RFC 4180, UTF-8). Cells that look like formulas are escaped."""
    text = io.TextIOWrapper(target, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(map(_escape_formula, records.columns))
    for row in records.rows:
        writer.writerow([_csv_cell(cell) for cell in row])
    text.detach()


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might compute a text instead of showing it."""
    return bool(_FORMULA.match(text)) and not _NUMBER.match(text)


def _escape_formula(text: str) -> str:
    # Spreadsheets show what follows an apostrophe as text.
    return f"'{text}" if is_formula(text) else text


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, str):
        return _escape_formula(cell)
    return dump_json(cell) if isinstance(cell, bool) else cell


def _iter_rows(
    document: Document,
    locations: list[Location],
    names: list[str],
    show_cell: Callable[[Location], Any],
    *,
    provenance: bool,
) -> Iterator[list[Any]]:
    for location in locations:
        cells = dict(_iter_cells(location))
        row: list[Any] = [show_path(location.path)]
        for name in names:
            cell = cells.get(name)
            row.append(None if cell is None else show_cell(cell))
            if provenance:
                row += _provenance_cells(document, cell)
        yield row


def _iter_cells(location: Location) -> Iterator[tuple[str, Location]]:
    """Yield the name of the column and the value of each cell in the row of a location."""
    if not isinstance(location.value, dict) or not location.value:
        yield "value", location
        return
    stack = [(ROOT, member) for member in location.members()][::-1]
    while stack:
        prefix, member = stack.pop()
        name = join_name(prefix, member.node.step or "")
        if isinstance(member.value, dict) and member.value:
            stack.extend([(name, inner) for inner in member.members()][::-1])
        else:
            yield name, member


def _provenance_cells(document: Document, cell: Location | None) -> list[Any]:
    if cell is None or not document.has_metadata or isinstance(cell.value, dict | list):
        return [None] * len(_PROVENANCE_COLUMNS)
    column = document.column(cell.node)
    page, quote = document.first_citation(column.entries[cell.position])
    return [column.confidences[cell.position], page, quote]
