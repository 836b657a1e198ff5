"""Writes the values of a result as JSON, JSON lines, CSV, Parquet or an Excel workbook."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

from llx_mcp.errors import ArgumentError, ConfigurationError
from llx_mcp.result.document import Document
from llx_mcp.result.location import Location
from llx_mcp.result.records import build_records, find_values, is_formula, list_elements, write_csv
from llx_mcp.result.sanitize import dump_json

Scalar: TypeAlias = str | int | float | bool | None
Writer: TypeAlias = Callable[[Document, list[Location], IO[bytes], bool], None]

# Characters that XML, and so a workbook, cannot hold.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MAX_ROWS = 1_048_575
_MAX_CELL_CHARS = 32_767
# The numbers of a workbook are doubles: integers from here on are not exact.
_FIRST_INEXACT_INTEGER = 1 << 53
_FIRST_TOO_LARGE_FOR_INT64 = 1 << 63


def export(document: Document, path: str, format_name: str, target: IO[bytes], *, provenance: bool) -> int:
    """Write the values at a path, and return the number of records.

    Args:
        document: the result with its provenance.
        path: what to write. If it leads to one list, each element is a record.
        format_name: one of `FORMATS`.
        target: a binary file.
        provenance: add confidence, page and quote to each value.

    Raises:
        PathError: the path is not valid or matches nothing.
        ConfigurationError: the format needs a library that is not installed.
        ArgumentError: the values exceed a limit of the format.
    """
    matches = find_values(document, path)
    locations = matches if format_name == "json" and not provenance else list_elements(matches)
    _WRITERS[format_name](document, locations, target, provenance)
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
        raise _build_missing_library_error("pyarrow") from None
    records = build_records(document, locations, provenance=provenance)
    columns: list[list[Any]] = [[] for _ in records.columns]
    for row in records.rows:
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    arrays = [pa.array(_unify_types(column)) for column in columns]
    pq.write_table(pa.table(arrays, names=_make_distinct(records.columns)), target)


def _write_xlsx(document: Document, locations: list[Location], target: IO[bytes], provenance: bool) -> None:
    try:
        from openpyxl import Workbook
    except ImportError:
        raise _build_missing_library_error("openpyxl") from None
    if len(locations) > _MAX_ROWS:
        raise ArgumentError(
            f"--format xlsx: a sheet holds {_MAX_ROWS:,} rows, and the export has {len(locations):,}. Use csv, jsonl "
            "or parquet."
        )
    records = build_records(document, locations, provenance=provenance)
    # All cells are converted first: openpyxl cannot abandon a workbook that it has begun to write.
    rows: list[list[Scalar]] = [
        list(map(_to_cell_value, records.columns)),
        *([_to_cell_value(value) for value in row] for row in records.rows),
    ]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("result")
    for row in rows:
        sheet.append([_build_text_cell(sheet, value) if isinstance(value, str) else value for value in row])
    book.save(target)


def _build_text_cell(sheet: Any, text: str) -> Any:
    """Build a cell that a spreadsheet shows as text, even if it looks like a formula. openpyxl is not typed."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    cell.quotePrefix = is_formula(text)
    return cell


def _to_cell_value(value: Scalar) -> Scalar:
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and abs(value) >= _FIRST_INEXACT_INTEGER else value
    text = _NOT_IN_XML.sub(lambda match: f"\\u{ord(match.group()):04x}", value)
    if len(text) > _MAX_CELL_CHARS:
        raise ArgumentError(
            f"--format xlsx: a cell holds {_MAX_CELL_CHARS:,} characters, and one value has {len(text):,}. Use csv, "
            "jsonl or parquet."
        )
    return text


def _unify_types(column: list[Any]) -> list[Any]:
    """Return a column whose values have one type: numbers become floats, and other mixtures become text."""
    kinds = {type(cell) for cell in column if cell is not None}
    if kinds <= {int, float} or len(kinds) < 2:
        large = any(isinstance(cell, int) and abs(cell) >= _FIRST_TOO_LARGE_FOR_INT64 for cell in column)
        if kinds == {int, float}:
            return [None if cell is None else float(cell) for cell in column]
        if not large:
            return [_escape_surrogates(cell) if isinstance(cell, str) else cell for cell in column]
    return [
        None if cell is None else _escape_surrogates(cell) if isinstance(cell, str) else dump_json(cell)
        for cell in column
    ]


def _make_distinct(names: list[str]) -> list[str]:
    """Number repeated names, so that each is unique."""
    distinct: dict[str, None] = {}
    for name in names:
        candidate, number = name, 1
        while candidate in distinct:
            number += 1
            candidate = f"{name}_{number}"
        distinct[candidate] = None
    return list(distinct)


def _encode(value: Any, indent: int | None = None) -> bytes:
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    # UTF-8 cannot hold a lone surrogate. Its escape is valid JSON.
    return text.encode("utf-8", "backslashreplace")


def _build_missing_library_error(library: str) -> ConfigurationError:
    return ConfigurationError(f"This format needs {library}. Install it: pip install 'llx-mcp[export]'.")


def get_format_of_file(path: Path) -> str | None:
    """Return the format that the suffix of a file stands for, or None."""
    name = path.suffix.removeprefix(".").lower()
    return name if name in FORMATS else None


def _escape_surrogates(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_WRITERS: dict[str, Writer] = {
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": _write_xlsx,
}
FORMATS = tuple(_WRITERS)
