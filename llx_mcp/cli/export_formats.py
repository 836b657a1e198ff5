"""Writes the values of a result as JSON, JSON lines, CSV, Parquet or an Excel workbook."""

import importlib
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

from llx_mcp.errors import MissingExtraError
from llx_mcp.result.document import Document
from llx_mcp.result.jsonpath import find_values
from llx_mcp.result.location import Location
from llx_mcp.result.paths import show_path
from llx_mcp.result.records import build_records, find_nested_lists, list_elements, write_csv
from llx_mcp.result.sanitize import dump_json

# Writes the values at a path, and returns notes about what did not fit into the format.
Writer: TypeAlias = Callable[[Document, list[Location], IO[bytes], bool], list[str]]

_FIRST_TOO_LARGE_FOR_INT64 = 1 << 63
# The libraries that some formats need. They belong to an extra.
_LIBRARIES = {"parquet": "pyarrow", "xlsx": "openpyxl"}


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written.

    Attributes:
        num_records: the number of records.
        notes: a sentence for each kind of thing that did not fit into the format.
    """

    num_records: int
    notes: list[str]


def check_format(format_name: str) -> None:
    """Check that a format can be written, before there is anything to write.

    Raises:
        MissingExtraError: the format needs a library that is not installed.
    """
    library = _LIBRARIES.get(format_name)
    if library is None:
        return
    try:
        importlib.import_module(library)
    except ImportError:
        raise MissingExtraError(f"--format {format_name}", "export") from None


def export(document: Document, path: str, format_name: str, target: IO[bytes], *, provenance: bool) -> ExportResult:
    """Write the values at a path.

    Args:
        document: the result with its provenance.
        path: what to write. If it leads to one list, each element is a record.
        format_name: one of `EXPORT_FORMATS`, which `check_format` has checked.
        target: a binary file.
        provenance: add confidence, page and quote to each value.

    Raises:
        PathError: the path is not valid or matches nothing.
    """
    matches = list(find_values(document.root, path))
    notes = WRITERS[format_name](document, matches, target, provenance)
    is_one_value = format_name == "json" and not provenance
    return ExportResult(len(matches if is_one_value else list_elements(matches)), notes)


def _write_json(document: Document, matches: list[Location], target: IO[bytes], provenance: bool) -> list[str]:
    if provenance:
        values: Any = _with_provenance(document, list_elements(matches))
    elif len(matches) == 1:
        values = matches[0].value
    else:
        values = [location.value for location in matches]
    target.write(encode_json(values, indent=2) + b"\n")
    return []


def _write_jsonl(document: Document, matches: list[Location], target: IO[bytes], provenance: bool) -> list[str]:
    locations = list_elements(matches)
    values = _with_provenance(document, locations) if provenance else [location.value for location in locations]
    for value in values:
        target.write(encode_json(value) + b"\n")
    return []


def _with_provenance(document: Document, locations: list[Location]) -> list[dict[str, Any]]:
    records = build_records(document, locations, provenance=True)
    return [dict(zip(records.columns, row, strict=True)) for row in records.rows]


def _write_csv(document: Document, matches: list[Location], target: IO[bytes], provenance: bool) -> list[str]:
    locations = list_elements(matches)
    write_csv(build_records(document, locations, provenance=provenance), target)
    return _describe_nested(locations)


def _describe_nested(locations: list[Location]) -> list[str]:
    """Return a note for each list that is one cell of a single row, with the path that makes rows of it."""
    nested = find_nested_lists(locations[0]) if len(locations) == 1 else []
    paths = [(show_path(location.path), len(location.value)) for location in nested]
    return [
        f"{path}: its {count:,} elements are one cell. llx-mcp export with --path {shlex.quote(path)} writes a row for "
        "each, and xlsx has a sheet for each list."
        for path, count in paths
    ]


def _write_parquet(document: Document, matches: list[Location], target: IO[bytes], provenance: bool) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = build_records(document, list_elements(matches), provenance=provenance)
    columns: list[list[Any]] = [[] for _ in records.columns]
    for row in records.rows:
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    arrays = [pa.array(_unify_types(column)) for column in columns]
    pq.write_table(pa.table(arrays, names=_make_distinct(records.columns)), target)
    return []


def _write_xlsx(document: Document, matches: list[Location], target: IO[bytes], provenance: bool) -> list[str]:
    from llx_mcp.cli.workbook import Workbook

    book = Workbook(document, provenance=provenance)
    book.write(matches, target)
    return book.describe_cuts()


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


def encode_json(value: Any, indent: int | None = None) -> bytes:
    """Return a value as JSON in UTF-8; a lone surrogate becomes its escape."""
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return text.encode("utf-8", "backslashreplace")


def _escape_surrogates(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


WRITERS: dict[str, Writer] = {
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": _write_xlsx,
}
