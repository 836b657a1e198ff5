"""A job's state is a function of its timeline and of the time since it began."""

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
def test_a_state_holds_until_the_next_begins(elapsed_seconds: float, state: tuple[str, float] | None) -> None:
    assert Timeline(1, 2, 4).state_at(elapsed_seconds) == state


def test_a_state_of_no_length_is_passed_over() -> None:
    assert Timeline(running_seconds=2).state_at(0) == ("RUNNING", 0.0)
    assert Timeline().state_at(0) is None


def test_an_unfinished_job_knows_nothing_of_its_end() -> None:
    now = START + timedelta(seconds=2)
    assert join_json(sections_at(ENDED, JobLifecycle(Timeline(1, 0, 3), "FAILED", START), now)) == (
        b'{"id":"ext-1","status":"RUNNING","error_message":null,"extract_result":null,"usage":null,'
        b'"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:01Z","future":1.50}'
    )


def test_an_ended_job_has_the_dates_of_this_life_and_all_else_as_it_was_stored() -> None:
    now = START + timedelta(days=3)
    assert join_json(sections_at(ENDED, JobLifecycle(Timeline(1, 0, 3), "FAILED", START), now)) == (
        b'{"id":"ext-1","status":"FAILED","error_message":"no","extract_result":{"n":1.50},"usage":{"credits":1.0},'
        b'"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:04Z","future":1.50}'
    )
