"""A result as tables: one for each list of objects, named by its path, and one for the document itself.

Each row has its `_path`, its lowest `_confidence` and first `_page`, its number `_row`, and the number of the
row that holds it, `_parent`; what stands once beside a list, or in the row that holds it, stands in each row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llx_mcp.result.document import Document
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.sanitize import dump_json

DOCUMENT = "document"
TABLES = "tables"
TABLE_COLUMNS = ("name", "num_rows", "columns")
FIELDS = "fields"
FIELD_COLUMNS = ("path", "name", "value", "number", "type", "confidence", "page", "quote")
ROW_COLUMNS = ("_path", "_row", "_parent", "_confidence", "_page")

_ODD = re.compile(r"\W+")
_MOST_COLUMNS = 500
_MOST_HELD = 40
_MOST_NAMED = 5
_LONGEST_HELD = 100
_LARGEST = 1 << 63


@dataclass(frozen=True)
class Source:
    """Where a column's cells come from.

    Attributes:
        node: the field.
        up: how many lists lie between the field's holder and the table's rows; 0 for the rows' own fields.
    """

    name: str
    node: Node
    up: int


@dataclass(frozen=True)
class SqlTable:
    """One table.

    Attributes:
        name: as it is written in SQL, without quotes.
        node: the objects that are its rows; the result itself for the document.
        sources: its columns but for `ROW_COLUMNS`.
        parent: the table whose rows hold these.
        left_out: columns beyond what a table may have.
    """

    name: str
    node: Node
    sources: tuple[Source, ...]
    parent: "SqlTable | None"
    left_out: int = 0

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return [source.name for source in self.sources] + list(ROW_COLUMNS)

    @property
    def positions(self) -> list[int]:
        """The positions of the rows among the node's values."""
        return [i for i, value in enumerate(self.node.values) if isinstance(value, dict)]


def find_sql_tables(document: Document) -> list[SqlTable]:
    """The tables of a result, holders before what they hold."""
    found: dict[int, SqlTable] = {}
    names = {FIELDS, TABLES}
    for node in walk_nodes(document.root):
        is_root = node is document.root
        if not node.types["object"] or not (is_root or node.indices is not None):
            continue
        parent = None if is_root else _holder(node, found)
        name = _unused(DOCUMENT if is_root else _name(node), names)
        own = [Source("", child, 0) for child in _scalar_fields(node)]
        held = _held(parent)
        sources = _named(node, own[:_MOST_COLUMNS], held)
        sql_table = SqlTable(name, node, sources, parent, max(len(own) - _MOST_COLUMNS, 0))
        found[id(node)] = sql_table
    return [sql_table for sql_table in found.values() if sql_table.sources]


def table_rows(sql_tables: list[SqlTable], num_values: int) -> list[list[Any]]:
    """The tables that a query can read, as rows of `tables`; the columns that every table has are left out."""
    rows: list[list[Any]] = [[sql_table.name, len(sql_table.positions), _listed(sql_table)] for sql_table in sql_tables]
    return [*rows, [FIELDS, num_values, ", ".join(FIELD_COLUMNS)]]


def table_groups(sql_tables: list[SqlTable]) -> list[list[str]]:
    """Tables that have the same columns, with their numbers of rows, and these columns."""
    groups: dict[str, list[SqlTable]] = {}
    for sql_table in sql_tables:
        groups.setdefault(_listed(sql_table), []).append(sql_table)
    rows = []
    for columns, group in groups.items():
        named = [f"{sql_table.name} ×{len(sql_table.positions)}" for sql_table in group[:_MOST_NAMED]]
        more = len(group) - _MOST_NAMED
        rows.append([", ".join([*named, f"{more} more, each named by its path"] if more > 0 else named), columns])
    return rows


def _listed(sql_table: SqlTable) -> str:
    columns = ", ".join(source.name for source in sql_table.sources)
    return f"{columns} and {sql_table.left_out} more in {FIELDS}" if sql_table.left_out else columns


def iter_rows(sql_table: SqlTable, document: Document) -> Iterator[list[Any]]:
    """The rows of a table, in the order of the document."""
    positions = sql_table.positions
    cells = [_cells(sql_table.node, positions, source) for source in sql_table.sources]
    numbers = _numbers(sql_table.parent)
    confidences, pages = _provenance(sql_table, document, positions)
    for row, position in enumerate(positions):
        holder = _holder_position(sql_table, position)
        parent = None if holder is None else numbers.get(holder)
        yield [column[row] for column in cells] + [
            sql_table.node.path_of(position) or "$", row, parent, confidences[row], pages[row],
        ]  # fmt: skip


def iter_fields(document: Document) -> Iterator[list[Any]]:
    """Every value that is not null as a row of `fields`."""
    for column in document.columns:
        name = next((step for step in reversed(column.node.steps) if step is not None), "")
        for position, value in enumerate(column.node.values):
            if value is None or isinstance(value, dict | list):
                continue
            page, quote = document.first_citation(column.entries[position])
            yield [
                column.node.path_of(position) or "$",
                name,
                value if isinstance(value, str) else dump_json(value),
                _number(value),
                _type(value),
                column.confidences[position],
                page,
                quote,
            ]


