"""The limits of a query: it may only read the tables of the result and call harmless functions.

These limits cannot stop a single call that runs for too long inside SQLite. Such a query ends when its worker process
is stopped.
"""

import sqlite3
from collections.abc import Callable, Collection

# Left out are functions that read files, load code, reveal the environment or allocate memory of any given size.
_FUNCTION_NAMES = """
    -> ->> abs acos asin atan atan2 avg ceil ceiling char coalesce concat concat_ws cos count cume_dist date datetime
    degrees dense_rank exp first_value floor glob group_concat hex if ifnull iif instr json json_array
    json_array_length json_each json_extract json_group_array json_group_object json_object json_quote json_tree
    json_type json_valid julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim
    match max median min mod nth_value ntile nullif octet_length percent_rank pi plain pow power quote radians rank
    replace round row_number rtrim sign sin sqrt strftime string_agg substr substring sum tan time timediff total
    trim trunc typeof unicode unixepoch unlikely upper
"""
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
TABLE_FUNCTIONS = frozenset({"json_each", "json_tree"})

MAX_SQL_BYTES = 20_000
MAX_VALUE_BYTES = 8_000_000

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL_BYTES,
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
_INT_MAX = (1 << 31) - 1
_ALLOWED_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}


def restrict(connection: sqlite3.Connection, tables: Collection[str]) -> None:
    """Make a connection read-only, and limit what queries can read and how large they and their values can be."""
    connection.set_authorizer(None)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    for category, value in LIMITS.items():
        connection.setlimit(category, value)
    connection.set_authorizer(build_authorizer(tables))


def lift(connection: sqlite3.Connection) -> None:
    """Undo `restrict`: the limits are too low for a table with many columns or long values."""
    connection.set_authorizer(None)
    connection.execute("PRAGMA query_only = OFF")
    for category in LIMITS:
        # SQLite lowers it to the most that it can.
        connection.setlimit(category, _INT_MAX)


def build_authorizer(tables: Collection[str]) -> Callable[..., int]:
    """Build an authorizer that allows only reading these tables and calling `FUNCTIONS`."""
    readable = {*tables, *TABLE_FUNCTIONS}

    def may_read(table: str, column: str) -> bool:
        # The column is empty where rows are only counted. The table may then be one that the query itself defines.
        return table in readable or (column == "" and not table.lower().startswith("sqlite_"))

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _ALLOWED_ACTIONS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and may_read(first or "", second or ""):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return authorize
