"""A result as SQL tables: one table for each list, named by its path, and one for the document itself.

Besides its data columns each row has `_path`, its path in the result, and `_row` and `_parent`, its number and the
number of the row of the parent table that contains it. The elements of a list of scalars are the column `value`.

For each data column there are further ones: `<column>_page`, `<column>_confidence` and `<column>_quote`, and what can
be read from its text, `<column>_number` and `<column>_date`.

Each row repeats the short fields of the rows that contain it, and those of the document, so that most queries need no
join. `SELECT *` shows the data columns; further columns, row numbers and fields of the document appear where a query
names them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.outline import Node, ancestor_position, levels_between, walk_members, walk_nodes
from llx_mcp.result.readings import find_decimal_mark, read_date, read_number
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sql_cells import CellCutter, to_cell, to_number, type_name

DOCUMENT = "document"
# The table that lists the tables.
TABLES = "tables"
TABLE_COLUMNS = ("name", "num_rows", "columns")
# The table of all values.
FIELDS = "fields"
FIELD_COLUMNS = ("path", "name", "value", "number", "type", "confidence", "page", "quote")
ROW_COLUMNS = ("_path", "_row", "_parent")
# The further columns of each data column, by their endings.
DETAILS = ("page", "confidence", "quote", "number", "date")

# The most columns that a table has besides those that it inherits.
MAX_COLUMNS = 500

_NON_WORD = re.compile(r"\W+")
_MAX_NAME_CHARS = 60
_MAX_STEP_CHARS = 400
_MAX_INHERITED_COLUMNS = 40
_MAX_INHERITED_CHARS = 100


@dataclass(frozen=True)
class TableColumn:
    """A data column of a table.

    Attributes:
        name: the name in SQL, without quotes.
        node: the field that the cells come from.
        is_inherited: whether the field belongs to the rows that contain the table's rows.
    """

    name: str
    node: Node
    is_inherited: bool

    @property
    def is_hidden(self) -> bool:
        """Whether `SELECT *` leaves the column out: it says the same in every row, since it belongs to the document."""
        return self.is_inherited and not any(step is None for step in self.node.steps)


@dataclass(frozen=True)
class SqlTable:
    """One table.

    Attributes:
        name: the name in SQL, without quotes.
        node: the objects that are the rows; the result itself for the table of the document.
        data_columns: the columns without `ROW_COLUMNS`.
        parent: the table whose rows contain these rows.
        num_omitted: the number of fields left out because a table has too many.
    """

    name: str
    node: Node
    data_columns: tuple[TableColumn, ...]
    parent: "SqlTable | None"
    num_omitted: int = 0

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [column.name for column in self.data_columns] + list(ROW_COLUMNS)

    @property
    def positions(self) -> list[int]:
        """For each row, its position in `node.values`."""
        kinds: type | tuple[type, ...] = dict if self.node.types["object"] else (str, int, float)
        return [i for i, value in enumerate(self.node.values) if isinstance(value, kinds)]


def find_sql_tables(document: Document) -> list[SqlTable]:
    """Return the tables of a result, parents before their children."""
    tables: dict[int, SqlTable] = {}
    names = {FIELDS, TABLES}
    for node in walk_nodes(document.root):
        is_root = node is document.root
        is_list = node.indices is not None and (node.types["object"] or node.has_scalars)
        if not is_list and not (is_root and node.types["object"]):
            continue
        parent = None if is_root else _find_parent(node, tables)
        name = make_unique(DOCUMENT if is_root else _table_name(node), names)
        fields = _find_fields(node)
        columns = _build_columns(node, fields[:MAX_COLUMNS], parent)
        tables[id(node)] = SqlTable(name, node, columns, parent, max(len(fields) - MAX_COLUMNS, 0))
    return [table for table in tables.values() if table.data_columns]


def last_name(node: Node) -> str:
    """Return the name of a field, as the names of tables and columns end in it; empty for the result itself."""
    last = next((step for step in reversed(node.steps) if step is not None), "")
    return _NON_WORD.sub("_", last[:_MAX_STEP_CHARS]).strip("_")[:_MAX_NAME_CHARS]


def name_objects(node: Node, *, within_row: bool = False) -> Iterator[str]:
    """Yield the names of the objects that contain a field, in lower case: as tables are named, and without the path.

    Args:
        node: the field.
        within_row: whether to stop at the row that contains the field.
    """
    while node.parent is not None and node.parent.parent is not None:
        node = node.parent
        if node.step is None and within_row:
            return
        if node.step is not None and node.types["object"]:
            yield from (_table_name(node).lower(), last_name(node).lower())


def list_columns(names: Sequence[str], num_omitted: int) -> str:
    """Return the names of a table's columns as one text, and how many fields have none."""
    columns = ", ".join(names)
    return f"{columns} and {num_omitted} more in {FIELDS}" if num_omitted else columns


