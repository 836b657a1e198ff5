"""The shape of a result names each field once, and keeps within its limit."""

from typing import Any

import pytest

from llx_mcp.answers.shape import Shape, describe_shape
from llx_mcp.result.outline import build_outline

# What a shape without other marks begins with.
LEGEND = "(SQL table of a.b: a_b)"


def shape_of(result: Any, max_chars: int = 10_000) -> Shape:
    """Return the shape of a result."""
    return describe_shape(build_outline(result), max_chars)


def lines_of(result: Any, max_chars: int = 10_000) -> list[str]:
    """Return the lines of the shape of a result, without the legend."""
    return shape_of(result, max_chars).text.split("\n")[1:]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (12.5, "a: 12.5"),
        (True, "a: true"),
        ("a  b\nc", 'a: "a b c"'),
        ("x" * 24, f'a: "{"x" * 24}"'),
        ("x" * 25, f'a: "{"x" * 24}…"'),
        ("x" + " " * 60, 'a: "x…"'),
        ("x" + " " * 46 + "y", 'a: "x y"'),
        ("x" + " " * 47 + "y", 'a: "x…"'),
        ("a\u202eb", 'a: "a\\\\u202eb"'),
        (None, "a: null"),
        ([], "a: []"),
        ({}, "a: {}"),
        ([None, None], "a: 2 x null"),
        (["x"], 'a: 1 x "x"'),
        ([1, "x", True, 2.5], "a: 4 x boolean|number|string"),
        ([1, 2.5], "a: 2 x 1"),
        ([1, "x"], "a: 2 x number|string"),
        ([[1, 2], [3]], "a: 2 x 3 x 1"),
        ({"b": {"c": 1, "d": "x"}}, 'a: {b: {c: 1, d: "x"}}'),
        ([{"b": 1}, {"b": None}, {}], "a: 3 x {b: 1 ?2}"),
        ([{"b": 1}, [2], "x"], 'a: 3 x 1 x 2 or {b: 1} or "x"'),
        ([[], []], "a: 2 x []"),
    ],
)
def test_field_is_written_with_its_count_and_an_example(value: Any, line: str) -> None:
    assert lines_of({"a": value}) == [line]


@pytest.mark.parametrize(
    ("result", "line"),
    [([{"a": 1}, {"a": 2}], "2 x {a: 1}"), (["x"], '1 x "x"'), (7, "7"), (None, "null"), ([], "[]")],
)
def test_result_that_is_no_object_is_one_line(result: Any, line: str) -> None:
    assert lines_of(result) == [line]


@pytest.mark.parametrize(
    ("result", "legend"),
    [
        ({"a": 1, "b": {"c": [2]}}, "(SQL table of a.b: a_b)"),
        ({"a": [{"b": 1}, {}]}, "(?n: n fields null or absent; SQL table of a.b: a_b)"),
        ({"a": ["x", "y"] * 2}, '("a"|"b": all values; SQL table of a.b: a_b)'),
        (
            {"a": [{"b": 1, "c": 2}], "d": [{"b": 1, "c": 2}]},
            "(a, b: n x #1: lists of n, with the fields of #1; SQL table of a.b: a_b)",
        ),
    ],
)
def test_legend_explains_the_marks_that_the_shape_has(result: Any, legend: str) -> None:
    assert shape_of(result).text.split("\n")[0] == legend


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["x", "y", "x", "y"], '"x"|"y"'),
        # In the order in which they first appear.
        (["b", "a", None, "a", "b"], '"b"|"a"'),
        (["b", 2, "a", 2.5, "a", True, "b"], '"b"|"a"|boolean|number'),
        ([*"abcdefgh"] * 2, '"a"|"b"|"c"|"d"|"e"|"f"|"g"|"h"'),
        (["x" * 37, "y" * 38] * 2, f'"{"x" * 37}"|"{"y" * 38}"'),
        (["a\u202eb", "c"] * 2, '"a\\\\u202eb"|"c"'),
        # One value, values that do not repeat, too many, too long, with line breaks, and beside objects.
        (["x", "x"], '"x"'),
        (["x", "y", "x"], '"x"'),
        ([*"abcdefghi"] * 2, '"a"'),
        (["x" * 38, "y" * 38] * 2, f'"{"x" * 24}…"'),
        (["a\nb", "c"] * 2, '"a b"'),
        (["a", "b", "a", "b", {"c": 1}], '{c: 1} or "a"'),
    ],
)
def test_field_of_a_list_with_few_texts_is_written_with_all_of_them(values: list[Any], text: str) -> None:
    assert lines_of({"a": values}) == [f"a: {len(values)} x {text}"]
    gaps = f" ?{values.count(None)}" if None in values else ""
    assert lines_of({"a": [{"b": value} for value in values]}) == [f"a: {len(values)} x {{b: {text}{gaps}}}"]


def test_lists_that_are_written_once_have_the_texts_of_all() -> None:
    def table(kinds: str, **more: int) -> list[dict[str, Any]]:
        return [{"kind": kind, "at": {"place": place}, "n": 1} | more for kind in kinds for place in ("x", "y")]

    result = {"a": table("pq"), "b": table("qr"), "c": table("s", m=1), "d": table("t", m=1), "e": [{"kind": "u"}]}
    assert lines_of(result) == [
        'a, b: 4 x #1 {kind: "p"|"q"|"r"|"s"|"t", at: {place: "x"|"y"}, n: 1}',
        "c, d: 2 x #2 {#1, m: 1}",
        'e: 1 x {kind: "u"}',
    ]


