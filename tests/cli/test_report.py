"""What goes into a report: the review and the checks as they are, and pictures of what deserves a look."""

import re
from typing import Any

import pytest

from llx_mcp.answers.report_values import ReportRow
from llx_mcp.answers.requests import JobRequest
from llx_mcp.backends import open_local_backend
from llx_mcp.cli.report import ReportOptions, build_report, choose_pictured, group_by_page
from llx_mcp.cli.report_model import Report
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import open_reader
from llx_mcp.local.samples import SAMPLES
from tests.cli.command import ID_BY_NAME
from tests.jobs.cited_documents import PDF, build_source, cite
from tests.pdf_files import build_text_pdf, write_lines
from tests.sources import Bodies, open_bodies

COLUMNS = ["kind", "path", "count", "total", "where", "example", "value", "why"]


def row(path: str, confidence: float | None, verdict: Any = None, *, page: int | None = 1) -> ReportRow:
    needs_review = verdict in ("not_on_page", "value_not_in_quote") or (confidence or 1.0) < 0.8
    return ReportRow(path, 1, confidence, page, "1", verdict, "", "", page, needs_review)


def finding(kind: str, path: str, example: str | None = None) -> list[Any]:
    return [kind, path, 1, 1, None, example, None, None]


def review(*rows: list[Any]) -> dict[str, Any]:
    return {"findings": {"columns": COLUMNS, "rows": list(rows)}}


def test_pictures_are_of_findings_then_failed_checks_then_low_confidence() -> None:
    rows = [
        row("low", 0.5, "verified"),
        row("lower", 0.3, "verified"),
        row("moved", 0.9, "not_on_page"),
        row("sums[3].total", 0.9, "verified"),
        row("fine", 0.9, "verified"),
    ]
    found = review(finding("sum", "sums[*].total", "sums[3].total"), finding("confidence", "low"))
    assert choose_pictured(found, rows) == ["sums[3].total", "low", "moved", "lower"]


def test_no_picture_is_of_what_has_no_page_or_is_absent() -> None:
    rows = [row("uncited", 0.2, page=None), row("listed", 0.9)]
    found = review(finding("required", "listed"), finding("schema", "unknown"), finding("citation", "uncited"))
    assert choose_pictured(found, rows) == []


def test_job_without_findings_has_pictures_of_what_needs_review() -> None:
    assert choose_pictured({}, [row("low", 0.5)]) == ["low"]


async def build(job_id: str, max_pictures: int = 20, threshold: float = 0.8) -> tuple[Report, list[str]]:
    progress: list[str] = []
    async with open_reader(open_local_backend(None), SystemClock()) as reader:
        options = ReportOptions(threshold, max_pictures, ("--local",))
        return await build_report(reader, JobRequest(job_id), options, progress.append), progress


async def test_report_of_a_sample_has_its_facts_values_and_pictures() -> None:
    report, progress = await build(ID_BY_NAME["invoice"])
    assert (report.document, report.status, dict(report.facts)["Pages"]) == ("invoice.pdf", "COMPLETED", "2")
    assert report.num_values == len(report.values) > 200
    assert {value.check.label for value in report.values if value.check and value.page} == {"verified"}
    assert dict(report.counts)["Low confidence"] == len([value for value in report.values if value.needs_review])
    assert [(figure.title, figure.numbers[0]) for figure in report.figures] == [("Page 1", 1), ("Page 2", 1)]
    shown = {value.path for figure in report.figures for value in figure.values}
    found = {value.path for value in report.values if value.check and value.check.note.startswith("found on page")}
    assert shown == {
        value.path for value in report.values if value.needs_review and (value.page or value.path in found)
    }
    assert report.export_command.endswith("--provenance --output values.csv --local")
    assert progress == ["checking the citations", "drawing pages: 0 of 2 done", "drawing pages: 1 of 2 done"]


async def test_pictures_that_are_left_out_are_counted() -> None:
    report, _ = await build(ID_BY_NAME["statement"], max_pictures=2)
    assert sum(len(figure.values) for figure in report.figures) == 2
    note = next(note for note in report.notes if "more values deserve a look" in note)
    assert re.search(rf"To see the next one: llx-mcp show {ID_BY_NAME['statement']} \S+ -o page.png --local$", note)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_every_sample_has_a_report(sample: Any) -> None:
    report, _ = await build(sample.job_id, max_pictures=1)
    assert report.job_id == sample.job_id
    assert bool(report.values) == (report.status == "COMPLETED" and sample.name != "null_result")