def iter_rows(sql_table: SqlTable, cutter: CellCutter) -> Iterator[list[Any]]:
    """Yield the rows of a table in document order, with the cells of `sql_table.columns`."""
    positions = sql_table.positions
    columns = [_build_cells(column, sql_table.node, positions) for column in sql_table.data_columns]
    parents = _find_parent_rows(sql_table, positions)
    write_path = cutter.path_writer(sql_table.node)
    for row, position in enumerate(positions):
        yield [*(cutter.cut_text(column[row]) for column in columns), write_path(position), row, parents[row]]


def iter_details(
    sql_table: SqlTable, column: TableColumn, document: Document, cutter: CellCutter
) -> Iterator[list[Any]]:
    """Yield the `DETAILS` of a column, one list for each row of its table."""
    values, source = column.node.values, document.column(column.node)
    mark = find_decimal_mark(value for value in values if isinstance(value, str))
    for at in _find_cells(column, sql_table.node, sql_table.positions):
        value = None if at is None else values[at]
        if at is None or not is_scalar(value):
            yield [None] * len(DETAILS)
            continue
        page, quote = document.first_citation(source.entries[at])
        text = value if isinstance(value, str) else ""
        number = read_number(text, decimal_mark=mark) if text else to_number(value)
        yield [page, source.confidences[at], cutter.cut_text(quote), number, read_date(text) if text else None]


def iter_fields(document: Document, cutter: CellCutter) -> Iterator[list[Any]]:
    """Yield the rows of the table `fields`: one for each scalar."""
    for column in document.columns:
        name = cutter.cut_name(next((step for step in reversed(column.node.steps) if step is not None), ""))
        write_path = cutter.path_writer(column.node)
        mark = find_decimal_mark(value for value in column.node.values if isinstance(value, str))
        for position, value in enumerate(column.node.values):
            if not is_scalar(value):
                continue
            page, quote = document.first_citation(column.entries[position])
            yield [
                write_path(position),
                name,
                cutter.cut_text(value) if isinstance(value, str) else dump_json(value),
                read_number(value, decimal_mark=mark) if isinstance(value, str) else to_number(value),
                type_name(value),
                column.confidences[position],
                page,
                cutter.cut_text(quote),
            ]


def _find_parent(node: Node, tables: dict[int, SqlTable]) -> SqlTable | None:
    ancestor = node.parent
    while ancestor is not None and id(ancestor) not in tables:
        ancestor = ancestor.parent
    return tables[id(ancestor)] if ancestor is not None else None


def _find_fields(node: Node) -> list[Node]:
    """Return the fields of an object that are scalars or lists of scalars, including those of nested objects."""
    elements = [] if node.types["object"] else [node]
    return [*elements, *filter(_has_cells, walk_members(node))]


def _has_cells(node: Node) -> bool:
    is_scalar_list = node.element is not None and not node.element.types["object"]
    return node.has_scalars or is_scalar_list or not +node.types


