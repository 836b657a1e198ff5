"""Citations that do not hold are marked wherever a page is shown, and the service's own page stays as it is."""

import re
from typing import Any

import pytest

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.citation_checks import CHECKED, NO_CITATIONS
from llx_mcp.answers.header import build_header
from llx_mcp.answers.page import read_page
from llx_mcp.answers.requests import JobRequest, ReadOptions
from llx_mcp.answers.review import review_job
from llx_mcp.answers.search import find_text
from llx_mcp.answers.summary import summarize
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.models import Job
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job, cited
from tests.generated_jobs import NOW

PAGES = (
    "Loan agreement between Northwind Bank and Contoso Ltd. Page 1",
    "The principal amount is EUR 1,250,000.00 and the rate is 4.75 % a year. Page 2",
    "Repayment is due on 30 June 2031. Governing law: the law of Ireland. Page 3",
    "Signed for Northwind Bank. Signed for Contoso Ltd. Page 4",
)
RESULT = {
    "lender": "Northwind Bank", "principal": 1250000.0, "rate": 4.75, "due": "2031-06-30", "law": "Ireland",
    "borrower": "Contoso Ltd", "guarantor": "Fabrikam", "currency": "EUR",
}  # fmt: skip
FIELDS = {
    "lender": cited(0.9, 1, "Northwind Bank"),
    "principal": cited(0.9, 3, "EUR 1,250,000.00"),
    "rate": cited(0.9, 2, "the principal amount is EUR 1,250,000.00"),
    "due": cited(0.9, 2, "due on 30 June 2031"),
    "law": {"confidence": 0.9},
    "borrower": cited(0.9, 3, "Contoso Ltd"),
    "guarantor": cited(0.9, 9, "Fabrikam"),
    "currency": cited(0.9, 2, "EUR"),
}


def build_source(*pages: str, **fields: Any) -> SourceText:
    """The text of a document with these pages, each word in a box of its own."""
    shown = []
    for number, text in enumerate(pages, 1):
        words = text.split()
        boxes = [(10.0 * index, 20.0, 9.0, 12.0) for index in range(len(words))]
        shown.append(SourcePage(number, words, [0] if words else [], boxes, 600.0, 800.0))
    return SourceText(**{"origin": "document", "pages": shown} | fields)


EVIDENCE = Grounder(build_source(*PAGES))
MARKS = {
    "principal": "not on page 3, but on page 2",
    "due": "not on page 2, but on page 3",
    "law": "not cited, found on page 3",
    "borrower": "not on page 3, but on pages 1, 4",
    "guarantor": "not checked: there is no text of page 9",
}


def answer(
    build: Any, *arguments: Any, fields: Any = FIELDS, evidence: Grounder | None = EVIDENCE, **options: Any
) -> Answer:
    """The answer of one of the builders about the loan."""
    job: Job = build_job(RESULT, fields)
    request = JobRequest(job.id, max_chars=options.pop("max_chars", 4_000))
    sections, header = JobSections(job.sections), build_header(job, request, now=NOW)
    found: Answer = build(sections, header, request, *arguments, evidence=evidence, **options)
    return found


def read(path: str = "$", *include: str, **options: Any) -> Answer:
    """What is read at a path."""
    return answer(read_page, ReadOptions(path, include=("provenance", *include)), **options)


def cells_of(structured: dict[str, Any]) -> dict[str, list[Any]]:
    """The cell of each value of a page."""
    return {row[0]: row[1] for table in structured["values"] for row in table["rows"]}


def test_page_of_values_marks_what_does_not_hold_and_keeps_the_page_of_the_service() -> None:
    found = read()
    cells = cells_of(found.structured)
    assert found.structured["citation_check"] == CHECKED
    assert {name: cell[3] for name, cell in cells.items() if len(cell) > 3 and name != "rate"} == MARKS
    assert cells["rate"][3].startswith("value not in quote: ")
    assert [cells[name][1] for name in ("principal", "due", "law", "borrower", "guarantor")] == [3, 2, None, 3, 9]
    for mark in (CHECKED, *MARKS.values()):
        assert mark in found.text


def test_search_and_whole_result_mark_the_same() -> None:
    search = answer(find_text, "principal", max_chars=4_000)
    assert search.structured["citation_check"] == CHECKED
    (row,) = search.structured["hits"]["rows"]
    assert MARKS["principal"] in row[1]["principal"][3]
    whole = answer(summarize).structured
    assert whole["citation_check"] == CHECKED
    assert whole["cited_result"]["due"] == ["2031-06-30", 2, 0.9, MARKS["due"]]


@pytest.mark.parametrize(("build", "arguments"), [(summarize, ()), (find_text, ("lender",))])
def test_without_a_text_at_hand_nothing_is_said_of_checks(build: Any, arguments: tuple[str, ...]) -> None:
    found = answer(build, *arguments, evidence=None)
    assert "citation_check" not in found.structured
    assert "Citations" not in found.text


