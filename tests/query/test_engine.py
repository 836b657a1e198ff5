"""Tables hold all values of a result, and errors of queries say what is wrong and what exists."""

import json
from typing import Any

import pytest

from llx_mcp.models import Job
from llx_mcp.query.engine import Engine, QueryError
from llx_mcp.result.sections import JobSections
from tests.result.documents import build_document, build_entry, build_metadata
from tests.result.truth import leaves_of

RESULT = {
    "number": "A-1",
    "seller": {"name": "Acme", "vat id": "X"},
    "long": "word " * 100,
    "tags": ["a", "b"],
    "orders": [
        {"id": 1, "items": [{"sku": "p", "n": 2}, {"sku": "q", "n": 3}], "total": 5.5},
        {"id": 2, "items": [{"sku": "p", "n": 4, "number": "own"}], "total": None},
    ],
    "big": 10**20,
    "ok": True,
}
TREE = {
    "number": build_entry(0.9, 1, "No. A-1"),
    "orders": [
        {
            "id": build_entry(0.7, 4, "1"),
            "total": build_entry(0.6, 3, "5.50"),
            "items": [{"sku": build_entry(0.95, 7, "p")}],
        }
    ],
}


def engine_of(result: Any = RESULT, tree: Any = TREE) -> Engine:
    """The engine for a result and its metadata."""
    return Engine(build_document(result, build_metadata(tree)))


def rows(sql: str, engine: Engine | None = None) -> list[list[Any]]:
    """Run a query and return its rows."""
    engine = engine or engine_of()
    engine.build(sql)
    return engine.run(sql, max_rows=100, max_chars=200, deadline_seconds=10).rows


def test_each_list_is_a_table_named_by_its_path() -> None:
    assert rows("SELECT name, num_rows, columns FROM tables") == [
        ["document", 1, "number, seller_name, seller_vat_id, long, tags, big, ok"],
        ["tags", 2, "value"],
        ["orders", 2, "id, total"],
        ["orders_items", 3, "sku, n, number, id, total"],
        ["fields", 18, "path, name, value, number, type, confidence, page, quote"],
    ]


def test_row_has_its_cells_path_number_parent_and_the_fields_of_the_document() -> None:
    assert rows("SELECT id, total, number, seller_vat_id, _path, _row, _parent FROM orders") == [
        [1, 5.5, "A-1", "X", "orders[0]", 0, 0],
        [2, None, "A-1", "X", "orders[1]", 1, 0],
    ]


def test_each_column_has_its_own_page_confidence_and_quote() -> None:
    sql = "SELECT id_page, id_confidence, id_quote, total_page, total_confidence, number_page FROM orders"
    assert rows(sql) == [[4, 0.7, "1", 3, 0.6, 1], [None, None, None, None, None, 1]]
    assert rows("SELECT sku_page, total_page FROM orders_items") == [[7, 3], [None, 3], [None, None]]
    assert rows("SELECT number, number_page, number_quote FROM document") == [["A-1", 1, "No. A-1"]]


def test_select_all_shows_the_data_and_what_the_query_names() -> None:
    engine = engine_of()
    assert rows("SELECT * FROM orders", engine) == [[1, 5.5], [2, None]]
    assert rows("SELECT * FROM orders WHERE total_page = 3", engine) == [[1, 5.5, 3]]
    assert rows("SELECT * FROM orders ORDER BY _row DESC", engine) == [[2, None, 1], [1, 5.5, 0]]
    assert rows("SELECT * FROM orders", engine) == [[1, 5.5], [2, None]]


def test_own_column_is_not_hidden_by_a_further_column() -> None:
    engine = engine_of({"rows": [{"n": 1, "n_page": "own"}]}, {"rows": [{"n": build_entry(0.5, 7, "1")}]})
    assert rows("SELECT n_page, n_confidence FROM rows", engine) == [["own", 0.5]]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT sku, n FROM items WHERE n = 3", [["q", 3]]),
        ("SELECT name FROM document", [["Acme"]]),
        ("SELECT vat_id, vat_id_page FROM orders LIMIT 1", [["X", None]]),
        ("SELECT count(*) FROM ITEMS JOIN orders ON items._parent = orders._row", [[3]]),
    ],
)
def test_short_name_of_a_table_or_column_is_enough_where_it_is_unambiguous(sql: str, expected: Any) -> None:
    assert rows(sql) == expected


def test_short_name_of_two_tables_is_no_name() -> None:
    engine = engine_of({"a": [{"rows": [{"n": 1}]}], "b": [{"rows": [{"n": 2}]}]}, None)
    with pytest.raises(QueryError, match="no table rows"):
        rows("SELECT * FROM rows", engine)


def test_numbers_and_dates_are_read_from_text() -> None:
    engine = engine_of({"rows": [{"amount": "1,234.50", "on": "3 March 2025"}, {"amount": 7, "on": None}]}, None)
    assert rows("SELECT amount_number, on_date, typeof(amount) FROM rows", engine) == [
        [1234.5, "2025-03-03", "text"],
        [7, None, "integer"],
    ]
    assert rows("SELECT sum(number) FROM fields", engine) == [[1241.5]]


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 1.0 / 3", 0.333333),
        ("SELECT 1000.0 / 3", 333.3333),
        ("SELECT 0.1 + 0.2", 0.3),
        ("SELECT 123456789.25", 123456789.25),
        ("SELECT 0.123456789012", 0.123456789012),
        ("SELECT 9007199254740993.0", 9007199254740992.0),
    ],
)
def test_computed_number_is_shown_with_as_many_digits_as_mean_something(sql: str, shown: float) -> None:
    assert rows(sql) == [[shown]]


