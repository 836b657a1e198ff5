"""Answers as tables for a terminal: no wider than it, with whole ids."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from llx_mcp.answers import outputs
from llx_mcp.answers.compact_tables import is_table
from llx_mcp.answers.markdown import PARTS, render_head, render_part
from llx_mcp.answers.output_base import Output
from llx_mcp.answers.row_lines import is_cell
from llx_mcp.cli.wording import describe_next_step, describe_omission
from llx_mcp.result.paths import ROOT, join_name
from llx_mcp.result.sanitize import format_value, sanitize_line, sanitize_text

Row = Sequence[Any]

_STATUS_COLOURS = {"COMPLETED": "green", "FAILED": "red", "CANCELLED": "yellow", "ERROR": "red"}
_CELL_CHARS = 32_000
_LEAST_COLUMN = 8
_BORDER = 3
_TITLES = {
    "lowest_confidence": "Least certain values",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    """A value of a result, with its page and its confidence where they are known."""

    value: Any
    page: float | None
    confidence: float | None


def show_answer(console: Console, output: Output, source: Sequence[str]) -> None:
    """Print an answer on a terminal.

    Args:
        console: the terminal.
        output: the answer.
        source: the flags that say where jobs come from, which the commands in the answer repeat.
    """
    console.print(_build_head(output))
    for name in output.known_fields():
        # A command is one line, so that it can be copied; the terminal wraps it.
        is_wrapped = name not in ("omitted", "next_steps")
        for part in _build_part(console.width, name, getattr(output, name), source):
            console.print(part, soft_wrap=not is_wrapped)


def build_job_table(rows: Sequence[Mapping[str, str]], width: int, caption: str | None = None) -> RenderableType:
    """Build a table of jobs, with what belongs together one above the other.

    Args:
        rows: jobs, with any of the names job, document, status, time, created, name and note.
        width: columns of the terminal.
        caption: a line below the table.
    """
    stacks = {
        "job": ("job", "document"),
        "status": ("status", "time"),
        "created": ("created",),
        "about": ("name", "note"),
    }
    used = [title for title, names in stacks.items() if any(row.get(name) for row in rows for name in names)]
    cells = [[_stack([row.get(name, "") for name in stacks[title]]) for title in used] for row in rows]
    for row, shown in zip(rows, cells, strict=True):
        if "status" in used:
            status = row.get("status", "")
            shown[used.index("status")].stylize(_STATUS_COLOURS.get(status, "cyan"), 0, len(status))
    return _build_table(used, cells, width, whole=("job", "status"), caption=caption)


def _stack(texts: Sequence[str]) -> Text:
    return Text("\n").join(Text(text, style="dim" if index else "") for index, text in enumerate(texts) if text)


def _build_head(output: Output) -> Text:
    head = Text(sanitize_text(render_head(output)).replace("**", "").rstrip())
    status = getattr(output, "status", None)
    if status:
        head.stylize(f"bold {_STATUS_COLOURS.get(status, 'cyan')}", 0, len(status))
    return head


def _build_part(width: int, name: str, value: Any, source: Sequence[str]) -> Iterator[RenderableType]:
    """Yield what a terminal shows of one part of an answer."""
    match name:
        case "result":
            yield from build_result(value, width)
        case "result_as_tables" | "cited_result":
            yield from build_result(_unpack(value, with_cells=name == "cited_result"), width)
        case "jobs":
            yield Text("")
            yield build_job_table([_describe_job(value.columns, row) for row in value.rows], width)
        case "omitted":
            yield Text("\n" + "\n".join(f"Left out: {describe_omission(item, source)}" for item in value))
        case "next_steps":
            yield Text("\n" + "\n".join(f"Next: {describe_next_step(step, source)}" for step in value))
        case _ if isinstance(value, outputs.Table):
            yield from _build_titled(name, value, width)
        case _ if isinstance(value, list) and all(isinstance(table, outputs.Table) for table in value):
            for table in value:
                yield from _build_titled(name, table, width)
        case _ if text := render_part(name, value).strip() if name in PARTS else "":
            yield Text(sanitize_text(text))


def _build_titled(name: str, table: outputs.Table, width: int) -> Iterator[RenderableType]:
    yield Text(f"\n{_TITLES.get(name, name.replace('_', ' ').capitalize())}", style="bold")
    yield _build_table(table.columns, table.rows, width, whole=("path",))


def _describe_job(columns: Sequence[str], cells: Row) -> dict[str, str]:
    """Name the cells of a job as `build_job_table` does."""
    row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
    seconds, created = row.get("seconds"), row.get("created_at", "")
    texts = {"job": row.get("job_id"), "status": row.get("status"), "document": row.get("document")}
    texts |= {"name": row.get("name"), "note": row.get("note"), "created": created.replace("T", " ").removesuffix("Z")}
    texts["time"] = None if seconds is None else f"{seconds:,} s"
    return {name: str(text) for name, text in texts.items() if text}


def build_result(result: Any, width: int) -> Iterator[RenderableType]:
    """Yield the fields of a result as a table, and each list of objects as a table of its own.

    Args:
        result: JSON, whose values may be cells.
        width: columns of the terminal.
    """
    lists: list[tuple[str, list[Any]]] = []
    fields: list[tuple[str, Any]] = []
    for name, value in _iter_fields("", result):
        (lists if _is_list_of_objects(value) else fields).append((name, value))
    if fields:
        yield Text("")
        rows = [{"field": name or "value", "value": value} for name, value in fields]
        yield _build_value_table(rows, width, whole=("field",))
    for name, rows in lists:
        yield Text(f"\n{name or 'result'} ×{len(rows)}", style="bold")
        yield _build_value_table(rows, width)


def _build_value_table(rows: Sequence[Mapping[str, Any]], width: int, whole: Sequence[str] = ()) -> RenderableType:
    """Build a table of objects, with the pages and the lowest confidence of each row where its values are cells."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [list(_iter_cells(list(row.values()))) for row in rows]
    shown = [[_get_values(row.get(name)) for name in columns] for row in rows]
    if any(cells):
        columns += ["page", "confidence"]
        shown = [[*row, *_summarize(found)] for row, found in zip(shown, cells, strict=True)]
    return _build_table(columns, shown, width, whole=whole)