def test_single_value_says_what_was_found_and_where() -> None:
    value = read("principal", "boxes").structured["value"]
    (citation,) = value["citations"]
    assert (citation["page"], citation["check"]) == (3, MARKS["principal"])
    (place,) = citation["places"]
    assert (place["page"], place["words"]) == (2, "EUR 1,250,000.00")
    assert place["boxes"] == [[40.0, 20.0, 19.0, 12.0]]
    assert read("lender").structured["value"]["citations"][0]["check"] == "verified"
    rate = read("rate").structured["value"]["citations"][0]
    assert rate["check"] == "stands on its page, but does not contain the value"


def test_single_value_without_citation_has_the_places_where_it_stands() -> None:
    found = read("law")
    value = found.structured["value"]
    assert (value["citations"], value["num_found"]) == ([], 1)
    assert value["found"] == [{"page": 3, "words": "Ireland."}]
    assert "found in 1 place" in found.text


def test_value_that_stands_on_many_pages_is_not_guessed() -> None:
    many = Grounder(build_source(*(f"The law of Ireland, page {number}" for number in range(9))))
    assert len(cells_of(read(evidence=many).structured)["law"]) == 3
    assert read("law", evidence=many).structured["value"]["num_found"] == 9


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (SourceText(problem="the file is gone"), "the file is gone"),
        (build_source("", ""), "the document has no text"),
        (SourceText("document", [SourcePage(1, problem="no text layer: it may be scanned")]), "no text layer"),
    ],
)
def test_answer_says_why_nothing_was_checked(source: SourceText, reason: str) -> None:
    found = read(evidence=Grounder(source))
    assert re.match(f"not checked: {reason}", found.structured["citation_check"])
    assert all(len(cell) == 3 for name, cell in cells_of(found.structured).items() if name != "rate")
    review = answer(review_job, 0.8, evidence=Grounder(source)).structured
    assert "verified" not in review["counts"]
    assert any(reason in line for line in review["unavailable_checks"])


def test_job_without_citations_has_the_places_of_its_values() -> None:
    found = read(fields={name: {"confidence": 0.9} for name in RESULT})
    assert found.structured["citation_check"] == NO_CITATIONS
    assert cells_of(found.structured)["principal"] == [1250000.0, None, 0.9, "not cited, found on page 2"]


def test_job_without_citations_gives_the_same_reason_everywhere_where_its_document_is_gone() -> None:
    gone = Grounder(SourceText(problem="the file is gone"))
    fields = {name: {"confidence": 0.9} for name in RESULT}
    shown = [
        answer(summarize, evidence=gone, fields=fields),
        read(evidence=gone, fields=fields),
        read("principal", evidence=gone, fields=fields),
        answer(find_text, "Northwind", evidence=gone, fields=fields),
    ]
    for each in shown:
        assert each.structured["citation_check"] == "not checked: the job has no citations"
        assert "Citations not checked: the job has no citations.\n" in each.text
    review = answer(review_job, 0.8, evidence=gone, fields=fields)
    assert (
        "the job has no citations: no value can be compared with its quote" in review.structured["unavailable_checks"]
    )
    assert not any("the file is gone" in each.text for each in [*shown, review])


def test_review_counts_and_lists_each_kind() -> None:
    found = answer(review_job, 0.8)
    counts = found.structured["counts"]
    assert (counts["quote_mismatches"], counts["not_on_page"], counts["ambiguous_citations"]) == (1, 2, 1)
    assert (counts["verified"], counts["unchecked_citations"], counts["without_citation"]) == (2, 1, 1)
    rows = {row[1]: (row[0], row[6]) for row in found.structured["findings"]["rows"]}
    assert rows["principal"][0] == "page"
    assert rows["principal"][1][3].startswith(MARKS["principal"])
    assert rows["borrower"][0] == "ambiguous"
    assert "Citations: 2 stand on their page and contain the value, 1 not checked." in found.text
    assert any("1 value" in line and "page 9" in line for line in found.structured["unavailable_checks"])


def test_time_that_is_up_leaves_values_unchecked() -> None:
    ticks = iter(range(10_000))
    counts = answer(review_job, 0.8, clock=lambda: float(next(ticks))).structured["counts"]
    assert counts["unchecked_citations"] == 7
    assert counts["verified"] == 0


def test_quote_without_the_value_is_said_so_where_the_document_is_not_at_hand() -> None:
    for evidence in (None, Grounder(SourceText(problem="the file is gone"))):
        (citation,) = read("rate", evidence=evidence).structured["value"]["citations"]
        assert citation["check"] == "does not contain the value"
        assert "check" not in read("lender", evidence=evidence).structured["value"]["citations"][0]
