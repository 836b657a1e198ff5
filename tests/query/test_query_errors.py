"""An error about a query says what is wrong, and what exists instead."""

import pytest

from llx_mcp.query.engine import QueryError
from tests.query.engines import engine_of, rows


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
