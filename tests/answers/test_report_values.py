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
        ("name", "not cited", "", True),
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
