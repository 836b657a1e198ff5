"""The whole metadata entry of one value is found, whatever is in it and around it."""

import json
from typing import Any

import msgspec
import pytest

from llx_mcp.result.jsonpath import find_locations, parse_path
from llx_mcp.result.metadata_entry import MetadataEntries
from llx_mcp.result.outline import build_outline

CITATIONS = [{"page": 1, "matching_text": "words"}]
WHOLE = {"confidence": 0.5, "reasoning": "of the row"}
CITED = {"citation": CITATIONS, "new": None}


def read(result: Any, tree: Any, path: str, metadata: bytes | None = None) -> dict[str, Any]:
    """Return the entry of the value at a path."""
    raw = metadata or json.dumps({"field_metadata": {"document_metadata": tree}}).encode()
    (location,) = find_locations(parse_path(path), build_outline(result))
    return MetadataEntries(result, msgspec.Raw(raw)).read(location)


@pytest.mark.parametrize(
    ("result", "tree", "path", "expected"),
    [
        pytest.param({"a": 1}, {"a": {"confidence": 1, "new": [1]}}, "a", {"confidence": 1, "new": [1]}, id="own"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{"b": None, **WHOLE}]}, "a[0].b", WHOLE, id="inherited"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{"reasoning": "r"}]}, "a[0].b", {}, id="nothing to inherit"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": {"x": 1}, **WHOLE}}, "a", WHOLE, id="object"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": "text"}}, "a.b", {"value": "text"}, id="text"),
        pytest.param({"a": [1]}, {"a": [None, {"x": 1}]}, "a", {"entries": [{"x": 1}]}, id="further elements"),
        pytest.param({"a": [1]}, {"a": WHOLE}, "a", WHOLE, id="list"),
        pytest.param({"a": 1}, {"a": [{"x": 1}]}, "a", {"entries": [{"x": 1}]}, id="list beside a scalar"),
        pytest.param({"a": 1}, {"b": {"x": 1}}, "$", {"b": {"x": 1}}, id="absent field"),
        pytest.param({"citation": "Smith"}, CITED, "$", {"citation": CITATIONS}, id="citations"),
        pytest.param({"citation": {"a": 1}}, {"citation": {"a": WHOLE}}, "$", {}, id="field named citation"),
        pytest.param({"citation": {"a": 1}}, {"citation": {"a": WHOLE}}, "citation.a", WHOLE, id="within it"),
        pytest.param({"reasoning": "r"}, {"reasoning": "s"}, "$", {"reasoning": "s"}, id="field named reasoning"),
        pytest.param({"a": 1}, None, "a", {}, id="no tree"),
    ],
)
def test_entry_is_what_the_metadata_says_of_the_value_itself(
    result: Any, tree: Any, path: str, expected: dict[str, Any]
) -> None:
    assert read(result, tree, path) == expected


def test_entry_is_found_in_metadata_that_only_a_lenient_parser_reads() -> None:
    tree = b'{"a":[{"b":{"confidence":0.5,"new":1e999,"half":"\\ud800"}}],"\\ud800":1}'
    entry = read({"a": [{"b": 1}]}, None, "a[0].b", b'{"field_metadata":%s}' % tree)
    assert entry == {"confidence": 0.5, "new": "1e999", "half": "\\ud800"}


def test_parts_of_large_metadata_are_taken_apart_once() -> None:
    result = {"rows": list(range(50_000))}
    tree = {"rows": [{"new": index} for index in range(50_000)]}
    entries = MetadataEntries(result, msgspec.Raw(json.dumps({"field_metadata": tree}).encode()))
    root = build_outline(result)
    for index in (7, 49_999):
        (location,) = find_locations(parse_path(f"rows[{index}]"), root)
        assert entries.read(location) == {"new": index}
    # The tree and the list of rows.
    assert len(entries._opened) == 2
