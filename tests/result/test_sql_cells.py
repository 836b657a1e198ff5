"""Cells hold what SQLite can hold, and what is cut is counted."""

import json
from typing import Any

import pytest

from llx_mcp.result.outline import build_outline
from llx_mcp.result.sql_cells import CellCutter, to_cell, to_number, type_name

LIMIT = 2**63


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (LIMIT - 1, LIMIT - 1),
        (LIMIT, str(LIMIT)),
        (-LIMIT, str(-LIMIT)),
        (1.5, 1.5),
        (True, True),
        (None, None),
        ("x", "x"),
        ([1, {"a": None}], '[1,{"a":null}]'),
        ({}, "{}"),
    ],
)
def test_value_is_a_cell_that_sqlite_can_hold(value: Any, cell: Any) -> None:
    assert to_cell(value) == cell


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (1.5, 1.5),
        (LIMIT - 1, LIMIT - 1),
        (LIMIT, float(LIMIT)),
        (10**300 - 1, 1e300),
        (10**300, None),
        (-(10**300), None),
        (True, None),
        ("7", None),
        (None, None),
        ([], None),
    ],
)
def test_number_is_one_that_sqlite_can_hold(value: Any, number: Any) -> None:
    found = to_number(value)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    ("value", "name"), [(True, "boolean"), ("x", "string"), (1, "integer"), (1.0, "number"), (10**30, "integer")]
)
def test_scalar_has_its_json_type(value: Any, name: str) -> None:
    assert type_name(value) == name


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [("x" * 7_900_000, False), ("x" * 7_900_001, True), ("é" * 3_950_000, False), ("é" * 3_950_001, True)],
)
def test_text_is_cut_where_it_has_too_many_bytes(text: str, is_cut: bool) -> None:
    cutter = CellCutter()
    cut = cutter.cut_text(text)
    assert cutter.num_cut == is_cut
    assert cut == (f"{text[:1_000_000]}…[+{len(text) - 1_000_000}]" if is_cut else text)
    assert CellCutter(is_off=True).cut_text(text) == text


def test_list_that_is_cut_is_still_json() -> None:
    items = [f"{index:07}" for index in range(900_000)]
    text = json.dumps(items, separators=(",", ":"))
    cutter = CellCutter()
    shown = json.loads(cutter.cut_text(text))
    assert shown == items[: len(shown)]
    assert 50_000 < len(shown) <= 100_000
    assert cutter.num_cut == 1
    # A text that only looks like a list is cut as a text.
    assert cutter.cut_text("[" * 7_900_001).startswith("[[[")
    assert cutter.cut_text('{"a":"' + "x" * 7_900_001).endswith("]")
    assert cutter.num_cut == 3


@pytest.mark.parametrize(("element", "start"), [("x" * 7_900_001, "xxx"), ({"a": "x" * 7_900_001}, '{"a":"xxx')])
def test_list_with_one_huge_element_has_the_start_of_it(element: Any, start: str) -> None:
    for elements in ([element], [element, 1, 2]):
        (shown,) = json.loads(CellCutter().cut_text(to_cell(elements)))
        assert shown.startswith(start)
        assert "x…[+" in shown
        assert len(shown) < 1_000_100


def test_other_cells_are_left_as_they_are() -> None:
    cutter = CellCutter()
    assert [cutter.cut_text(cell) for cell in (7, None, "x")] == [7, None, "x"]
    assert cutter.num_cut == 0


def test_long_names_are_cut_and_counted() -> None:
    cutter = CellCutter()
    assert cutter.cut_name("n" * 1_000) == "n" * 1_000
    assert cutter.num_cut == 0
    assert cutter.cut_name("n" * 1_001) == f"{'n' * 1_000}…[+1]"
    assert cutter.num_cut == 1


@pytest.mark.parametrize(("length", "is_cut"), [(1_000, False), (1_001, True)])
def test_path_has_its_long_names_cut(length: int, is_cut: bool) -> None:
    name = "n" * length
    node = build_outline({"a": {name: [1, 2]}}).members["a"].members[name].element
    assert node is not None
    cutter = CellCutter()
    write = cutter.path_writer(node)
    shown = f"a['{'n' * 1_000}…'][1]".replace("['", ".").replace("']", "") if is_cut else f"a.{name}[1]"
    assert write(1) == shown
    assert cutter.num_cut == is_cut
    whole = CellCutter(is_off=True)
    assert whole.path_writer(node)(1) == f"a.{name}[1]"
    assert whole.num_cut == 0
    assert CellCutter().path_writer(build_outline([]))(0) == "$"
