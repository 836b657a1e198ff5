"""The tables of results in SQLite: built once when a query names them, and shown by views.

A query reads views. A view shows the data of its table and, of all further columns, those that the query names.
"""

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from llx_mcp.query.catalog import BUILT_IN_TABLES, Catalog
from llx_mcp.query.joined_tables import JOB_ID, JoinedColumn, JoinedTable, join_tables
from llx_mcp.query.names import shorten_names
from llx_mcp.query.sandbox import lift
from llx_mcp.result.document import Document
from llx_mcp.result.sql_cells import CellCutter
from llx_mcp.result.sql_tables import (
    DETAILS,
    FIELDS,
    TABLE_COLUMNS,
    TABLES,
    iter_fields,
)

_CONFIDENCE = "confidence"
_WORD = re.compile(r"\w+")

# By a name in lower case, each meaning that it has: the index of the data column, the order among its names, `""` for
# the column itself or one of `DETAILS`, and the name.
_Labels = dict[str, list[tuple[int, int, str, str]]]


class ResultTables:
    """The tables of one result, or of several with the column `job_id`.

    Args:
        connection: the database to build them in.
        documents: the result, or several by the ids of their jobs.

    Attributes:
        sql_tables: the tables by name.
        catalog: the names that a query can use.
    """

    def __init__(self, connection: sqlite3.Connection, documents: Document | Mapping[str, Document]) -> None:
        self._connection = connection
        self._job_ids = [] if isinstance(documents, Document) else list(documents)
        self._documents = [documents] if isinstance(documents, Document) else list(documents.values())
        self._job_columns = [JOB_ID] if self._job_ids else []
        self.sql_tables = {table.name: table for table in join_tables(self._documents, self._job_ids)}
        # Shorter names of tables, as far as no other table has them: `results` for `events_age_groups_results`.
        last_names = {name: table.last_name for name, table in self.sql_tables.items()}
        self._aliases = shorten_names(last_names, {name.lower() for name in BUILT_IN_TABLES})
        self.catalog = Catalog(self.sql_tables, self._aliases, has_job_id=bool(self._job_ids))
        # The further names of the columns of each table that a query has named.
        self._labels: dict[str, _Labels] = {}
        # What was built, by its name, with what cut its cells.
        self._built: dict[str, CellCutter] = {}
        # The views of the last query.
        self._views: list[str] = []

    @property
    def readable(self) -> set[str]:
        """The names that a query reads, directly or through a view."""
        return {*self.sql_tables, *self._aliases, *BUILT_IN_TABLES, *self._built}

    def build(self, sql: str) -> None:
        """Build what a query names and is not built yet, and the views that show it."""
        words = frozenset(_WORD.findall(sql.lower()))
        lift(self._connection)
        for view in self._views:
            self._connection.execute(f"DROP VIEW temp.{_quote_name(view)}")
        self._views = []
        for name in self._find_named(words):
            if name in self.sql_tables:
                self._create_view(self.sql_tables[name], words)
            elif name == FIELDS:
                self._create_table(FIELDS, self.catalog.field_columns, self._iter_fields)
            else:
                self._create_table(TABLES, [*self._job_columns, *TABLE_COLUMNS], lambda _: self._iter_tables())

    def num_cut(self, sql: str) -> int:
        """Return how many cells of the tables that a query names were cut, because they are too long for SQLite."""
        names = self._find_named(frozenset(_WORD.findall(sql.lower())))
        parts = (part for part in self._built if part.partition("/")[0] in names)
        return sum(self._built[part].num_cut for part in parts)

    def is_confidence(self, label: str) -> bool:
        """Whether a column of an answer has confidences by its name, and cannot be a data column of a table."""
        name = label.lower()
        if name != _CONFIDENCE and not name.endswith(f"_{_CONFIDENCE}"):
            return False
        # A shorter name of a data column is the end of its name.
        columns = (column for table in self.sql_tables.values() for column in table.columns)
        return not any(f"_{column.lower()}".endswith(f"_{name}") for column in columns)

    def _find_named(self, words: Collection[str]) -> list[str]:
        used = {self._aliases[word] for word in words if word in self._aliases}
        return [name for name in (*self.sql_tables, *BUILT_IN_TABLES) if name.lower() in words or name in used]

    def _iter_fields(self, cutter: CellCutter) -> Iterator[list[Any]]:
        for index, document in enumerate(self._documents):
            for row in iter_fields(document, cutter):
                yield [*self._job_cells(index), *row]

    def _iter_tables(self) -> Iterator[list[Any]]:
        for index, document in enumerate(self._documents):
            for table in self.sql_tables.values():
                if row := table.describe_part(index):
                    yield [*self._job_cells(index), *row]
            yield [*self._job_cells(index), FIELDS, document.num_values, ", ".join(self.catalog.field_columns)]

    def _job_cells(self, index: int) -> list[str]:
        return self._job_ids[index : index + 1]

    def _create_view(self, sql_table: JoinedTable, words: Collection[str]) -> None:
        """Create the views of a table, under its name and its shorter names, with the columns that a query may mean."""
        # The tables of a result have no slash in their names, and no column has an empty name.
        rows = self._create_table(f"{sql_table.name}/", sql_table.columns, sql_table.iter_rows)
        data_names = set(sql_table.data_names)
        shown = [name for name in sql_table.columns if name.lower() in words or name in data_names]
        selected, joins = [f"r.{_quote_name(name)}" for name in shown], [f"main.{rows} AS r"]
        if sql_table.name not in self._labels:
            self._labels[sql_table.name] = _find_labels(sql_table)
        for column, labels in _label_columns(sql_table, self._labels[sql_table.name], words):
            selected += [f"r.{_quote_name(column.name)} AS {_quote_name(label)}" for label in labels.get("", ())]
            wanted = [(detail, name) for detail in DETAILS for name in labels.get(detail, ())]
            if wanted:
                source = f"main.{self._create_details(sql_table, column)}"
                selected += [f"{source}.{detail} AS {_quote_name(name)}" for detail, name in wanted]
                joins.append(f"{source} ON {source}.rowid = r.rowid")
        select = f"SELECT {', '.join(selected)} FROM {' LEFT JOIN '.join(joins)}"  # noqa: S608  # nosec B608 # quoted
        for view in (sql_table.name, *(alias for alias, name in self._aliases.items() if name == sql_table.name)):
            if view.lower() in words:
                self._connection.execute(f"CREATE TEMP VIEW {_quote_name(view)} AS {select}")
                self._views.append(view)

    def _create_details(self, sql_table: JoinedTable, column: JoinedColumn) -> str:
        """Create the table of the further columns of a column, and return its quoted name."""
        return self._create_table(
            f"{sql_table.name}/{column.name}",
            DETAILS,
            lambda cutter: sql_table.iter_details(column, self._documents, cutter),
        )

    def _create_table(
        self, name: str, columns: Sequence[str], rows: Callable[[CellCutter], Iterable[list[Any]]]
    ) -> str:
        """Create a table where it is not created yet, and return its quoted name."""
        quoted = _quote_name(name)
        if name not in self._built:
            cutter = CellCutter()
            names, placeholders = ", ".join(map(_quote_name, columns)), ", ".join("?" * len(columns))
            self._connection.execute(f"CREATE TABLE {quoted} ({names})")
            self._connection.execute("BEGIN")
            insert = f"INSERT INTO {quoted} VALUES ({placeholders})"  # noqa: S608  # nosec B608 # the name is quoted and the values are bound
            self._connection.executemany(insert, rows(cutter))
            self._connection.execute("COMMIT")
            self._built[name] = cutter
        return quoted


