"""A search finds a text in values, names and quotes, however it is written."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import WHERE, JobRequest
from llx_mcp.answers.search import find_text
from llx_mcp.errors import ArgumentError
from llx_mcp.models import Job
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job, cited
from tests.generated_jobs import NOW, jobs
from tests.structured import next_steps, omissions

RESULT = {
    "totalAmount": 1234.5,
    "vendor": "Société  Générale",
    "line_items": [{"net_price": "1.234,50 EUR", "ok": True}, {"net_price": "12", "ok": False}],
    "note": None,
    "code": "AB-007",
    "big": 10**18,
}
TREE = {"vendor": cited(0.9, 3, "Sold to the Bank,\n12 Rue Haxo"), "totalAmount": cited(0.7, 4, "TOTAL 1 234,50")}


def find(text: str, where: tuple[str, ...] = WHERE, max_chars: int = 8_000) -> Answer:
    """Search the result above."""
    job = build_job(RESULT, TREE)
    request = JobRequest(job.id, max_chars=max_chars)
    return find_text(JobSections(job.sections), build_header(job, request, now=NOW), request, text, where)


def paths(answer: Answer) -> list[tuple[str, str]]:
    """Return the path of each hit, and where the text was found."""
    return [(row[0], row[-1]) for row in answer.structured.get("hits", {"rows": []})["rows"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.50", [("totalAmount", "value, quote"), ("line_items[0].net_price", "value")]),
        ("1234.5", [("totalAmount", "value, quote"), ("line_items[0].net_price", "value")]),
        ("1.234,5", [("totalAmount", "value, quote"), ("line_items[0].net_price", "value")]),
        ("$ 1 234.50", [("totalAmount", "value, quote"), ("line_items[0].net_price", "value")]),
        ("societe generale", [("vendor", "value")]),
        ("GÉNÉRALE", [("vendor", "value")]),
        ("générale société", [("vendor", "value")]),
        ("bank, 12 rue", [("vendor", "quote")]),
        ("true", [("line_items[0].ok", "value")]),
        ("ab-007", [("code", "value")]),
        ("AB‑007", [("code", "value")]),
        ("1000000000000000000", [("big", "value")]),
        ("nowhere at all", []),
    ],
)
def test_search_ignores_case_accents_spacing_and_number_format(text: str, expected: list[tuple[str, str]]) -> None:
    assert paths(find(text)) == expected


@pytest.mark.parametrize("text", ["total amount", "TotalAmount", "total_amount", "total-amount"])
def test_search_finds_names_as_words(text: str) -> None:
    assert [row[0] for row in find(text).structured["fields"]["rows"]] == ["totalAmount"]


def test_hit_has_its_value_page_and_quote() -> None:
    answer = find("rue haxo")
    assert answer.structured["found"] == {"fields": 0, "values": 0, "quotes": 1}
    assert answer.structured["hits"]["rows"] == [
        ["vendor", "Société  Générale", 0.9, 3, "Sold to the Bank,\n12 Rue Haxo", "quote"]
    ]
    line = '0.9 | p. 3 | vendor = "Société  Générale" | "Sold to the Bank,\\n12 Rue Haxo" | in quote'
    assert f"\n{line}\n" in answer.text


@pytest.mark.parametrize(
    ("where", "counts"),
    [
        (("values",), {"values": 0}),
        (("names",), {"fields": 0}),
        (("quotes",), {"quotes": 1}),
        (WHERE, {"fields": 0, "values": 0, "quotes": 1}),
    ],
)
def test_search_covers_only_the_requested_places(where: tuple[str, ...], counts: dict[str, int]) -> None:
    assert find("rue haxo", where).structured["found"] == counts


def test_long_value_is_cut_around_the_match() -> None:
    job = build_job({"text": "a " * 500 + "needle in hay" + " b" * 500})
    request = JobRequest(job.id)
    answer = find_text(JobSections(job.sections), build_header(job, request, now=NOW), request, "Needle")
    (row,) = answer.structured["hits"]["rows"]
    assert "needle in hay" in row[1]
    assert len(row[1]) < 200


def test_search_without_a_match_has_a_next_step() -> None:
    assert "get_extract_job(" in next_steps(find("nowhere at all").structured)


@pytest.mark.parametrize("text", ["", "  ", "\u0301"])
def test_empty_search_text_is_an_error(text: str) -> None:
    with pytest.raises(ArgumentError, match="nothing to search for"):
        find(text)


def test_omitted_hits_are_counted_with_the_call_that_shows_them() -> None:
    job = build_job({"rows": [{"word": f"needle {index} {'x' * 60}"} for index in range(90)]})
    request = JobRequest(job.id, max_chars=2_000)
    header = build_header(job, request, now=NOW)
    answer = find_text(JobSections(job.sections), header, request, "needle")
    shown = len(answer.structured["hits"]["rows"])
    (note,) = omissions(answer.structured)
    start = f'{90 - shown} of 90 values: find_in_extract_result(job_id="ext-1", text="needle", max_chars='
    assert note.startswith(start)
    whole = JobRequest(job.id, max_chars=int(note.removeprefix(start).rstrip(")")))
    assert len(find_text(JobSections(job.sections), header, whole, "needle").structured["hits"]["rows"]) == 90


@given(jobs(), st.text(min_size=1, max_size=40), st.integers(1_000, 5_000))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_answer_fits_its_budget(wire: dict[str, Any], text: str, max_chars: int) -> None:
    job = Job.parse(json.dumps(wire).encode())
    request = JobRequest(job.id, max_chars=max_chars)
    try:
        answer = find_text(JobSections(job.sections), build_header(job, request, now=NOW), request, text)
    except ArgumentError:
        return
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars


def test_search_finds_every_value_of_a_real_job_by_its_text(corpus_job: bytes) -> None:
    job = Job.parse(corpus_job)
    sections = JobSections(job.sections)
    leaves = [leaf for leaf in sections.document.leaves if not isinstance(leaf.value, bool)][::17]
    for leaf in leaves:
        text = str(leaf.value)[:200]
        request = JobRequest(job.id, max_chars=400_000)
        answer = find_text(sections, build_header(job, request, now=NOW), request, text, ("values",))
        assert leaf.path in [row[0] for row in answer.structured["hits"]["rows"]], text
