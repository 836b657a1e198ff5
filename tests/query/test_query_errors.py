"""An error about a query says what is wrong, and what exists instead."""

from typing import Any

import pytest

from llx_mcp.query.engine import Engine, QueryError
from tests.query.engines import engine_of, rows
from tests.result.documents import build_document


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
        ("SELECT xyz FROM rows", "no column xyz. Tables: rows(n). Others: fields."),
        ("SELECT xyz", f"no column xyz. {TABLES_TEXT}"),
        (
            "SELECT colums FROM tables",
            "no column colums; did you mean columns? Tables: tables(name, num_rows, columns). Others: rows, fields.",
        ),
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


def test_only_the_first_thousand_names_are_compared_by_their_spelling() -> None:
    result = {f"t{index}": [{f"column{index}": 1}] for index in range(1_010)}
    engine = engine_of(result, None)
    # Each table has three more columns, with the same names in all of them.
    for number, is_suggested in ((996, True), (997, False)):
        with pytest.raises(QueryError) as caught:
            rows(f"SELECT columm{number}", engine)
        assert (f"did you mean column{number}" in str(caught.value)) == is_suggested


def error_of(sql: str, result: Any) -> str:
    """Return the error of a query over a result without metadata."""
    with pytest.raises(QueryError) as caught:
        rows(sql, engine_of(result, None))
    return str(caught.value)


LOAN = {
    "agent": "Acme",
    "parties": {"lenders": ["A", "B"], "borrower": "C", "seat": {"city": "Oslo"}},
    "races": [{"year": 1, "swimmers": [{"name": "D", "person": {"year_birth": 1933, "sex": "f"}, "team": "E"}]}],
}
SWIMMERS = "races_swimmers(name, person_year_birth, person_sex, team, year)"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        # The table `fields` has a column of this name, but it is not the one that the query reads.
        (
            "SELECT count(*) FROM lenders WHERE page=59",
            "no column page; did you mean value_page? Tables: parties_lenders(value). "
            "Others: document, races, races_swimmers, fields.",
        ),
        (
            "SELECT confidence FROM races",
            "no column confidence; did you mean year_confidence? Tables: races(year). "
            "Others: document, parties_lenders, races_swimmers, fields.",
        ),
        (
            "SELECT birth_year FROM swimmers",
            f"no column birth_year; did you mean person_year_birth? Tables: {SWIMMERS}. "
            "Others: document, parties_lenders, races, fields.",
        ),
        (
            "SELECT s.Birth_Year_Page FROM races r JOIN swimmers AS s ON s._parent = r._row",
            f"no column s.Birth_Year_Page; did you mean person_year_birth_page? Tables: {SWIMMERS}. "
            "Others: document, parties_lenders, races, fields.",
        ),
        (
            "SELECT team FROM races",
            f"no column team; it is in races_swimmers. Tables: races(year); {SWIMMERS}. "
            "Others: document, parties_lenders, fields.",
        ),
        (
            "SELECT team FROM (SELECT name FROM swimmers)",
            f"no column team in this part of the query. Tables: {SWIMMERS}. "
            "Others: document, parties_lenders, races, fields.",
        ),
        (
            "SELECT x.team FROM races, swimmers",
            f"no column x.team; did you mean team? Tables: races(year); {SWIMMERS}. "
            "Others: document, parties_lenders, fields.",
        ),
    ],
)
def test_error_about_a_column_is_about_the_tables_that_the_query_reads(sql: str, error: str) -> None:
    assert error_of(sql, LOAN) == f"sql: {error}"


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        (
            "parties",
            "parties_lenders(value); document(parties_borrower, parties_seat_city). "
            "Others: races, races_swimmers, fields",
        ),
        ("SEAT", "document(parties_seat_city). Others: parties_lenders, races, races_swimmers, fields"),
        ("parties_seat", "document(parties_seat_city). Others: parties_lenders, races, races_swimmers, fields"),
        ("person", "races_swimmers(person_year_birth, person_sex). Others: document, parties_lenders, races, fields"),
    ],
)
def test_object_that_is_taken_for_a_table_is_named_with_its_tables_and_columns(name: str, tables: str) -> None:
    error = f"sql: no table {name}: it is an object, whose parts are in these tables. Tables: {tables}."
    assert error_of(f"SELECT * FROM {name}", LOAN) == error


def test_column_of_several_jobs_is_not_where_their_values_stand() -> None:
    engine = Engine({name: build_document({"rows": [{"n": 1}]}, None) for name in ("ext-1", "ext-2")})
    with pytest.raises(QueryError, match=r"no column page; did you mean n_page\? Tables: rows\(job_id, n\)\."):
        rows("SELECT page FROM rows", engine)


def test_object_around_lists_of_lists_is_named_with_all_tables_below() -> None:
    result = {"pages": {"tables": [{"n": 1, "cells": [{"text": "x"}]}]}}
    error = "sql: no table pages: it is an object, whose parts are in these tables. Tables: "
    assert error_of("SELECT * FROM pages", result) == (
        f"{error}pages_tables(n); pages_tables_cells(text, n). Others: fields."
    )


def test_unknown_table_is_answered_with_the_nearest_and_the_number_of_the_others() -> None:
    result = {f"list_{index}": [{f"n{index}": 1}] for index in range(40)} | {"work_history": [{"job": "x"}]}
    for name in ("work_histroy", "history_work", "workHistory"):
        assert error_of(f"SELECT * FROM {name}", result) == (
            f"sql: no table {name}; did you mean work_history? Tables: work_history(job). "
            "41 others: SELECT name FROM tables."
        )


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


def test_tables_with_the_same_columns_are_described_together() -> None:
    result = {"a": [{"n": 1}], "b": [{"m": 1}], "c": [{"n": 1}]}
    text = engine_of(result, None).tables.catalog.describe()
    assert text == f"Tables: a, c(n); b(m); {FIELDS_TEXT}"


@pytest.mark.parametrize("number", [8, 9, 13, 14])
def test_tables_that_are_not_described_are_named_or_counted(number: int) -> None:
    names = [f"l{index}" for index in range(number)]
    text = engine_of({name: [{"n": 1}] for name in names}, None).tables.catalog.describe()
    others = {
        8: "",
        9: " Others: l8.",
        13: " Others: l8, l9, l10, l11, l12.",
        14: " 6 others: SELECT name FROM tables.",
    }
    assert text == f"Tables: {', '.join(names[:8])}(n); {FIELDS_TEXT}{others[number]}"


def test_columns_that_are_not_listed_are_counted() -> None:
    for number, more in ((30, ""), (31, ", 1 more"), (40, ", 10 more")):
        wide = engine_of({"wide": [{f"c{index}": 1 for index in range(number)}]}, None).tables.catalog.describe()
        shown = ", ".join(f"c{index}" for index in range(30))
        assert wide == f"Tables: wide({shown}{more}); {FIELDS_TEXT}"


def test_description_is_short_whatever_the_names() -> None:
    lengths = set()
    for size in range(1, 61):
        row = {f"{'c' * 55}{index:02d}": 1 for index in range(24)} | {"x" * size: 1}
        text = engine_of({"rows": [row], "others": [row | {"y": 1}]}, None).tables.catalog.describe()
        assert text.startswith(f"Tables: rows({'c' * 55}00, ")
        assert text.endswith(" more). Others: others, fields.")
        lengths.add(len(text))
    assert max(lengths) < 900
