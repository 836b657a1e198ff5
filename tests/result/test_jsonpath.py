"""Paths follow RFC 9535, and the path of each value that they name leads back to it."""

import json
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llx_mcp.result.jsonpath import PathError, explain_no_match, find_locations, parse_path
from llx_mcp.result.outline import build_outline
from llx_mcp.result.paths import show_path
from tests.result.strategies import NAMES, VALUES

RESULT = {
    "line_items": [{"sku": "A", "amount": 1}, {"sku": "B", "amount": 2}, {"sku": "C", "amount": 3}],
    "odd name": {"it's": 1, "": 2},
    "empty": [],
    "nothing": None,
}


def values_at(path: str, result: Any = RESULT) -> list[Any]:
    """The values that a path names."""
    return [location.value for location in find_locations(parse_path(path), build_outline(result))]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$", [RESULT]),
        ("line_items[0].sku", ["A"]),
        ("$.line_items[0].sku", ["A"]),
        ("$['line_items'][0]['sku']", ["A"]),
        ('$["line_items"][-1].sku', ["C"]),
        ("line_items[*].amount", [1, 2, 3]),
        ("line_items[1:].sku", ["B", "C"]),
        ("line_items[::-1].sku", ["C", "B", "A"]),
        ("line_items[0, 2].sku", ["A", "C"]),
        ("['odd name']['it\\'s']", [1]),
        ("['odd name']['']", [2]),
        ("['odd name'].*", [1, 2]),
        ("*", list(RESULT.values())),
        ("empty[*]", []),
        ("nothing", [None]),
        ("line_items[7]", []),
        ("line_items[2].sku", ["C"]),
        ("line_items[3]", []),
        ("line_items[-3].sku", ["A"]),
        ("line_items[-4]", []),
        ("line_items[-1000000]", []),
        ("line_items[-9007199254740991]", []),
        ("line_items[-9007199254740991:9007199254740991].sku", ["A", "B", "C"]),
        ("line_items[0:100000000000:0]", []),
        ("nothing.below", []),
    ],
)
def test_path_names_values(path: str, values: list[Any]) -> None:
    assert values_at(path) == values


BLANK = st.sampled_from(["", "", "", " ", "\t\n"])
INDEX = st.one_of(st.integers(-4, 4).map(str), st.sampled_from(["01", "-0", "9007199254740992", "1.0", "+1", ""]))
QUOTED = st.one_of(
    NAMES.map(lambda name: json.dumps(name, ensure_ascii=False)),
    st.sampled_from(
        ["'a'", "'\\u0061'", '"\\ud83d\\ude00"', "'\\ud800'", "'\\x'", "'\\'", "'a\nb'", "'\\\"'", '"\\\'"']
    ),
)
SLICE = st.builds(
    lambda *parts: "".join(parts), INDEX, BLANK, st.just(":"), BLANK, INDEX, st.sampled_from(["", ":", ":-1", ": 2"])
)
SELECTOR = st.one_of(INDEX, QUOTED, SLICE, st.just("*"))
SEGMENT = st.one_of(
    st.builds(lambda b, s: f"{b}[{b}{s}{b}]", BLANK, SELECTOR),
    st.builds(lambda s, o: f"[{s},{o}]", SELECTOR, SELECTOR),
    st.builds(lambda b, n: f"{b}.{n}", BLANK, st.sampled_from(["a", "amount", "*", "été", "1a", "a-b", " a", ""])),
    st.sampled_from(["[]", "[", "[a]", ".", "x", "[0", "['a", " "]),
)
PATHS = st.lists(SEGMENT, max_size=4).map(lambda segments: "$" + "".join(segments))


@given(PATHS, VALUES)
@settings(max_examples=400, deadline=None)
def test_parser_agrees_with_the_reference_implementation(path: str, result: Any) -> None:
    # Descendant segments are left out of this parser on purpose.
    assume(".." not in path)
    try:
        expected = jsonpath_rfc9535.find(path, result).values()
    except jsonpath_rfc9535.JSONPathError:
        with pytest.raises(PathError):
            parse_path(path)
    else:
        assert values_at(path, result) == expected


@given(VALUES, PATHS)
@settings(max_examples=200, deadline=None)
def test_path_of_each_match_names_only_that_value(result: Any, path: str) -> None:
    try:
        segments = parse_path(path)
    except PathError:
        return
    root = build_outline(result)
    for location in find_locations(segments, root):
        (again,) = find_locations(parse_path(show_path(location.path)), root)
        assert again == location


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("line_items[?@.amount>1]", "filters are not allowed; that is a query: use query_extract_result"),
        ("$..amount", "searches at any depth; that is a query: use query_extract_result"),
        ("length(line_items)", "has no functions; that is a query"),
        ("$.line_items.length()", "has no functions; that is a query"),
        ("line_items[]", "empty brackets; use [*] for all elements"),
        ("line_items.0.sku", "write [0] for an element"),
        ("line_items[00]", "leave out leading zeros"),
        ("line items", 'at character 6, "line▸items"'),
        ("line_items[0", "at character 13"),
        ("['a", "does not end"),
        ("a" + "[*,*]" * 20, "more than 64 alternatives"),
    ],
)
def test_error_of_an_invalid_path_says_where_and_what_to_do(path: str, words: str) -> None:
    with pytest.raises(PathError, match="path: at character") as caught:
        parse_path(path)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("line_item", "no line_item in $; did you mean line_items? It has line_items, ['odd name'], empty, nothing."),
        ("line_items[0].ammount", "no ammount in line_items[0]; did you mean amount?"),
        (
            "line_items.amount",
            "line_items is a list of 3 elements, not an object. For its elements use line_items[*].amount.",
        ),
        ("line_items[3]", "line_items is a list of 3 elements, [0] to [2]."),
        ("empty[*]", "empty is a list of 0 elements."),
        ("nothing.x", "nothing is null and has no fields or elements."),
        ("line_items[0].sku.x", "line_items[0].sku is a single value and has no fields"),
        ("['odd name'][0]", "['odd name'] is an object, not a list. It has"),
    ],
)
def test_path_without_a_value_is_explained_by_what_exists(path: str, words: str) -> None:
    assert words in explain_no_match(path, parse_path(path), build_outline(RESULT))


def test_path_over_too_many_values_is_an_error() -> None:
    locations = find_locations(parse_path("[*][*]"), build_outline([[0] * 60] * 60), max_visits=1_000)
    with pytest.raises(PathError, match="more than 1,000 values to visit"):
        list(locations)


def test_escape_of_two_surrogates_is_one_character() -> None:
    assert values_at("['smile \\ud83d\\ude00']", {"smile 😀": 1}) == [1]


@pytest.mark.parametrize(
    ("num_names", "end"), [(12, "n10, n11."), (13, "n10, n11 and 1 more."), (14, "n10, n11 and 2 more.")]
)
def test_explanation_lists_at_most_twelve_names(num_names: int, end: str) -> None:
    outline = build_outline({f"n{index}": 1 for index in range(num_names)})
    assert explain_no_match("zzz", parse_path("zzz"), outline).endswith(end)
