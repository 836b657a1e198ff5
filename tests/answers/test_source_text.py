"""`read_source_text` shows lines of the document, within the budget, and leaves none out silently."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.cursors import CursorError
from llx_mcp.answers.dispatch import ResultReader, SourceTextQuestion
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest, SourceOptions
from llx_mcp.answers.source_lines import format_ranges, parse_pages
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.pages import STILL_READING, SourcePage, SourceText
from llx_mcp.models import Job
from llx_mcp.result.jsonpath import PathError
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from tests.generated_jobs import NOW


def page(number: int, *lines: str, problem: str = "") -> SourcePage:
    """Make a page of these lines."""
    words: list[str] = []
    starts: list[int] = []
    for line in lines:
        starts.append(len(words))
        words += line.split()
    return SourcePage(number, words, starts, problem=problem)


CONTRACT = SourceText(
    "document",
    [
        page(1, "Loan agreement", "between Alpha and Beta"),
        page(2, *(f"Clause {number} says nothing" for number in range(1, 21)), "The interest rate is 4.25 % a year"),
        page(3, "and is fixed for ten years.", "Fees: none"),
        page(4, problem="no text layer: the page may be scanned"),
        page(5, "Signed in Kiel", "Total 1,250.00"),
    ],
)
RESULT = {"rate": 4.25, "place": "Kiel", "total": 1250, "absent": "nowhere", "parties": ["Alpha", "Beta"]}
CITED = {
    "rate": {"citation": [{"page": 2, "matching_text": "interest rate is 4.25 %"}]},
    "place": {"citation": [{"page": 1, "matching_text": "Signed in Kiel"}]},
    "absent": {"citation": [{"page": 3, "matching_text": "nowhere to be seen"}]},
}


def ask(
    options: SourceOptions, source: SourceText | None = CONTRACT, *, max_chars: int = 4_000, status: str = "COMPLETED"
) -> Answer:
    """Return the answer about a job with this document."""
    wire = {
        "id": "ext-1",
        "status": status,
        "extract_result": RESULT,
        "extract_metadata": {"field_metadata": {"document_metadata": CITED}},
    }
    job = Job.parse(json.dumps(wire).encode())
    request = JobRequest("ext-1", max_chars=max_chars)
    question = SourceTextQuestion(request, build_header(job, request, now=NOW), options)
    answer = ResultReader(JobSections(job.sections), source).answer(question)
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars
    return answer


def lines_of(answer: Answer) -> list[list[Any]]:
    """Return the lines of an answer."""
    rows: list[list[Any]] = answer.structured.get("lines", {"rows": []})["rows"]
    return rows


def test_lines_around_a_value_go_on_on_the_next_page() -> None:
    answer = ask(SourceOptions(path="rate"))
    assert answer.structured["places"]["rows"] == [[2, 21, "cited", "interest rate is 4.25 %"]]
    assert answer.structured["num_places"] == 1
    lines = lines_of(answer)
    assert lines[0] == [2, 13, "Clause 13 says nothing"]
    assert lines[-3:] == [
        [2, 21, "The interest rate is 4.25 % a year"],
        [3, 1, "and is fixed for ten years."],
        [3, 2, "Fees: none"],
    ]
    assert '2:21 | cited | "interest rate is 4.25 %"' in answer.text
    assert '3:1 | "and is fixed for ten years."' in answer.text


def test_value_is_shown_where_its_quote_stands_if_that_is_not_the_cited_page() -> None:
    answer = ask(SourceOptions(path="place"))
    assert answer.structured["places"]["rows"] == [[5, 1, "quote found", "Signed in Kiel"]]


def test_value_without_a_citation_is_shown_where_it_is_found() -> None:
    answer = ask(SourceOptions(path="total"))
    assert answer.structured["places"]["rows"] == [[5, 2, "found, not cited", "1,250.00"]]


def test_value_that_is_not_found_shows_the_page_that_is_cited() -> None:
    answer = ask(SourceOptions(path="absent"))
    assert answer.structured["num_places"] == 0
    assert lines_of(answer) == [[3, 1, "and is fixed for ten years."], [3, 2, "Fees: none"]]


def test_path_of_a_list_shows_the_places_of_all_its_values() -> None:
    answer = ask(SourceOptions(path="parties"))
    assert [row[3] for row in answer.structured["places"]["rows"]] == ["Alpha", "Beta"]
    assert lines_of(answer).count([1, 2, "between Alpha and Beta"]) == 1


def test_pages_are_shown_whole_and_those_without_text_say_why() -> None:
    answer = ask(SourceOptions(pages="3-5, 9"))
    assert lines_of(answer) == [
        [3, 1, "and is fixed for ten years."],
        [3, 2, "Fees: none"],
        [5, 1, "Signed in Kiel"],
        [5, 2, "Total 1,250.00"],
    ]
    assert answer.structured["unread"] == [
        "4: no text layer: the page may be scanned",
        "9: there is no such page; the text has the pages 1-5",
    ]
    assert "Without text: page 4: no text layer" in answer.text


def test_words_are_found_with_the_lines_around_them() -> None:
    answer = ask(SourceOptions(text="fixed for ten years"))
    assert answer.structured["places"]["rows"] == [[3, 1]]
    assert "\n3:1\n" in answer.text
    similar = ask(SourceOptions(text="fixed for tan years"))
    assert similar.structured["places"]["rows"] == [[3, 1, "similar", "fixed for ten years."]]
    many = ask(SourceOptions(text="says nothing"))
    assert many.structured["num_places"] == 20
    assert len(many.structured["places"]["rows"]) <= 20


def test_words_that_stand_nowhere_are_said_to_be_absent() -> None:
    answer = ask(SourceOptions(text="xylophone quartz"))
    assert (answer.structured["num_places"], lines_of(answer)) == (0, [])
    assert answer.structured["next_steps"][0]["call"] == {"tool": "read_source_text", "arguments": {"job_id": "ext-1"}}


@pytest.mark.parametrize(
    "options",
    [SourceOptions(), SourceOptions(pages="1-5"), SourceOptions(text="says nothing"), SourceOptions(path="$")],
)
def test_pages_of_the_answer_show_every_line_once(options: SourceOptions) -> None:
    whole = lines_of(ask(options, max_chars=100_000))
    parts: list[list[Any]] = []
    cursor: str | None = None
    for _ in range(100):
        answer = ask(SourceOptions(options.path, options.pages, options.text, cursor), max_chars=1_000)
        parts += lines_of(answer)
        cursor = answer.structured.get("cursor")
        if cursor is None:
            break
        omission = answer.structured["omitted"][-1]
        assert omission["call"]["arguments"]["cursor"] == cursor
        assert 0 < omission["count"] <= omission["total"]
    assert cursor is None
    assert parts == whole


def test_line_that_fits_nowhere_is_cut_and_the_next_ones_follow() -> None:
    source = SourceText("document", [page(1, "a", "\u202e" * 50_000, "b")])
    shown: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        answer = ask(SourceOptions(cursor=cursor), source, max_chars=1_000)
        shown += [row[2] for row in lines_of(answer)]
        cursor = answer.structured.get("cursor")
    assert cursor is None
    assert (shown[0], shown[-1], len(shown)) == ("a", "b", 3)
    assert "…[+" in shown[1]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (SourceText(problem="the file: it is encrypted and needs a password"), "needs a password"),
        (SourceText(), "the document has no text"),
        (None, "the text was not fetched"),
    ],
)
def test_without_a_text_the_answer_says_why_and_what_to_do(source: SourceText | None, reason: str) -> None:
    answer = ask(SourceOptions(path="rate"), source)
    assert reason in answer.structured["problem"]
    assert reason in answer.text
    call = answer.structured["next_steps"][0]["call"]
    assert (call["tool"], call["arguments"]["include"]) == ("read_extract_result", ["provenance", "quotes"])


def test_document_that_is_still_being_read_is_asked_for_again() -> None:
    answer = ask(SourceOptions(pages="2"), SourceText(problem=STILL_READING))
    assert answer.structured["next_steps"][0]["call"] == {
        "tool": "read_source_text",
        "arguments": {"job_id": "ext-1", "pages": "2"},
    }


@pytest.mark.parametrize("status", ["FAILED", "RUNNING"])
def test_job_that_has_not_completed_may_have_a_document(status: str) -> None:
    answer = ask(SourceOptions(pages="1"), status=status)
    assert lines_of(answer)[0] == [1, 1, "Loan agreement"]
    assert answer.structured["notice"]


@pytest.mark.parametrize("pages", ["", ",", "x", "3-", "-3", "1.5", "1,,x", "$", "9" * 30, ",".join(["1"] * 300)])
def test_pages_that_cannot_be_read_are_an_error(pages: str) -> None:
    with pytest.raises(ArgumentError, match="such as 3 or 3-5,9"):
        parse_pages(pages, [1, 2])


def test_reversed_range_of_pages_is_an_error() -> None:
    with pytest.raises(ArgumentError, match=r"the range 40-2 is reversed\. .*: 2-40\."):
        parse_pages("1, 40-2", [1, 2])


def test_more_than_one_place_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="one of path, pages and text"):
        ask(SourceOptions(path="rate", pages="1"))


def test_path_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(PathError):
        ask(SourceOptions(path="rates"))


def test_cursor_of_another_place_is_an_error() -> None:
    cursor = ask(SourceOptions(), max_chars=1_000).structured["cursor"]
    with pytest.raises(CursorError):
        ask(SourceOptions(pages="1", cursor=cursor))


def test_page_numbers_are_shown_as_ranges() -> None:
    assert format_ranges([1, 2, 3, 5, 7, 8]) == "1-3, 5, 7-8"
    assert format_ranges([]) == ""
    assert parse_pages("7-9 ,2, 1-1000000", [1, 2, 8]) == ([1, 2, 8], [])
    assert parse_pages("3-5,9", [4, 8]) == ([4], [9])


def test_many_reasons_are_counted() -> None:
    source = SourceText(
        "document", [page(1, "a"), *(page(number, problem=f"reason {number}") for number in range(2, 12))]
    )
    answer = ask(SourceOptions(), source)
    assert len(answer.structured["unread"]) == 5
    assert answer.structured["omitted"][0]["count"] == 5


WORDS = st.text(st.characters(exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"]), min_size=1, max_size=300)
LINES = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)


@given(st.lists(st.lists(LINES, max_size=6), min_size=1, max_size=4), st.integers(1_000, 3_000))
@settings(max_examples=60, deadline=None)
def test_any_document_is_shown_whole_over_the_pages_of_the_answer(lines: list[list[str]], max_chars: int) -> None:
    source = SourceText("document", [page(number, *each) for number, each in enumerate(lines, 1)])
    whole = lines_of(ask(SourceOptions(), source, max_chars=400_000))
    assert sum(len(row[2].split()) for row in whole) == sum(len(each.words) for each in source.pages)
    shown: list[list[Any]] = []
    cursor: str | None = None
    for _ in range(len(whole) + 1):
        answer = ask(SourceOptions(cursor=cursor), source, max_chars=max_chars)
        shown += lines_of(answer)
        cursor = answer.structured.get("cursor")
        if cursor is None:
            break
    assert cursor is None
    assert [row[:2] for row in shown] == [row[:2] for row in whole]
