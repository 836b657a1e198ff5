"""Lists of uniform objects become columns and rows, and nothing else changes."""

from typing import Any

import pytest

from llx_mcp.answers.compact_tables import pack


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], {"columns": ["a", "b"], "rows": [[1, 2], [3, 4]]}),
        ([{"a": 1, "b": 2}, {"b": 4, "a": 3}], {"columns": ["a", "b"], "rows": [[1, 2], [3, 4]]}),
        ([{"a": 1}], [{"a": 1}]),
        ([{"a": 1}, {"b": 1}], [{"a": 1}, {"b": 1}]),
        ([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1}, {"a": 1, "b": 2}]),
        ([{}, {}], [{}, {}]),
        ([{"a": 1}, 2], [{"a": 1}, 2]),
        ([1, 2], [1, 2]),
        ([], []),
        ("x", "x"),
        ({"n": [{"a": 1}, {"a": 2}]}, {"n": {"columns": ["a"], "rows": [[1], [2]]}}),
        ([[{"a": 1}, {"a": 2}]], [{"columns": ["a"], "rows": [[1], [2]]}]),
        (
            [{"a": [{"b": 1}, {"b": 2}]}, {"a": 3}],
            {"columns": ["a"], "rows": [[{"columns": ["b"], "rows": [[1], [2]]}], [3]]},
        ),
    ],
)
def test_only_lists_of_two_or_more_uniform_objects_become_tables(value: Any, packed: Any) -> None:
    assert pack(value) == packed


def in_lists(value: Any) -> Any:
    """Return a list of the value."""
    return [value]


def in_objects(value: Any) -> Any:
    """Return an object with the value."""
    return {"x": value}


def in_rows(value: Any) -> Any:
    """Return a table with the value in a cell."""
    return [{"x": value}, {"x": 0}]


def in_unlike_objects(value: Any) -> Any:
    """Return a list of objects with different names, one with the value."""
    return [{"x": value}, {"y": 0}]


@pytest.mark.parametrize("wrap", [in_lists, in_objects, in_rows, in_unlike_objects])
def test_value_nested_too_deeply_is_left_as_it_is(wrap: Any) -> None:
    whole: Any = [{"inmost": 1}, {"inmost": 2}]
    # A table is one level, a list of other objects two.
    levels = 32 if wrap is in_unlike_objects else 64
    for _ in range(levels):
        whole = wrap(whole)
    packed = {"columns": ["inmost"], "rows": [[1], [2]]}
    assert str(packed) in str(pack(whole))
    assert str(packed) not in str(pack(wrap(whole)))


@pytest.mark.parametrize("wrap", [in_lists, in_objects, in_rows, in_unlike_objects])
def test_value_with_a_table_of_its_own_is_not_packed(wrap: Any) -> None:
    own = {"columns": ["Item", "Net"], "rows": [["A", 1], ["B", 2]]}
    value = {"table": wrap(own), "items": [{"a": 1}, {"a": 2}]}
    assert pack(value) == value
