"""Rows of tables, and the cells in them, as lines of the text form."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from llx_mcp.answers.citation_outputs import AS_CITED
from llx_mcp.result.sanitize import dump_json

Row = Sequence[Any]
_CELL_LENGTH = 3
# Text that can end neither a fence nor a cell.
_WORD = re.compile(r"[A-Za-z0-9][\w.:-]*\Z", re.ASCII)


def row_line(cells: str | None) -> Callable[[Row], str]:
    """Return what renders a row of values: its path, then its values as JSON or, where `cells` says so, as cells."""
    show = dump_json if cells is None else format_cited
    return lambda row: " | ".join([row[0], *map(show, row[1:])])


def value_line(row: Row) -> str:
    """Render one value with its provenance: `0.31 | p. 1 | total = 12.5 | "Total due 12.50"`."""
    path, value, confidence, page, *quotes = row
    quote = quotes[0] if quotes else None
    shown = "no confidence" if confidence is None else f"{confidence:g}"
    place = f"p. {page:g}" if page is not None else "no page" if quote is not None else "no citation"
    line = f"{shown} | {place} | {path} = {dump_json(value)}"
    return line if quote is None else f"{line} | {dump_json(quote)}"


def citation_line(row: Row) -> str:
    """Render a value that a picture shows: `1 | 0.31 | p. 1 | total = 12.5 | "Total 12.50" | verified`."""
    number, path, value, confidence, page, quote, check, marked = row
    line = value_line([path, value, confidence, page, quote])
    return " | ".join([str(number), line, check, *([] if marked == AS_CITED else [f"marked: {marked or 'nothing'}"])])


def job_line(row: Row) -> str:
    """Render one job of many, cells as JSON unless they are plain words, numbers or times."""
    return " | ".join(map(_plain_cell, row))


def query_line(row: Row) -> str:
    """Render one row of a query, its cells as JSON."""
    return " | ".join(map(dump_json, row))


def format_cell(cell: Any) -> str:
    """Return a cell as text: `52033 [p. 5, 0.93]`."""
    if not isinstance(cell, list):
        return dump_json(cell)
    value, page, confidence, *quote = cell
    facts = [f"p. {page:g}"] if page is not None else []
    facts += [f"{confidence:g}"] if confidence is not None else []
    facts += [dump_json(more) for more in quote if more is not None]
    return f"{dump_json(value)} [{', '.join(facts) or 'no citation'}]"


def format_cited(value: Any) -> str:
    """Return a result whose values are cells as text: `{"total":12.5 [p. 1, 0.93]}`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump_json(name)}:{format_cited(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list) and value and not is_cell(value):
        return "[" + ",".join(map(format_cited, value)) + "]"
    return format_cell(value) if value else dump_json(value)


def is_cell(value: Any) -> bool:
    """Whether a list stands for a value with its provenance: the value, then page and confidence, or null."""
    if not isinstance(value, list) or len(value) < _CELL_LENGTH or not isinstance(value[0], str | int | float):
        return False
    return all(fact is None or isinstance(fact, int | float) for fact in value[1:_CELL_LENGTH])


def hit_line(row: Row) -> str:
    """Render one object that was found: its path, its fields with page and confidence, and how many more it has."""
    path, cells, *more = row
    fields = "; ".join(f"{name} = {format_cell(cell)}" for name, cell in cells.items())
    return f"{path}: {fields} (+{more[0]})" if any(more) else f"{path}: {fields}"


def source_line(row: Row) -> str:
    """Render one line of the document: `page:line | "text"`."""
    page, line, text = row
    return f"{page}:{line} | {dump_json(text)}"


def source_place(row: Row) -> str:
    """Render one place of the document: `page:line | how it was found | "words"`, or only `page:line`."""
    page, line, *facts = row
    place = f"{page}:{line}"
    return f"{place} | {facts[0]} | {dump_json(facts[1])}" if facts else place


def finding_line(row: Row) -> str:
    """Render one group of findings: `kind | path | 3 of 9: [0] [3] [7] | example = value [page, confidence] | why`.

    A group of one is its exact path with the value.
    """
    kind, path, count, total, where, example, value, why = row
    shown = "" if value is None else f" = {format_cell(value)}"
    cells = [kind, path if example is not None else f"{path}{shown}"]
    if total > 1:
        rows = " rows" if kind == "required" else ""
        cells.append(f"{count} of {total}{rows}{f': {where}' if where is not None else ''}")
    if example is not None:
        cells.append(f"{example}{shown}")
    return " | ".join([*cells, *([] if why is None else [why])])


def _plain_cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) and _WORD.match(value) else dump_json(value)
