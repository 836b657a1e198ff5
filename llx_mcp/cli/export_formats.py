"""A result, or part of it, as a file: JSON, JSON lines, CSV, Parquet or a workbook."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from llx_mcp.errors import ArgumentError, ConfigurationError
from llx_mcp.result.document import Document
from llx_mcp.result.location import Location
from llx_mcp.result.records import build_records, find_values, is_formula, list_elements, write_csv
from llx_mcp.result.sanitize import dump_json

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOST_ROWS = 1_048_575
_MOST_CELL_CHARS = 32_767
# A workbook's numbers are doubles.
_EXACT = 1 << 53


def export(document: Document, path: str, form: str, target: IO[bytes], *, provenance: bool) -> int:
    """Write the values at a path; returns how many records there were.

    Args:
        document: the result with its provenance.
        path: what to write; a single list is written element by element.
        form: one of `FORMATS`.
        target: where the bytes go.
        provenance: with confidence, page and quote beside each value.

    Raises:
        PathError: the path cannot be read, or names nothing.
        ConfigurationError: the format needs a library that is not installed.
        ArgumentError: the format cannot hold so much.
    """
    found = find_values(document, path)
    locations = found if form == "json" and not provenance else list_elements(found)
    _WRITERS[form](document, locations, target, provenance)
    return len(locations)


def _write_json(document: Document, locations: list[Location], target: IO[bytes], provenance: bool) -> None:
    if provenance:
        values: Any = _with_provenance(document, locations)
    elif len(locations) == 1:
        values = locations[0].value
    else:
        values = [location.value for location in locations]
    target.write(_encode(values, indent=2) + b"\n")


def _write_jsonl(document: Document, locations: list[Location], target: IO[bytes], provenance: bool) -> None:
    values = _with_provenance(document, locations) if provenance else [location.value for location in locations]
    for value in values:
        target.write(_encode(value) + b"\n")


def _with_provenance(document: Document, locations: list[Location]) -> list[dict[str, Any]]:
    records = build_records(document, locations, provenance=True)
    return [dict(zip(records.columns, row, strict=True)) for row in records.rows]


def _write_csv(document: Document, locations: list[Location], target: IO[bytes], provenance: bool) -> None:
    write_csv(build_records(document, locations, provenance=provenance), target)


def _write_parquet(document: Document, locations: list[Location], target: IO[bytes], provenance: bool) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise _missing("pyarrow") from None
    records = build_records(document, locations, provenance=provenance)
    columns: list[list[Any]] = [[] for _ in records.columns]
    for row in records.rows:
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    arrays = [pa.array(_of_one_type(column)) for column in columns]
    pq.write_table(pa.table(arrays, names=_distinct(records.columns)), target)


def _write_xlsx(document: Document, locations: list[Location], target: IO[bytes], provenance: bool) -> None:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError:
        raise _missing("openpyxl") from None
    if len(locations) > _MOST_ROWS:
        raise ArgumentError(f"--format xlsx: a sheet holds {_MOST_ROWS:,} rows, and there are {len(locations):,}.")
    records = build_records(document, locations, provenance=provenance)
    # All is looked at before a workbook is begun, which cannot be left half-written.
    rows: list[list[Any]] = [
        list(map(_sheet_value, records.columns)),
        *([_sheet_value(value) for value in row] for row in records.rows),
    ]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("result")

    def cell(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        written = WriteOnlyCell(sheet, value=value)
        # Text, whatever it begins with; a spreadsheet shows it and does not compute it.
        written.data_type = "s"
        written.quotePrefix = is_formula(value)
        return written

    for row in rows:
        sheet.append([cell(value) for value in row])
    book.save(target)


def _sheet_value(value: Any) -> Any:
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and abs(value) >= _EXACT else value
    text = _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", value)
    if len(text) > _MOST_CELL_CHARS:
        raise ArgumentError(
            f"--format xlsx: a cell holds {_MOST_CELL_CHARS:,} characters, and one has {len(text):,}. "
            "Use csv, jsonl or parquet."
        )
    return text


def _of_one_type(column: list[Any]) -> list[Any]:
    """A column of one type, as its values are, else as text."""
    kinds = {type(cell) for cell in column if cell is not None}
    if kinds <= {int, float} or len(kinds) < 2:
        large = any(isinstance(cell, int) and abs(cell) >= 1 << 63 for cell in column)
        if kinds == {int, float}:
            return [None if cell is None else float(cell) for cell in column]
        if not large:
            return [_clean(cell) if isinstance(cell, str) else cell for cell in column]
    return [None if cell is None else _clean(cell) if isinstance(cell, str) else dump_json(cell) for cell in column]


def _distinct(names: list[str]) -> list[str]:
    taken: set[str] = set()
    distinct = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        distinct.append(candidate)
    return distinct


def _encode(value: Any, indent: int | None = None) -> bytes:
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    # A lone surrogate is no UTF-8; as an escape it is still JSON.
    return text.encode("utf-8", "backslashreplace")


def _missing(library: str) -> ConfigurationError:
    return ConfigurationError(f"This format needs {library}: pip install 'llx-mcp[export]'.")


def suffix_format(path: Path) -> str | None:
    """The format that a file's name asks for."""
    name = path.suffix.removeprefix(".").lower()
    return name if name in FORMATS else None


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_WRITERS: dict[str, Callable[[Document, list[Location], IO[bytes], bool], None]] = {
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": _write_xlsx,
}
FORMATS = tuple(_WRITERS)