async def build_from(source: Bodies, threshold: float = 0.95) -> Report:
    async with open_reader(open_bodies(source), SystemClock()) as reader:
        return await build_report(reader, JobRequest("ext-1"), ReportOptions(threshold, 20), lambda _: None)


async def test_moved_citation_is_shown_where_its_words_stand() -> None:
    citation = {"page": 2, "matching_text": "net total 12.50 EUR"}
    source = build_source({"total": {"confidence": 0.99, "citation": [citation]}}, {"total": 12.5})
    source.documents.files["dfl-1"] = PDF
    report = await build_from(source)
    (value,) = report.values
    assert value.check is not None
    assert (value.check.label, value.check.tone, value.check.note) == (
        "not on the page",
        "bad",
        "not on page 2, but on page 1",
    )
    assert [figure.title for figure in report.figures] == ["Page 1"]


async def test_value_without_a_citation_is_shown_where_it_is_found() -> None:
    tree = {"totalNet": {"confidence": 0.99}, "due": cite(2, "due 14 May 2026")}
    source = build_source(tree, {"totalNet": 12.5, "due": "14 May 2026"})
    source.documents.files["dfl-1"] = PDF
    report = await build_from(source, threshold=0.8)
    assert [(finding.kind, finding.path) for finding in report.findings] == [("citation", "totalNet")]
    assert (report.findings[0].value, report.findings[0].detail) == (
        "12.5",
        "confidence 0.99 · not cited, found on page 1",
    )
    (figure,) = report.figures
    assert (figure.title, figure.note) == (
        "Page 1",
        "Drawn from the document; the words are marked where they were found",
    )
    (value,) = figure.values
    assert value.check is not None
    assert (value.path, value.check.label, value.check.note) == ("totalNet", "not cited", "found on page 1")


async def test_note_of_a_picture_names_the_values_that_are_not_marked_as_cited() -> None:
    tree = {name: {"confidence": 0.5} for name in ("first", "third")} | {"second": cite(1, "net total 12.50 EUR")}
    source = build_source(tree, {"first": "second line", "second": 12.5, "third": "EUR"})
    source.documents.files["dfl-1"] = PDF
    report = await build_from(source)
    assert [figure.note for figure in report.figures] == [
        "Drawn from the document; the words of 1, 3 are marked where they were found"
    ]


async def test_values_of_which_no_place_is_known_are_counted() -> None:
    rows = [{"name": "absent", "size": number} for number in (7_001, 7_002)]
    tree = {"rows": [{name: {"confidence": 0.3 + number / 10} for name in row} for number, row in enumerate(rows)]}
    report = await build_from(build_source(tree, {"rows": rows}))
    assert report.notes == [
        "4 values that deserve a look have no picture: the service cites no page, and no single place in the document "
        "is known."
    ]
    assert {finding.reason for finding in report.findings} == {"confidence up to 0.4"}


async def test_broken_sum_is_a_finding_with_its_numbers_and_a_picture() -> None:
    rows = [{"quantity": number, "price": 2.5, "amount": 2.5 * number} for number in range(1, 9)]
    lines = [f"item {row['quantity']} at {row['price']:.2f} makes {row['amount']:.2f}" for row in rows]
    tree = {"rows": [{name: cite(1, line) for name in rows[0]} for line in lines]}
    rows[4]["amount"] = 99.0
    source = build_source(tree, {"rows": rows})
    source.documents.files["dfl-1"] = build_text_pdf(write_lines(*lines))
    report = await build_from(source, threshold=0.8)
    finding = next(finding for finding in report.findings if finding.kind == "sum")
    assert (finding.path, finding.value) == ("rows[4].amount", "99.0")
    assert "12.5" in finding.reason
    assert "rows[4].amount" in {value.path for figure in report.figures for value in figure.values}
    assert dict(report.counts)["Broken sums"] == 1


def test_pages_come_in_order_whatever_is_shown_first() -> None:
    rows = [row("a", 0.5, page=3), row("b", 0.5, page=1), row("c", 0.5, page=3), row("d", 0.5, page=None)]
    assert group_by_page(["c", "b", "a", "d"], rows) == {1: ["b"], 3: ["a", "c"]}


async def test_document_that_is_gone_leaves_a_note_and_no_picture() -> None:
    report = await build_from(build_source())
    assert report.figures == []
    assert any("There is no such document" in note for note in report.notes)
    assert all(value.check and value.check.label == "not checked" for value in report.values)