def _find_labels(sql_table: JoinedTable) -> _Labels:
    """Return the names of the data columns of a table besides their own, by how SQL reads them."""
    taken = {name.lower() for name in sql_table.columns}
    aliases = shorten_names({column.name: column.last_name for column in sql_table.data_columns}, taken)
    shorter: dict[str, list[str]] = {}
    for alias, name in aliases.items():
        shorter.setdefault(name, []).append(alias)
    found: _Labels = {}
    for index, column in enumerate(sql_table.data_columns):
        names = shorter.get(column.name, [])
        labels = [("", name) for name in names]
        labels += [(detail, f"{name}_{detail}") for detail in DETAILS for name in (column.name, *names)]
        for order, (meaning, label) in enumerate(labels):
            if label.lower() not in taken:
                found.setdefault(label.lower(), []).append((index, order, meaning, label))
    return found


def _label_columns(
    sql_table: JoinedTable, labels: _Labels, words: Collection[str]
) -> Iterator[tuple[JoinedColumn, dict[str, list[str]]]]:
    """Yield each data column for which a query uses other names than its own, with these names.

    They are by what they mean: `""` is the column itself under a shorter name, others are among `DETAILS`.
    """
    used: dict[int, dict[str, list[str]]] = {}
    for index, _, meaning, label in sorted(each for word in words for each in labels.get(word, ())):
        used.setdefault(index, {}).setdefault(meaning, []).append(label)
    for index, by_meaning in used.items():
        yield sql_table.data_columns[index], by_meaning


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
