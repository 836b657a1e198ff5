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


def test_each_list_of_objects_is_a_table_named_by_its_path() -> None:
    assert rows("SELECT name, num_rows, columns FROM tables") == [
        ["document", 1, "number, seller_name, seller_vat_id, long, tags, big, ok"],
        ["orders", 2, "id, total, number, seller_name, seller_vat_id, big, ok"],
        ["orders_items", 3, "sku, n, number, id, total, parent_number, seller_name, seller_vat_id, big, ok"],
        ["fields", 18, "path, name, value, number, type, confidence, page, quote"],
    ]


def test_row_has_its_cells_path_number_parent_and_provenance() -> None:
    sql = "SELECT id, total, number, seller_vat_id, _path, _row, _parent, _confidence, _page FROM orders"
    assert rows(sql) == [
        [1, 5.5, "A-1", "X", "orders[0]", 0, 0, 0.6, 4],
        [2, None, "A-1", "X", "orders[1]", 1, 0, None, None],
    ]


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


def test_list_of_scalars_is_a_cell_of_json() -> None:
    assert rows("SELECT value FROM document, json_each(tags)") == [["a"], ["b"]]


def test_columns_that_differ_only_in_case_get_different_names() -> None:
    engine = engine_of({"rows": [{"A": 1, "a": 2, "_row": 3, "_ROW": 4}, {"A": 5}]}, None)
    assert rows("SELECT * FROM rows ORDER BY _row", engine)[0] == [1, 2, 3, 4, "rows[0]", 0, 0, None, None]


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
        ("SELECT * FROM order_items", "no table order_items. Tables: document(number"),
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


@pytest.mark.parametrize("name", ["sqlite_rows", "SQLite_rows", "sqlite_sequence", "__sqlite_stat1"])
def test_list_with_a_name_that_sqlite_reserves_is_renamed(name: str) -> None:
    engine = engine_of({name: [{"sqlite_a": 1}]}, None)
    ((table, num_rows),) = rows("SELECT name, num_rows FROM tables WHERE name <> 'fields'", engine)
    assert (table, num_rows) == (f"_{name.strip('_')}", 1)
    assert rows(f"SELECT * FROM {table}", engine) == [[1, f"{name}[0]", 0, 0, None, None]]
    with pytest.raises(QueryError, match=f"no table {name}. Tables: {table}\\("):
        rows(f"SELECT * FROM {name}", engine)


@pytest.mark.parametrize("char", ["n", "é", "’"])
def test_field_name_of_ten_megabytes_is_cut_in_every_row(char: str) -> None:
    name = char * (10_000_000 // len(char.encode()))
    engine = engine_of({name: [{"n": number} for number in range(300)], "x": 1}, None)
    assert rows("SELECT count(*), max(length(path)) < 8100, max(length(name)), sum(number) FROM fields", engine) == [
        [301, 1, 1, 44_851]
    ]
    assert engine.num_cut("SELECT 1 FROM fields") == 300
    ((table,),) = rows("SELECT name FROM tables WHERE num_rows = 300", engine)
    assert rows(f"SELECT count(*), max(length(_path)) < 8100 FROM {table}", engine) == [[300, 1]]
    assert engine.num_cut(f"SELECT n FROM {table}") == 300
    assert engine.num_cut("SELECT name FROM tables") == 0
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
    found = [engine.num_cut(f"SELECT 1 FROM {table}") for table in ("document", "rows", "fields", "document, rows")]
    assert found == [1, 0, 2, 1]
    engine.build("rows")
    assert engine.num_cut("SELECT a FROM ROWS") == 1


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
    assert (second, others) == (elements[1], [0, 1_000_000 + len("…[+7000001]"), 1_000_000 + len("…[+7000000]")])
    assert 4_000 < count < 10_000
    assert engine.num_cut(sql) == 4
