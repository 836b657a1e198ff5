"""The status of a job is a function of its timeline and of the time since it started."""

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
