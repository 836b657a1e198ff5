"""The values at a path as records: flat rows of the same columns, for files that people and programs take along."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from llx_mcp.result.document import Document
from llx_mcp.result.jsonpath import PathError, explain_no_match, find_places, parse_path
from llx_mcp.result.location import Place
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


def find_values(document: Document, path: str) -> list[Place]:
    """The places that a path names.

    Raises:
        PathError: the path cannot be read, or names nothing.
    """
    segments = parse_path(path.strip() or "$")
    places = list(find_places(segments, document.root))
    if not places:
        raise PathError(explain_no_match(path, segments, document.root))
    return places


def elements_of(places: list[Place]) -> list[Place]:
    """The same places, but for a single list, which stands for its elements."""
    if len(places) == 1 and isinstance(places[0].value, list):
        return list(places[0].elements(range(len(places[0].value))))
    return places


def build_records(document: Document, places: list[Place], *, provenance: bool) -> Records:
    """Places as rows: an object is a row of its fields, those of nested objects included; any other value is one cell.

    Args:
        document: where provenance is known.
        places: what to write, a row each.
        provenance: add confidence, page and quote beside each column.
    """
    names: dict[str, None] = {}
    for place in places:
        for name, _ in _cells(place):
            names.setdefault(name)
    columns = list(names)
    labels = ["_path"]
    for name in columns:
        labels += [name, *(f"{name}.{what}" for what in PROVENANCE)] if provenance else [name]
    return Records(labels, _rows(document, places, columns, provenance=provenance))


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


def _rows(document: Document, places: list[Place], columns: list[str], *, provenance: bool) -> Iterator[list[Any]]:
    for place in places:
        cells = dict(_cells(place))
        row: list[Any] = [show_path(place.path)]
        for name in columns:
            cell = cells.get(name)
            row.append(None if cell is None else _flat(cell.value))
            if provenance:
                row += _beside(document, cell)
        yield row


def _cells(place: Place) -> Iterator[tuple[str, Place]]:
    if not isinstance(place.value, dict) or not place.value:
        yield "value", place
        return
    stack = [(ROOT, member) for member in place.members()][::-1]
    while stack:
        prefix, member = stack.pop()
        name = join_name(prefix, member.node.step or "")
        if isinstance(member.value, dict) and member.value:
            stack.extend([(name, inner) for inner in member.members()][::-1])
        else:
            yield name, member


def _flat(value: Any) -> Any:
    return dump_json(value) if isinstance(value, dict | list) else value


def _beside(document: Document, cell: Place | None) -> list[Any]:
    if cell is None or not document.has_metadata or isinstance(cell.value, dict | list):
        return [None] * len(PROVENANCE)
    node: Node = cell.node
    column = document.column(node)
    page, quote = document.first_citation(column.entries[cell.position])
    return [column.ratings[cell.position], page, quote]
