"""The header of an answer says what is known of a job, and what to do where it has no result."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from llx_mcp.answers.header import build_header, describe_overdue, format_time
from llx_mcp.answers.markdown import format_next_step
from llx_mcp.answers.requests import JobRequest
from llx_mcp.models import Job
from tests.example_jobs import build_job

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def running(status: str, minutes: float, **keys: Any) -> Job:
    """Return a job that has been in one state for some minutes."""
    moment = (NOW - timedelta(minutes=minutes)).isoformat()
    return build_job(None, status=status, created_at="2026-11-20T00:00:00Z", updated_at=moment, **keys)


def facts_of(job: Job, waited_seconds: float | None = None) -> dict[str, Any]:
    """Return the facts in the header of a job."""
    header = build_header(job, JobRequest(job.id), now=NOW, waited_seconds=waited_seconds)
    return {} if header.facts is None else header.facts.model_dump(exclude_unset=True)


def steps_of(job: Job, request: JobRequest) -> list[list[str]]:
    """Return the next steps of a job as text, in full and then shorter."""
    return [[format_next_step(step) for step in steps] for steps in build_header(job, request, now=NOW).next_steps]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 31, 8, 0, 0, 999_999, tzinfo=UTC), "2026-01-31T08:00:00Z"),
        (datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01-30T23:00:00Z"),
        (datetime(7, 1, 1, tzinfo=UTC), "0007-01-01T00:00:00Z"),
    ],
)
def test_time_is_written_to_the_second_in_utc(moment: datetime, text: str) -> None:
    assert format_time(moment) == text


@pytest.mark.parametrize(
    ("status", "minutes", "text"),
    [
        ("PENDING", 9.8, None),
        ("PENDING", 10, "PENDING for 10 min; jobs usually take 22 s to 590 s in all"),
        ("THROTTLED", 10, "THROTTLED for 10 min; jobs usually take 22 s to 590 s in all"),
        ("RUNNING", 10, None),
        ("RUNNING", 19.6, None),
        ("RUNNING", 20, "RUNNING for 20 min; jobs usually take 22 s to 590 s in all"),
        ("RUNNING", 59, "RUNNING for 59 min; jobs usually take 22 s to 590 s in all"),
        ("RUNNING", 60, "RUNNING for 1 h; jobs usually take 22 s to 590 s in all"),
        ("RUNNING", 47 * 60, "RUNNING for 47 h; jobs usually take 22 s to 590 s in all"),
        ("RUNNING", 48 * 60, "RUNNING for 2 days; jobs usually take 22 s to 590 s in all"),
        ("FAILED", 60, None),
        ("R" * 40, 60, f"{'R' * 23}… for 1 h; jobs usually take 22 s to 590 s in all"),
    ],
)
def test_job_in_one_state_unusually_long_is_described(status: str, minutes: float, text: str | None) -> None:
    assert describe_overdue(running(status, minutes), NOW) == text


def test_job_of_many_pages_may_take_longer() -> None:
    pages = {"usage": {"num_pages_extracted": 180}}
    assert describe_overdue(running("PENDING", 19, metadata=pages), NOW) is None
    late = describe_overdue(running("PENDING", 20, metadata=pages), NOW)
    assert late == "PENDING for 20 min; jobs usually take 22 s to 1180 s in all"


def test_creation_counts_where_no_change_of_state_is_known() -> None:
    job = build_job(None, status="RUNNING", created_at="2026-11-23T11:00:00Z")
    assert (describe_overdue(job, NOW) or "").startswith("RUNNING for 1 h")
    assert describe_overdue(build_job(None, status="RUNNING"), NOW) is None


@pytest.mark.parametrize(
    ("keys", "facts"),
    [
        ({}, {}),
        (
            {"status": "RUNNING", "created_at": "2026-11-23T11:59:29.750Z"},
            {"age_seconds": 30.2, "created_at": "2026-11-23T11:59:29Z"},
        ),
        ({"created_at": "2026-11-20T09:00:31Z"}, {"created_at": "2026-11-20T09:00:31Z"}),
        (
            {"created_at": "2026-11-20T09:00:31Z", "updated_at": "2026-11-20T09:00:30Z"},
            {"created_at": "2026-11-20T09:00:31Z"},
        ),
        ({"created_at": "2026-11-20T09:00:31Z", "updated_at": "2026-11-20T09:00:31Z"}, {"took_seconds": 0.0}),
        ({"created_at": "2026-11-20T09:00:00Z", "updated_at": "2026-11-20T09:01:01.26Z"}, {"took_seconds": 61.3}),
        ({"configuration": {"tier": "t" * 30, "extraction_target": "a\nb"}}, {"tier": f"{'t' * 23}…", "target": "a b"}),
        ({"configuration": {"tier": "", "version": "2.5"}}, {"version": "2.5"}),
        ({"usage": {"credits": 0.0}}, {"credits": 0.0}),
    ],
)
def test_facts_are_those_that_are_known(keys: dict[str, Any], facts: dict[str, Any]) -> None:
    assert facts_of(build_job({"a": 1}, **keys)) == facts


def test_seconds_waited_are_rounded() -> None:
    assert facts_of(build_job({"a": 1}), 3.14159) == {"waited_seconds": 3.1}


def test_failed_job_has_its_configuration_as_a_step_unless_it_is_shown() -> None:
    job = build_job(None, status="FAILED", error_message="no such page")
    ((stays, configuration), (short,)) = steps_of(job, JobRequest("ext-1"))
    assert stays.startswith("The job stays failed. A result needs a new job")
    assert stays.startswith(short)
    assert "Check that the document opens" in stays
    call = 'get_extract_job(job_id="ext-1", expand=["configuration"])'
    assert configuration == f"To see what the job was asked to do: {call}"
    assert [len(steps) for steps in steps_of(job, JobRequest("ext-1", ("configuration",)))] == [1, 1]


def test_empty_job_has_its_schema_as_a_step() -> None:
    call = 'get_extract_job(job_id="ext-1", expand=["configuration"])'
    ((found, schema), (short,)) = steps_of(build_job(None), JobRequest("ext-1"))
    assert found == short
    assert schema == f"To see the schema: {call}"


@pytest.mark.parametrize(("minutes", "words"), [(1, "has not ended"), (60, "Unusual: RUNNING for 1 h")])
def test_running_job_has_the_wait_as_its_step(minutes: float, words: str) -> None:
    ((full,), (short,)) = steps_of(running("RUNNING", minutes), JobRequest("ext-1"))
    assert words in full
    assert short == 'To wait: wait_for_extract_job(job_id="ext-1")'
    assert full.endswith('wait_for_extract_job(job_id="ext-1")')


def test_id_and_status_are_cleaned_and_bounded() -> None:
    job = build_job({"a": 1}, id="e" * 70, status="S\u202e" * 20)
    header = build_header(job, JobRequest(job.id), now=NOW)
    assert (header.job_id, len(header.status)) == (f"{'e' * 63}…", 24)
    assert header.status.startswith("S\\u202eS")
