"""The status of a job is a function of its timeline and of the time since it started."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from llx_mcp.local.lifecycle import JobLifecycle, Timeline, sections_at
from llx_mcp.raw_json import join_json, split_json

START = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = split_json(
    b'{"id":"ext-1","status":"FAILED","error_message":"no","extract_result":{"n":1.50},"usage":{"credits":1.0},'
    b'"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:09Z","future":1.50}'
)


@pytest.mark.parametrize(
    ("elapsed_seconds", "state"),
    [(-5, ("PENDING", 0.0)), (0, ("PENDING", 0.0)), (1, ("THROTTLED", 1.0)), (2.9, ("THROTTLED", 1.0)),
     (3, ("RUNNING", 3.0)), (6.9, ("RUNNING", 3.0)), (7, None), (1e9, None)],
)  # fmt: skip
def test_status_lasts_until_next_one_starts(elapsed_seconds: float, state: tuple[str, float] | None) -> None:
    assert Timeline(1, 2, 4).state_at(elapsed_seconds) == state


def test_status_of_zero_seconds_is_skipped() -> None:
    assert Timeline(running_seconds=2).state_at(0) == ("RUNNING", 0.0)
    assert Timeline().state_at(0) is None


def test_unfinished_job_has_no_outcome() -> None:
    now = START + timedelta(seconds=2)
    assert join_json(sections_at(ENDED, JobLifecycle(Timeline(1, 0, 3), "FAILED", START), now)) == (
        b'{"id":"ext-1","status":"RUNNING","error_message":null,"extract_result":null,"usage":null,'
        b'"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:01Z","future":1.50}'
    )


def test_ended_job_has_lifecycle_dates_and_stored_sections() -> None:
    now = START + timedelta(days=3)
    assert join_json(sections_at(ENDED, JobLifecycle(Timeline(1, 0, 3), "FAILED", START), now)) == (
        b'{"id":"ext-1","status":"FAILED","error_message":"no","extract_result":{"n":1.50},"usage":{"credits":1.0},'
        b'"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:04Z","future":1.50}'
    )


def test_cancelled_job_has_no_outcome_from_its_cancellation_on() -> None:
    cancelled_at = START + timedelta(seconds=2)
    lifecycle = JobLifecycle(Timeline(1, 0, 3), "COMPLETED", START, cancelled_at)
    seconds = (1.9, 2, 100)
    statuses = [lifecycle.status_at(START + timedelta(seconds=each)) for each in seconds]
    ended = [lifecycle.has_ended(START + timedelta(seconds=each)) for each in seconds]
    assert (statuses, ended) == (["RUNNING", "CANCELLED", "CANCELLED"], [False, True, True])
    before = sections_at(ENDED, lifecycle, START + timedelta(seconds=1.9))
    assert (bytes(before["status"]), bytes(before["updated_at"])) == (b'"RUNNING"', b'"2026-01-01T00:00:01Z"')
    for later in (cancelled_at, START + timedelta(days=9)):
        assert join_json(sections_at(ENDED, lifecycle, later)) == (
            b'{"id":"ext-1","status":"CANCELLED","error_message":null,"extract_result":null,"usage":null,'
            b'"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:02Z","future":1.50}'
        )


@pytest.mark.parametrize(
    ("seconds", "usage"),
    [(2.9, b"null"), (3, b'{"credits":null,"extract_credits":null,"parse_credits":null}'),
     (12.9, b'{"credits":null,"extract_credits":null,"parse_credits":null}'), (13, b'{"credits":1.0}')],
)  # fmt: skip
def test_usage_is_billed_after_its_seconds(seconds: float, usage: bytes) -> None:
    lifecycle = JobLifecycle(Timeline(1, 0, 2, 10), "FAILED", START)
    assert bytes(sections_at(ENDED, lifecycle, START + timedelta(seconds=seconds))["usage"]) == usage


def test_billing_adds_no_usage_to_a_job_without_it() -> None:
    sections = {name: raw for name, raw in ENDED.items() if name != "usage"}
    lifecycle = JobLifecycle(Timeline(billing_seconds=10), "FAILED", START)
    for seconds in (0, 20):
        assert "usage" not in sections_at(sections, lifecycle, START + timedelta(seconds=seconds))


def test_end_is_the_sum_of_the_statuses_or_the_cancellation() -> None:
    timeline = Timeline(1, 2, 4, 60)
    assert timeline.total_seconds == 7
    assert JobLifecycle(timeline, "FAILED").ended_at() is None
    assert JobLifecycle(timeline, "FAILED", START).ended_at() == START + timedelta(seconds=7)
    assert JobLifecycle(timeline, "FAILED", START, START).ended_at() == START
    assert JobLifecycle(Timeline(1, 0, math.inf), "FAILED", START).ended_at() is None


def test_job_that_has_not_started_has_its_first_status() -> None:
    assert JobLifecycle(Timeline(0, 2, 4), "FAILED").status_at(START) == "THROTTLED"
    assert JobLifecycle(Timeline(0.5, 2, 4), "FAILED").status_at(START) == "PENDING"
    assert not JobLifecycle(Timeline(0, 2, 4), "FAILED").has_ended(START)
    assert JobLifecycle(Timeline(billing_seconds=3), "FAILED").status_at(START) == "FAILED"


@pytest.mark.parametrize(
    ("timeline", "changes"),
    [(Timeline(), False), (Timeline(1), True), (Timeline(0, 1), True), (Timeline(0, 0, 1), True),
     (Timeline(0, 0, 0, 0.5), True)],
)  # fmt: skip
def test_any_positive_time_makes_a_job_change(timeline: Timeline, changes: bool) -> None:
    assert timeline.changes_over_time == changes
