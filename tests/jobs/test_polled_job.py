"""One polled job: when its next poll is due, whom a poll wakes, and what a snapshot says."""

from datetime import UTC, datetime, timedelta

import pytest

from llx_mcp.errors import NotFoundError, RateLimitedError, UnavailableError
from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob, Waiter
from llx_mcp.models import Job
from llx_mcp.scope import DEFAULT_SCOPE

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = Job(id="ext-1", status="RUNNING", created_at=START)
LATE = 1e9


def make(*, added_at: float = 0.0, due_at: float = 0.0) -> PolledJob:
    """Make a job that was not polled yet."""
    return PolledJob(JobKey("digest", DEFAULT_SCOPE, "ext-1"), PollSchedule(jitter=0.0), added_at, due_at)


def add_waiter(polled: PolledJob, deadline: float, now: float = 0.0, *, wants_every_poll: bool = False) -> Waiter:
    """Add a wait that ends at a time."""
    waiter = Waiter((polled,), deadline, wants_every_poll=wants_every_poll)
    polled.add_waiter(waiter, now)
    return waiter


def is_woken(waiter: Waiter) -> bool:
    """Return whether the next `wait` returns at once."""
    return waiter._event is not None and waiter._event.is_set()


def at(seconds: float) -> datetime:
    """Return the time of the service when the monotonic clock shows these seconds."""
    return START + timedelta(seconds=seconds)


def test_poll_counts_from_its_start_and_the_next_follows_the_age_of_the_job() -> None:
    polled = make()
    add_waiter(polled, LATE)
    polled.start_poll(200.0)
    assert polled.is_polling
    polled.record_job(RUNNING, at(203.0), 203.0)
    polled.finish_poll()
    assert (polled.polled_at, polled.is_polling) == (200.0, False)
    assert (polled.interval_seconds, polled.due_at) == pytest.approx((203 * 0.055, 203 * 1.055))


def test_end_that_is_reported_is_fetched_at_once_or_after_the_running_poll() -> None:
    idle, polling = make(), make()
    idle.report_end(10.0)
    assert (idle.needs_full_fetch, idle.is_end_reported, idle.due_at) == (True, True, 10.0)
    polling.start_poll(9.0)
    polling.report_end(10.0)
    polling.record_job(RUNNING, at(11.0), 11.0)
    assert not polling.needs_full_fetch
    polling.finish_poll()
    assert (polling.needs_full_fetch, polling.is_end_reported, polling.due_at) == (True, True, 9.0)
    # It was not true, and is not reported again.
    polling.start_poll(12.0)
    polling.record_job(RUNNING, at(13.0), 13.0)
    polling.finish_poll()
    assert (polling.needs_full_fetch, polling.is_end_reported) == (False, False)


def test_end_that_is_known_here_is_not_reported() -> None:
    expected, ended, polling = make(), make(), make()
    expected.expect_end(5.0)
    ended.end(job=RUNNING)
    polling.start_poll(9.0)
    polling.report_end(10.0)
    polling.expect_end(11.0)
    polling.finish_poll()
    for polled in (expected, ended):
        polled.report_end(10.0)
    assert [polled.is_end_reported for polled in (expected, ended, polling)] == [False] * 3
    assert (expected.due_at, polling.due_at) == (5.0, 11.0)


def test_transient_failures_are_retried_later_each_time_and_a_refusal_as_soon_as_the_rate_limit_allows() -> None:
    polled = make()
    add_waiter(polled, LATE)
    due = []
    for error in (UnavailableError("away"), UnavailableError("away"), RateLimitedError("slow down")):
        polled.start_poll(10.0)
        polled.record_failure(error, 11.0)
        due.append(polled.due_at)
    assert due == [13.0, 15.0, 11.0]
    assert (polled.num_failures, polled.polled_at) == (3, 10.0)
    assert not polled.has_ended


def test_permanent_error_ends_the_polling() -> None:
    polled = make()
    polled.record_failure(NotFoundError("none"), 1.0)
    assert (type(polled.error), polled.failure, polled.has_ended) == (NotFoundError, None, True)


def test_poll_is_due_no_later_than_the_end_of_a_wait() -> None:
    polled = make(due_at=100.0)
    add_waiter(polled, 50.0, 20.0)
    assert polled.due_at == 50.0
    add_waiter(polled, 30.0, 30.0)
    assert polled.due_at == 30.0
    add_waiter(polled, 10.0, 20.0)
    assert polled.due_at == 20.0


