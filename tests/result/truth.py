"""Checks an answer against the job that it is about."""

import json
from typing import Any

from tests.result.resolve import unpack, values_at
from tests.structured import omissions


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
    if "counts" in view:
        _assert_checks(view["counts"], result)
    for row in view.get("outline", {"rows": []})["rows"]:
        _assert_outline_row(row, result)
    for table in view.get("items", []):
        _assert_items(table, result)
    for row in view.get("lowest_confidence", {"rows": []})["rows"]:
        _assert_evidence(row, result, tree)
    _assert_omissions(view, result)


def _assert_checks(checks: dict[str, Any], result: Any) -> None:
    leaves = leaves_of(result)
    assert checks["values"] == sum(leaf is not None for leaf in leaves)
    assert checks["nulls"] == sum(leaf is None for leaf in leaves)


def _assert_outline_row(row: list[Any], result: Any) -> None:
    path, type_name, count, nulls, example = row
    values = values_at(result, path)
    if type_name.startswith(("list", "empty list")) and " or " not in type_name.split(" of ")[0]:
        assert count == sum(len(value) for value in values if value is not None)
    else:
        assert count == sum(value is not None for value in values)
    if " #" in type_name:
        within = [leaf for value in values for leaf in leaves_of(value)]
        assert nulls == sum(leaf is None for leaf in within)
    else:
        assert nulls == sum(value is None for value in values)
    _assert_shown(example, leaves_of(values))


def _assert_items(table: dict[str, Any], result: Any) -> None:
    for path, *cells in table["rows"]:
        (item,) = values_at(result, path)
        if table["columns"] == ["path", "value"] and not isinstance(item, dict):
            _assert_shown(cells[0], [item])
            continue
        for label, cell in zip(table["columns"][1:], cells, strict=True):
            if label.startswith("length("):
                (inner,) = values_at(item, label.removeprefix("length(").removesuffix(")"))
                assert cell == (None if inner is None else len(inner))
            else:
                _assert_shown(cell, values_at(item, label) or [None])


def _assert_evidence(row: list[Any], result: Any, tree: Any) -> None:
    path, value, confidence, page, quote = row
    (actual,) = values_at(result, path)
    _assert_shown(value, [actual])
    (entry,) = values_at(tree, path)
    assert confidence == round(entry["confidence"], 3)
    citations = entry.get("citation") or []
    assert page == (citations[0]["page"] if citations else None)
    if quote is None:
        assert not citations
    else:
        text = quote.partition(" [+")[0].strip("…")
        assert text in citations[0]["matching_text"]


def _assert_omissions(view: dict[str, Any], result: Any) -> None:
    if result in (None, {}, []) or "result" in view or "result_as_tables" in view:
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
