"""Tables hold all values of a result, and errors of queries say what is wrong and what exists."""

import json
from typing import Any

import pytest

from llx_mcp.answers.header import Header
from llx_mcp.answers.query import answer_query
from llx_mcp.answers.requests import JobRequest
from llx_mcp.models import Job
from llx_mcp.query import tables
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
    monkeypatch.setattr(tables, "_short_names", None)
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
    suggested = engine_of().tables.suggest("SELECT * FROM fields WHERE path LIKE '%item%'")
    assert suggested == "orders_items (3 rows), tags (2 rows), orders (2 rows)"


def test_at_most_eight_tables_are_suggested() -> None:
    suggested = engine_of({f"list_{index:02d}": [{"n": 1}] for index in range(12)}, None).tables.suggest("list_11")
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


def test_tables_are_built_once_and_only_if_the_query_mentions_them() -> None:
    engine = engine_of()
    engine.build("SELECT * FROM ORDERS")
    with pytest.raises(QueryError, match="no table fields"):
        engine.run("SELECT * FROM fields", max_rows=1, max_chars=9, deadline_seconds=10)
    engine.build("SELECT * FROM orders, fields")
    assert rows("SELECT count(*) FROM orders", engine) == [[2]]
    assert rows("SELECT count(*) FROM fields", engine) == [[18]]


def test_long_query_is_refused_before_its_tables_are_built() -> None:
    engine = engine_of()
    sql = "SELECT id FROM orders LIMIT 1 -- "
    assert rows(sql.ljust(20_000), engine) == [[1]]
    for long in (sql.ljust(20_001), sql.ljust(19_999) + "é"):
        with pytest.raises(QueryError, match=r"^sql: the query has more than 20,000 bytes. Send a shorter one.$"):
            engine.build(long)


def test_half_a_surrogate_pair_in_a_query_is_an_error_in_words() -> None:
    with pytest.raises(QueryError, match="surrogates not allowed"):
        rows("SELECT '\ud800'")


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


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT ?", "a query has no parameters such as ? or :name. Write the values into it."),
        ("SELECT max(" + ", ".join("1" * 40) + ")", "too many arguments on function max. Select less at once."),
        ("SELECT 1; SELECT 2", "only one statement can be run. Remove what follows the first semicolon."),
        (" UNION ALL ".join(["SELECT 1"] * 60), "too many terms in compound SELECT. Select less at once."),
        (
            "SELECT s LIKE '" + "a" * 600 + "' FROM (SELECT 'b' s)",
            "LIKE or GLOB pattern too complex. Select less at once.",
        ),
        ("SELECT " + "1 + " * 300 + "1", "Expression tree is too large (maximum depth 200). Select less at once."),
    ],
)
def test_error_without_the_tables_is_one_sentence_and_what_to_do(sql: str, error: str) -> None:
    with pytest.raises(QueryError) as caught:
        rows(sql)
    assert str(caught.value) == f"sql: {error}"


FIELDS_TEXT = "fields(path, name, value, number, type, confidence, page, quote)."
TABLES_TEXT = f"Tables: rows(n); {FIELDS_TEXT}"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("DELETE FROM rows", f"only a SELECT over the tables of this result can be run. {TABLES_TEXT}"),
        ("", f"only one SELECT can be run. {TABLES_TEXT}"),
        ("SELECT * FROM nope", f"no table nope. {TABLES_TEXT}"),
        ("SELECT xyz FROM rows", f"no column xyz. {TABLES_TEXT}"),
        (
            "SELECT confidenc FROM fields",
            f"no column confidenc; did you mean confidence? Tables: {FIELDS_TEXT} Others: rows.",
        ),
        (
            "SELECT fields.pag FROM fields",
            f"no column fields.pag; did you mean page? Tables: {FIELDS_TEXT} Others: rows.",
        ),
        ("SELECT rows._rwo FROM rows", "no column rows._rwo; did you mean _row? Tables: rows(n). Others: fields."),
        ("SELECT json('{')", f"malformed JSON. {TABLES_TEXT}"),
    ],
)
def test_error_about_a_name_lists_the_tables(sql: str, error: str) -> None:
    with pytest.raises(QueryError) as caught:
        rows(sql, engine_of({"rows": [{"n": 1}]}, None))
    assert str(caught.value) == f"sql: {error}"


def test_at_most_three_columns_are_suggested() -> None:
    engine = engine_of({"rows": [{f"amount{index}": 1 for index in range(5)}]}, None)
    with pytest.raises(QueryError, match=r"; did you mean amount\d or amount\d or amount\d\? Tables"):
        rows("SELECT amount FROM rows", engine)