def _holder(node: Node, found: dict[int, SqlTable]) -> SqlTable | None:
    above = node.parent
    while above is not None and id(above) not in found:
        above = above.parent
    return found[id(above)] if above is not None else None


def _holder_position(sql_table: SqlTable, position: int) -> int | None:
    """The position of the row of the parent table that holds a row."""
    if sql_table.parent is None:
        return None
    node = sql_table.node
    while node is not sql_table.parent.node and node.parent is not None:
        position = position if node.parent_positions is None else node.parent_positions[position]
        node = node.parent
    return position


def _numbers(parent: SqlTable | None) -> dict[int, int]:
    return {} if parent is None else {position: row for row, position in enumerate(parent.positions)}


def _scalar_fields(node: Node) -> list[Node]:
    """Fields of an object that are scalars or lists of them, those of nested objects included."""
    found: list[Node] = []
    stack = list(reversed(node.members.values()))
    while stack:
        child = stack.pop()
        is_listed = child.element is not None and not child.element.types["object"]
        if child.has_scalars or is_listed or not +child.types:
            found.append(child)
        stack.extend(reversed(child.members.values()))
    return found


def _held(parent: SqlTable | None) -> list[Source]:
    """The holder's own short scalars; what holds the holder is among its columns already."""
    if parent is None:
        return []
    short = [source for source in parent.sources if source.node.has_scalars and source.node.element is None]
    return [
        Source(source.name, source.node, source.up + 1)
        for source in short[:_MOST_HELD]
        if all(len(value) <= _LONGEST_HELD for value in source.node.values if isinstance(value, str))
    ]


def _named(node: Node, own: list[Source], held: list[Source]) -> tuple[Source, ...]:
    names = set(ROW_COLUMNS)
    depth = len(node.steps)
    named = [
        Source(_unused("_".join(step or "" for step in source.node.steps[depth:]), names), source.node, 0)
        for source in own
    ]
    # A holder's field of the same name is told apart by its holder.
    named += [Source(_unused(source.name, names, "parent_"), source.node, source.up) for source in held]
    return tuple(named)


def _name(node: Node) -> str:
    return _plain("_".join(step for step in node.steps if step is not None)) or "rows"


def _plain(name: str) -> str:
    normalize_text = _ODD.sub("_", name).strip("_")[:60]
    return f"_{normalize_text}" if normalize_text[:1].isdigit() else normalize_text


def _unused(name: str, names: set[str], prefix: str = "") -> str:
    normalize_text = _plain(name) or "value"
    candidate, number = normalize_text, 1
    while candidate.lower() in names:
        number += 1
        candidate = f"{prefix}{normalize_text}" if prefix and number == 2 else f"{normalize_text}_{number}"
    names.add(candidate.lower())
    return candidate


def _cells(node: Node, positions: list[int], source: Source) -> list[Any]:
    """The cells of a column, one for each row."""
    if source.up:
        return _held_cells(node, positions, source)
    chain = _chain(source.node, node)
    at = {_climb(position, chain): _cell(value) for position, value in enumerate(source.node.values)}
    return [at.get(position) for position in positions]


def _held_cells(node: Node, positions: list[int], source: Source) -> list[Any]:
    ancestors = set()
    above: Node | None = source.node
    while above is not None:
        ancestors.add(id(above))
        above = above.parent
    at, holder_node = list(positions), node
    while id(holder_node) not in ancestors and holder_node.parent is not None:
        parent_positions = holder_node.parent_positions
        at = at if parent_positions is None else [parent_positions[position] for position in at]
        holder_node = holder_node.parent
    return _cells(holder_node, at, Source(source.name, source.node, 0))


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return dump_json(value)
    # SQLite's integers have 64 bits.
    return str(value) if isinstance(value, int) and abs(value) >= _LARGEST else value


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Beyond SQLite's integers the nearest double, where there is one; `value` has every digit.
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return float(value) if abs(value) < 10**300 else None
    return value


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"


def _provenance(
    sql_table: SqlTable, document: Document, positions: list[int]
) -> tuple[list[float | None], list[int | float | None]]:
    """The lowest confidence and the first page of each row."""
    confidences: list[float | None] = [None] * len(positions)
    pages: list[int | float | None] = [None] * len(positions)
    if not document.has_metadata:
        return confidences, pages
    rows = {position: row for row, position in enumerate(positions)}
    for source in sql_table.sources:
        if source.up or not source.node.has_scalars:
            continue
        chain = _chain(source.node, sql_table.node)
        column = document.column(source.node)
        for position, entry in enumerate(column.entries):
            row = rows.get(_climb(position, chain)) if entry is not None else None
            if row is None:
                continue
            confidence = column.confidences[position]
            known = confidences[row]
            if confidence is not None and (known is None or confidence < known):
                confidences[row] = confidence
            if pages[row] is None:
                pages[row], _ = document.first_citation(entry)
    return confidences, pages


def _chain(node: Node, top: Node) -> list[list[int] | None]:
    chain: list[list[int] | None] = []
    while node is not top and node.parent is not None:
        chain.append(node.parent_positions)
        node = node.parent
    return chain


def _climb(position: int, chain: list[list[int] | None]) -> int:
    for parent_positions in chain:
        position = position if parent_positions is None else parent_positions[position]
    return position
