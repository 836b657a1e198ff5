"""What is said beside the pictures: each value with its number, provenance and check, within the budget."""

from dataclasses import replace
from typing import Any

import msgspec

from llx_mcp.answers.citation_answer import CITATION_CHARS, build_citation_answer
from llx_mcp.answers.citation_outputs import PageImage
from llx_mcp.answers.cited_values import MAX_VALUES, CitedValue, CitedValues
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.result.sanitize import dump_json
from tests.example_jobs import build_job
from tests.generated_jobs import NOW

REQUEST = JobRequest("ext-1", max_chars=CITATION_CHARS)
HEADER = build_header(build_job({"total": 1}), REQUEST, now=NOW)
IMAGE = PageImage(
    page=3, numbers=[1], drawn_from="drawn from the document", resource="llx://jobs/ext-1/citations/total"
)
VALUE = CitedValue("total", 12.5, 0.4, 1, "net 12.50", "not on page 1, but on page 3", 3, [[1, 2, 3, 4]], None, "words")


def build(values: list[CitedValue], images: list[PageImage], *reasons: str, total: int | None = None) -> Any:
    found = CitedValues(values, len(values) if total is None else total)
    return build_citation_answer(HEADER, REQUEST, found, images, reasons)


def test_value_has_its_number_provenance_check_and_what_is_marked() -> None:
    answer = build([VALUE], [IMAGE])
    assert answer.structured["citations"]["rows"] == [
        [1, "total", 12.5, 0.4, 1, "net 12.50", "not on page 1, but on page 3", "words found on page 3"]
    ]
    assert (
        '1 | 0.4 | p. 1 | total = 12.5 | "net 12.50" | not on page 1, but on page 3 | marked: words found on page 3'
        in answer.text
    )


def test_picture_is_named_in_both_forms() -> None:
    answer = build([VALUE], [IMAGE])
    assert answer.structured["pictures"] == [IMAGE.structured()]
    assert (
        "Picture: page 3, marked: 1; drawn from the document, resource llx://jobs/ext-1/citations/total" in answer.text
    )


def test_what_is_marked_as_cited_is_not_repeated_in_the_text() -> None:
    answer = build([msgspec.structs.replace(VALUE, box_origin="cited")], [IMAGE])
    assert answer.structured["citations"]["rows"][0][-1] == "as cited"
    assert "marked: as cited" not in answer.text


def test_answer_without_a_picture_says_why_and_what_to_do() -> None:
    answer = build([VALUE], [], "value 1, page 3: No document")
    assert answer.structured["not_shown"] == ["value 1, page 3: No document"]
    assert "Not shown: value 1, page 3: No document" in answer.text
    (step,) = answer.structured["next_steps"]
    assert step["call"] == {"tool": "read_source_text", "arguments": {"job_id": "ext-1", "path": "total"}}


def test_values_that_are_not_shown_are_counted() -> None:
    (omission,) = build([VALUE], [IMAGE], total=1_200).structured["omitted"]
    assert (omission["count"], omission["total"]) == (1_199, 1_200)


def test_longest_values_fit() -> None:
    text = "x" * 240
    long = CitedValue(f"items[0].{text}", text, 0.123, 1_000, text[:160], f"not checked: {text[:160]}", 1, [], None, "")
    answer = build([long] * MAX_VALUES, [IMAGE], *["reason " * 100] * 20)
    assert max(len(answer.text), len(dump_json(answer.structured))) <= CITATION_CHARS
    shown = len(answer.structured["citations"]["rows"])
    assert shown == MAX_VALUES or answer.structured["omitted"]


def test_job_without_a_result_has_its_next_steps() -> None:
    running = replace(HEADER, status="RUNNING", next_steps=())
    answer = build_citation_answer(running, REQUEST, CitedValues(), [], [])
    assert answer.structured["status"] == "RUNNING"
    assert "citations" not in answer.structured
