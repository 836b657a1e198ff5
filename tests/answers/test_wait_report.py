"""An answer about many jobs fits its budget, counts every job, and names calls that work."""

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
ROWS = st.lists(
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
    unique_by=lambda row: row.job_id,
)
BUDGETS = st.sampled_from([1_000, 1_500, 3_000, 8_000, 30_000, 400_000])
RESULT = {"total": 12.5, "rows": [{"name": "a \u202e b", "amount": index} for index in range(40)]}


def summary_of(request: JobRequest) -> Answer:
    """Return the summary of one finished job."""
    wire = {"id": "ext-1", "status": "COMPLETED", "extract_result": RESULT}
    job = Job.parse(json.dumps(wire).encode())
    return summarize(JobSections(job.sections), build_header(job, request, now=NOW), request)


def build(rows: list[JobRow], request: WaitRequest) -> Answer:
    """Build a wait report, with as many summaries as fit."""
    report = WaitReport(rows, request, 3.0)
    while (job := report.next_summary()) is not None:
        if job[0].endswith("7"):
            report.skip("its result is no JSON")
        else:
            report.add(summary_of(request.job_request(*job)))
    return report.build()


def assert_fits(answer: Answer, max_chars: int, output_type: type[Output]) -> None:
    """Fail where a form exceeds the budget, or the text is not rendered from the structured form."""
    assert len(answer.text) <= max_chars
    assert len(dump_json(answer.structured)) <= max_chars
    assert answer.text == render(output_type.model_validate(answer.structured))
    # No cell closes the fence of its table or starts a new line.
    assert answer.text.count("\n```text\n") <= answer.text.count("\n```\n")
    assert "\u202e" not in answer.text


