"""What a query may do: read the result's tables, call harmless functions, and take only so much of anything.

These guards make an honest mistake end well. What they cannot stop, a single call that runs on inside
SQLite, ends with the process in which the query runs.
"""

import sqlite3
from collections.abc import Callable, Collection

_NAMES = """
    -> ->> abs acos asin atan atan2 avg ceil ceiling char coalesce concat concat_ws cos count cume_dist date datetime
    degrees dense_rank exp first_value floor glob group_concat hex if ifnull iif instr json json_array
    json_array_length json_each json_extract json_group_array json_group_object json_object json_quote json_tree
    json_type json_valid julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim
    match max median min mod nth_value ntile nullif octet_length percent_rank pi plain pow power quote radians rank
    replace round row_number rtrim sign sin sqrt strftime string_agg substr substring sum tan time timediff total
    trim trunc typeof unicode unixepoch unlikely upper
"""
FUNCTIONS = frozenset(_NAMES.split())
TABLE_FUNCTIONS = frozenset({"json_each", "json_tree"})

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 8_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 32,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_HARMLESS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}


def limit(connection: sqlite3.Connection) -> None:
    """Bound lengths, depths and numbers."""
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    for name, most in _LIMITS.items():
        connection.setlimit(name, most)


def build_authorizer(tables: Collection[str]) -> Callable[..., int]:
    """An authorizer that allows reading these tables and calling `FUNCTIONS`, and nothing else."""
    readable = {*tables, *TABLE_FUNCTIONS}

    def _may_read(table: str, column: str) -> bool:
        # Where only rows are counted no column is named, and the table may be one that the query itself defines.
        return table in readable or (column == "" and not table.lower().startswith("sqlite_"))

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _HARMLESS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and _may_read(first or "", second or ""):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return authorize
