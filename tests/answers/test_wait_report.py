"""An answer about many jobs fits its budget, counts every job, and names calls that work."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.job_list import JobListBuilder, decode_position
from llx_mcp.answers.markdown import render
from llx_mcp.answers.requests import JobListRequest, JobRequest, WaitRequest
from llx_mcp.answers.summary import summarize
from llx_mcp.answers.wait_report import JobRow, WaitReport
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
        "LlamaCloud. A stuck job gives no result; only a new one does. To keep waiting: "
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


def long_summary_of(request: JobRequest) -> Answer:
    """Return the summary of a job that has more to say than any budget has room for."""
    result = {"rows": [{"n": index, "text": f"text of {index} " * 9, "more": [index]} for index in range(400)]}
    wire = {"id": request.job_id, "status": "COMPLETED", "extract_result": result | {"end": "x" * 300_000}}
    job = Job.parse(json.dumps(wire).encode())
    return summarize(JobSections(job.sections), build_header(job, request, now=NOW), request)


def completed(num_jobs: int) -> list[JobRow]:
    """Return the rows of finished jobs."""
    return [JobRow(f"ext-{n:03}", "COMPLETED", 3.0, has_ended=True, has_result=True) for n in range(num_jobs)]


def request_for(rows: list[JobRow], max_chars: int) -> WaitRequest:
    """Return a request to wait for jobs."""
    return WaitRequest(tuple(row.job_id for row in rows), max_chars=max_chars)


def report_of(rows: list[JobRow], max_chars: int) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Build a report; return which summaries it asked for, with their budgets, and its structured form."""
    request = request_for(rows, max_chars)
    report = WaitReport(rows, request, 3.0)
    asked = []
    while (job := report.next_summary()) is not None:
        asked.append(job)
        report.add(long_summary_of(request.job_request(*job)))
    answer = report.build()
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars
    return asked, answer.structured


@pytest.mark.parametrize(
    ("num_jobs", "max_chars"), [(1, 4_000), (2, 6_000), (3, 8_000), (3, 20_000), (6, 8_000), (9, 5_000), (30, 9_000)]
)
def test_summaries_are_in_order_and_the_others_are_counted(num_jobs: int, max_chars: int) -> None:
    rows = completed(num_jobs)
    asked, structured = report_of(rows, max_chars)
    ids = [row.job_id for row in rows]
    assert [job_id for job_id, _ in asked] == ids[: len(asked)]
    assert [summary["job_id"] for summary in structured["summaries"]] == ids[: len(asked)]
    left = num_jobs - len(asked)
    if left == 0:
        assert "omitted" not in structured
    else:
        note = f'summaries of finished jobs: get_extract_job(job_id="{ids[len(asked)]}")'
        one = f'1 summary of a finished job: get_extract_job(job_id="{ids[-1]}")'
        hint = "call it for each other COMPLETED job too"
        assert omissions(structured) == [one if left == 1 else f"{left} {note}; {hint}"]


def test_jobs_share_the_room_and_each_has_a_useful_part() -> None:
    (first, second), structured = report_of(completed(2), 20_000)
    assert 9_000 < first[1] < 10_000
    # What the first did not use is for the second.
    size = len(dump_json(structured["summaries"][0]))
    assert 18_900 < size + second[1] < 20_000
    many, _ = report_of(completed(12), 8_000)
    assert [budget for _, budget in many[:2]] == [2_000, 2_000]
    assert all(budget >= 1_000 for _, budget in many)


def test_job_without_a_summary_has_its_reason() -> None:
    rows = completed(3)
    request = request_for(rows, 8_000)
    report = WaitReport(rows, request, 3.0)
    report.skip("no\nJSON")
    assert (report.next_summary() or ("",))[0] == "ext-001"
    report.add(long_summary_of(request.job_request("ext-001", 1_500)))
    report.skip("r" * 300)
    structured = report.build().structured
    assert [summary["job_id"] for summary in structured["summaries"]] == ["ext-001"]
    assert omissions(structured) == ["summary of ext-000; no JSON", f"summary of ext-002; {'r' * 199}…"]