def _build_columns(node: Node, fields: list[Node], parent: SqlTable | None) -> tuple[TableColumn, ...]:
    names = set(ROW_COLUMNS)
    depth = len(node.steps)
    own = [
        TableColumn(make_unique(_join_steps(field.steps[depth:]) or "value", names), field, is_inherited=False)
        for field in fields
    ]
    inherited = [
        TableColumn(make_unique(column.name, names, "parent_"), column.node, is_inherited=True)
        for column in _find_inherited(parent)
    ]
    return (*own, *inherited)


def _find_inherited(parent: SqlTable | None) -> list[TableColumn]:
    """Return the columns of short scalars in the parent table, which include those of its own parent."""
    if parent is None:
        return []
    scalars = [column for column in parent.data_columns if column.node.has_scalars and column.node.element is None]
    return [
        column
        for column in scalars[:_MAX_INHERITED_COLUMNS]
        if all(len(value) <= _MAX_INHERITED_CHARS for value in column.node.values if isinstance(value, str))
    ]


def _table_name(node: Node) -> str:
    # A result that is itself a list has no name.
    return _to_identifier(_join_steps(node.steps)) or "rows"


def _join_steps(steps: tuple[str | None, ...]) -> str:
    """Join the names among some steps; only the beginning of a long name is used."""
    return "_".join(step[:_MAX_STEP_CHARS] for step in steps if step is not None)


def _to_identifier(name: str) -> str:
    identifier = _NON_WORD.sub("_", name).strip("_")[:_MAX_NAME_CHARS]
    # SQLite keeps tables named `sqlite_…` for itself.
    needs_prefix = identifier[:1].isdigit() or identifier.lower().startswith("sqlite_")
    return f"_{identifier}" if needs_prefix else identifier


def make_unique(name: str, names: set[str], prefix: str = "") -> str:
    """Return the name as an identifier that is not among `names`, where SQL ignores case, and add it to them.

    A name that is taken gets the prefix, if there is one, and then a number.
    """
    identifier = _to_identifier(name) or "value"
    candidate, number = identifier, 1
    while candidate.lower() in names:
        number += 1
        candidate = f"{prefix}{identifier}" if prefix and number == 2 else f"{identifier}_{number}"
    names.add(candidate.lower())
    return candidate


def _build_cells(column: TableColumn, table_node: Node, positions: list[int]) -> list[Any]:
    """Return the cells of a column, one for each row."""
    values = column.node.values
    return [None if at is None else to_cell(values[at]) for at in _find_cells(column, table_node, positions)]


def _find_cells(column: TableColumn, table_node: Node, positions: list[int]) -> list[int | None]:
    """Return the positions of a column's cells in its field, one for each row; None where a row has no such field."""
    ancestor = table_node
    if column.is_inherited:
        # The values belong to an object that contains the rows, so the rows' positions are mapped to positions there.
        ancestor = _common_ancestor(column.node, table_node)
        levels = levels_between(table_node, ancestor)
        positions = [ancestor_position(position, levels) for position in positions]
    levels = levels_between(column.node, ancestor)
    if not levels:
        return list(positions)
    cells = {ancestor_position(at, levels): at for at in range(len(column.node.values))}
    return [cells.get(position) for position in positions]


def _common_ancestor(node: Node, other: Node) -> Node:
    """Return the lowest node that contains both nodes."""
    ancestors = {id(node)}
    while node.parent is not None:
        node = node.parent
        ancestors.add(id(node))
    while id(other) not in ancestors and other.parent is not None:
        other = other.parent
    return other


def _find_parent_rows(table: SqlTable, positions: list[int]) -> list[int | None]:
    """For each row, return the number of the row of the parent table that contains it."""
    if table.parent is None:
        return [None] * len(positions)
    row_numbers = {position: row for row, position in enumerate(table.parent.positions)}
    levels = levels_between(table.node, table.parent.node)
    return [row_numbers.get(ancestor_position(position, levels)) for position in positions]