def test_texts_that_one_of_the_lists_written_once_has_too_many_of_are_not_shown() -> None:
    many = [{"kind": f"kind {index}", "n": index} for index in range(20)]
    assert lines_of({"a": [{"kind": kind, "n": 1} for kind in "pqpq"], "b": many}) == [
        'a: 4 x #1 {kind: "p", n: 1}',
        "b: 20 x #1",
    ]


def test_all_texts_of_a_field_come_before_longer_examples() -> None:
    result = {"a": [{"kind": kind, "name": f"A long name, number {index}"} for index, kind in enumerate("pqrs" * 9)]}
    whole = shape_of(result)
    assert '{kind: "p"|"q"|"r"|"s", name: "A long name, number 0"}' in whole.text
    shorter = shape_of(result, len(whole.text) - 1)
    assert '{kind: "p"|"q"|"r"|"s", name: "A long name,…"}' in shorter.text
    plain = shape_of(result, len(shorter.text) - 1)
    assert '{kind: "p"|"q"|"r"|"s", name: string}' in plain.text
    without = shape_of(result, len(plain.text) - 1)
    assert '{kind: "p", name: "A long name, number 0"}' in without.text
    assert [shape.lacks_labels for shape in (whole, shorter, plain, without)] == [False] * 3 + [True]


def test_gaps_of_lists_of_one_shape_are_counted_for_each_list() -> None:
    result = {"one": [{"a": 1, "b": None}] * 2, "odd name": [{"a": None, "b": None}] * 3, "none": None}
    assert lines_of(result) == ["one: 2 x #1 {a: 1, b: null} ?2", "['odd name']: 3 x #1 ?6", "none: null"]


def test_numbered_shape_refers_to_the_largest_earlier_one_that_it_contains() -> None:
    ab, abc = {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}
    abcd = {"a": 1, "b": 2, "c": 3, "d": {"e": [{"f": 4}]}}
    result = {"p": [ab] * 2, "q": [ab] * 3, "r": [abc] * 2, "s": [abc] * 3, "t": [abcd] * 2, "u": [abcd] * 3}
    assert lines_of(result) == [
        "p: 2 x #1 {a: 1, b: 2}",
        "q: 3 x #1",
        "r: 2 x #2 {#1, c: 3}",
        "s: 3 x #2",
        "t: 2 x #3 {#2, d: {e: 2 x {f: 4}}}",
        "u: 3 x #3",
    ]


def test_deep_fields_are_left_out_level_by_level_and_counted() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"x": 1, "y": {"z": 2} if depth == 0 else nested(depth - 1)}

    result = {f"field_{index}": nested(4) for index in range(3)}
    left = [shape_of(result, len(LEGEND) + room).num_left for room in (297, 207, 167, 127, 87, 17)]
    assert left == sorted(left)
    assert len(set(left)) == len(left)
    whole = shape_of(result).text
    assert shape_of(result, len(whole)) == Shape(whole, 0)
    assert shape_of(result, len(whole) - 1).text != whole


def test_fields_of_lists_that_are_left_out_are_counted() -> None:
    result = {"a": {"b": [{"c": 1, "d": [{"e": 1}]}], "f": 1}, "g": {"h": 1}}
    shallow = shape_of(result, len(LEGEND) + len("\na: {2 fields}\ng: {1 fields}"))
    assert shallow.text == f"{LEGEND}\na: {{2 fields}}\ng: {{1 fields}}"
    # a.b, its c and d, its e, a.f and g.h
    assert shallow.num_left == 6


@pytest.mark.parametrize("spare", [0, 1, 9])
def test_shape_that_is_still_too_long_keeps_its_first_lines(spare: int) -> None:
    result = {f"number_{index}": index for index in range(8)}
    kept = f"{LEGEND}\nnumber_0: number\nnumber_1: number"
    # A line takes its characters and its end.
    shape = shape_of(result, len(kept) + 1 + spare)
    assert (shape.text, shape.num_left) == (kept, 6)
    assert shape_of(result, 5) == Shape("", 9)


def nested(levels: int, *, in_lists: bool = False) -> Any:
    """Return an object within an object, and so on, or each in a list."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value] if in_lists else value}
    return value


@pytest.mark.parametrize(
    ("result", "text", "num_left"),
    [
        (nested(40), "a: {" * 25 + "1 fields", 15),
        (nested(40, in_lists=True), "a: 1 x {" * 12 + "a: 1 x […]", 27),
        ([nested(40)], "1 x {" + "a: {" * 23 + "1 fields", 17),
        ([[nested(40)]], "1 x 1 x {" + "a: {" * 22 + "1 fields", 18),
    ],
)
def test_result_of_many_levels_is_written_to_a_depth(result: Any, text: str, num_left: int) -> None:
    whole = f"{LEGEND}\n{text}{'}' * text.count('{')}"
    assert shape_of(result) == Shape(whole, num_left)


def test_fields_that_a_numbered_shape_adds_are_written_to_the_same_depth_as_others() -> None:
    ab = {"a": 1, "b": 2}
    abc = ab | {"c": nested(40)}
    numbered = {"p": [ab] * 2, "q": [ab] * 3, "r": [abc] * 2, "s": [abc] * 3}
    whole = {"r": [abc] * 2, "s": [abc] * 3}
    (*_, added, _) = lines_of(numbered)
    (first, _) = lines_of(whole)
    assert added.startswith("r: 2 x #2 {#1, c: {a: ")
    assert added.count("{a: {") == first.count("{a: {")
    assert shape_of(numbered).num_left == shape_of(whole).num_left
