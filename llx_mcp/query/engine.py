"""Loads the tables of results into SQLite and runs queries over them."""

import math
import sqlite3
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llx_mcp.errors import ArgumentError
from llx_mcp.query.explanations import explain
from llx_mcp.query.sandbox import MAX_SQL_BYTES, restrict
from llx_mcp.query.tables import ResultTables
from llx_mcp.result.document import Document
from llx_mcp.result.normalize import normalize_text
from llx_mcp.result.sanitize import truncate

MOST_ROWS = 5_000

_MAX_COUNTED_ROWS = 100_000
# How many instructions of its virtual machine SQLite runs between two checks of the deadline.
_INSTRUCTIONS_PER_CHECK = 2_000
# A number with more digits was computed; it is shown with fewer.
_DOCUMENT_DIGITS = 15
_SHOWN_DIGITS = 6
_CONFIDENCE_DIGITS = 3
_WHOLE_LIMIT = 1e12

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
            raise QueryError(f"sql: {explain(str(exc), sql, self.tables.catalog, deadline_seconds)}") from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def _execute(self, sql: str, max_rows: int, max_chars: int) -> QueryResult:
        cursor = self._connection.execute(sql)
        if cursor.description is None:
            raise QueryError(f"sql: only one SELECT can be run. {self.tables.catalog.describe()}")
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
