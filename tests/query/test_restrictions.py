"""Each rule of the sandbox, one by one: what may be read, which functions run, and how large things may be."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from llx_mcp.query import sandbox
from llx_mcp.query.sandbox import FUNCTIONS, LIMITS, build_authorizer, lift, restrict

ACTION_NAMES = """
    CREATE_INDEX CREATE_TABLE CREATE_TEMP_INDEX CREATE_TEMP_TABLE CREATE_TEMP_TRIGGER CREATE_TEMP_VIEW
    CREATE_TRIGGER CREATE_VIEW DELETE DROP_INDEX DROP_TABLE DROP_TEMP_INDEX DROP_TEMP_TABLE DROP_TEMP_TRIGGER
    DROP_TEMP_VIEW DROP_TRIGGER DROP_VIEW INSERT PRAGMA TRANSACTION UPDATE ATTACH DETACH ALTER_TABLE REINDEX
    ANALYZE CREATE_VTABLE DROP_VTABLE SAVEPOINT
"""
ACTIONS = {name: getattr(sqlite3, f"SQLITE_{name}") for name in ACTION_NAMES.split()}
EXPECTED_LIMITS = {
    "LENGTH": 8_000_000,
    "SQL_LENGTH": 20_000,
    "EXPR_DEPTH": 200,
    "COMPOUND_SELECT": 50,
    "VDBE_OP": 1_000_000,
    "FUNCTION_ARG": 32,
    "ATTACHED": 0,
    "LIKE_PATTERN_LENGTH": 500,
    "VARIABLE_NUMBER": 0,
    "TRIGGER_DEPTH": 0,
    "WORKER_THREADS": 0,
}
# Functions that read files, load code, reveal the environment, or make texts of any size.
DANGEROUS_NAMES = """
    load_extension readfile writefile edit fts3_tokenizer sqlite_version sqlite_source_id sqlite_compileoption_get
    sqlite_compileoption_used sqlite_log randomblob zeroblob random printf format changes total_changes
    last_insert_rowid json_patch unhex eval
"""
DANGEROUS = DANGEROUS_NAMES.split()


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A restricted connection with the tables `t`, which may be read, and `hidden`, which may not."""
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE t (n)")
    opened.execute("INSERT INTO t VALUES (1)")
    opened.execute("CREATE TABLE hidden (n)")
    opened.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()
    restrict(opened, ["t"])
    yield opened
    opened.close()


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_action_that_is_not_reading_is_denied(action: int) -> None:
    authorize = build_authorizer(["t"])
    for first, second in (("t", "n"), ("t", ""), (None, None), ("t", "abs")):
        assert authorize(action, first, second, "main", None) == sqlite3.SQLITE_DENY


def test_selecting_and_recursion_are_allowed() -> None:
    authorize = build_authorizer(["t"])
    assert authorize(sqlite3.SQLITE_SELECT, None, None, None, None) == sqlite3.SQLITE_OK
    assert authorize(sqlite3.SQLITE_RECURSIVE, None, None, None, None) == sqlite3.SQLITE_OK


@pytest.mark.parametrize(
    ("table", "column", "is_allowed"),
    [
        ("t", "n", True),
        ("t", "", True),
        ("json_each", "value", True),
        ("json_tree", "path", True),
        ("hidden", "n", False),
        ("sqlite_master", "sql", False),
        ("sqlite_master", "", False),
        ("SQLITE_temp_schema", "", False),
        ("of_the_query", "", True),
        ("of_the_query", "n", False),
        (None, None, True),
        (None, "n", False),
    ],
)
def test_only_columns_of_the_tables_are_read(table: str | None, column: str | None, is_allowed: bool) -> None:
    expected = sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY
    assert build_authorizer(["t"])(sqlite3.SQLITE_READ, table, column, "main", None) == expected


@pytest.mark.parametrize("name", DANGEROUS)
def test_dangerous_function_is_denied(name: str) -> None:
    for written in (name, name.upper()):
        assert build_authorizer(["t"])(sqlite3.SQLITE_FUNCTION, None, written, None, None) == sqlite3.SQLITE_DENY
    assert build_authorizer(["t"])(sqlite3.SQLITE_FUNCTION, name, None, None, None) == sqlite3.SQLITE_DENY


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_harmless_function_is_allowed(name: str) -> None:
    for written in (name, name.upper()):
        assert build_authorizer([])(sqlite3.SQLITE_FUNCTION, None, written, None, None) == sqlite3.SQLITE_OK


def test_no_dangerous_function_is_listed() -> None:
    assert FUNCTIONS.isdisjoint(DANGEROUS)
    assert len(FUNCTIONS) == 97


@pytest.mark.parametrize("name", EXPECTED_LIMITS)
def test_limit_is_set_and_lifted(name: str, connection: sqlite3.Connection) -> None:
    category = getattr(sqlite3, f"SQLITE_LIMIT_{name}")
    assert connection.getlimit(category) == EXPECTED_LIMITS[name]
    lift(connection)
    with closing(sqlite3.connect(":memory:")) as other:
        default = other.getlimit(category)
    assert connection.getlimit(category) >= default
    restrict(connection, ["t"])
    assert connection.getlimit(category) == EXPECTED_LIMITS[name]


def test_every_limit_is_expected() -> None:
    assert {getattr(sqlite3, f"SQLITE_LIMIT_{name}"): value for name, value in EXPECTED_LIMITS.items()} == LIMITS


def test_restricted_connection_only_reads_its_tables(connection: sqlite3.Connection) -> None:
    assert connection.execute("SELECT n, (SELECT count(*) FROM json_each('[1, 2]')) FROM t").fetchall() == [(1, 2)]
    for sql in ("SELECT n FROM hidden", "INSERT INTO t VALUES (2)", "PRAGMA query_only = OFF"):
        with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|prohibited"):
            connection.execute(sql)


def test_writing_fails_even_without_the_authorizer(connection: sqlite3.Connection) -> None:
    connection.set_authorizer(None)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("INSERT INTO t VALUES (2)")
    assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)


def test_lifted_connection_writes(connection: sqlite3.Connection) -> None:
    lift(connection)
    connection.execute("INSERT INTO t VALUES (2)")
    connection.execute("CREATE TABLE u (n)")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)


@pytest.mark.parametrize("kind", ["value", "query"])
def test_value_or_query_beyond_the_limit_is_refused(kind: str, connection: sqlite3.Connection) -> None:
    sql = f"SELECT length(replace(hex(n), '3', {'char(' + ', '.join(['65'] * 30) + ')'})) FROM t"
    connection.execute(sql).fetchall()
    sql = "SELECT 1 " + " " * sandbox.MAX_SQL_BYTES if kind == "query" else DOUBLING
    with pytest.raises(sqlite3.DataError, match=r"too big|too large"):
        connection.execute(sql).fetchall()


DOUBLING = (
    "WITH RECURSIVE g(n, s) AS (SELECT 1, 'x' UNION ALL SELECT n + 1, s || s FROM g WHERE n < 30) SELECT s FROM g"
)