def _summarize(cells: Sequence["_Cell"]) -> tuple[str | None, float | None]:
    """Return the pages and the lowest confidence of some cells."""
    pages = sorted({cell.page for cell in cells if cell.page is not None})
    lowest = min((cell.confidence for cell in cells if cell.confidence is not None), default=None)
    return ", ".join(f"{page:g}" for page in pages) or None, lowest


def _iter_fields(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of nested objects by their paths; lists are yielded whole."""
    if not isinstance(value, dict) or not value:
        yield name, value
        return
    for step, inner in value.items():
        yield from _iter_fields(join_name(name or ROOT, step), inner)


def _unpack(value: Any, *, with_cells: bool) -> Any:
    """Return a result that was packed for a model, with its lists of objects as such.

    Args:
        value: JSON in which `{columns, rows}` stands for a list of objects.
        with_cells: whether `[value, page, confidence]` stands for a value.
    """
    if with_cells and is_cell(value):
        return _Cell(*value[:3])
    if isinstance(value, list):
        return [_unpack(item, with_cells=with_cells) for item in value]
    if not isinstance(value, dict):
        return value
    if _is_packed_list(value):
        rows = ([_unpack(cell, with_cells=with_cells) for cell in row] for row in value["rows"])
        return [dict(zip(value["columns"], row, strict=True)) for row in rows]
    return {name: _unpack(child, with_cells=with_cells) for name, child in value.items()}


def _is_packed_list(value: Any) -> bool:
    """Whether a value is a list of objects that was packed, and no object of the document with the same names."""
    if not is_table(value):
        return False
    columns, rows = value["columns"], value["rows"]
    if not isinstance(columns, list) or not isinstance(rows, list):
        return False
    are_names = all(isinstance(name, str) for name in columns)
    return are_names and all(isinstance(row, list) and len(row) == len(columns) for row in rows)


def _iter_cells(value: Any) -> Iterator["_Cell"]:
    if isinstance(value, _Cell):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _iter_cells(child)


def _get_values(value: Any) -> Any:
    """Return JSON with the values of cells in their place."""
    if isinstance(value, _Cell):
        return value.value
    if isinstance(value, list):
        return [_get_values(item) for item in value]
    return {name: _get_values(child) for name, child in value.items()} if isinstance(value, dict) else value


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and item for item in value)


def _build_table(
    columns: Sequence[str], rows: Sequence[Row], width: int, *, whole: Sequence[str] = (), caption: str | None = None
) -> RenderableType:
    """Build a table, or a list of records where the terminal is too narrow for a table.

    Args:
        columns: names of the columns.
        rows: the cells: `Text` or JSON values.
        width: columns of the terminal.
        whole: the columns that are never wrapped; numbers are not wrapped either.
        caption: a line below the table.
    """
    cells = [[cell if isinstance(cell, Text) else _build_cell(cell) for cell in row] for row in rows]
    names = [sanitize_line(name, _CELL_CHARS) for name in columns]
    sizes = [max((line.cell_len for row in cells for line in row[i].split()), default=0) for i in range(len(names))]
    are_numbers = [_are_numbers([row[i] for row in rows]) for i in range(len(names))]
    are_whole = [column in whole or is_number for column, is_number in zip(columns, are_numbers, strict=True)]
    least = [
        max(size if is_whole else min(size, _LEAST_COLUMN), min(len(name), _LEAST_COLUMN))
        for name, size, is_whole in zip(names, sizes, are_whole, strict=True)
    ]
    if sum(least) + _BORDER * len(names) > width:
        return _build_records(names, cells)
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", show_edge=False)
    for index, name in enumerate(names):
        table.add_column(
            Text(name, overflow="fold"),
            no_wrap=are_whole[index],
            min_width=least[index],
            overflow="fold",
            justify="right" if are_numbers[index] else "left",
        )
    for row in cells:
        table.add_row(*row)
    return table


def _build_records(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> Group:
    return Group(
        *(
            Text("\n")
            .join([Text.assemble((f"{name}: ", "bold"), cell) for name, cell in zip(names, row, strict=True) if cell])
            .append("\n")
            for row in rows
        )
    )


def _are_numbers(values: Sequence[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given)


def _build_cell(value: Any) -> Text:
    # As Text, so that markup in the text of a document or the service has no effect.
    if value is None:
        return Text("")
    return Text(sanitize_line(format_value(value), _CELL_CHARS))
