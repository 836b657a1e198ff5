"""A result's tables in SQLite, and one query at a time over them."""

import math
import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.query.sandbox import FUNCTIONS, build_authorizer, limit
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

DEADLINE_SECONDS = 2.0
MOST_ROWS = 5_000

_CATALOGUE = (FIELDS, TABLES)
_MOST_COUNTED = 100_000
_STEPS = 2_000
_SHOWN = 30
_MOST_CHARS = 1_500
_UNKNOWN_TABLE = re.compile(r"no such table: (.*)")
_UNKNOWN_COLUMN = re.compile(r"no such column: (.*)")
_UNKNOWN_FUNCTION = re.compile(r"(?:no such function: |not authorized to use function: )(.*)")


class QueryError(ArgumentError):
    """A query that cannot be run; the message says what is wrong with it and what exists."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query gave.

    Attributes:
        columns: names, as the query has them.
        rows: as many as were asked for.
        num_rows: how many there are; None where nobody counted to the end.
    """

    columns: list[str]
    rows: list[list[Any]]
    num_rows: int | None


class Engine:
    """The tables of one result. Building them takes time once; queries run one after the other."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.sql_tables = {sql_table.name: sql_table for sql_table in find_sql_tables(document)}
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.create_function("plain", 1, _plain, deterministic=True)
        self._connection.create_aggregate("median", 1, _Median)  # type: ignore[arg-type]
        # What only exists once it was used must exist before the authorizer looks.
        self._connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()
        self._built: set[str] = set()

    def build(self, sql: str) -> None:
        """Build the tables that a query may read."""
        wanted = [name for name in (*self.sql_tables, *_CATALOGUE) if name not in self._built and _mentions(sql, name)]
        if not wanted:
            return
        self._connection.set_authorizer(None)
        self._connection.execute("PRAGMA query_only = OFF")
        for name in wanted:
            if name == FIELDS:
                self._fill(FIELDS, FIELD_COLUMNS, iter_fields(self._document))
            elif name == TABLES:
                rows = table_rows(list(self.sql_tables.values()), self._document.num_values)
                self._fill(TABLES, TABLE_COLUMNS, rows)
            else:
                sql_table = self.sql_tables[name]
                self._fill(name, sql_table.columns, iter_rows(sql_table, self._document))
            self._built.add(name)

    def run(self, sql: str, *, max_rows: int, max_chars: int, deadline_seconds: float = DEADLINE_SECONDS) -> Rows:
        """Run one SELECT over tables that were built for it.

        Args:
            sql: the query.
            max_rows: rows to return at the most.
            max_chars: where a text is cut.
            deadline_seconds: how long it may take; a call inside SQLite that runs on is not stopped by it.

        Raises:
            QueryError: it is not one SELECT, names what does not exist, uses what is not allowed, or takes too long.
        """
        self._connection.set_authorizer(None)
        limit(self._connection)
        self._connection.set_authorizer(build_authorizer([*self.sql_tables, *_CATALOGUE]))
        end = time.monotonic() + deadline_seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            return self._fetch(sql, max_rows, max_chars)
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as exc:
            raise QueryError(self._explain(str(exc), deadline_seconds)) from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def _fetch(self, sql: str, max_rows: int, max_chars: int) -> Rows:
        cursor = self._connection.execute(sql)
        if cursor.description is None:
            raise QueryError(f"sql: one SELECT is run, and nothing else. {self.describe()}")
        columns = [str(column[0]) for column in cursor.description]
        rows: list[list[Any]] = []
        for row in cursor:
            rows.append([_shown(cell, max_chars) for cell in row])
            if len(rows) == max_rows:
                break
        else:
            return Rows(columns, rows, len(rows))
        more = 0
        try:
            for _ in cursor:
                more += 1
                if more == _MOST_COUNTED:
                    return Rows(columns, rows, None)
        except sqlite3.Error:
            return Rows(columns, rows, None)
        return Rows(columns, rows, len(rows) + more)

    def describe(self) -> str:
        """The tables with their columns and rows, in a few words."""
        parts = [f"{name}({_listed(sql_table.columns)})" for name, sql_table in list(self.sql_tables.items())[:_SHOWN]]
        more = len(self.sql_tables) - _SHOWN
        parts += [f"{more} more tables"] if more > 0 else []
        return _cut(f"Tables: {'; '.join([*parts, f'{FIELDS}({_listed(FIELD_COLUMNS)})'])}.")

    def _fill(self, name: str, columns: Sequence[str], rows: Any) -> None:
        names = ", ".join(_quoted(column) for column in columns)
        marks = ", ".join("?" * len(columns))
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 2_000)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000_000)
        self._connection.execute(f"CREATE TABLE {_quoted(name)} ({names})")
        self._connection.execute("BEGIN")
        self._connection.executemany(f"INSERT INTO {_quoted(name)} VALUES ({marks})", rows)  # noqa: S608
        self._connection.execute("COMMIT")

    def _explain(self, message: str, deadline_seconds: float) -> str:
        if match := _UNKNOWN_TABLE.search(message):
            return f"sql: no table {excerpt(match.group(1), 60)}. {self.describe()}"
        if match := _UNKNOWN_COLUMN.search(message):
            return f"sql: no column {self._explain_column(match.group(1))}"
        if match := _UNKNOWN_FUNCTION.search(message):
            names = " ".join(sorted(name for name in FUNCTIONS if name.isalnum()))
            return f"sql: no function {excerpt(match.group(1), 60)} here. There are: {names}."
        if message == "interrupted":
            return (
                f"sql: stopped after {deadline_seconds:g} s. Read fewer rows, join on _row and _parent, or aggregate "
                "first."
            )
        if "prohibited" in message or "not authorized" in message:
            return f"sql: one SELECT over the tables of this result is run, and nothing else. {self.describe()}"
        if "one statement" in message:
            return "sql: one statement at a time; leave out what follows the first semicolon."
        if "too big" in message or "too many" in message or "out of memory" in message or "too large" in message:
            return f"sql: {excerpt(message, 120)}; select less at once."
        return f"sql: {excerpt(message, 160)}. {self.describe()}"

    def _explain_column(self, name: str) -> str:
        tables = {table: sql_table.columns for table, sql_table in self.sql_tables.items()}
        tables[FIELDS] = list(FIELD_COLUMNS)
        table, _, column = name.rpartition(".")
        known = tables.get(table) or [other for columns in tables.values() for other in columns]
        close = get_close_matches(column, list(dict.fromkeys(known)), n=3)
        guess = f"; did you mean {' or '.join(close)}?" if close else "."
        return f"{excerpt(name, 60)}{guess} {self.describe()}"


class _Median:
    """The aggregate that people miss in SQLite."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: Any) -> None:
        if isinstance(value, int | float):
            self.values.append(value)

    def finalize(self) -> int | float | None:
        self.values.sort()
        middle = len(self.values) // 2
        if not self.values:
            return None
        return self.values[middle] if len(self.values) % 2 else (self.values[middle - 1] + self.values[middle]) / 2


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"


def _plain(value: Any) -> Any:
    return normalize_text(value) if isinstance(value, str) else value


def _mentions(sql: str, name: str) -> bool:
    return name.lower() in sql.lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns[:_SHOWN]) + (f", {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")


def _shown(cell: Any, max_chars: int) -> Any:
    if isinstance(cell, bytes):
        return f"x'{cell[: max_chars // 2].hex()}'"
    if isinstance(cell, float) and not math.isfinite(cell):
        return str(cell)
    return truncate(cell, max_chars)
