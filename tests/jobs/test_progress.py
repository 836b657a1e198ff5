"""The progress of a wait."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.answers.requests import Until
from llx_mcp.errors import NotFoundError, UnavailableError
from llx_mcp.jobs.progress import JobSnapshot, WaitProgress, describe_progress, is_enough, measure_progress
from llx_mcp.models import Job

RUNNING = JobSnapshot("ext-1", Job(id="ext-1", status="RUNNING"), age_seconds=34.2)
DONE = JobSnapshot("ext-2", Job(id="ext-2", status="COMPLETED"))
UNREADABLE = JobSnapshot("ext-3", error=NotFoundError("none"))
UNPOLLED = JobSnapshot("ext-4")


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (WaitProgress((RUNNING,), 3.0, 4.4), "RUNNING for 34 s; next poll in 4 s"),
        (WaitProgress((DONE,), 3.0, is_over=True), "COMPLETED"),
        (WaitProgress((DONE, RUNNING, UNPOLLED), 3.0, 4.0), "RUNNING for 34 s; 1 of 3 done; next poll in 4 s"),
        (WaitProgress((DONE, UNREADABLE), 3.0), "COMPLETED; 2 of 2 done"),
        (WaitProgress((UNREADABLE,), 3.0), "cannot be read"),
        (WaitProgress((UNPOLLED,), 0.0), "not polled yet"),
        (WaitProgress((JobSnapshot("ext-5", Job(id="ext-5", status="PENDING")),), 0.0), "PENDING"),
        (
            WaitProgress((JobSnapshot("ext-6", RUNNING.job, failure=UnavailableError("away"), age_seconds=9.0),), 0.0),
            "RUNNING for 9 s; the latest poll failed and is tried again",
        ),
        (
            WaitProgress((JobSnapshot("ext-7", failure=UnavailableError("away")),), 0.0),
            "not polled yet; the latest poll failed and is tried again",
        ),
    ],
)
def test_progress_is_described_in_one_line(progress: WaitProgress, words: str) -> None:
    assert describe_progress(progress) == words


@pytest.mark.parametrize(
    ("snapshots", "until", "is_over"),
    [
        ((RUNNING, DONE), "any", True),
        ((RUNNING, DONE), "all", False),
        ((RUNNING, UNREADABLE), "any", False),
        ((DONE, UNREADABLE), "all", True),
        ((UNREADABLE, UNREADABLE), "any", True),
        ((UNPOLLED,), "any", False),
    ],
)
def test_wait_is_over_when_enough_jobs_have_ended(
    snapshots: tuple[JobSnapshot, ...], until: Until, *, is_over: bool
) -> None:
    assert is_enough(snapshots, until) == is_over


@pytest.mark.parametrize(
    ("snapshots", "until", "measured"),
    [
        ((RUNNING,), "all", (12.0, 45.0)),
        ((RUNNING, DONE), "any", (12.0, 45.0)),
        ((RUNNING, DONE), "all", (1 + 12 / 46 * 0.999, 2)),
        ((UNREADABLE, DONE), "all", (2, 2)),
    ],
)
def test_progress_counts_seconds_or_jobs(
    snapshots: tuple[JobSnapshot, ...], until: Until, measured: tuple[float, float]
) -> None:
    assert measure_progress(WaitProgress(snapshots, 12.0), 45.0, until) == measured


def test_wait_without_a_timeout_has_no_total_of_seconds() -> None:
    assert measure_progress(WaitProgress((RUNNING,), 12.0), 0.0, "all") == (12.0, None)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 3)), min_size=2, max_size=20),
    st.sampled_from([0.0, 1.0, 45.0, 3_600.0]),
)
def test_measured_progress_never_falls(steps: list[tuple[float, int]], timeout_seconds: float) -> None:
    waited, num_ended, measured = 0.0, 0, []
    for seconds, num_more in steps:
        waited, num_ended = waited + seconds, min(num_ended + num_more, 6)
        snapshots = (*[DONE] * num_ended, *[RUNNING] * (6 - num_ended))
        value, total = measure_progress(WaitProgress(snapshots, waited), timeout_seconds, "all")
        assert total == 6
        assert num_ended <= value < num_ended + 1
        measured.append(value)
    assert all(before <= after for before, after in itertools.pairwise(measured))
