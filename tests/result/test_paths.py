"""A path is one visible line that names exactly one value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.result.paths import join_any, join_index, join_name, show_path, split_paths
from llx_mcp.result.sanitize import INVISIBLE


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("amount", "a.amount"),
        ("montant_dû", "a.montant_dû"),
        ("金額", "a.金額"),
        ("line items", "a['line items']"),
        ("1st", "a['1st']"),
        ("", "a['']"),
        ("it's", "a['it\\'s']"),
        ("back\\slash", "a['back\\\\slash']"),
        ("a.b", "a['a.b']"),
        ("x]", "a['x]']"),
        ("line\nbreak", "a['line\\nbreak']"),
        ("zero\u200bwidth", "a['zero\\u200bwidth']"),
        ("right\u202eleft", "a['right\\u202eleft']"),
        ("tag\U000e0041", "a['tag\\udb40\\udc41']"),
        ("last\uffff", "a['last\\uffff']"),
        ("```", "a['```']"),
        ("no-break\u00a0space", "a['no-break\\u00a0space']"),
    ],
)
def test_unusual_names_are_quoted(name: str, path: str) -> None:
    assert join_name("a", name) == path


def test_steps_are_joined() -> None:
    assert join_any(join_name(join_index(join_name("", "rows"), 3), "cells")) == "rows[3].cells[*]"
    assert join_name(join_index("", 0), "n") == "[0].n"
    assert (show_path(""), show_path("a")) == ("$", "a")


@given(st.text())
def test_quoted_name_can_be_read_back(name: str) -> None:
    path = join_name("", name)
    assert "\n" not in path
    assert not INVISIBLE.search(path)
    if path.startswith("['"):
        inner = path[2:-2].replace('"', '\\"').replace("\\'", "'")
        assert json.loads(f'"{inner}"') == name
    else:
        assert path == name


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("total", ["total"]),
        ("total, items[0].a ,b", ["total", "items[0].a", "b"]),
        ("items[0,2].a,b", ["items[0,2].a", "b"]),
        ("$['a, b'].c,[\"d,]\"]", ["$['a, b'].c", '["d,]"]']),
        (r"['it\'s, so'],x", [r"['it\'s, so']", "x"]),
        ("a,,b,", ["a", "b"]),
        ("a[0,b", ["a[0", "b"]),
        ("", []),
    ],
)
def test_paths_in_a_text_are_separated_by_commas_outside_of_brackets(text: str, paths: list[str]) -> None:
    assert split_paths(text) == paths