def test_only_the_first_thousand_names_are_compared() -> None:
    engine = engine_of({f"t{index}": [{f"column{index}": 1}] for index in range(1_010)}, None)
    # Each table has three more columns, with the same names in all of them.
    for number, is_suggested in ((996, True), (997, False)):
        with pytest.raises(QueryError) as caught:
            rows(f"SELECT columm{number} FROM t1", engine)
        assert (f"did you mean column{number}" in str(caught.value)) == is_suggested


def test_error_about_a_function_lists_the_functions() -> None:
    for sql in ("SELECT nope(1)", "SELECT load_extension('x')"):
        with pytest.raises(QueryError) as caught:
            rows(sql)
        start, _, functions = str(caught.value).partition(". Available functions: ")
        assert start == f"sql: no function {sql[7:].partition('(')[0]}"
        assert functions.startswith("abs acos asin ")
        assert functions.endswith(" upper.")
        assert "->" not in functions


def test_long_names_in_errors_are_cut() -> None:
    for sql in ("SELECT * FROM " + "t" * 200, "SELECT " + "t" * 200, "SELECT " + "t" * 200 + "(1)"):
        with pytest.raises(QueryError) as caught:
            rows(sql)
        assert "t" * 59 + "…" in str(caught.value)
        assert "t" * 60 not in str(caught.value)
    with pytest.raises(QueryError) as caught:
        rows("SELECT '" + "t" * 500)
    message, _, _ = str(caught.value).partition(". Tables: ")
    assert len(message) == len("sql: ") + 160
    assert message.endswith("t…")


def test_description_is_short_whatever_the_tables() -> None:
    engine = engine_of({f"list_{index:02d}": [{"n": 1}] for index in range(32)}, None)
    text = engine.tables.describe()
    assert text.startswith("Tables: list_00(n); list_01(n); ")
    assert "; list_29(n); 2 more tables; fields(" in text
    wide = engine_of({"wide": [{f"c{index}": 1 for index in range(40)}]}, None).tables.describe()
    assert wide.startswith(f"Tables: wide({', '.join(f'c{index}' for index in range(30))}, 10 more); fields(path, ")
    exact = engine_of({"wide": [{f"c{index}": 1 for index in range(30)}]}, None).tables.describe()
    assert "c29); fields(" in exact


def test_tables_and_columns_that_are_not_listed_are_counted() -> None:
    for number in (30, 31, 32):
        text = engine_of({f"l{index}": [{"n": 1}] for index in range(number)}, None).tables.describe()
        assert (f"; {number - 30} more tables; fields(" in text) == (number > 30)
    wide = engine_of({"wide": [{f"c{index}": 1 for index in range(31)}]}, None).tables.describe()
    assert "c29, 1 more); fields(" in wide


def test_description_of_just_the_longest_length_is_whole() -> None:
    texts = []
    for size in range(1, 61):
        row = {f"{'c' * 55}{index:02d}": 1 for index in range(24)} | {"x" * size: 1}
        texts.append(engine_of({"rows": [row]}, None).tables.describe())
    assert {len(text) for text in texts} >= {1_499, 1_500, 1_501}
    assert {text[-1] for text in texts if len(text) <= 1_500} == {"."}
    assert {text[-1] for text in texts if len(text) > 1_500} == {"…"}


def test_answer_has_at_most_five_thousand_rows() -> None:
    engine = engine_of()
    sql = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 6000) SELECT 1 FROM r"
    request = JobRequest("ext-1", max_chars=400_000)
    answer = answer_query(engine, Header("ext-1", "COMPLETED"), request, sql, deadline_seconds=60).structured
    assert (len(answer["rows"]["rows"]), answer["num_rows"], answer["omitted"][0]["count"]) == (5_000, 6_000, 1_000)


def test_names_with_quotes_are_quoted() -> None:
    engine = engine_of({'a"b': [{'c"d': 1, "select": 2}]}, None)
    assert rows('SELECT c_d, "select" FROM a_b', engine) == [[1, 2]]


def test_sorting_writes_no_files() -> None:
    engine = engine_of()
    assert engine._connection.execute("PRAGMA temp_store").fetchone() == (2,)


@pytest.mark.parametrize("name", ["sqlite_rows", "SQLite_rows", "sqlite_sequence", "__sqlite_stat1"])
def test_list_with_a_name_that_sqlite_reserves_is_renamed(name: str) -> None:
    engine = engine_of({name: [{"sqlite_a": 1}]}, None)
    ((table, num_rows),) = rows("SELECT name, num_rows FROM tables WHERE name <> 'fields'", engine)
    assert (table, num_rows) == (f"_{name.strip('_')}", 1)
    assert rows(f"SELECT * FROM {table}", engine) == [[1]]
    with pytest.raises(QueryError, match=f"no table {name}[.;].* Tables: {table}\\("):
        rows(f"SELECT * FROM {name}", engine)


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
