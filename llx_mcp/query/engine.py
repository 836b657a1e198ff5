"""Loads the tables of a result into SQLite and runs queries over them."""

import math
import re
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.query.sandbox import FUNCTIONS, apply_limits, build_authorizer
from llx_mcp.result.document import Document
from llx_mcp.result.normalize import normalize_text
from llx_mcp.result.sanitize import truncate
from llx_mcp.result.sql_tables import (
    FIELD_COLUMNS,
    FIELDS,
    TABLE_COLUMNS,
    TABLES,
    find_sql_tables,
    iter_fields,
    iter_rows,
    table_rows,
)

MOST_ROWS = 5_000

_BUILT_IN_TABLES = (FIELDS, TABLES)
_MAX_COUNTED_ROWS = 100_000
# How many instructions of its virtual machine SQLite runs between two checks of the deadline.
_INSTRUCTIONS_PER_CHECK = 2_000
_MAX_LISTED = 30
_MAX_DESCRIPTION_CHARS = 1_500
_MAX_NAME_CHARS = 60

_UNKNOWN_TABLE = re.compile(r"no such table: (.*)")
_UNKNOWN_COLUMN = re.compile(r"no such column: (.*)")
_UNKNOWN_FUNCTION = re.compile(r"(?:no such function: |not authorized to use function: )(.*)")
_FORBIDDEN = re.compile("prohibited|not authorized")
_TOO_LARGE = re.compile("too big|too many|out of memory|too large")


class QueryError(ArgumentError):
    """A query that cannot be run; the message says what is wrong with it and what exists."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query.

    Attributes:
        columns: the names of the columns, as the query gives them.
        rows: at most as many rows as were requested.
        num_rows: the number of rows that the query has in total; None where they were not all counted.
    """

    columns: list[str]
    rows: list[list[Any]]
    num_rows: int | None


