"""What a query can name: the tables and their columns, as text, and those most like a name that does not exist."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llx_mcp.query.joined_tables import JOB_ID, JoinedColumn, JoinedTable
from llx_mcp.query.names import find_similar, list_forms, shorten_names
from llx_mcp.result.sql_tables import DOCUMENT, FIELD_COLUMNS, FIELDS, TABLE_COLUMNS, TABLES

BUILT_IN_TABLES = (FIELDS, TABLES)

_WORD = re.compile(r"\w+")
_MIN_SHARED_CHARS = 4
_MAX_SUGGESTED = 8
_MAX_ENDING = 3
# What a description shows: characters, columns of a table, tables with the same columns, and names of other tables.
_MAX_CHARS = 800
_MAX_COLUMNS = 30
_MAX_ALIKE = 8
_MAX_OTHERS = 5
_ALL_TABLES = "SELECT name FROM tables"


@dataclass(frozen=True)
class Catalog:
    """The names of tables and columns.

    Attributes:
        sql_tables: the tables by name.
        short_names: the names of tables by their shorter forms, in lower case.
        has_job_id: whether the tables have the column `job_id`.
    """

    sql_tables: Mapping[str, JoinedTable]
    short_names: Mapping[str, str]
    has_job_id: bool

    @property
    def field_columns(self) -> list[str]:
        """The columns of the table `fields`."""
        return [*([JOB_ID] if self.has_job_id else []), *FIELD_COLUMNS]

    def find(self, name: str) -> str | None:
        """Return the table that a query means by a name; None where there is none."""
        names = {table.lower(): table for table in (*self.sql_tables, *BUILT_IN_TABLES)}
        return {**self.short_names, **names}.get(name.lower())

    def list_columns(self, table: str) -> list[str]:
        """Return the columns that `SELECT *` shows of a table."""
        if table == FIELDS:
            return self.field_columns
        return list(TABLE_COLUMNS) if table == TABLES else self.sql_tables[table].data_names

    def list_labels(self, table: str) -> dict[str, str]:
        """Return the columns of a table, by each of their names."""
        if table in BUILT_IN_TABLES:
            return {name: name for name in self.list_columns(table)}
        columns = self.sql_tables[table].columns
        last_names = {column.name: column.last_name for column in self.sql_tables[table].data_columns}
        return {**{name: name for name in columns}, **shorten_names(last_names, {name.lower() for name in columns})}

    def find_like(self, name: str) -> list[str]:
        """Return the tables that end in a name, else those with a similar name."""
        names = {table: table for table in (*self.sql_tables, *BUILT_IN_TABLES)}
        ending = [table for table in names if table.lower().endswith(f"_{name.lower()}")]
        return ending[:_MAX_ENDING] or find_similar(name, {**names, **self.short_names})

    def find_with(self, column: str) -> list[str]:
        """Return the tables that have a column of their own with this name."""

        def is_so_called(own: JoinedColumn) -> bool:
            return not own.is_inherited and column.lower() in {own.name.lower(), *list_forms(own.last_name)}

        return [name for name, table in self.sql_tables.items() if any(map(is_so_called, table.data_columns))]

    def find_object(self, name: str) -> dict[str, list[str]]:
        """Return the columns of what is in an object, by table; empty where no object has this name."""
        in_object = name.lower()
        tables = {table.name: table.data_names for table in self.sql_tables.values() if in_object in table.object_names}
        fields: dict[str, list[str]] = {}
        for table in self.sql_tables.values():
            # A list of scalars is a table besides.
            own = [column.name for column in table.data_columns if in_object in column.object_names]
            if table.name not in tables and (names := [name for name in own if name not in tables]):
                fields[table.name] = names
        return tables | fields

    def describe(self, columns: Mapping[str, Sequence[str]] | None = None) -> str:
        """Return a short text with tables: as many as fit with their columns, and how many others there are.

        Args:
            columns: the tables to show, and their columns; all tables where there are none.
        """
        tables = [*self.sql_tables, FIELDS]
        columns = columns or {table: self.list_columns(table) for table in tables}
        alike: dict[tuple[str, ...], list[str]] = {}
        for table, names in columns.items():
            alike.setdefault(tuple(names), []).append(table)
        parts: list[str] = []
        others = dict.fromkeys([*columns, *tables])
        room = _MAX_CHARS
        for names, group in alike.items():
            shown = group[:_MAX_ALIKE]
            part = f"{', '.join(shown)}({_list_names(names, room)})"
            # The first is shown whatever its length.
            if parts and len(part) > room:
                break
            parts.append(part)
            room -= len(part)
            for table in shown:
                del others[table]
        return f"Tables: {'; '.join(parts)}.{_list_others(list(others))}"

    def suggest(self, sql: str) -> str:
        """Return the tables of lists, those first that have a word of the query in their name."""
        words = [word.rstrip("s") for word in _WORD.findall(sql.lower()) if len(word) >= _MIN_SHARED_CHARS]
        tables = [table for table in self.sql_tables.values() if table.name != DOCUMENT]
        tables.sort(key=lambda table: not any(word in table.name.lower() for word in words))
        return ", ".join(f"{table.name} ({table.num_rows} rows)" for table in tables[:_MAX_SUGGESTED])


def _list_names(names: Sequence[str], room: int) -> str:
    """Return names as one text, and how many more there are than a text of this length should have."""
    shown = list(names[:1])
    for name in names[1:_MAX_COLUMNS]:
        room -= len(shown[-1]) + 2
        if len(name) > room:
            break
        shown.append(name)
    num_more = len(names) - len(shown)
    return ", ".join(shown) + (f", {num_more} more" if num_more else "")


def _list_others(names: Sequence[str]) -> str:
    """Return a sentence with the names of other tables, or with their number and how to see them."""
    if len(names) > _MAX_OTHERS:
        return f" {len(names)} others: {_ALL_TABLES}."
    return f" Others: {', '.join(names)}." if names else ""
