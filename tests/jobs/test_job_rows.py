"""Rows about jobs say what is known of each, and one error stands for all where it is the same for all."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llx_mcp.answers.wait_report import JobRow
from llx_mcp.errors import (
    ArgumentError,
    AuthenticationError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    UnavailableError,
)
from llx_mcp.jobs.job_rows import build_listed_row, build_waited_row, get_single_job, raise_common_error
from llx_mcp.jobs.progress import JobSnapshot
from llx_mcp.models import Job

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AWAY = UnavailableError("The service is away.")


def build_job(status: str = "COMPLETED", *, created_ago: float | None = 90.0, took: float = 30.0, **more: Any) -> Job:
    """Build a job that was created some seconds ago, and was updated `took` seconds after that."""
    created = {} if created_ago is None else {"created_at": (NOW - timedelta(seconds=created_ago)).isoformat()}
    updated = (NOW - timedelta(seconds=(created_ago or 90.0) - took)).isoformat()
    body = {"id": "ext-1", "status": status, "file_input": "dfl-1", **created, "updated_at": updated, **more}
    return Job.parse(json.dumps(body).encode())


RESULT: dict[str, Any] = {"extract_result": {"total": 12}}
POLL_FAILED = "the latest poll failed and is tried again"


@pytest.mark.parametrize(
    ("snapshot", "row"),
    [
        (
            JobSnapshot("ext-1", error=NotFoundError("There is none.")),
            JobRow("ext-1", "ERROR", note="There is none.", has_ended=True),
        ),
        (JobSnapshot("ext-1"), JobRow("ext-1", "NOT_POLLED")),
        (JobSnapshot("ext-1", failure=AWAY), JobRow("ext-1", "NOT_POLLED", note="The service is away.")),
        (
            JobSnapshot("ext-1", build_job("RUNNING"), age_seconds=34.5),
            JobRow("ext-1", "RUNNING", 34.5, "dfl-1"),
        ),
        (
            JobSnapshot("ext-1", build_job("RUNNING"), failure=AWAY, age_seconds=34.5),
            JobRow("ext-1", "RUNNING", 34.5, "dfl-1", POLL_FAILED),
        ),
        (
            JobSnapshot("asked", build_job(**RESULT)),
            JobRow("asked", "COMPLETED", 30.0, "dfl-1", has_ended=True, has_result=True),
        ),
        (
            JobSnapshot("ext-1", build_job()),
            JobRow("ext-1", "COMPLETED", 30.0, "dfl-1", "it found no value", has_ended=True),
        ),
        (
            JobSnapshot("ext-1", build_job("FAILED", **RESULT)),
            JobRow("ext-1", "FAILED", 30.0, "dfl-1", "the service gave no reason", has_ended=True),
        ),
        (
            JobSnapshot("ext-1", build_job("FAILED", error_message="It is encrypted.")),
            JobRow("ext-1", "FAILED", 30.0, "dfl-1", "It is encrypted.", has_ended=True),
        ),
        (
            JobSnapshot("ext-1", build_job("CANCELLED")),
            JobRow("ext-1", "CANCELLED", 30.0, "dfl-1", has_ended=True),
        ),
    ],
)
def test_row_of_a_wait_says_what_is_known_of_the_job(snapshot: JobSnapshot, row: JobRow) -> None:
    assert build_waited_row(snapshot, NOW) == row


def test_stuck_job_says_so_rather_than_that_its_latest_poll_failed() -> None:
    stuck = JobSnapshot("ext-1", build_job("RUNNING", created_ago=90_000.0), failure=AWAY, age_seconds=90_000.0)
    row = build_waited_row(stuck, NOW)
    assert row.is_overdue
    assert row.note is not None
    assert row.note.startswith("RUNNING for ")


@pytest.mark.parametrize(
    ("job", "seconds"),
    [
        (build_job(), 30.0),
        (build_job(took=0.0), 0.0),
        (build_job(took=-1.0), None),
        (build_job(created_ago=None), None),
        (build_job(updated_at=None), None),
        (build_job("RUNNING"), 90.0),
        (build_job("RUNNING", created_ago=-5.0), None),
    ],
)
def test_seconds_last_from_the_creation_to_the_end_or_until_now(job: Job, seconds: float | None) -> None:
    assert build_listed_row(job, None, NOW).seconds == seconds


@pytest.mark.parametrize(
    ("job", "name", "row"),
    [
        (
            build_job(**RESULT),
            "a.pdf",
            JobRow("ext-1", "COMPLETED", 30.0, "dfl-1", has_ended=True, has_result=True, name="a.pdf"),
        ),
        (
            build_job(**RESULT),
            None,
            JobRow("ext-1", "COMPLETED", 30.0, "dfl-1", "begins total: 12", has_ended=True, has_result=True),
        ),
        (build_job(), None, JobRow("ext-1", "COMPLETED", 30.0, "dfl-1", has_ended=True)),
        (build_job("RUNNING"), None, JobRow("ext-1", "RUNNING", 90.0, "dfl-1")),
        (
            build_job("FAILED", error_message="It is encrypted.", **RESULT),
            None,
            JobRow("ext-1", "FAILED", 30.0, "dfl-1", "It is encrypted.", has_ended=True, has_result=True),
        ),
    ],
)
def test_row_of_a_list_has_the_name_of_the_document_or_the_start_of_the_result(
    job: Job, name: str | None, row: JobRow
) -> None:
    assert build_listed_row(job, name, NOW) == replace(row, created_at="2026-01-01T11:58:30Z")


def test_job_without_a_time_of_creation_has_none_in_a_list() -> None:
    assert build_listed_row(build_job(created_ago=None), None, NOW).created_at is None


def test_stuck_job_of_a_list_says_so() -> None:
    note = build_listed_row(build_job("RUNNING", created_ago=90_000.0), None, NOW).note
    assert note is not None
    assert note.startswith("RUNNING for ")


@pytest.mark.parametrize(
    ("result", "start"),
    [
        ({"a": [1, {"b": "x\n  y"}], "c": None}, "begins a: 1, b: x\\n y, c: null"),
        ("y" * 80, f"begins {'y' * 80}"),
        ("y" * 81, f"begins {'y' * 79}…"),
        ("é" * 500, f"begins {'é' * 79}…"),
        ([" " * 398 + "xyz"], "begins"),
        ([" " * 397 + "xyz"], "begins x"),
    ],
)
def test_start_of_a_result_is_one_short_line_without_punctuation(result: Any, start: str) -> None:
    body = json.dumps({"id": "ext-1", "status": "COMPLETED", "extract_result": result}, ensure_ascii=False)
    note = build_listed_row(Job.parse(body.encode()), None, NOW).note
    assert note is not None
    assert note.strip() == start


def test_single_job_is_returned_even_if_its_latest_poll_failed() -> None:
    job = build_job("RUNNING")
    assert get_single_job(JobSnapshot("ext-1", job)) is job
    assert get_single_job(JobSnapshot("ext-1", job, failure=AWAY)) is job


@pytest.mark.parametrize(
    ("snapshot", "error"),
    [
        (JobSnapshot("ext-1", build_job("RUNNING"), error=NotFoundError("none")), NotFoundError),
        (JobSnapshot("ext-1", failure=AWAY), UnavailableError),
        (JobSnapshot("ext-1"), RateLimitedError),
    ],
)
def test_single_job_that_cannot_be_shown_raises_the_reason(snapshot: JobSnapshot, error: type[LlxError]) -> None:
    with pytest.raises(error):
        get_single_job(snapshot)


KEY_REFUSED = AuthenticationError("The key is not accepted.")


@pytest.mark.parametrize(
    ("errors", "is_raised"),
    [
        ([KEY_REFUSED], True),
        ([KEY_REFUSED, AuthenticationError("The key is not accepted.")], True),
        ([KEY_REFUSED, None], False),
        ([None, KEY_REFUSED], False),
        ([None, None], False),
        ([KEY_REFUSED, OutOfCreditsError("no credits")], False),
        ([NotFoundError("none"), NotFoundError("none")], False),
        ([ArgumentError("blank")], False),
    ],
)
def test_error_of_all_jobs_is_raised_unless_it_is_about_their_ids(
    errors: list[LlxError | None], *, is_raised: bool
) -> None:
    snapshots = [JobSnapshot(f"ext-{number}", error=error) for number, error in enumerate(errors)]
    if not is_raised:
        raise_common_error(snapshots)
        return
    with pytest.raises(AuthenticationError) as caught:
        raise_common_error(snapshots)
    assert caught.value is errors[0]
