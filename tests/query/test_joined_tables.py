"""The results of several jobs can be queried together: the same tables, with the column `job_id` first."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llx_mcp.query.engine import Engine, QueryError
from llx_mcp.result.sql_tables import find_sql_tables
from tests.generated_jobs import RESULTS
from tests.result.documents import build_document, build_entry, build_metadata

MARCH = {
    "number": "M-3",
    "orders": [
        {"id": 1, "total": 5, "items": [{"sku": "p", "n": 2}, {"sku": "q", "n": 3}]},
        {"id": 2, "total": 7, "items": [{"sku": "p", "n": 4}]},
    ],
    "tags": ["a"],
}
APRIL = {
    "number": "A-4",
    "total": 99,
    "orders": [{"id": 1, "paid": True, "items": [{"sku": "r", "n": 5, "total": "1,000"}]}],
}
TREE = {"orders": [{"id": build_entry(0.7, 4, "No. 1")}]}


def engine_of(*results: Any, tree: Any = None) -> Engine:
    """The engine for the results of the jobs a, b, c and so on; `tree` is the metadata of the last."""
    trees = [None] * (len(results) - 1) + [tree]
    documents = [build_document(result, build_metadata(own)) for result, own in zip(results, trees, strict=True)]
    return Engine(dict(zip("abcdefghij", documents, strict=False)))


def rows(sql: str, engine: Engine | None = None) -> list[list[Any]]:
    """Run a query over two months, or over the tables of an engine, and return its rows."""
    engine = engine or engine_of(MARCH, APRIL, tree=TREE)
    engine.build(sql)
    return engine.run(sql, max_rows=100, max_chars=200, deadline_seconds=30).rows


def test_every_table_has_the_rows_of_all_jobs_with_the_id_first() -> None:
    assert rows("SELECT * FROM orders") == [["a", 1, 5, None], ["a", 2, 7, None], ["b", 1, None, 1]]
    assert rows("SELECT * FROM document") == [["a", "M-3", '["a"]', None], ["b", "A-4", None, 99]]
    assert rows("SELECT * FROM tags") == [["a", "a"]]


def test_one_query_compares_jobs() -> None:
    assert rows("SELECT job_id, sum(n) FROM items GROUP BY job_id") == [["a", 9], ["b", 5]]
    assert rows("SELECT sum(n) FROM items WHERE job_id = 'a'") == [[9]]
    assert rows("SELECT DISTINCT number FROM items") == [["M-3"], ["A-4"]]


def test_join_on_row_and_parent_does_not_mix_jobs() -> None:
    joined = "SELECT o.job_id, o.id, sum(i.n) FROM orders o JOIN items i ON i._parent = o._row GROUP BY o._row"
    assert rows(joined) == [["a", 1, 5], ["a", 2, 4], ["b", 1, 5]]


def test_rows_count_on_where_a_job_lacks_the_table_or_its_parent_has_no_columns() -> None:
    bare = {"pages": [{"lines": [{"n": 1}]}, {"lines": [{"n": 2}]}]}
    engine = engine_of(bare, {"other": [1]}, bare)
    assert rows("SELECT job_id, n, _row, _parent FROM lines", engine) == [
        ["a", 1, 0, 0],
        ["a", 2, 1, 1],
        ["c", 1, 2, 2],
        ["c", 2, 3, 3],
    ]


def test_inherited_field_is_no_column_of_rows_that_lack_their_own() -> None:
    # `total` stands in the orders of one job, and in the document and the items of the other.
    assert rows("SELECT job_id, total FROM orders") == [["a", 5], ["a", 7], ["b", None]]
    assert rows("SELECT job_id, total, total_number FROM items") == [
        ["a", None, None],
        ["a", None, None],
        ["a", None, None],
        ["b", "1,000", 1000],
    ]


def test_each_cell_has_its_own_page_confidence_quote_and_path() -> None:
    assert rows("SELECT job_id, id, id_page, id_confidence, id_quote, _path FROM orders") == [
        ["a", 1, None, None, None, "orders[0]"],
        ["a", 2, None, None, None, "orders[1]"],
        ["b", 1, 4, 0.7, "No. 1", "orders[0]"],
    ]
    # The details of a column that only the second job has stand in the rows of the second job.
    assert rows("SELECT job_id, paid, paid_page FROM orders WHERE paid") == [["b", 1, None]]


def test_tables_of_all_values_and_of_all_tables_have_the_id_too() -> None:
    assert rows("SELECT job_id, path, value FROM fields WHERE name = 'number'") == [
        ["a", "number", "M-3"],
        ["b", "number", "A-4"],
    ]
    assert rows("SELECT * FROM tables WHERE name IN ('orders', 'fields')") == [
        ["a", "orders", 2, "id, total"],
        ["a", "fields", 12, "job_id, path, name, value, number, type, confidence, page, quote"],
        ["b", "orders", 1, "id, paid"],
        ["b", "fields", 7, "job_id, path, name, value, number, type, confidence, page, quote"],
    ]


def test_column_named_job_id_in_a_document_gets_another_name() -> None:
    engine = engine_of({"rows": [{"job_id": "own", "n": 1}]}, {"rows": [{"JOB_ID": "other"}]})
    assert rows("SELECT * FROM rows", engine) == [["a", "own", 1], ["b", "other", None]]
    assert rows("SELECT job_id, job_id_2, n FROM rows", engine) == [["a", "own", 1], ["b", "other", None]]


def test_very_many_different_columns_are_counted() -> None:
    wide = [{"rows": [{f"{letter}{index}": index for index in range(400)}]} for letter in "xyz"]
    engine = engine_of(*wide)
    assert len(rows("SELECT * FROM rows", engine)[0]) == 501
    assert rows("SELECT columns LIKE '% and 700 more in fields' FROM tables WHERE name = 'rows'", engine) == [[1]] * 3
    assert rows("SELECT count(*) FROM fields", engine) == [[1200]]


def test_error_names_the_tables_and_columns_of_all_jobs() -> None:
    with pytest.raises(
        QueryError, match=r"no column paidd; did you mean paid\? Tables: orders\(job_id, id, total, paid"
    ):
        rows("SELECT paidd FROM orders")
    with pytest.raises(QueryError, match=r"no table ordrs; did you mean orders"):
        rows("SELECT * FROM ordrs")


@given(st.lists(RESULTS.filter(bool), min_size=1, max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_joined_tables_have_the_rows_and_values_of_each_job(results: list[Any]) -> None:
    documents = {f"ext-{index}": build_document(result, None) for index, result in enumerate(results)}
    # Lists in lists can have so many rows that their tables take seconds.
    assume(sum(document.num_values for document in documents.values()) <= 5_000)
    joined = Engine(documents)
    joined.build("fields")
    count = "SELECT count(*) FROM fields"
    found = joined.run(count, max_rows=1, max_chars=99, deadline_seconds=60).rows
    assert found == [[sum(document.num_values for document in documents.values())]]
    for job_id, document in documents.items():
        for table in find_sql_tables(document):
            name = next(name for name in joined.tables.sql_tables if name.lower() == table.name.lower())
            count = f"SELECT count(*), count(DISTINCT _row) FROM \"{name}\" WHERE job_id = '{job_id}'"
            joined.build(count)
            found = joined.run(count, max_rows=1, max_chars=99, deadline_seconds=60).rows
            assert found == [[len(table.positions)] * 2]
