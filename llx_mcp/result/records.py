"""The values at a path as records: flat rows of the same columns, for files that people and programs take along."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from llx_mcp.result.document import Document
from llx_mcp.result.jsonpath import PathError, explain_no_match, find_locations, parse_path
from llx_mcp.result.location import Location
from llx_mcp.result.outline import Node
from llx_mcp.result.paths import ROOT, join_name, show_path
from llx_mcp.result.sanitize import dump_json

_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
PROVENANCE = ("confidence", "page", "quote")


@dataclass(frozen=True, slots=True)
class Records:
    """Rows of the same columns; a list or an empty object within a row is its JSON."""

    columns: list[str]
    rows: Iterator[list[Any]]


def find_values(document: Document, path: str) -> list[Location]:
    """The places that a path names.

    Raises:
        PathError: the path cannot be read, or names nothing.
    """
    segments = parse_path(path.strip() or "$")
    locations = list(find_locations(segments, document.root))
    if not locations:
        raise PathError(explain_no_match(path, segments, document.root))
    return locations


def list_elements(locations: list[Location]) -> list[Location]:
    """The same places, but for a single list, which stands for its elements."""
    if len(locations) == 1 and isinstance(locations[0].value, list):
        return list(locations[0].elements(range(len(locations[0].value))))
    return locations


def build_records(document: Document, locations: list[Location], *, provenance: bool) -> Records:
    """Places as rows: an object is a row of its fields, those of nested objects included; any other value is one cell.

    Args:
        document: where provenance is known.
        places: what to write, a row each.
        provenance: add confidence, page and quote beside each column.
    """
    names: dict[str, None] = {}
    for location in locations:
        for name, _ in _cells(location):
            names.setdefault(name)
    columns = list(names)
    labels = ["_path"]
    for name in columns:
        labels += [name, *(f"{name}.{what}" for what in PROVENANCE)] if provenance else [name]
    return Records(labels, _rows(document, locations, columns, provenance=provenance))


def write_csv(records: Records, target: IO[bytes]) -> None:
    """Write records as CSV (RFC 4180, UTF-8), in which no cell is a formula."""
    text = io.TextIOWrapper(target, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(map(harmless, records.columns))
    for row in records.rows:
        writer.writerow([_csv_cell(cell) for cell in row])
    text.detach()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before what would begin one."""
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might compute a text instead of showing it."""
    return bool(_FORMULA.match(text)) and not _NUMBER.match(text)


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, str):
        return harmless(cell)
    return dump_json(cell) if isinstance(cell, bool) else cell


def _rows(
    document: Document, locations: list[Location], columns: list[str], *, provenance: bool
) -> Iterator[list[Any]]:
    for location in locations:
        cells = dict(_cells(location))
        row: list[Any] = [show_path(location.path)]
        for name in columns:
            cell = cells.get(name)
            row.append(None if cell is None else _flat(cell.value))
            if provenance:
                row += _beside(document, cell)
        yield row


def _cells(location: Location) -> Iterator[tuple[str, Location]]:
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


def _flat(value: Any) -> Any:
    return dump_json(value) if isinstance(value, dict | list) else value


def _beside(document: Document, cell: Location | None) -> list[Any]:
    if cell is None or not document.has_metadata or isinstance(cell.value, dict | list):
        return [None] * len(PROVENANCE)
    node: Node = cell.node
    column = document.column(node)
    page, quote = document.first_citation(column.entries[cell.position])
    return [column.confidences[cell.position], page, quote]