@pytest.mark.parametrize(
    ("max_chars", "has_result", "shares"),
    # The summaries have their share where it is enough for one; else the table has all of the room.
    [(8_000, True, (0.55, 0.7)), (8_000, False, (0.8, 1.0)), (2_500, True, (0.6, 1.0))],
)
def test_table_leaves_room_for_summaries(max_chars: int, has_result: bool, shares: tuple[float, float]) -> None:
    rows = [
        JobRow(f"ext-{n:060}", "COMPLETED", 3.0, "d" * 60, has_ended=True, has_result=has_result) for n in range(200)
    ]
    asked, structured = report_of(rows, max_chars)
    size = len(dump_json(structured["jobs"]))
    assert shares[0] * max_chars < size <= shares[1] * max_chars
    assert bool(asked) is (has_result and max_chars == 8_000)


def test_rows_that_need_attention_come_first_and_else_in_their_order() -> None:
    running = [JobRow(f"ext-{n:060}", "RUNNING") for n in range(60)]
    others = [
        JobRow("ext-done", "COMPLETED", has_ended=True),
        JobRow("ext-cancelled", "CANCELLED", has_ended=True),
        JobRow("ext-failed", "FAILED", has_ended=True),
        JobRow("ext-odd", "ERROR", has_ended=True),
    ]
    _, structured = report_of([*running, *others], 3_000)
    shown = [row[0] for row in structured["jobs"]["rows"]]
    assert shown[:5] == ["ext-odd", "ext-cancelled", "ext-failed", "ext-done", running[0].job_id]
    assert structured["waited"]["ended"] == 3


def test_counts_name_at_most_eight_statuses() -> None:
    rows = [JobRow(f"ext-{n}", f"S{n}" if n > 1 else "S0", has_ended=True) for n in range(11)]
    _, structured = report_of(rows, 8_000)
    assert structured["waited"]["statuses"] == {
        "S0": 2, **{f"S{n}": 1 for n in range(2, 9)}, "other": 2
    }  # fmt: skip
    assert "repeated" not in structured["waited"]
    assert "next_steps" not in structured


def test_ended_jobs_have_the_first_that_can_be_read_as_the_next_step() -> None:
    failed = JobRow("ext-bad", "FAILED", has_ended=True)
    _, structured = report_of([failed, *completed(2)], 8_000)
    assert next_steps(structured) == 'To read one that has ended: get_extract_job(job_id="ext-000")'


@pytest.mark.parametrize(("num_waiting", "words"), [(1, "1 job has not ended."), (2, "2 jobs have not ended.")])
def test_waiting_jobs_have_the_wait_as_the_next_step(num_waiting: int, words: str) -> None:
    rows = [JobRow(f"ext-{n}", "RUNNING") for n in range(num_waiting)]
    _, structured = report_of(rows, 8_000)
    ids = ",".join(f'"{row.job_id}"' for row in rows)
    call = f"wait_for_extract_job(job_ids=[{ids}])"
    assert next_steps(structured) == f"{words} Waiting changes and bills nothing. To keep waiting: {call}"


def test_cells_of_a_job_are_clean_and_bounded() -> None:
    row = JobRow("j" * 65, "s" * 25, 2.6, "d" * 65, "n" * 201, created_at="2026", name="m" * 65)
    columns = ("job_id", "status", "seconds", "document", "note", "created_at", "name")
    cut = [f"{'j' * 63}…", f"{'s' * 23}…", 3, f"{'d' * 63}…", f"{'n' * 199}…", "2026", f"{'m' * 63}…"]
    assert row.cells(columns) == cut
    assert JobRow("j" * 64, "s" * 24).cells(columns) == ["j" * 64, "s" * 24, None, None, None, None, None]