@given(ROWS, BUDGETS, st.sampled_from(["all", "any"]), st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_wait_report_fits_and_counts_every_job(
    rows: list[JobRow], max_chars: int, until: Any, has_project: bool
) -> None:
    project = "11111111-2222-4333-8444-555555555555" if has_project else None
    request = WaitRequest(tuple(row.job_id for row in rows), until, max_chars=max_chars, scope=Scope(project))
    answer = build(rows, request)
    assert_fits(answer, max_chars, WaitOutput)
    waited = answer.structured["waited"]
    assert waited["jobs"] == len(rows) == sum(waited["statuses"].values())
    assert waited["ended"] == sum(row.has_ended and row.status != "ERROR" for row in rows)
    shown = len(answer.structured.get("jobs", {"rows": []})["rows"])
    notes = omissions(answer.structured)
    if shown < len(rows):
        assert any(note.startswith(f"{len(rows) - shown} of {len(rows)} jobs: ") for note in notes) or (
            "further parts; raise max_chars" in notes
        )
    num_readable = sum(row.has_result for row in rows)
    num_reported = len(answer.structured.get("summaries", [])) + sum("summar" in note for note in notes)
    if num_readable:
        assert num_reported or "further parts; raise max_chars" in notes


def test_call_for_the_omitted_rows_shows_all() -> None:
    rows = [JobRow(f"ext-{n:028}", "RUNNING", 34.0, f"dfl-{n:028}") for n in range(100)]
    request = WaitRequest(tuple(row.job_id for row in rows), max_chars=1_000)
    (note, *_) = omissions(build(rows, request).structured)
    match = re.search(r"wait_for_extract_job\(job_ids=<the same>, timeout_seconds=0, max_chars=(\d+)\)", note)
    assert match
    whole = build(rows, WaitRequest(request.job_ids, max_chars=int(match.group(1))))
    assert len(whole.structured["jobs"]["rows"]) == 100
    assert "omitted" not in whole.structured


def test_jobs_that_need_attention_come_first_when_not_all_fit() -> None:
    rows = [JobRow(f"ext-{n:028}", "RUNNING") for n in range(99)]
    rows.append(JobRow("ext-bad", "FAILED", note="encrypted", has_ended=True))
    request = WaitRequest(tuple(row.job_id for row in rows), max_chars=1_500)
    shown = build(rows, request).structured["jobs"]["rows"]
    assert shown[0] == ["ext-bad", "FAILED", "encrypted"]
    assert 3 <= len(shown) < 100


def test_wait_report_for_few_jobs_has_summaries_and_next_steps() -> None:
    rows = [
        JobRow("ext-1", "COMPLETED", 34.4, "dfl-1", has_ended=True, has_result=True),
        JobRow("ext-2", "RUNNING", 3_000.0, "dfl-2", "RUNNING for 50 min", is_overdue=True),
        JobRow("ext-3", "ERROR", note='No job "ext-3"', has_ended=True),
    ]
    answer = build(rows, WaitRequest(("ext-1", "ext-2", "ext-3", "ext-1"), "any", max_chars=8_000))
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
    assert [summary["result"] for summary in answer.structured["summaries"]] == [
        json.loads(json.dumps(RESULT).replace("\\u202e", "\\\\u202e"))
    ]
    assert next_steps(answer.structured) == (
        "1 job has not ended. It may be stuck. Waiting bills nothing. Its owner can inspect and cancel it in "
        "LlamaCloud, and create a new job (this server only reads). To keep waiting: "
        'wait_for_extract_job(job_ids=["ext-2"], until="any") To read one that has ended: '
        'get_extract_job(job_id="ext-1")'
    )


@given(ROWS, BUDGETS, st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_job_list_fits_and_its_cursor_continues_after_the_last_row(
    rows: list[JobRow], max_chars: int, has_more: bool
) -> None:
    request = JobListRequest(status="RUNNING", max_chars=max_chars)
    builder = JobListBuilder(request)
    builder.add(rows, None)
    answer = builder.build("token" if has_more else None, NOW)
    assert_fits(answer, max_chars, JobListOutput)
    shown = len(answer.structured.get("jobs", {"rows": []})["rows"])
    assert answer.structured["listed"]["jobs"] == shown
    cursor = answer.structured.get("cursor")
    assert bool(cursor) == (has_more or shown < len(rows))
    if cursor:
        position = decode_position(cursor, request)
        rest = position.skip(rows) if position.page_token is None else []
        assert [row.job_id for row in rest] == [row.job_id for row in rows[shown:]]
        (note,) = [note for note in omissions(answer.structured) if note.startswith("older jobs")]
        assert 'status="RUNNING"' in note
        assert f'cursor="{cursor}")' in note


def test_cursor_still_works_after_jobs_are_added_or_deleted() -> None:
    request = JobListRequest()
    rows = [JobRow(f"ext-{n}", "RUNNING", created_at=f"2026-01-05T09:00:{59 - n:02}Z") for n in range(20)]
    builder = JobListBuilder(JobListRequest(max_chars=1_000))
    builder.add(rows, None)
    answer = builder.build(None, NOW)
    position = decode_position(answer.structured["cursor"], request)
    shown = len(answer.structured["jobs"]["rows"])
    deleted = [row for row in rows if row.job_id != position.job_id]
    assert position.skip(deleted) == rows[shown:]
    newer = [JobRow("ext-new", "PENDING", created_at="2026-01-05T09:01:59Z"), *rows]
    assert position.skip(newer) == rows[shown:]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "", "AVtudWxs"])
def test_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError, match="eave it out to start again"):
        decode_position(cursor, JobListRequest())


def test_cursor_of_another_list_is_refused() -> None:
    builder = JobListBuilder(JobListRequest(status="FAILED"))
    with pytest.raises(CursorError, match="belongs to another list of jobs"):
        decode_position(builder.build("token", NOW).structured["cursor"], JobListRequest(status="RUNNING"))


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
def test_time_is_iso_8601_and_a_date_covers_its_whole_day(text: str, is_end: bool, moment: str) -> None:
    found = parse_time("created_since", text, is_end=is_end)
    assert found is not None
    assert found.isoformat() == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_invalid_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentError, match="ISO 8601, such as 2026-01-31"):
        parse_time("created_since", text)
