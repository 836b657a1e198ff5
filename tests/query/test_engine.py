"""Tables hold all values of a result, under names that a query can use."""

import json
from typing import Any

import pytest

from llx_mcp.models import Job
from llx_mcp.query import tables
from llx_mcp.query.engine import Engine, QueryError
from llx_mcp.result.sections import JobSections
from tests.query.engines import RESULT, engine_of, rows
from tests.result.documents import build_entry
from tests.result.truth import leaves_of


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


def test_confidences_are_shown_with_three_digits_and_compared_exactly() -> None:
    engine = engine_of({"rows": [{"n": 1}, {"n": 2}]}, {"rows": [{"n": build_entry(0.799987, 1, "1")}]})
    assert rows("SELECT n, n_confidence FROM rows WHERE n_confidence < 0.8", engine) == [[1, 0.8]]
    assert rows("SELECT confidence FROM fields WHERE confidence < 0.8", engine) == [[0.8]]
    assert rows("SELECT confidence < 0.8 AS low, confidence * 1 AS c FROM fields", engine) == [
        [1, 0.799987],
        [None] * 2,
    ]


def test_data_column_named_confidence_is_shown_exactly() -> None:
    row = {"confidence": 0.12345, "scan_confidence": 0.98765, "n": 1}
    engine = engine_of({"rows": [row]}, {"rows": [{"n": build_entry(0.799987, 1, "1")}]})
    assert rows("SELECT confidence, scan_confidence, n_confidence FROM rows", engine) == [[0.12345, 0.98765, 0.8]]
    engine = engine_of({"rows": [{"scan_confidence": 0.98765}]})
    assert rows("SELECT confidence FROM rows", engine) == [[0.98765]]


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


def test_column_named_rows_has_further_columns_like_any_other() -> None:
    engine = engine_of({"sheets": [{"rows": 7}]}, {"sheets": [{"rows": build_entry(0.5, 2, "7 rows")}]})
    assert rows("SELECT rows, rows_page, rows_quote FROM sheets", engine) == [[7, 2, "7 rows"]]


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


def test_last_name_of_a_path_comes_before_the_end_of_another() -> None:
    lists = {"revenue": [{"n": 1}], "cost_of_revenue": [{"n": 2}]}
    engine = engine_of({"income": lists, "other": [{"sum": {"net": 3, "of_net": 4}}]}, None)
    assert rows("SELECT n FROM revenue", engine) == [[1]]
    assert rows("SELECT n FROM cost_of_revenue", engine) == [[2]]
    assert rows("SELECT net, of_net, net_number FROM other", engine) == [[3, 4, 3]]
    engine = engine_of({"a": [{"netRevenue": [{"n": 1}]}], "b": {"cost_of_net_revenue": [{"n": 2}]}}, None)
    assert rows("SELECT n FROM net_revenue", engine) == [[1]]


def test_names_of_columns_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of()
    sql = "SELECT vat_id, vat_id_page, id FROM orders"
    first = rows(sql, engine)
    monkeypatch.setattr(tables, "shorten_names", None)
    assert rows(sql, engine) == first == [["X", None, 1], ["X", None, 2]]


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
        ("SELECT 1000.0 / 3", 333.333333),
        ("SELECT 0.1 + 0.2", 0.3),
        ("SELECT 123456789.25", 123456789.25),
        ("SELECT 0.123456789012", 0.123456789012),
        ("SELECT 3.14159265358979", 3.14159265358979),
        ("SELECT 9007199254740993.0", 9007199254740992.0),
    ],
)
def test_computed_number_is_shown_with_as_many_digits_as_mean_something(sql: str, shown: float) -> None:
    assert rows(sql) == [[shown]]


def test_tables_are_suggested_by_the_words_of_a_query() -> None:
    suggested = engine_of().tables.catalog.suggest("SELECT * FROM fields WHERE path LIKE '%item%'")
    assert suggested == "orders_items (3 rows), tags (2 rows), orders (2 rows)"


def test_at_most_eight_tables_are_suggested() -> None:
    suggested = engine_of({f"list_{index:02d}": [{"n": 1}] for index in range(12)}, None).tables.catalog.suggest(
        "list_11"
    )
    names = [each.partition(" ")[0] for each in suggested.split(", ")]
    assert names == [f"list_{index:02d}" for index in (11, *range(7))]


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


def test_table_fields_of_a_real_job_holds_all_its_values(corpus_job: bytes) -> None:
    job = json.loads(corpus_job)
    engine = Engine(JobSections(Job.parse(corpus_job).sections).document)
    sql = "SELECT value, type FROM fields"
    engine.build(sql)
    result = engine.run(sql, max_rows=10_000, max_chars=1_000_000, deadline_seconds=10)
    expected = [leaf for leaf in leaves_of(job["extract_result"]) if leaf is not None]
    found = [value if kind == "string" else json.loads(value) for value, kind in result.rows]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_tables_are_built_once_and_only_if_the_query_mentions_them() -> None:
    engine = engine_of()
    engine.build("SELECT * FROM ORDERS")
    with pytest.raises(QueryError, match="no table fields"):
        engine.run("SELECT * FROM fields", max_rows=1, max_chars=9, deadline_seconds=10)
    engine.build("SELECT * FROM orders, fields")
    assert rows("SELECT count(*) FROM orders", engine) == [[2]]
    assert rows("SELECT count(*) FROM fields", engine) == [[18]]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT median(value) FROM json_each('[4, 1, 3, 2]')", 2.5),
        ("SELECT median(value) FROM json_each('[4, 1, 3]')", 3),
        ("SELECT median(value) FROM json_each('[1, \"x\", null, 7.5, 9]')", 7.5),
        ("SELECT median(value) FROM json_each('[\"x\"]')", None),
        ("SELECT plain(7)", 7),
        ("SELECT plain(NULL)", None),
    ],
)
def test_own_functions_compute(sql: str, value: Any) -> None:
    assert rows(sql) == [[value]]


def test_names_with_quotes_are_quoted() -> None:
    engine = engine_of({'a"b': [{'c"d': 1, "select": 2}]}, None)
    assert rows('SELECT c_d, "select" FROM a_b', engine) == [[1, 2]]


@pytest.mark.parametrize("name", ["sqlite_rows", "SQLite_rows", "sqlite_sequence", "__sqlite_stat1"])
def test_list_with_a_name_that_sqlite_reserves_is_renamed(name: str) -> None:
    engine = engine_of({name: [{"sqlite_a": 1}]}, None)
    ((table, num_rows),) = rows("SELECT name, num_rows FROM tables WHERE name <> 'fields'", engine)
    assert (table, num_rows) == (f"_{name.strip('_')}", 1)
    assert rows(f"SELECT * FROM {table}", engine) == [[1]]
    with pytest.raises(QueryError, match=f"no table {name}[.;].* Tables: {table}\\("):
        rows(f"SELECT * FROM {name}", engine)
