"""Rows, cells, names and time of a query have limits, and what is left out is counted."""

from typing import Any

import pytest

from llx_mcp.answers.header import Header
from llx_mcp.answers.query import answer_query
from llx_mcp.answers.requests import JobRequest
from llx_mcp.query.engine import QueryError
from tests.query.engines import engine_of, rows
from tests.result.documents import build_entry


def test_rows_beyond_the_limit_are_counted() -> None:
    engine = engine_of({"rows": [{"n": index} for index in range(500)]}, None)
    engine.build("rows")
    result = engine.run("SELECT n FROM rows", max_rows=10, max_chars=100, deadline_seconds=10)
    assert (len(result.rows), result.num_rows) == (10, 500)


def test_wide_table_is_built_after_another_query_has_run() -> None:
    wide = {f"a_column_with_a_rather_long_name_of_{index:024d}": index for index in range(500)}
    engine = engine_of({"first": [{"n": 1}], "wide": [wide]}, None)
    assert rows("SELECT n FROM first", engine) == [[1]]
    assert len(rows("SELECT * FROM wide", engine)[0]) == 500


def test_table_with_a_long_value_is_built_after_another_query_has_run() -> None:
    engine = engine_of({"first": [{"n": 1}], "long": [{"t": "x" * 9_000_000, "n": 2}]}, None)
    assert rows("SELECT n FROM first", engine) == [[1]]
    assert rows("SELECT n FROM long", engine) == [[2]]
    with pytest.raises(QueryError, match=r"^sql: a value has more than 8,000,000 bytes. Leave it out"):
        rows("SELECT replace(t, 'x', 'xxxxxxxxxx') FROM long", engine)


def test_rows_that_fit_exactly_are_all_counted() -> None:
    engine = engine_of({"rows": [{"n": index} for index in range(3)]}, None)
    engine.build("rows")
    found = [
        engine.run("SELECT n FROM rows", max_rows=most, max_chars=100, deadline_seconds=10) for most in (1, 2, 3, 4)
    ]
    assert [(len(result.rows), result.num_rows) for result in found] == [(1, 3), (2, 3), (3, 3), (3, 3)]
    assert found[0].columns == ["n"]


def test_very_many_rows_are_not_counted() -> None:
    numbers = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {}) SELECT n FROM r"
    engine = engine_of()

    def count(num_rows: int) -> int | None:
        return engine.run(numbers.format(num_rows), max_rows=1, max_chars=9, deadline_seconds=60).num_rows

    assert [count(100_000), count(100_001)] == [100_000, None]


def test_rows_that_take_too_long_to_count_are_not_counted() -> None:
    sql = "SELECT n FROM (SELECT 1 n UNION ALL SELECT 2 UNION ALL SELECT count(*) FROM orders a, r) "
    sql = f"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) {sql}"
    engine = engine_of()
    engine.build(sql)
    result = engine.run(sql, max_rows=1, max_chars=9, deadline_seconds=0.1)
    assert (result.rows, result.num_rows) == ([[1]], None)


def test_query_after_one_that_took_too_long_has_its_own_deadline() -> None:
    engine = engine_of()
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with pytest.raises(QueryError) as caught:
        engine.run(endless, max_rows=1, max_chars=9, deadline_seconds=0.05)
    words = "stopped after 0.05 s. Read fewer rows, join on _row and _parent, or aggregate first."
    assert str(caught.value) == f"sql: {words}"
    assert rows("SELECT count(*) FROM orders", engine) == [[2]]
    # Building tables has no deadline of the engine's own.
    assert rows("SELECT count(*) FROM fields", engine) == [[18]]


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 'abcdefgh'", "abcdefgh"),
        ("SELECT 'abcdefghi'", "abcdefgh…[+1]"),
        ("SELECT x'00ff'", "x'00ff'"),
        ("SELECT x'0102030405'", "x'01020304'"),
        ("SELECT 9e999", "inf"),
        ("SELECT -9e999", "-inf"),
        ("SELECT 1.5", 1.5),
        ("SELECT NULL", None),
        ("SELECT 12345678901", 12345678901),
    ],
)
def test_cell_is_shown_within_its_limit(sql: str, shown: Any) -> None:
    result = engine_of().run(sql, max_rows=1, max_chars=8, deadline_seconds=10)
    assert result.rows == [[shown]]


