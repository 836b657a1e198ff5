"""The tables of several results as one set: tables of the same name become one, with the column `job_id` first.

A column that belongs to the rows themselves is the same in all results that have a column of this name there. A column
that a table inherits is the same where it comes from the same field. Cells that a result does not have are null.

`_row` and `_parent` count on from one result to the next, so that a join on them never mixes results.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from llx_mcp.result.document import Document
from llx_mcp.result.sql_cells import CellCutter
from llx_mcp.result.sql_tables import (
    DETAILS,
    MAX_COLUMNS,
    ROW_COLUMNS,
    SqlTable,
    TableColumn,
    find_sql_tables,
    iter_details,
    iter_rows,
    last_name,
    list_columns,
    make_unique,
    name_objects,
)

JOB_ID = "job_id"


@dataclass(frozen=True)
class JoinedColumn:
    """A data column of a joined table.

    Attributes:
        name: the name in SQL, without quotes.
        parts: the column in the table of each result; None where a result has none.
    """

    name: str
    parts: tuple[TableColumn | None, ...]

    @property
    def last_name(self) -> str:
        """The name of the field itself, without those of the objects around it; empty for the elements of a list."""
        node = next(part.node for part in self.parts if part is not None)
        return "" if node.step is None else last_name(node)

    @property
    def is_inherited(self) -> bool:
        """Whether the field belongs to the rows that contain the table's rows."""
        return all(part is None or part.is_inherited for part in self.parts)

    @property
    def object_names(self) -> set[str]:
        """The names of the objects in a row that contain the field, in lower case."""
        parts = [part for part in self.parts if part is not None and not part.is_inherited]
        return {name for part in parts for name in name_objects(part.node, within_row=True)}

    @property
    def is_hidden(self) -> bool:
        """Whether `SELECT *` leaves the column out."""
        return all(part is None or part.is_hidden for part in self.parts)