@pytest.mark.parametrize(
    ("started_at", "failed_at", "due_at"),
    [
        # The wait ends before the retry, so the retry comes at its end.
        (1.0, 9.5, 10.0),
        # The last poll of the wait has failed, and its retry is not for this wait.
        (1.0, 10.0, 12.0),
        (1.0, 10.5, 12.5),
        # The poll began shortly before the end.
        (5.0, 9.5, 11.5),
    ],
)
def test_failed_poll_is_repeated_at_the_end_of_a_wait_but_not_after_it(
    started_at: float, failed_at: float, due_at: float
) -> None:
    polled = make()
    add_waiter(polled, 10.0)
    polled.start_poll(started_at)
    polled.record_failure(UnavailableError("away"), failed_at)
    assert polled.due_at == due_at


def test_wait_needs_a_poll_that_began_shortly_before_its_end() -> None:
    shortest = PollSchedule().shortest_seconds
    polled = make()
    assert polled.needs_poll_before(10.0)
    polled.polled_at = 10.0 - shortest
    assert not polled.needs_poll_before(10.0)
    polled.polled_at -= 0.1
    assert polled.needs_poll_before(10.0)
    polled.num_failures = 1
    assert not polled.needs_poll_before(10.0)
    polled.is_polling = True
    assert polled.needs_poll_before(10.0)
    polled.has_ended = True
    assert not polled.needs_poll_before(10.0)


def test_wait_needs_the_fetch_of_a_job_that_has_probably_ended() -> None:
    polled = make()
    polled.start_poll(9.9)
    polled.expect_end(10.0)
    assert (polled.polled_at, polled.due_at, polled.needs_full_fetch) == (9.9, 10.0, True)
    assert polled.needs_poll_before(10.0)


def test_poll_is_the_last_of_a_wait_whose_time_is_up() -> None:
    polled = make()
    add_waiter(polled, 10.0)
    found = []
    for now in (9.9, 10.0, 10.1):
        polled.start_poll(now)
        found.append(polled.is_last_poll)
    assert found == [False, True, True]


def test_change_wakes_every_waiter_and_a_poll_without_one_only_those_that_want_it() -> None:
    polled = make()

    def waiters_woken_by_failure() -> list[bool]:
        waiters = [add_waiter(polled, LATE, wants_every_poll=wants) for wants in (False, True)]
        polled.record_failure(UnavailableError("away"), 1.0)
        return [is_woken(waiter) for waiter in waiters]

    def waiters_woken_by(status: str) -> list[bool]:
        waiters = [add_waiter(polled, LATE, wants_every_poll=wants) for wants in (False, True)]
        polled.record_job(Job(id="ext-1", status=status), at(1.0), 1.0)
        return [is_woken(waiter) for waiter in waiters]

    assert waiters_woken_by_failure() == [False, True]
    assert [waiters_woken_by(status) for status in ("PENDING", "PENDING", "RUNNING")] == [
        [True, True],
        [False, True],
        [True, True],
    ]


def test_end_wakes_every_waiter_and_keeps_the_job_beside_an_error() -> None:
    polled = make()
    polled.record_job(RUNNING, at(1.0), 1.0)
    waiter = add_waiter(polled, LATE)
    polled.end(error=NotFoundError("none"))
    assert (is_woken(waiter), polled.has_ended, polled.job) == (True, True, RUNNING)


def test_waiter_that_was_removed_is_not_woken() -> None:
    polled = make()
    waiter = add_waiter(polled, LATE)
    polled.remove_waiter(waiter)
    polled.end(job=RUNNING)
    assert not is_woken(waiter)


@pytest.mark.parametrize(
    ("created_at", "age"),
    [(START, 100.0), (START + timedelta(seconds=70), 40.0), (START - timedelta(seconds=50), 150.0), (None, 40.0)],
)
def test_age_counts_from_the_creation_or_from_the_first_wait_if_that_is_longer(
    created_at: datetime | None, age: float
) -> None:
    polled = make(added_at=60.0)
    polled.job = Job(id="ext-1", status="RUNNING", created_at=created_at)
    assert polled.age_seconds(at(100.0), 100.0) == age


def test_snapshot_has_an_age_only_while_a_job_of_known_creation_runs() -> None:
    polled = make()
    ages = [polled.build_snapshot(at(9.0), 9.0).age_seconds]
    polled.job = Job(id="ext-1", status="RUNNING")
    ages.append(polled.build_snapshot(at(9.0), 9.0).age_seconds)
    polled.job = RUNNING
    ages.append(polled.build_snapshot(at(9.0), 9.0).age_seconds)
    polled.end(job=Job(id="ext-1", status="COMPLETED", created_at=START))
    ages.append(polled.build_snapshot(at(9.0), 9.0).age_seconds)
    assert ages == [None, None, 9.0, None]
