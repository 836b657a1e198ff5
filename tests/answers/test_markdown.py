"""The text form counts in plain words, and leaves out what is not known."""

from typing import Any

import pytest

from llx_mcp.answers.markdown import format_omission, render, render_part
from llx_mcp.answers.row_lines import format_cited, hit_line, is_cell, job_line, row_line, value_line
from llx_mcp.outputs import (
    Counts,
    Facts,
    JobListFacts,
    JobListOutput,
    JobOutput,
    Omission,
    ReadOutput,
    SearchCounts,
    Value,
    WaitCounts,
    WaitOutput,
)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, ""),
        ({"took_seconds": 0.0, "waited_seconds": 0.0, "credits": 0.0}, "took 0 s · waited 0 s · 0 credits\n"),
        ({"age_seconds": 0.0, "pages": 0}, "created 0 s ago · 0 pages\n"),
        ({"pages": 1, "tier": "fast", "target": "per_page"}, "fast per_page · 1 page\n"),
        ({"pages": 2, "created_at": "2026"}, "2 pages · created 2026\n"),
    ],
)
def test_facts_are_one_line_of_those_that_are_known(facts: dict[str, Any], line: str) -> None:
    output = JobOutput(job_id="ext-1", status="RUNNING", facts=Facts(**facts))
    assert render(output) == f"**RUNNING** ext-1\n{line}"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("matches", 0, "0 matches\n"),
        ("matches", 1, "1 match\n"),
        ("matches", 2, "2 matches\n"),
        ("found", SearchCounts(matches=1), "1 match.\n"),
        ("found", SearchCounts(matches=2, related=1), "2 matches, then 1 related.\n"),
        ("found", SearchCounts(matches=0, absent_words=["a", "b"]), '0 matches; nowhere in the result: "a", "b".\n'),
        ("num_rows", 0, "0 rows.\n"),
        ("num_rows", 1, "1 row.\n"),
        ("num_rows", 2, "2 rows.\n"),
        ("counts", Counts(values=2, nulls=0), "\n2 values, 0 null.\n"),
        (
            "counts",
            Counts(values=2, nulls=1, low_confidence=0, threshold=0.8, without_confidence=0, without_citation=0),
            "\n2 values, 1 null; 0 with confidence below 0.8; 0 without confidence; 0 without citation.\n",
        ),
        ("notice", "x", ""),
        ("cursor", "x", ""),
        ("cells", "x", ""),
    ],
)
def test_counts_are_words_with_their_plural(name: str, value: Any, text: str) -> None:
    assert render_part(name, value) == text


def test_list_of_jobs_says_what_was_filtered_and_searched() -> None:
    plain = JobListOutput(listed=JobListFacts(jobs=1, now="T"))
    assert render(plain) == "**1 job**, newest first · now T\n"
    filtered = JobListOutput(listed=JobListFacts(jobs=0, now="T", filters={"status": "FAILED", "a": "b"}, searched=0))
    assert render(filtered) == '**0 jobs**, newest first · status "FAILED", a "b" · 0 searched · now T\n'


def test_wait_says_which_ids_were_given_more_than_once() -> None:
    waited = WaitCounts(jobs=3, ended=1, statuses={"RUNNING": 2, "FAILED": 1}, seconds=2.5, until="all")
    line = "**1 of 3 jobs have ended** · RUNNING 2, FAILED 1 · waited 2.5 s for all"
    assert render(WaitOutput(waited=waited)) == f"{line}\n"
    repeated = waited.model_copy(update={"repeated": 2})
    assert render(WaitOutput(waited=repeated)) == f"{line} · 2 given more than once\n"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (["a", 1, 0.5, 2, "q"], '0.5 | p. 2 | a = 1 | "q"'),
        (["a", 1, 0.0, None, "q"], '0 | no page | a = 1 | "q"'),
        (["a", 1, None, None, None], "no confidence | no citation | a = 1"),
        (["a", "x", 1.0, 2.0], '1 | p. 2 | a = "x"'),
    ],
)
def test_value_stands_after_its_confidence_and_page(row: list[Any], line: str) -> None:
    assert value_line(row) == line


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (["ext-1", "RUNNING", None, 34, "a b"], 'ext-1 | RUNNING |  | 34 | "a b"'),
        (["2026-01-05T09:00:00Z", "a.b_c-d"], "2026-01-05T09:00:00Z | a.b_c-d"),
        (["-x", "é", "", "a`"], '"-x" | "é" | "" | "a`"'),
    ],
)
def test_cell_of_a_job_is_plain_where_it_is_one_word(row: list[Any], line: str) -> None:
    assert job_line(row) == line


def test_row_of_values_is_json_or_cells() -> None:
    assert row_line(None)(["rows[0]", [1, 2, 0.5], "x"]) == 'rows[0] | [1,2,0.5] | "x"'
    assert row_line("[value, page, confidence]")(["rows[0]", [1, 2, 0.5], "x"]) == 'rows[0] | 1 [p. 2, 0.5] | "x"'


def test_hit_is_its_path_and_its_fields() -> None:
    assert hit_line(["rows[0]", {"a": [1, 2, 0.5], "b": "x"}]) == 'rows[0]: a = 1 [p. 2, 0.5]; b = "x"'


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ([1, 2, 0.5], True),
        (["x", None, None, "quote"], True),
        ([False, None, 1], True),
        ([1, 2], False),
        ([None, 2, 0.5], False),
        ([1, "2", 0.5], False),
        ([1, 2, "0.5"], False),
        ([[1, 2, 0.5], None, None], False),
        ((1, 2, 0.5), False),
        ("abc", False),
    ],
)
def test_cell_is_a_value_then_two_numbers_or_nulls(value: Any, is_one: bool) -> None:
    assert is_cell(value) is is_one


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ([], "[]"),
        (None, "null"),
        (0, "0"),
        ({"a": [[1, 2, 0.5], [3, None, None]]}, '{"a":[1 [p. 2, 0.5],3 [no citation]]}'),
        ([{"a": None}], '[{"a":null}]'),
    ],
)
def test_cited_result_is_json_with_provenance_after_each_value(value: Any, text: str) -> None:
    assert format_cited(value) == text


@pytest.mark.parametrize(
    ("omission", "line"),
    [
        (Omission(what="jobs"), "jobs"),
        (Omission(what="jobs", count=0), "0 jobs"),
        (Omission(what="jobs", count=1, total=2, hint="wait"), "1 of 2 jobs; wait"),
        (Omission(what="jobs", resource="llx://jobs"), "jobs: resource llx://jobs"),
    ],
)
def test_omission_is_one_line(omission: Omission, line: str) -> None:
    assert format_omission(omission) == line


def test_single_value_has_a_line_for_each_citation() -> None:
    def lines(**facts: Any) -> list[str]:
        text = render(ReadOutput(job_id="ext-1", status="COMPLETED", value=Value(path="a", value=1, **facts)))
        return text.split("```text\n")[1].removesuffix("```\n").splitlines()

    assert lines() == ["a = 1"]
    assert lines(confidence=None, citations=[]) == ["a = 1", "no confidence", "no citation"]
    assert lines(confidence=0.0, citations=[{"page": 1}, {}]) == ["a = 1", "confidence 0.0", '{"page":1}', "{}"]
