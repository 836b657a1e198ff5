"""All pages together show every value once, in order, exact, and with its provenance."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.cursors import CursorError, PagePosition, decode_cursor, encode_cursor
from llx_mcp.answers.header import build_header
from llx_mcp.answers.page import read_page
from llx_mcp.answers.requests import JobRequest, ReadOptions
from llx_mcp.answers.row_lines import format_cell, is_cell
from llx_mcp.models import Job
from llx_mcp.result.jsonpath import PathError
from llx_mcp.result.sanitize import dump_json, sanitize_json
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job, cited
from tests.generated_jobs import NOW, jobs
from tests.result.resolve import values_at
from tests.structured import next_steps, omissions


def page_of(
    job: Job,
    max_chars: int = 8_000,
    path: str = "$",
    cursor: str | None = None,
    include: str = "",
    sections: JobSections | None = None,
) -> Answer:
    """Return one page."""
    request = JobRequest(job.id, max_chars=max_chars)
    page = ReadOptions(path, cursor, tuple(include.split()))
    return read_page(sections or JobSections(job.sections), build_header(job, request, now=NOW), request, page)


def pages_of(job: Job, max_chars: int, path: str = "$", include: str = "", most: int = 1_000) -> list[Answer]:
    """Return at most `most` pages from the start, and fail where one exceeds the budget."""
    sections = JobSections(job.sections)
    pages = [page_of(job, max_chars, path, None, include, sections)]
    while (cursor := pages[-1].structured.get("cursor")) is not None and len(pages) < most:
        pages.append(page_of(job, max_chars, path, cursor, include, sections))
    for page in pages:
        assert max(len(page.text), len(dump_json(page.structured))) <= max_chars
    return pages


def leaves_of(value: Any) -> list[Any]:
    """Return every scalar, null and empty container of a result, in order."""
    if isinstance(value, dict) and value:
        return [leaf for child in value.values() for leaf in leaves_of(child)]
    return [leaf for item in value for leaf in leaves_of(item)] if isinstance(value, list) and value else [value]


def shown_in(pages: list[Answer]) -> list[Any]:
    """Return every value that the pages show, in order, with the parts of a value joined."""
    found: list[Any] = []
    for page in pages:
        if "value" in page.structured:
            found.append(page.structured["value"]["value"])
        for table in page.structured.get("values", []):
            columns = table["columns"]
            if "part of value" in columns:
                for _, characters, _, part in table["rows"]:
                    if characters.startswith("0:"):
                        found.append("")
                    found[-1] += part
                continue
            for row in table["rows"]:
                for cell in row[1:]:
                    found += values_of(cell, has_cells="cells" in table)
    return found


def values_of(cell: Any, *, has_cells: bool) -> list[Any]:
    """Return the values of a cell: one, or those of a list within it, each perhaps with its provenance."""
    if not isinstance(cell, list) or not cell:
        return [cell]
    if has_cells and is_cell(cell):
        return [cell[0]]
    return [value for item in cell for value in values_of(item, has_cells=has_cells)]


@pytest.mark.parametrize("max_chars", [1_000, 3_000, 20_000])
@pytest.mark.parametrize("include", ["", "provenance"])
def test_all_pages_of_a_real_job_show_every_value_once_and_in_order(
    corpus_job: bytes, max_chars: int, include: str
) -> None:
    job = Job.parse(corpus_job)
    pages = pages_of(job, max_chars, include=include)
    assert shown_in(pages) == [sanitize_json(leaf) for leaf in leaves_of(json.loads(corpus_job)["extract_result"])]


@given(jobs(), st.integers(1_000, 6_000), st.sampled_from(["", "provenance quotes boxes"]))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_pages_of_any_job_show_every_value_once_and_in_order(
    wire: dict[str, Any], max_chars: int, include: str
) -> None:
    result = wire["extract_result"]
    if result in (None, {}, []):
        return
    pages = pages_of(Job.parse(json.dumps(wire).encode()), max_chars, include=include, most=40)
    unshown = sum("whose path alone takes" in note for page in pages for note in omissions(page.structured))
    shown, leaves = shown_in(pages), list(map(sanitize_json, leaves_of(result)))
    if not unshown:
        # A value in parts is shown as text, and the last page may end inside one.
        texts = [value if isinstance(value, str) else dump_json(value) for value in shown]
        expected = [value if isinstance(value, str) else dump_json(value) for value in leaves]
        assert texts[:-1] == expected[: len(texts) - 1]
        assert expected[len(texts) - 1].startswith(texts[-1])
    if "cursor" not in pages[-1].structured:
        assert len(shown) + unshown == len(leaves)


def test_each_value_has_its_own_page_confidence_and_quote() -> None:
    rows = [{"sku": "A", "net": {"amount": 1.5}}, {"sku": "B", "net": {"amount": 2}, "tags": ["x", "y"], "note": None}]
    tree = [
        {"sku": cited(0.9, 1, "A 1.50"), "net": {"amount": cited(0.9, 1, "A 1.50")}},
        {"sku": cited(0.9, 2, "B"), "net": {"amount": cited(0.4, 2, "all of it was due 2.00 in May")}, "tags": []},
    ]
    job = build_job({"rows": rows}, {"rows": tree})
    assert page_of(job, path="rows[*]", include="provenance").structured["values"] == [
        {
            "columns": ["_path", "sku", "net.amount"],
            "cells": "[value, page, confidence]",
            "rows": [["rows[0]", ["A", 1, 0.9], [1.5, 1, 0.9]]],
        },
        {
            "columns": ["_path", "sku", "net.amount", "tags", "note"],
            "cells": "[value, page, confidence]",
            "rows": [["rows[1]", ["B", 2, 0.9], [2, 2, 0.4], [["x", None, None], ["y", None, None]], None]],
        },
    ]
    answer = page_of(job, path="rows[1].net", include="provenance quotes")
    quote = "all of it was due 2.00 in May"
    assert answer.structured["values"] == [
        {
            "columns": ["path", "value"],
            "cells": "[value, page, confidence, quote]",
            "rows": [["rows[1].net.amount", [2, 2, 0.4, quote]]],
        }
    ]
    assert f'rows[1].net.amount | 2 [p. 2, 0.4, "{quote}"]\n' in answer.text


def test_quote_that_lacks_the_value_is_always_shown() -> None:
    job = build_job({"rows": [{"n": 7}]}, {"rows": [{"n": cited(0.9, 1, "eight")}]})
    (table,) = page_of(job, path="rows", include="provenance").structured["values"]
    assert table["rows"] == [["rows[0]", [7, 1, 0.9, "value not in quote: eight"]]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ([52033, 5, 0.93], "52033 [p. 5, 0.93]"),
        (["x", None, 0.5], '"x" [0.5]'),
        ([True, 2.0, None], "true [p. 2]"),
        ([1.5, None, None], "1.5 [no citation]"),
        ([1, 2, 0.5, "q", [[1, 2, 3, 4]]], '1 [p. 2, 0.5, "q", [[1,2,3,4]]]'),
        ([1, 2, 0.5, None, []], "1 [p. 2, 0.5, []]"),
        (None, "null"),
        ("plain", '"plain"'),
    ],
)
def test_value_with_its_provenance_reads_itself(cell: Any, text: str) -> None:
    assert format_cell(cell) == text


def test_single_value_has_all_its_citations_and_boxes() -> None:
    box = {"x": 1, "y": 2.5, "w": 30, "h": 4}
    citations = [
        {"page": 1, "matching_text": "Total 12.50", "bounding_boxes": [box]},
        {"page": 3.0, "matching_text": "w" * 400},
    ]
    job = build_job({"total": 12.5}, {"total": {"confidence": 0.87654, "citation": citations}})
    value = page_of(job, path="total", include="provenance quotes boxes").structured["value"]
    assert value == {
        "path": "total",
        "value": 12.5,
        "confidence": 0.87654,
        "citations": [
            {"page": 1, "quote": "Total 12.50", "boxes": [[1, 2.5, 30, 4]]},
            {"page": 3, "quote": "w" * 400, "boxes": []},
        ],
    }


def test_scalars_of_a_list_are_grouped_by_slice() -> None:
    (table,) = page_of(build_job({"tags": [str(index) for index in range(45)]})).structured["values"]
    assert [row[0] for row in table["rows"]] == ["tags[0:20]", "tags[20:40]", "tags[40:45]"]
    assert [value for _, values in table["rows"] for value in values] == [str(index) for index in range(45)]


def test_value_larger_than_the_budget_is_read_in_parts() -> None:
    text = "".join(chr(0x4E00 + index % 5_000) for index in range(9_000))
    pages = pages_of(build_job({"before": 1, "text": text, "after": [2]}), 2_000)
    assert shown_in(pages) == [1, text, 2]
    assert pages[1].structured["values"][0]["columns"] == ["path", "characters", "of", "part of value"]


def test_remaining_values_are_counted_with_the_call_for_them() -> None:
    job = build_job({"rows": [{"n": index, "text": "x" * 50} for index in range(100)]})
    answer = page_of(job, 2_000, "rows")
    shown = 2 * len(answer.structured["values"][0]["rows"])
    (note,) = omissions(answer.structured)
    assert note.startswith(f'{200 - shown} of 200 values: read_extract_result(job_id="ext-1", path="rows"')
    assert re.search(r'include=\[\], max_chars=2000, cursor="([\w-]+)"', note)
    assert f'cursor="{answer.structured["cursor"]}"' in note
    assert f"Left out: {note}" in answer.text


def test_job_without_a_result_has_a_next_step() -> None:
    assert "wait_for_extract_job" in next_steps(page_of(build_job(None, status="RUNNING")).structured)


@pytest.mark.parametrize(("path", "words"), [("rowz", "did you mean rows?"), ("rows[?@.n]", "that is a query")])
def test_path_that_matches_nothing_is_an_error(path: str, words: str) -> None:
    with pytest.raises(PathError) as caught:
        page_of(build_job({"rows": [1]}), path=path)
    assert words in str(caught.value)


@pytest.mark.parametrize("path", ["", " $ ", "$"])
def test_empty_path_reads_the_whole_result(path: str) -> None:
    assert shown_in([page_of(build_job({"a": 1, "b": None}), path=path)]) == [1, None]


POSITIONS = st.builds(PagePosition, *[st.integers(0, 2**40)] * 4)


@given(POSITIONS, st.text())
def test_cursor_decodes_to_its_position(position: PagePosition, source: str) -> None:
    source = source.encode("utf-8", "ignore").decode()
    assert decode_cursor(encode_cursor(position, source), source) == position


@given(POSITIONS, st.data())
def test_altered_cursor_is_refused(position: PagePosition, data: st.DataObject) -> None:
    cursor = encode_cursor(position, "a")
    at = data.draw(st.integers(0, len(cursor) - 1))
    char = data.draw(st.sampled_from("ABCxyz019-_é +"))
    if cursor[at] != char:
        with pytest.raises(CursorError, match="altered"):
            decode_cursor(cursor[:at] + char + cursor[at + 1 :], "a")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "a" * 500, "\u202e", "null"])
def test_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError, match="this server did not create it"):
        page_of(build_job({"a": 1}), cursor=cursor)


def test_cursor_of_another_path_or_result_is_refused() -> None:
    result = {"a": list(range(3_000)), "b": list(range(3_000))}
    cursor = page_of(build_job(result), 1_000, "a").structured["cursor"]
    assert page_of(build_job(result), 1_000, "a", cursor).structured["values"]
    for other, path in ((result, "b"), (result | {"c": 1}, "a")):
        with pytest.raises(CursorError, match="another job or path, or the result has changed"):
            page_of(build_job(other), 1_000, path, cursor)


def test_provenance_of_a_value_matches_the_metadata(corpus: Any) -> None:
    wire = json.loads((corpus / "shah24-flashattention-3.job.json").read_bytes())
    tree = wire["extract_metadata"]["field_metadata"]["document_metadata"]
    checked = 0
    for page in pages_of(Job.parse(json.dumps(wire).encode()), 6_000, include="provenance"):
        for table in page.structured["values"]:
            for path, *cells in table["rows"]:
                names = table["columns"][1:] if table["columns"][0] == "_path" else [""]
                for name, cell in zip(names, cells, strict=True):
                    if is_cell(cell):
                        entry = (values_at(tree, f"{path}.{name}".strip(".")) or [None])[0] or {}
                        citations = entry.get("citation") or [{}]
                        confidence = None if "confidence" not in entry else round(entry["confidence"], 3)
                        assert cell[1:3] == [citations[0].get("page"), confidence], (path, name)
                        checked += 1
    assert checked > 25


def test_metadata_of_an_object_stands_before_its_values() -> None:
    tree = {"vendor": {"name": cited(0.9, 1, "Acme"), "reasoning": "From the letterhead."}}
    answer = page_of(build_job({"vendor": {"name": "Acme"}}, tree), path="vendor", include="provenance")
    assert answer.structured["entry"] == {"reasoning": "From the letterhead."}
    assert 'reasoning "From the letterhead."' in answer.text


def test_metadata_of_an_object_too_large_for_the_page_is_counted() -> None:
    tree = {"vendor": {"name": cited(0.9, 1, "Acme"), "reasoning": "why " * 500}}
    job = build_job({"vendor": {"name": "Acme"}}, tree)
    answer = page_of(job, 1_000, "vendor", include="provenance")
    assert "entry" not in answer.structured
    (omission,) = answer.structured["omitted"]
    assert (omission["what"], omission["count"] > 2_000) == ("characters of entry", True)
    larger = page_of(job, omission["call"]["arguments"]["max_chars"], "vendor", include="provenance")
    assert larger.structured["entry"] == {"reasoning": "why " * 500}


def test_values_alone_come_without_metadata() -> None:
    job = build_job({"vendor": {"name": "Acme"}}, {"vendor": {"name": cited(0.9, 1, "Acme"), "reasoning": "r"}})
    assert "entry" not in page_of(job, path="vendor").structured
    assert page_of(job, path="vendor.name").structured["value"] == {"path": "vendor.name", "value": "Acme"}