class Engine:
    """The tables of one result in SQLite. Tables are built once, and queries run one at a time.

    Attributes:
        sql_tables: the tables of the result by name.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.sql_tables = {sql_table.name: sql_table for sql_table in find_sql_tables(document)}
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.create_function("plain", 1, _plain, deterministic=True)
        # typeshed allows only aggregates that return an integer.
        self._connection.create_aggregate("median", 1, _Median)  # type: ignore[arg-type]
        # SQLite creates these two virtual tables on first use, which the authorizer would refuse.
        self._connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()
        self._built: set[str] = set()

    def build(self, sql: str) -> None:
        """Build the tables that a query mentions, where they are not built yet."""
        names = [*self.sql_tables, *_BUILT_IN_TABLES]
        missing = [name for name in names if name not in self._built and name.lower() in sql.lower()]
        if not missing:
            return
        self._connection.set_authorizer(None)
        self._connection.execute("PRAGMA query_only = OFF")
        for name in missing:
            if name == FIELDS:
                self._create_table(FIELDS, FIELD_COLUMNS, iter_fields(self._document))
            elif name == TABLES:
                rows = table_rows(list(self.sql_tables.values()), self._document.num_values)
                self._create_table(TABLES, TABLE_COLUMNS, rows)
            else:
                sql_table = self.sql_tables[name]
                self._create_table(name, sql_table.columns, iter_rows(sql_table, self._document))
            self._built.add(name)

    def run(self, sql: str, *, max_rows: int, max_chars: int, deadline_seconds: float) -> QueryResult:
        """Run one SELECT over tables that `build` has built.

        Args:
            sql: the query.
            max_rows: the most rows to return.
            max_chars: longer texts are cut to this length.
            deadline_seconds: how long the query may take; a single call inside SQLite may take longer.

        Raises:
            QueryError: the query is not one SELECT, uses an unknown name or a forbidden function, or takes too long.
        """
        self._connection.set_authorizer(None)
        apply_limits(self._connection)
        self._connection.set_authorizer(build_authorizer([*self.sql_tables, *_BUILT_IN_TABLES]))
        end = time.monotonic() + deadline_seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > end, _INSTRUCTIONS_PER_CHECK)
        try:
            return self._execute(sql, max_rows, max_chars)
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as exc:
            raise QueryError(f"sql: {self._explain(str(exc), deadline_seconds)}") from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def describe(self) -> str:
        """Return a short text with the tables and their columns."""
        sql_tables = list(self.sql_tables.values())
        parts = [f"{sql_table.name}({_list_names(sql_table.columns)})" for sql_table in sql_tables[:_MAX_LISTED]]
        num_more = len(sql_tables) - _MAX_LISTED
        if num_more > 0:
            parts.append(f"{num_more} more tables")
        parts.append(f"{FIELDS}({_list_names(FIELD_COLUMNS)})")
        text = f"Tables: {'; '.join(parts)}."
        return text if len(text) <= _MAX_DESCRIPTION_CHARS else f"{text[:_MAX_DESCRIPTION_CHARS]}…"

    def _execute(self, sql: str, max_rows: int, max_chars: int) -> QueryResult:
        cursor = self._connection.execute(sql)
        if cursor.description is None:
            raise QueryError(f"sql: only one SELECT can be run. {self.describe()}")
        columns = [str(column[0]) for column in cursor.description]
        rows: list[list[Any]] = []
        for row in cursor:
            rows.append([_show_cell(cell, max_chars) for cell in row])
            if len(rows) == max_rows:
                break
        else:
            return QueryResult(columns, rows, len(rows))
        num_more = _count_rest(cursor)
        return QueryResult(columns, rows, None if num_more is None else len(rows) + num_more)

    def _create_table(self, name: str, columns: Sequence[str], rows: Iterable[list[Any]]) -> None:
        names = ", ".join(_quote_name(column) for column in columns)
        placeholders = ", ".join("?" * len(columns))
        # The limits of queries are too low for a table with many columns or long values.
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 2_000)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000_000)
        self._connection.execute(f"CREATE TABLE {_quote_name(name)} ({names})")
        self._connection.execute("BEGIN")
        # Names are quoted, and values are bound to placeholders.
        insert = f"INSERT INTO {_quote_name(name)} VALUES ({placeholders})"  # noqa: S608  # nosec B608 # the name is quoted and the values are bound
        self._connection.executemany(insert, rows)
        self._connection.execute("COMMIT")

    def _explain(self, message: str, deadline_seconds: float) -> str:
        """Return an error of SQLite in words that say what to do next."""
        if match := _UNKNOWN_TABLE.search(message):
            return f"no table {excerpt(match.group(1), _MAX_NAME_CHARS)}. {self.describe()}"
        if match := _UNKNOWN_COLUMN.search(message):
            return self._explain_column(match.group(1))
        if match := _UNKNOWN_FUNCTION.search(message):
            allowed = " ".join(sorted(name for name in FUNCTIONS if name.isalnum()))
            return f"no function {excerpt(match.group(1), _MAX_NAME_CHARS)}. Available functions: {allowed}."
        if message == "interrupted":
            return (
                f"stopped after {deadline_seconds:g} s. Read fewer rows, join on _row and _parent, or aggregate first."
            )
        if _FORBIDDEN.search(message):
            return f"only a SELECT over the tables of this result can be run. {self.describe()}"
        if "one statement" in message:
            return "only one statement can be run. Remove what follows the first semicolon."
        if _TOO_LARGE.search(message):
            return f"{excerpt(message, 120)}. Select less at once."
        return f"{excerpt(message, 160)}. {self.describe()}"

    def _explain_column(self, name: str) -> str:
        columns_by_table = {table: sql_table.columns for table, sql_table in self.sql_tables.items()}
        columns_by_table[FIELDS] = list(FIELD_COLUMNS)
        table, _, column = name.rpartition(".")
        known = columns_by_table.get(table) or [other for columns in columns_by_table.values() for other in columns]
        close = get_close_matches(column, list(dict.fromkeys(known)), n=3)
        suggestion = f"; did you mean {' or '.join(close)}?" if close else "."
        return f"no column {excerpt(name, _MAX_NAME_CHARS)}{suggestion} {self.describe()}"


class _Median:
    """The aggregate function `median`, which SQLite does not have."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def step(self, value: Any) -> None:
        if isinstance(value, int | float):
            self._values.append(value)

    def finalize(self) -> int | float | None:
        values = sorted(self._values)
        if not values:
            return None
        middle = len(values) // 2
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _plain(value: Any) -> Any:
    """The function `plain`: text without case and accents; other values are returned unchanged."""
    return normalize_text(value) if isinstance(value, str) else value


def _count_rest(cursor: sqlite3.Cursor) -> int | None:
    """Count the remaining rows; None where there are too many, or counting takes too long."""
    count = 0
    try:
        for _ in cursor:
            count += 1
            if count == _MAX_COUNTED_ROWS:
                return None
    except sqlite3.Error:
        return None
    return count


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _list_names(names: Sequence[str]) -> str:
    num_more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f", {num_more} more" if num_more > 0 else "")


def _show_cell(cell: Any, max_chars: int) -> Any:
    if isinstance(cell, bytes):
        return f"x'{cell[: max_chars // 2].hex()}'"
    # JSON has no infinity.
    if isinstance(cell, float) and not math.isfinite(cell):
        return str(cell)
    return truncate(cell, max_chars)