def test_answer_has_at_most_five_thousand_rows() -> None:
    engine = engine_of()
    sql = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 6000) SELECT 1 FROM r"
    request = JobRequest("ext-1", max_chars=400_000)
    answer = answer_query(engine, Header("ext-1", "COMPLETED"), request, sql, deadline_seconds=60).structured
    assert (len(answer["rows"]["rows"]), answer["num_rows"], answer["omitted"][0]["count"]) == (5_000, 6_000, 1_000)


def test_sorting_writes_no_files() -> None:
    engine = engine_of()
    assert engine._connection.execute("PRAGMA temp_store").fetchone() == (2,)


@pytest.mark.parametrize("char", ["n", "é", "’"])
def test_field_name_of_ten_megabytes_is_cut_in_every_row(char: str) -> None:
    name = char * (10_000_000 // len(char.encode()))
    engine = engine_of({name: [{"n": number} for number in range(300)], "x": 1}, None)
    assert rows("SELECT count(*), max(length(path)) < 8100, max(length(name)), sum(number) FROM fields", engine) == [
        [301, 1, 1, 44_851]
    ]
    assert engine.tables.num_cut("SELECT 1 FROM fields") == 300
    ((table,),) = rows("SELECT name FROM tables WHERE num_rows = 300", engine)
    assert rows(f"SELECT count(*), max(length(_path)) < 8100 FROM {table}", engine) == [[300, 1]]
    assert engine.tables.num_cut(f"SELECT n FROM {table}") == 300
    assert engine.tables.num_cut("SELECT name FROM tables") == 0
    assert rows("SELECT length(name) FROM fields", engine_of({name: 1}, None)) == [
        [1_000 + len(f"…[+{len(name) - 1_000}]")]
    ]


@pytest.mark.parametrize("char", ["x", "é", "😀"])
def test_text_too_long_for_a_query_is_cut_and_counted(char: str) -> None:
    longest = char * (7_900_000 // len(char.encode()))
    engine = engine_of({"whole": longest, "cut": longest + char, "rows": [{"a": longest + char}]}, None)
    assert rows("SELECT length(whole), substr(cut, 1000000) FROM document", engine) == [
        [len(longest), f"{char}…[+{len(longest) - 999_999}]"]
    ]
    assert rows("SELECT count(*) FROM fields WHERE length(value) > 1000000", engine) == [[3]]
    found = [
        engine.tables.num_cut(f"SELECT 1 FROM {table}") for table in ("document", "rows", "fields", "document, rows")
    ]
    assert found == [1, 0, 2, 1]
    engine.build("rows")
    assert engine.tables.num_cut("SELECT a FROM ROWS") == 1


def test_quote_too_long_for_a_query_is_cut() -> None:
    engine = engine_of({"a": 1}, {"a": build_entry(0.9, 1, "q" * 9_000_000)})
    assert rows("SELECT length(quote) FROM fields", engine) == [[1_000_000 + len("…[+8000000]")]]


def test_list_too_long_for_a_query_has_its_first_elements() -> None:
    elements = [f"{number:099}" for number in range(90_000)]
    engine = engine_of({"a": elements, "b": ["x" * 8_000_000], "c": "[" + "x" * 8_000_000, "d": "{" * 8_000_000}, None)
    sql = (
        "SELECT json_array_length(a), json_extract(a, '$[1]'), json_array_length(b), length(c), length(d) FROM document"
    )
    ((count, second, *others),) = rows(sql, engine)
    assert (second, others) == (elements[1], [1, 1_000_000 + len("…[+7000001]"), 1_000_000 + len("…[+7000000]")])
    assert 4_000 < count < 10_000
    # The lists are tables, too, and a query that names them may mean those.
    assert engine.tables.num_cut(sql) == 5
