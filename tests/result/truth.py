"""Checks an answer against the job that it is about."""

import json
from collections.abc import Iterator
from typing import Any

from llx_mcp.answers.row_lines import is_cell
from llx_mcp.result.paths import join_name
from llx_mcp.result.sanitize import sanitize_json
from tests.result.resolve import values_at
from tests.structured import omissions, result_of, unpack


def leaves_of(value: Any) -> list[Any]:
    """Return every scalar and null of a result."""
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in leaves_of(child)]
    return [leaf for item in value for leaf in leaves_of(item)] if isinstance(value, list) else [value]


def assert_true_of(view: dict[str, Any], job: dict[str, Any]) -> None:
    """Assert that all values and counts of a view are those of the job, and that it says how much it leaves out."""
    result = job["extract_result"]
    tree = job["extract_metadata"]["field_metadata"]
    tree = tree["document_metadata"] or tree["row_metadata"] or tree["page_metadata"]
    if "result" in view:
        assert view["result"] == result
    if "result_as_tables" in view:
        assert unpack(view["result_as_tables"]) == result
    if "cited_result" in view:
        assert result_of(view) == sanitize_json(result)
        for path, cell in _cells_of(unpack(view["cited_result"])):
            (entry,) = values_at(tree, path) or [None]
            _assert_cell(cell, entry or {})
    if "counts" in view:
        _assert_checks(view["counts"], result)
    for row in view.get("lowest_confidence", {"rows": []})["rows"]:
        _assert_evidence(row, result, tree)
    _assert_omissions(view, result)


def _cells_of(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the path of each value of a cited result, and its cell."""
    if is_cell(value):
        yield path, value
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from _cells_of(child, join_name(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _cells_of(item, f"{path}[{index}]")


def _assert_cell(cell: list[Any], entry: dict[str, Any]) -> None:
    citations = entry.get("citation") or [{}]
    confidence = entry.get("confidence")
    assert cell[1:3] == [citations[0].get("page"), None if confidence is None else round(confidence, 3)]


def _assert_checks(checks: dict[str, Any], result: Any) -> None:
    leaves = leaves_of(result)
    assert checks["values"] == sum(leaf is not None for leaf in leaves)
    assert checks["nulls"] == sum(leaf is None for leaf in leaves)


def _assert_evidence(row: list[Any], result: Any, tree: Any) -> None:
    path, value, confidence, page, *quotes = row
    (actual,) = values_at(result, path)
    _assert_shown(value, [actual])
    (entry,) = values_at(tree, path)
    assert confidence == round(entry["confidence"], 3)
    citations = entry.get("citation") or []
    assert page == (citations[0]["page"] if citations else None)
    for quote in filter(None, quotes):
        text = quote.partition(" [+")[0].strip("…")
        assert text in citations[0]["matching_text"]


def _assert_omissions(view: dict[str, Any], result: Any) -> None:
    if result in (None, {}, []) or {"cited_result", "result", "result_as_tables"} & view.keys():
        return
    num_values = sum(leaf is not None for leaf in leaves_of(result))
    assert any(f"{num_values} values" in note for note in omissions(view)), view


def _assert_shown(shown: Any, candidates: list[Any]) -> None:
    """Assert that a shown value is one of the candidates, or the beginning of one with the right number left out."""
    if shown is None:
        return
    if isinstance(shown, str) and "…[+" in shown:
        head, _, tail = shown.rpartition("…[+")
        num_omitted = int(tail.removesuffix("]"))
        assert any(isinstance(value, str) and value.startswith(head) and len(value) == len(head) + num_omitted
                   for value in candidates), shown  # fmt: skip
    else:
        assert any(json.dumps(shown) == json.dumps(value) for value in candidates), shown