def test_tables_are_suggested_by_the_words_of_a_query() -> None:
    suggested = engine_of().suggest_tables("SELECT * FROM fields WHERE path LIKE '%item%'")
    assert suggested == "orders_items (3 rows), tags (2 rows), orders (2 rows)"


def test_rows_of_a_nested_list_have_the_number_of_their_parent() -> None:
    joined = "SELECT o.id, sum(i.n) FROM orders o JOIN orders_items i ON i._parent = o._row GROUP BY o.id"
    assert rows(joined) == [[1, 5], [2, 4]]
    assert rows("SELECT _path, sku, id, number, parent_number FROM orders_items") == [
        ["orders[0].items[0]", "p", 1, None, "A-1"],
        ["orders[0].items[1]", "q", 1, None, "A-1"],
        ["orders[1].items[0]", "p", 2, "own", "A-1"],
    ]


def test_table_fields_has_every_value_with_its_provenance() -> None:
    assert rows("SELECT * FROM fields WHERE name IN ('number', 'big', 'ok') ORDER BY path") == [
        ["big", "big", str(10**20), 1e20, "integer", None, None, None],
        ["number", "number", "A-1", None, "string", 0.9, 1, "No. A-1"],
        ["ok", "ok", "true", None, "boolean", None, None, None],
        ["orders[1].items[0].number", "number", "own", None, "string", None, None, None],
    ]


def test_list_of_scalars_is_a_cell_of_json_in_the_table_above_it() -> None:
    assert rows("SELECT value FROM document, json_each(tags)") == [["a"], ["b"]]


def test_list_of_scalars_is_a_table_with_the_column_value() -> None:
    engine = engine_of(RESULT, {"tags": [build_entry(0.5, 9, "a")]})
    assert rows("SELECT value, value_page, value_confidence, _path FROM tags", engine) == [
        ["a", 9, 0.5, "tags[0]"],
        ["b", None, None, "tags[1]"],
    ]


def test_columns_that_differ_only_in_case_get_different_names() -> None:
    engine = engine_of({"rows": [{"A": 1, "a": 2, "_row": 3, "_ROW": 4}, {"A": 5}]}, None)
    assert rows("SELECT * FROM rows ORDER BY _row", engine)[0] == [1, 2, 3, 4, 0]


def test_list_result_is_the_table_rows() -> None:
    assert rows("SELECT n, _path FROM rows", engine_of([{"n": 1}, {"n": 2}], None)) == [[1, "[0]"], [2, "[1]"]]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT median(n) FROM orders_items", 3),
        ("SELECT median(n) FROM orders_items WHERE n > 99", None),
        ("SELECT plain('  ÉCOLE   Élémentaire ')", "ecole elementaire"),
        ("SELECT count(*) FROM orders WHERE total IS NULL", 1),
        ("WITH t AS (SELECT n FROM orders_items) SELECT count(*) FROM t", 3),
        ("SELECT group_concat(sku, '+') FROM orders_items", "p+q+p"),
        ("SELECT row_number() OVER (ORDER BY n DESC) FROM orders_items WHERE n = 3", 1),
        ("SELECT round(avg(n), 2) FROM orders_items", 3.0),
    ],
)
def test_query_returns_the_computed_value(sql: str, value: Any) -> None:
    assert rows(sql)[0][0] == value


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT totl FROM orders", "no column totl; did you mean total"),
        ("SELECT o.totl FROM orders o", "no column o.totl; did you mean total"),
        ("SELECT * FROM order_items", "no table order_items; did you mean orders_items"),
        ("SELECT printf('%d', 1)", "no function printf. Available functions: abs"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "only one statement can be run"),
        ("", "only one SELECT can be run"),
    ],
)
def test_error_says_what_is_wrong_and_what_exists(sql: str, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        rows(sql)
    assert words in str(caught.value)


def test_rows_beyond_the_limit_are_counted() -> None:
    engine = engine_of({"rows": [{"n": index} for index in range(500)]}, None)
    engine.build("rows")
    result = engine.run("SELECT n FROM rows", max_rows=10, max_chars=100, deadline_seconds=10)
    assert (len(result.rows), result.num_rows) == (10, 500)


def test_table_fields_of_a_real_job_holds_all_its_values(corpus_job: bytes) -> None:
    job = json.loads(corpus_job)
    engine = Engine(JobSections(Job.parse(corpus_job).sections).document)
    sql = "SELECT value, type FROM fields"
    engine.build(sql)
    result = engine.run(sql, max_rows=10_000, max_chars=1_000_000, deadline_seconds=10)
    expected = [leaf for leaf in leaves_of(job["extract_result"]) if leaf is not None]
    found = [value if kind == "string" else json.loads(value) for value, kind in result.rows]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
