"""Every value of a report has its provenance, its check, and whether it deserves a look."""

import json
from typing import Any

from llx_mcp.answers.report_values import ReportRows, list_report_values
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job, cited

SOURCE = SourceText("document", [SourcePage(1, ["net", "12.50"], [0]), SourcePage(2, ["due", "tomorrow"], [0])])
RESULT = {"net": 12.5, "due": "tomorrow", "tax": 99, "name": "x" * 3_000, "note": None}
TREE = {"net": cited(0.9, 1, "net 12.50"), "due": cited(0.9, 1, "due tomorrow"), "tax": cited(0.9, 1, "net 12.50")}


def list_values(source: SourceText | None, max_values: int = 100, threshold: float = 0.8) -> ReportRows:
    sections = JobSections(build_job(RESULT, TREE | {"name": {"confidence": 0.3}}).sections)
    return list_report_values(sections, None if source is None else Grounder(source), threshold, max_values)


def facts(rows: ReportRows) -> list[tuple[Any, ...]]:
    return [(row.path, row.check, row.note, row.needs_review) for row in rows.rows]


def test_checks_are_said_in_words_and_failed_ones_deserve_a_look() -> None:
    assert facts(list_values(SOURCE)) == [
        ("net", "verified", "", False),
        ("due", "not on the page", "not on page 1, but on page 2", True),
        ("tax", "does not contain the value", "", True),
        ("name", "not cited", "not found in the document", True),
    ]


def test_value_is_shown_where_its_words_stand() -> None:
    assert [row.shown_page for row in list_values(SOURCE).rows] == [1, 2, 1, None]
    assert [row.shown_page for row in list_values(None).rows] == [1, 1, 1, None]


def test_value_without_a_citation_is_shown_where_it_is_found_unless_that_is_everywhere() -> None:
    pages = [SourcePage(number, ["net", "12.50", "of", "99"][: 4 if number == 2 else 2], [0]) for number in range(1, 6)]
    sections = JobSections(build_job({"tax": 99, "net": 12.5}, {"tax": {"confidence": 0.9}}).sections)
    rows = list_report_values(sections, Grounder(SourceText("document", pages)), 0.8, 10).rows
    assert [(row.check, row.note, row.shown_page) for row in rows] == [
        ("not cited", "found on page 2", 2),
        ("not cited", "found on pages 1, 2, 3 and 2 others", None),
    ]


def test_without_a_text_nothing_is_checked_and_low_confidence_deserves_a_look() -> None:
    rows = list_values(None)
    assert facts(rows)[0] == ("net", "not checked", "the text of the document is not at hand", False)
    assert [row.path for row in rows.rows if row.needs_review] == ["name"]
    assert not [row for row in list_values(None, threshold=0.1).rows if row.needs_review]


def test_values_beyond_the_most_are_counted() -> None:
    rows = list_values(SOURCE, max_values=2)
    assert ([row.path for row in rows.rows], rows.total) == (["net", "due"], 4)


def test_long_value_is_cut_and_says_how_much_is_missing() -> None:
    name = list_values(SOURCE).rows[-1]
    assert name.value == f"{'x' * 1_000}…[+2000]"


def test_values_cross_to_another_process() -> None:
    rows = list_values(SOURCE)
    answer = rows.as_answer()
    answer.structured.update(json.loads(json.dumps(answer.structured)))
    assert ReportRows.of_answer(answer) == rows
