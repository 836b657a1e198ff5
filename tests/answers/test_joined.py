"""For any jobs and budget, no answer about several jobs is too large, and none of them is left out silently."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import JoinedQueryQuestion, JoinedReader, Step, decode_step, encode_step
from llx_mcp.answers.header import build_header
from llx_mcp.answers.joined import SearchReport
from llx_mcp.answers.limits import MIN_CHARS
from llx_mcp.answers.markdown import render
from llx_mcp.answers.requests import JobsRequest
from llx_mcp.answers.search import find_text
from llx_mcp.answers.wait_report import UNREADABLE, JobRow
from llx_mcp.errors import NotFoundError
from llx_mcp.jobs.job_rows import build_fetched_row
from llx_mcp.models import Job
from llx_mcp.outputs import Output, QueryOutput, SearchOutput
from llx_mcp.result.sanitize import dump_json, sanitize_line
from llx_mcp.result.sections import JobSections
from tests.generated_jobs import NOW, jobs
from tests.structured import omissions

# What the source has for an id: a job, or none.
Wires = dict[str, dict[str, Any] | None]
MISSING = NotFoundError("No job with this id can be seen with this key. " * 9)


def parse(wires: Wires) -> dict[str, Job | None]:
    """Return the jobs by their ids."""
    return {job_id: None if wire is None else Job.parse(json.dumps(wire).encode()) for job_id, wire in wires.items()}


def rows_of(found: dict[str, Job | None]) -> list[JobRow]:
    """Return the rows about jobs."""
    return [build_fetched_row(sanitize_line(job_id, 64), job or MISSING, NOW) for job_id, job in found.items()]


def query(wires: Wires, sql: str, max_chars: int) -> Answer:
    """Return the answer to a query over jobs, without a worker."""
    found = parse(wires)
    bodies = {sanitize_line(job_id, 64): job.body for job_id, job in found.items() if job and job.has_result}
    question = JoinedQueryQuestion(JobsRequest(tuple(wires), max_chars), tuple(rows_of(found)), sql, 60.0)
    assert decode_step(encode_step(Step(question, 1.0))).message == question
    return JoinedReader(bodies).answer(question)


def find(wires: Wires, text: str, max_chars: int, limit: int = 4) -> Answer:
    """Return the answer to a search of jobs, without a worker."""
    found = parse(wires)
    request = JobsRequest(tuple(wires), max_chars)
    report = SearchReport(
        [build_fetched_row(job_id, job or MISSING, NOW) for job_id, job in found.items()], request, text, limit
    )
    while (room := report.next_search()) is not None:
        job, single = found[room.job_id], request.job_request(room.job_id, room.max_chars)
        assert job is not None
        header = build_header(job, single, now=NOW)
        report.add(find_text(JobSections(job.sections), header, single, text, room.limit))
    return report.build()


def assert_fits(answer: Answer, output_type: type[Output], max_chars: int) -> None:
    """Fail where a form exceeds the budget, or the structured form is not that of the output."""
    assert len(answer.text) <= max_chars, answer.text
    assert len(dump_json(answer.structured)) <= max_chars, answer.structured
    parsed = output_type.model_validate(answer.structured)
    assert (parsed.structured(), render(parsed)) == (answer.structured, answer.text)


IDS = st.one_of(st.integers(0, 99).map(lambda number: f"ext-{number:032}"), st.text(min_size=1, max_size=90))
WIRES = st.dictionaries(IDS, st.one_of(jobs(), jobs(), st.none()), min_size=1, max_size=3)


@given(WIRES, st.integers(1_000, 6_000))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_about_any_jobs_fit_any_budget(wires: Wires, max_chars: int) -> None:
    for sql in ("SELECT * FROM fields", "SELECT * FROM tables"):
        if any(job and job.has_result for job in parse(wires).values()):
            assert_fits(query(wires, sql, max_chars), QueryOutput, max_chars)
    assert_fits(query({"ext-1": None}, "SELECT 1", max_chars), QueryOutput, max_chars)
    assert_fits(find(wires, "e", max_chars), SearchOutput, max_chars)


def wire_of(number: int) -> dict[str, Any]:
    """Return a job of forty rows."""
    result = {"rows": [{"n": index, "text": f"word {number}"} for index in range(40)]}
    return {"id": f"ext-{number}", "status": "COMPLETED", "extract_result": result}


@pytest.mark.parametrize("width", [6, 36, 90])
@pytest.mark.parametrize("max_chars", [1_000, 1_400, 4_000])
@pytest.mark.parametrize("num_missing", [0, 3, 10])
def test_every_one_of_ten_jobs_is_shown_or_counted(width: int, max_chars: int, num_missing: int) -> None:
    ids = [f"ext-{index}".ljust(width, "x") for index in range(10)]
    wires: Wires = {job_id: None if index < num_missing else wire_of(index) for index, job_id in enumerate(ids)}
    rows, found = query(wires, "SELECT * FROM rows", max_chars), find(wires, "word", max_chars)
    assert_fits(rows, QueryOutput, max_chars)
    assert_fits(found, SearchOutput, max_chars)

    def num_left_out(answer: Answer, what: str) -> int:
        return sum(int(line.split()[0]) for line in omissions(answer.structured) if what in line)

    jobs_of = [len(answer.structured.get("jobs", {"rows": []})["rows"]) for answer in (rows, found)]
    assert jobs_of[0] + num_left_out(rows, " jobs; raise max_chars") == 10
    assert jobs_of[1] + num_left_out(found, " jobs; raise max_chars") == num_missing
    num_searched = len(found.structured.get("searches", []))
    assert num_searched + num_left_out(found, "not searched") == 10 - num_missing
    # Jobs that cannot be read come first where not all have room.
    statuses = [row[1] for row in rows.structured.get("jobs", {"rows": []})["rows"]]
    assert statuses[:num_missing] == [UNREADABLE] * min(num_missing, len(statuses))


def test_room_that_some_jobs_do_not_need_goes_to_the_others() -> None:
    wires: Wires = {"ext-0": wire_of(1), "ext-1": wire_of(2), "ext-2": wire_of(1), "ext-3": None}
    searches = find(wires, "word 1", 4_000, limit=8).structured["searches"]
    # Two for each at first, and then what the others have not used.
    assert [len(search.get("hits", {"rows": []})["rows"]) for search in searches[::2]] == [5, 2]
    (alone,) = find({"ext-0": wire_of(1), "ext-3": None}, "word 1", 4_000, limit=8).structured["searches"]
    assert len(alone["hits"]["rows"]) == 8


@pytest.mark.parametrize("max_chars", [1_500, 4_000])
def test_suggested_search_of_one_job_can_be_made(max_chars: int) -> None:
    wires: Wires = {f"ext-{number}": wire_of(1) for number in range(4)}
    for search in find(wires, "word 1", max_chars).structured["searches"]:
        for omission in search["omitted"]:
            assert omission["call"]["arguments"].get("max_chars", MIN_CHARS) >= MIN_CHARS


def test_job_that_cannot_be_decoded_has_a_note_and_no_rows() -> None:
    bodies = {"ext-1": json.dumps(wire_of(1)).encode(), "ext-2": b'{"extract_result": {"a": 1e}}'}
    rows = tuple(JobRow(job_id, "COMPLETED", has_ended=True, has_result=True) for job_id in bodies)
    sql = "SELECT DISTINCT job_id FROM fields"
    for ids in (("ext-1", "ext-2"), ("ext-2",)):
        reader = JoinedReader({job_id: bodies[job_id] for job_id in ids})
        shown = tuple(row for row in rows if row.job_id in ids)
        answer = reader.answer(JoinedQueryQuestion(JobsRequest(ids), shown, sql, 60.0)).structured
        assert answer["jobs"]["rows"][-1] == ["ext-2", "COMPLETED", "its result or its metadata is not valid JSON"]
        assert answer.get("rows", {}).get("rows") == ([["ext-1"]] if "ext-1" in ids else None)
