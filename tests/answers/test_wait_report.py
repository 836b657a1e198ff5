"""Many jobs in one answer: within its budget, every job counted, every call that is named of use."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.cursors import CursorError
from llx_mcp.answers.header import build_header
from llx_mcp.answers.job_list import JobListBuilder, decode_position, parse_time
from llx_mcp.answers.markdown import render
from llx_mcp.answers.requests import JobListRequest, JobRequest, WaitRequest
from llx_mcp.answers.summary import summarize
from llx_mcp.answers.wait_report import JobRow, WaitReport
from llx_mcp.errors import ArgumentError
from llx_mcp.models import Job
from llx_mcp.outputs import JobListOutput, Output, WaitOutput
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from llx_mcp.scope import Scope
from tests.generated_jobs import NOW
from tests.structured import next_steps, omissions

TEXTS = st.one_of(st.text(max_size=300), st.sampled_from(["```", "| a |", "a\nb", "\u202egnp", "ext-1", '"', "\ud800"]))
STATUSES = st.sampled_from(["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "ERROR", "A new one", "```"])
LINES = st.lists(
    st.builds(
        JobRow,
        st.one_of(
            st.text(min_size=1, max_size=90),
            st.sampled_from(["\u202e", "\ud800"]),
            st.integers(0, 10**6).map(lambda n: f"ext-{n:028}"),
        ),
        STATUSES,
        st.none() | st.floats(0, 1e9),
        st.none() | TEXTS,
        st.none() | TEXTS,
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.none() | st.just("2026-01-05T09:00:00Z"),
        st.none() | TEXTS,
    ),
    min_size=1,
    max_size=100,
    unique_by=lambda line: line.job_id,
)
BUDGETS = st.sampled_from([1_000, 1_500, 3_000, 8_000, 30_000, 400_000])
RESULT = {"total": 12.5, "rows": [{"name": "a \u202e b", "amount": index} for index in range(40)]}


def summary_of(ask: JobRequest) -> Answer:
    """What one finished job says within a budget."""
    wire = {"id": "ext-1", "status": "COMPLETED", "extract_result": RESULT}
    job = Job.parse(json.dumps(wire).encode())
    return summarize(JobSections(job.sections), build_header(job, ask, now=NOW), ask)


def build(lines: list[JobRow], asks: WaitRequest) -> Answer:
    """The answer, with a summary of each job that there is room for."""
    roll = WaitReport(lines, asks, 3.0)
    while (named := roll.next_summary()) is not None:
        if named[0].endswith("7"):
            roll.skip("its result is no JSON")
        else:
            roll.add(summary_of(asks.job_request(*named)))
    return roll.build()


def assert_fits(answer: Answer, max_chars: int, output_type: type[Output]) -> None:
    """Both forms are within the budget, and the one is rendered from the other."""
    assert len(answer.text) <= max_chars
    assert len(dump_json(answer.structured)) <= max_chars
    assert answer.text == render(output_type.model_validate(answer.structured))
    # No line of the table ends its fence, and nothing of it begins a line of its own.
    assert answer.text.count("\n```text\n") <= answer.text.count("\n```\n")
    assert "\u202e" not in answer.text


@given(LINES, BUDGETS, st.sampled_from(["all", "any"]), st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_wait_for_many_fits_and_counts_every_job(
    lines: list[JobRow], max_chars: int, until: Any, has_project: bool
) -> None:
    project = "11111111-2222-4333-8444-555555555555" if has_project else None
    asks = WaitRequest(tuple(line.job_id for line in lines), until, max_chars=max_chars, scope=Scope(project))
    answer = build(lines, asks)
    assert_fits(answer, max_chars, WaitOutput)
    waited = answer.structured["waited"]
    assert waited["jobs"] == len(lines) == sum(waited["statuses"].values())
    assert waited["ended"] == sum(line.has_ended and line.status != "ERROR" for line in lines)
    shown = len(answer.structured.get("jobs", {"rows": []})["rows"])
    notes = omissions(answer.structured)
    if shown < len(lines):
        assert any(note.startswith(f"{len(lines) - shown} of {len(lines)} jobs: ") for note in notes) or (
            "more; raise max_chars" in notes
        )
    num_readable = sum(line.has_result for line in lines)
    num_told = len(answer.structured.get("summaries", [])) + sum("summar" in note for note in notes)
    if num_readable:
        assert num_told or "more; raise max_chars" in notes


def test_the_call_that_is_named_for_the_rest_shows_all_rows() -> None:
    lines = [JobRow(f"ext-{n:028}", "RUNNING", 34.0, f"dfl-{n:028}") for n in range(100)]
    asks = WaitRequest(tuple(line.job_id for line in lines), max_chars=1_000)
    (note, *_) = omissions(build(lines, asks).structured)
    match = re.search(r"wait_for_extract_job\(job_ids=<the same>, timeout_seconds=0, max_chars=(\d+)\)", note)
    assert match
    whole = build(lines, WaitRequest(asks.job_ids, max_chars=int(match.group(1))))
    assert len(whole.structured["jobs"]["rows"]) == 100
    assert "omitted" not in whole.structured


def test_where_not_all_have_room_those_come_first_that_want_something_done() -> None:
    lines = [JobRow(f"ext-{n:028}", "RUNNING") for n in range(99)]
    lines.append(JobRow("ext-bad", "FAILED", note="encrypted", has_ended=True))
    rows = build(lines, WaitRequest(tuple(line.job_id for line in lines), max_chars=1_500)).structured["jobs"]["rows"]
    assert rows[0] == ["ext-bad", "FAILED", "encrypted"]
    assert 3 <= len(rows) < 100


def test_a_wait_for_few_says_what_the_finished_ones_say_and_what_to_do_about_the_others() -> None:
    lines = [
        JobRow("ext-1", "COMPLETED", 34.4, "dfl-1", has_ended=True, has_result=True),
        JobRow("ext-2", "RUNNING", 3_000.0, "dfl-2", "RUNNING for 50 min", is_overdue=True),
        JobRow("ext-3", "ERROR", note='No job "ext-3"', has_ended=True),
    ]
    answer = build(lines, WaitRequest(("ext-1", "ext-2", "ext-3", "ext-1"), "any", max_chars=8_000))
    assert answer.structured["waited"] == {
        "jobs": 3,
        "ended": 1,
        "statuses": {"COMPLETED": 1, "RUNNING": 1, "ERROR": 1},
        "seconds": 3.0,
        "until": "any",
        "repeated": 1,
    }
    assert answer.structured["jobs"] == {
        "columns": ["job_id", "status", "seconds", "document", "note"],
        "rows": [
            ["ext-1", "COMPLETED", 34, "dfl-1", None],
            ["ext-2", "RUNNING", 3000, "dfl-2", "RUNNING for 50 min"],
            ["ext-3", "ERROR", None, None, 'No job "ext-3"'],
        ],
    }
    assert [view["result"] for view in answer.structured["summaries"]] == [
        json.loads(json.dumps(RESULT).replace("\\u202e", "\\\\u202e"))
    ]
    assert next_steps(answer.structured) == (
        "1 job has not ended. It may be stuck. Waiting bills nothing. Whoever created it can look at it in LlamaCloud, "
        "cancel it there and create it again (this server only reads). To wait on: "
        'wait_for_extract_job(job_ids=["ext-2"], until="any") To read one that has ended: '
        'get_extract_job(job_id="ext-1")'
    )


@given(LINES, BUDGETS, st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_list_fits_and_its_cursor_goes_on_where_it_ended(lines: list[JobRow], max_chars: int, has_more: bool) -> None:
    ask = JobListRequest(status="RUNNING", max_chars=max_chars)
    listing = JobListBuilder(ask)
    listing.add(lines, None)
    answer = listing.build("token" if has_more else None, NOW)
    assert_fits(answer, max_chars, JobListOutput)
    shown = len(answer.structured.get("jobs", {"rows": []})["rows"])
    assert answer.structured["listed"]["jobs"] == shown
    cursor = answer.structured.get("cursor")
    assert bool(cursor) == (has_more or shown < len(lines))
    if cursor:
        position = decode_position(cursor, ask)
        rest = position.skip(lines) if position.page_token is None else []
        assert [line.job_id for line in rest] == [line.job_id for line in lines[shown:]]
        (note,) = [note for note in omissions(answer.structured) if note.startswith("older jobs")]
        assert 'status="RUNNING"' in note
        assert f'cursor="{cursor}")' in note


def test_a_cursor_survives_what_happens_between_two_pages() -> None:
    ask = JobListRequest()
    lines = [JobRow(f"ext-{n}", "RUNNING", created_at=f"2026-01-05T09:00:{59 - n:02}Z") for n in range(20)]
    listing = JobListBuilder(JobListRequest(max_chars=1_000))
    listing.add(lines, None)
    answer = listing.build(None, NOW)
    position = decode_position(answer.structured["cursor"], ask)
    shown = len(answer.structured["jobs"]["rows"])
    deleted = [line for line in lines if line.job_id != position.job_id]
    assert position.skip(deleted) == lines[shown:]
    newer = [JobRow("ext-new", "PENDING", created_at="2026-01-05T09:01:59Z"), *lines]
    assert position.skip(newer) == lines[shown:]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "", "AVtudWxs"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError, match="eave it out to start again"):
        decode_position(cursor, JobListRequest())


def test_a_cursor_of_another_list_is_refused() -> None:
    listing = JobListBuilder(JobListRequest(status="FAILED"))
    with pytest.raises(CursorError, match="belongs to another list of jobs"):
        decode_position(listing.build("token", NOW).structured["cursor"], JobListRequest(status="RUNNING"))


@pytest.mark.parametrize(
    ("text", "is_end", "moment"),
    [
        ("2026-01-31", False, "2026-01-31T00:00:00+00:00"),
        ("2026-01-31", True, "2026-01-31T23:59:59.999999+00:00"),
        ("2026-01-31T08:00:00Z", True, "2026-01-31T08:00:00+00:00"),
        ("2026-01-31T08:00:00+02:00", False, "2026-01-31T06:00:00+00:00"),
        (" 2026-01-31 08:00 ", False, "2026-01-31T08:00:00+00:00"),
    ],
)
def test_a_time_is_iso_8601_and_a_date_its_whole_day(text: str, is_end: bool, moment: str) -> None:
    found = parse_time("created_since", text, is_end=is_end)
    assert found is not None
    assert found.isoformat() == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_another_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentError, match="ISO 8601, such as 2026-01-31"):
        parse_time("created_since", text)
