"""Flat objects of lists are rows, and scalars of one list share rows of bounded length."""

from typing import Any

import pytest

from llx_mcp.answers.page_rows import count_values, iter_page_rows, single
from llx_mcp.result.location import root_location
from llx_mcp.result.outline import build_outline


def rows_of(result: Any) -> list[tuple[str, tuple[str, ...], list[Any]]]:
    """Return path, columns and values of each row of a whole result."""
    rows = iter_page_rows([root_location(build_outline(result))])
    return [(row.path, row.columns, row.values) for row in rows]


def test_flat_objects_of_a_list_are_rows_and_other_values_rows_of_their_own() -> None:
    result = {"a": 1, "b": {"c": 2, "d": {}}, "rows": [{"n": 1, "o": {"p": 2, "q": {"r": 3}}}, {}, 5], "e": []}
    assert rows_of(result) == [
        ("a", (), [1]),
        ("b.c", (), [2]),
        ("b.d", (), [{}]),
        ("rows[0]", ("n", "o.p", "o.q.r"), [1, 2, 3]),
        ("rows[1]", (), [{}]),
        ("rows[2]", (), [5]),
        ("e", (), [[]]),
    ]


def test_object_with_a_list_of_objects_is_not_flat() -> None:
    assert rows_of([{"n": 1, "inner": [{"m": 2}]}, {"n": 3, "inner": []}]) == [
        ("[0].n", (), [1]),
        ("[0].inner[0]", ("m",), [2]),
        ("[1]", ("n", "inner"), [3, []]),
    ]


@pytest.mark.parametrize(
    ("items", "is_flat"),
    [
        (list(range(20)), True),
        (list(range(21)), False),
        # With brackets, commas and quotation marks, the list has 200 characters.
        (["x" * 97, "y" * 96], True),
        (["x" * 97, "y" * 97], False),
        ([1, [2]], False),
    ],
)
def test_short_list_of_scalars_is_one_cell(items: list[Any], is_flat: bool) -> None:
    rows = rows_of([{"n": 1, "tags": items}])
    assert (rows == [("[0]", ("n", "tags"), [1, items])]) is is_flat


@pytest.mark.parametrize(
    ("items", "paths"),
    [
        ([1], ["[0]"]),
        ([1, None], ["[0:2]"]),
        ([0] * 20, ["[0:20]"]),
        ([0] * 21, ["[0:20]", "[20]"]),
        # A row has at most 400 characters.
        (["x" * 198] * 3, ["[0:2]", "[2]"]),
        (["x" * 199] * 3, ["[0]", "[1]", "[2]"]),
        (["x" * 500, 1], ["[0]", "[1]"]),
        ([1, 2, {"a": 3}, 4, 5], ["[0:2]", "[2]", "[3:5]"]),
        ([1, [2, 3], 4], ["[0]", "[1][0:2]", "[2]"]),
    ],
)
def test_scalars_of_a_list_share_rows(items: list[Any], paths: list[str]) -> None:
    assert [path for path, _, _ in rows_of(items)] == paths


def test_row_of_scalars_names_the_slice_of_each_list() -> None:
    result = {"rows": [{"deep": [{"tags": [1, 2, 3], "m": [{"n": [4, 5]}]}]}] * 2}
    assert [path for path, _, _ in rows_of(result)] == [
        "rows[0].deep[0].tags[0:3]",
        "rows[0].deep[0].m[0]",
        "rows[1].deep[0].tags[0:3]",
        "rows[1].deep[0].m[0]",
    ]


def test_leaves_of_a_row_are_its_values_one_by_one() -> None:
    (row,) = iter_page_rows([root_location(build_outline([{"n": 1, "tags": [2, 3], "e": []}]))])
    assert [location.path for location in row.leaves] == ["[0].n", "[0].tags[0]", "[0].tags[1]", "[0].e"]
    assert single(row.leaves[1]).values == [2]


@pytest.mark.parametrize(
    ("value", "count"), [(1, 1), (None, 1), ([], 1), ({}, 1), ([1, [2, []], {"a": {"b": 3, "c": None}}], 5)]
)
def test_scalars_nulls_and_empty_containers_are_counted(value: Any, count: int) -> None:
    assert count_values(value) == count
