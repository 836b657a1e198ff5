"""Loads the tables of results into SQLite and runs queries over them."""

import math
import re
import sqlite3
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.query.sandbox import FUNCTIONS, MAX_SQL_BYTES, MAX_VALUE_BYTES, restrict
from llx_mcp.query.tables import BUILT_IN_TABLES, ResultTables
from llx_mcp.result.document import Document
from llx_mcp.result.normalize import normalize_text
from llx_mcp.result.sanitize import truncate
from llx_mcp.result.sql_tables import FIELDS

MOST_ROWS = 5_000

_MAX_COUNTED_ROWS = 100_000
# How many instructions of its virtual machine SQLite runs between two checks of the deadline.
_INSTRUCTIONS_PER_CHECK = 2_000
_MAX_NAME_CHARS = 60
# Comparing a name with another takes some 0.1 ms.
_MAX_COMPARED = 1_000
# A number with more digits was computed; it is shown with fewer.
_DOCUMENT_DIGITS = 15
_SHOWN_DIGITS = 6
_CONFIDENCE_DIGITS = 3
_WHOLE_LIMIT = 1e12

_UNKNOWN_TABLE = re.compile(r"no such table: (.*)")
_UNKNOWN_COLUMN = re.compile(r"no such column: (.*)")
_UNKNOWN_FUNCTION = re.compile(r"(?:no such function: |not authorized to use function: )(.*)")
_FORBIDDEN = re.compile("prohibited|not authorized|cannot modify")
_TOO_LARGE = re.compile("too many|too large|too complex")
_TOO_LONG = f"the query has more than {MAX_SQL_BYTES:,} bytes. Send a shorter one."


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
    """The tables of one result or of several in SQLite. Tables are built once, and queries run one at a time.

    Args:
        documents: the result, or several by the ids of their jobs.

    Attributes:
        tables: the tables.
    """

    def __init__(self, documents: Document | Mapping[str, Document]) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        weakref.finalize(self, self._connection.close)
        # Sorting many rows would otherwise write files.
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.create_function("plain", 1, _plain, deterministic=True)
        # typeshed allows only aggregates that return an integer.
        self._connection.create_aggregate("median", 1, _Median)  # type: ignore[arg-type]
        # SQLite creates these two virtual tables on first use, which the authorizer would refuse.
        self._connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()
        self.tables = ResultTables(self._connection, documents)

    def build(self, sql: str) -> None:
        """Build the tables that a query mentions, where they are not built yet.

        Raises:
            QueryError: the query is too long.
        """
        if len(sql.encode(errors="replace")) > MAX_SQL_BYTES:
            raise QueryError(f"sql: {_TOO_LONG}")
        self.tables.build(sql)

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
        restrict(self._connection, self.tables.readable)
        end = time.monotonic() + deadline_seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > end, _INSTRUCTIONS_PER_CHECK)
        try:
            return self._execute(sql, max_rows, max_chars)
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as exc:
            raise QueryError(f"sql: {self._explain(str(exc), deadline_seconds)}") from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def _execute(self, sql: str, max_rows: int, max_chars: int) -> QueryResult:
        cursor = self._connection.execute(sql)
        if cursor.description is None:
            raise QueryError(f"sql: only one SELECT can be run. {self.tables.describe()}")
        columns = [str(column[0]) for column in cursor.description]
        # Only what is shown is rounded, so that a threshold compares the exact confidence.
        rounded = [index for index, name in enumerate(columns) if self.tables.is_confidence(name)]
        rows: list[list[Any]] = []
        for row in cursor:
            cells = [_show_cell(cell, max_chars) for cell in row]
            for index in rounded:
                cells[index] = _round_confidence(cells[index])
            rows.append(cells)
            if len(rows) == max_rows:
                break
        else:
            return QueryResult(columns, rows, len(rows))
        num_more = _count_rest(cursor)
        return QueryResult(columns, rows, None if num_more is None else len(rows) + num_more)

    def _explain(self, message: str, deadline_seconds: float) -> str:
        """Return an error of SQLite in words that say what to do next."""
        if match := _UNKNOWN_TABLE.search(message):
            name = match.group(1).removeprefix("main.").removeprefix("temp.")
            close = self._find_tables_like(name)
            return f"no table {excerpt(name, _MAX_NAME_CHARS)}{_suggest(close)} {self.tables.describe(close)}"
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
            return f"only a SELECT over the tables of this result can be run. {self.tables.describe()}"
        if "one statement" in message:
            return "only one statement can be run. Remove what follows the first semicolon."
        if message == "too many SQL variables":
            return "a query has no parameters such as ? or :name. Write the values into it."
        if message == "string or blob too big":
            return f"a value has more than {MAX_VALUE_BYTES:,} bytes. Leave it out, or join fewer texts to one."
        if _TOO_LARGE.search(message):
            return f"{excerpt(message)}. Select less at once."
        return f"{excerpt(message, 160)}. {self.tables.describe()}"

    def _find_tables_like(self, name: str) -> list[str]:
        """Return tables that end in a name, else tables with a similar name."""
        names = [*self.tables.sql_tables, *BUILT_IN_TABLES]
        ending = [known for known in names if known.lower().endswith(f"_{name.lower()}")]
        return ending[:3] or get_close_matches(name, names[:_MAX_COMPARED], n=3)

    def _explain_column(self, name: str) -> str:
        columns_by_table = {table: sql_table.columns for table, sql_table in self.tables.sql_tables.items()}
        columns_by_table[FIELDS] = self.tables.field_columns
        table, _, column = name.rpartition(".")
        known = columns_by_table.get(table) or [other for columns in columns_by_table.values() for other in columns]
        close = get_close_matches(column, list(dict.fromkeys(known))[:_MAX_COMPARED], n=3)
        having = [name for name, columns in columns_by_table.items() if not set(close).isdisjoint(columns)]
        return f"no column {excerpt(name, _MAX_NAME_CHARS)}{_suggest(close)} {self.tables.describe(having[:3])}"


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


def _suggest(close: list[str]) -> str:
    return f"; did you mean {' or '.join(close)}?" if close else "."


def _show_cell(cell: Any, max_chars: int) -> Any:
    if isinstance(cell, bytes):
        return f"x'{cell[: max_chars // 2].hex()}'"
    if isinstance(cell, float):
        # JSON has no infinity.
        return _round_computed(cell) if math.isfinite(cell) else str(cell)
    return truncate(cell, max_chars)


def _round_confidence(cell: Any) -> Any:
    return round(cell, _CONFIDENCE_DIGITS) if isinstance(cell, float) else cell


def _round_computed(number: float) -> float:
    """Round a number that has more digits than a double holds exactly: the result of a division or a sum."""
    if len(repr(number).lstrip("-0.").replace(".", "")) <= _DOCUMENT_DIGITS or abs(number) >= _WHOLE_LIMIT:
        return number
    return float(f"{number:.{_SHOWN_DIGITS}g}") if abs(number) < 1 else round(number, _SHOWN_DIGITS)