@dataclass(frozen=True)
class JoinedTable:
    """One table of one or several results.

    Attributes:
        name: the name in SQL, without quotes.
        data_columns: the columns without `job_id` and `ROW_COLUMNS`.
        parts: the table of each result; None where a result has none.
        job_ids: the id of each result's job; empty for a single result, whose tables have no column `job_id`.
        first_rows: the number of the first row of each result.
        first_parents: the number of the first row of each result in the table of the parents.
        num_omitted: the number of fields left out because a table has too many.
    """

    name: str
    data_columns: tuple[JoinedColumn, ...]
    parts: tuple[SqlTable | None, ...]
    job_ids: tuple[str, ...]
    first_rows: tuple[int, ...]
    first_parents: tuple[int, ...]
    num_omitted: int

    @property
    def last_name(self) -> str:
        """The name of the list itself, without those of the objects around it; empty for the table of the document."""
        return last_name(next(part.node for part in self.parts if part is not None))

    @property
    def object_names(self) -> set[str]:
        """The names of the objects that contain the list, in lower case."""
        return {name for part in self.parts if part is not None for name in name_objects(part.node)}

    @property
    def job_columns(self) -> list[str]:
        """The column `job_id`, where there is one."""
        return [JOB_ID] if self.job_ids else []

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [*self.job_columns, *(column.name for column in self.data_columns), *ROW_COLUMNS]

    @property
    def data_names(self) -> list[str]:
        """The names of the columns that `SELECT *` shows."""
        return [*self.job_columns, *(column.name for column in self.data_columns if not column.is_hidden)]

    @property
    def num_rows(self) -> int:
        """The number of rows of all results."""
        return sum(len(part.positions) for part in self.parts if part is not None)

    def describe_part(self, index: int) -> list[Any] | None:
        """Return a row of the table `tables`: name, rows and columns in one result; None where it has no such table."""
        part = self.parts[index]
        if part is None:
            return None
        names = [column.name for column in self.data_columns if column.parts[index] and not column.is_hidden]
        return [self.name, len(part.positions), list_columns(names, self.num_omitted)]

    def iter_rows(self, cutter: CellCutter) -> Iterator[list[Any]]:
        """Yield the rows, with the cells of `columns`."""
        for index, part in enumerate(self.parts):
            if part is None:
                continue
            rows = iter_rows(part, cutter)
            yield from self._join_rows(index, part, rows) if self.job_ids else rows

    def iter_details(
        self, column: JoinedColumn, documents: Sequence[Document], cutter: CellCutter
    ) -> Iterator[list[Any]]:
        """Yield the `DETAILS` of a column, one list for each row."""
        for part, own, document in zip(self.parts, column.parts, documents, strict=True):
            if part is not None and own is not None:
                yield from iter_details(part, own, document, cutter)
            elif part is not None:
                yield from ([None] * len(DETAILS) for _ in part.positions)

    def _join_rows(self, index: int, part: SqlTable, rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
        positions = {column.name: position for position, column in enumerate(part.data_columns)}
        owns = [column.parts[index] for column in self.data_columns]
        wanted = [None if own is None else positions[own.name] for own in owns]
        job_id, first, first_parent = self.job_ids[index], self.first_rows[index], self.first_parents[index]
        for *cells, path, row, parent in rows:
            data = (None if position is None else cells[position] for position in wanted)
            yield [job_id, *data, path, first + row, None if parent is None else first_parent + parent]


def join_tables(documents: Sequence[Document], job_ids: Sequence[str] = ()) -> list[JoinedTable]:
    """Return the tables of results.

    Args:
        documents: the results: one, or as many as there are ids.
        job_ids: the ids of their jobs, for the column `job_id`.
    """
    if not job_ids:
        return [_wrap(table) for table in find_sql_tables(documents[0])]
    groups: dict[str, list[SqlTable | None]] = {}
    num_rows: dict[str, list[int]] = {}
    for index, document in enumerate(documents):
        for table in find_sql_tables(document):
            groups.setdefault(table.name.lower(), [None] * len(documents))[index] = table
            # A parent without columns of its own is no table, but its rows have numbers.
            for counted in filter(None, (table, table.parent)):
                num_rows.setdefault(counted.name.lower(), [0] * len(documents))[index] = len(counted.positions)
    first_rows = {name: [0, *accumulate(counts)] for name, counts in num_rows.items()}
    return [_join(parts, tuple(job_ids), first_rows) for parts in groups.values()]


def _wrap(table: SqlTable) -> JoinedTable:
    """Return the table of a single result, with its own names."""
    columns = tuple(JoinedColumn(column.name, (column,)) for column in table.data_columns)
    return JoinedTable(table.name, columns, (table,), (), (0,), (0,), table.num_omitted)


def _join(
    parts: list[SqlTable | None], job_ids: tuple[str, ...], first_rows: Mapping[str, Sequence[int]]
) -> JoinedTable:
    """Join tables of the same name.

    Args:
        parts: the table of each result; None where a result has none.
        job_ids: the id of each result's job.
        first_rows: for the name of each table, the number of the first row of each result.
    """
    present = [part for part in parts if part is not None]
    columns, num_dropped = _join_columns(parts)
    parents = [None if part is None else part.parent for part in parts]
    return JoinedTable(
        present[0].name,
        columns,
        tuple(parts),
        job_ids,
        tuple(first_rows[present[0].name.lower()]),
        tuple(0 if parent is None else first_rows[parent.name.lower()][at] for at, parent in enumerate(parents)),
        num_dropped + max(part.num_omitted for part in present),
    )


def _join_columns(parts: Sequence[SqlTable | None]) -> tuple[tuple[JoinedColumn, ...], int]:
    """Return the columns of tables that become one, and how many are left out because these are too many."""
    own: dict[Hashable, list[TableColumn | None]] = {}
    inherited: dict[Hashable, list[TableColumn | None]] = {}
    for index, part in enumerate(parts):
        for column in () if part is None else part.data_columns:
            group, key = (inherited, column.node.steps) if column.is_inherited else (own, column.name.lower())
            group.setdefault(key, [None] * len(parts))[index] = column
    names = {JOB_ID, *ROW_COLUMNS}
    chosen = list(own.values())[:MAX_COLUMNS]
    joined = [JoinedColumn(make_unique(_first_name(columns), names), tuple(columns)) for columns in chosen]
    joined += [
        JoinedColumn(make_unique(_first_name(columns), names, "parent_"), tuple(columns))
        for columns in list(inherited.values())[:MAX_COLUMNS]
    ]
    return tuple(joined), len(own) - len(chosen)


def _first_name(columns: Sequence[TableColumn | None]) -> str:
    return next(column.name for column in columns if column is not None)
