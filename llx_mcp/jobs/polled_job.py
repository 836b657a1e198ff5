"""State of the poll loop: the polled jobs and their waiters."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import anyio

from llx_mcp.errors import LlxError, RateLimitedError, UpstreamError
from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.coordination import ALWAYS, Turn
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.progress import JobSnapshot

if TYPE_CHECKING:
    from llx_mcp.models import Job

# A hastened poll is not sent sooner than this after another one.
_HASTENED_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class PolledJob:
    """One job that is polled. Only its own methods change it. Times are in seconds of the monotonic clock.

    Attributes:
        key: which job, and for which credential.
        schedule: the poll intervals.
        added_at: when the first wait for the job began.
        due_at: when the next poll is due.
        waiters: the waits for this job.
        job: the job from the latest successful poll; with all its sections once it has ended, unless it came from the
            cache.
        error: why the job cannot be read.
        failure: the transient error of the latest poll, if that failed.
        polled_at: when the latest finished poll began; None before the first.
        interval_seconds: time from the latest poll to the next one.
        is_polling: whether a poll is running.
        needs_full_fetch: whether the job has probably ended, so that the next poll asks for all sections.
        is_last_poll: whether the running poll is the last that a wait expects. It asks for all sections too, so that
            the wait needs no second request if the job has ended.
        num_failures: number of failed polls since the last successful one.
        has_ended: whether there is nothing left to poll.
        turn: when this replica may poll the job. Fetching it once it has ended is always allowed.
        is_end_reported: whether another replica said that the job has ended.
    """

    key: JobKey
    schedule: PollSchedule
    added_at: float
    due_at: float
    waiters: "set[Waiter]" = field(default_factory=set)
    job: "Job | None" = None
    error: LlxError | None = None
    failure: UpstreamError | None = None
    polled_at: float | None = None
    interval_seconds: float = 1.0
    is_polling: bool = False
    needs_full_fetch: bool = False
    is_last_poll: bool = False
    num_failures: int = 0
    # A field, not a property: the loop reads it for each job at each turn.
    has_ended: bool = False
    turn: Turn = ALWAYS
    is_end_reported: bool = False
    _poll_started_at: float = 0.0
    _is_hastened: bool = False
    # Whether another replica reported the end while a poll ran.
    _is_end_due: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the job."""
        return self.job is not None or self.error is not None

    def may_poll(self, now: float) -> bool:
        """Return whether this replica may poll the job now."""
        return self.turn[0] <= now < self.turn[1] or self.needs_full_fetch

    def ready_at(self, now: float) -> float:
        """Return when the next poll is due and allowed; infinity if it needs a new turn."""
        if self.needs_full_fetch:
            return self.due_at
        return math.inf if now >= self.turn[1] else max(self.due_at, self.turn[0])

    def awaits_turn(self, now: float) -> bool:
        """Return whether nothing is known of the job, and its first poll here waits for a turn."""
        return not self.is_known and not self.may_poll(now)

    def add_waiter(self, waiter: "Waiter", now: float) -> None:
        """Add a wait, and make sure that the job is polled before the wait ends."""
        self.waiters.add(waiter)
        self._poll_before_end(waiter, now)

    def remove_waiter(self, waiter: "Waiter") -> None:
        """Remove a wait that is over."""
        self.waiters.discard(waiter)

    def start_poll(self, now: float) -> None:
        """Note that a poll begins."""
        self.is_polling = True
        self.is_last_poll = any(waiter.deadline <= now for waiter in self.waiters)
        self._poll_started_at = now

    def finish_poll(self) -> None:
        """Note that the running poll is over, whether or not it had a result."""
        self.is_polling = False
        if self._is_hastened and not self.has_ended:
            self.due_at = min(self.due_at, self._poll_started_at + _HASTENED_SECONDS)
        self._is_hastened = False
        if self._is_end_due:
            self._is_end_due = False
            self.report_end(self._poll_started_at)

    def hasten(self, now: float) -> None:
        """Poll soon, because the job has probably changed. A running poll may have begun before the change."""
        if self.is_polling:
            self._is_hastened = True
        elif not self.has_ended:
            earliest = now if self.polled_at is None else max(now, self.polled_at + _HASTENED_SECONDS)
            self.due_at = min(self.due_at, earliest)

    def record_state(self, job: "Job", polled_at: float, interval_seconds: float, now: float) -> None:
        """Record a job as another replica has polled it."""
        is_change = self.job is None or self.job.status != job.status
        self.job = job
        self.polled_at = polled_at
        self.failure = None
        self.num_failures = 0
        self.interval_seconds = interval_seconds
        self.schedule_poll(polled_at + interval_seconds, now)
        self.wake(is_change=is_change)

    def record_job(self, job: "Job", service_now: datetime, now: float) -> None:
        """Record a job that has not ended, and schedule its next poll by its age."""
        is_change = self.job is None or self.job.status != job.status
        self.polled_at = self._poll_started_at
        self.job = job
        self.failure = None
        self.num_failures = 0
        self.needs_full_fetch = self.is_end_reported = False
        self._poll_after(self.schedule.next_interval_seconds(self.age_seconds(service_now, now)), now)
        self.wake(is_change=is_change)

    def record_failure(self, error: LlxError, now: float) -> None:
        """Record a failed poll: schedule a retry after a transient error, end polling after any other."""
        if not isinstance(error, UpstreamError) or not error.is_transient:
            self.end(error=error)
            return
        self.polled_at = self._poll_started_at
        self.failure = error
        self.num_failures += 1
        # After a 429 the rate limit decides when the next request may go out.
        is_refusal = isinstance(error, RateLimitedError)
        self._poll_after(0.0 if is_refusal else self.schedule.retry_seconds(self.num_failures), now)
        self.wake(is_change=False)

    def expect_end(self, now: float) -> None:
        """Record that the job has probably ended: its next poll is due now and asks for all sections."""
        self.polled_at = self._poll_started_at
        self.failure = None
        self.num_failures = 0
        self.needs_full_fetch = True
        self.due_at = now

    def report_end(self, now: float) -> None:
        """Record that the job has ended, as another replica says. A running poll may have begun before that."""
        if self.is_polling:
            self._is_end_due = True
        elif not (self.needs_full_fetch or self.has_ended):
            self.expect_end(now)
            self.is_end_reported = True

    def end(self, *, job: "Job | None" = None, error: LlxError | None = None) -> None:
        """End polling: the finished job is here with all its sections, or it cannot be read."""
        self.job = job or self.job
        self.error = error
        self.failure = None
        self.has_ended = True
        self.wake(is_change=True)

    def schedule_poll(self, due_at: float, now: float) -> None:
        """Schedule the next poll; waits that end before `due_at` move it forward."""
        self.due_at = due_at
        for waiter in self.waiters:
            self._poll_before_end(waiter, now)

    def needs_poll_before(self, deadline: float) -> bool:
        """Return whether a wait that ends at `deadline` should still see a poll of this job."""
        if self.has_ended or (self.num_failures and not self.is_polling):
            return False
        if self.needs_full_fetch or self.polled_at is None:
            return True
        return self.polled_at < deadline - self.schedule.shortest_seconds

    def age_seconds(self, service_now: datetime, now: float) -> float:
        """Return the time since the job was created by the service's clock, or since the first wait if longer."""
        created_at = self.job.created_at if self.job is not None else None
        waited = now - self.added_at
        return waited if created_at is None else max((service_now - created_at).total_seconds(), waited)

    def build_snapshot(self, service_now: datetime, now: float) -> JobSnapshot:
        """Build a snapshot of what is known now."""
        is_aging = self.job is not None and not self.has_ended and self.job.created_at is not None
        age = self.age_seconds(service_now, now) if is_aging else None
        return JobSnapshot(self.key.job_id, self.job, self.error, self.failure, age)

    def wake(self, *, is_change: bool) -> None:
        """Wake the waiters: all of them after a change, else those that want every poll."""
        for waiter in self.waiters:
            if is_change or waiter.wants_every_poll:
                waiter.wake()

    def _poll_after(self, seconds: float, now: float) -> None:
        self.interval_seconds = seconds
        self.schedule_poll(now + seconds, now)

    def _poll_before_end(self, waiter: "Waiter", now: float) -> None:
        """Poll at the end of a wait unless a poll is due shortly before it, or that last poll has failed."""
        deadline = waiter.deadline
        has_failed = self.num_failures > 0 and now >= deadline
        if deadline < self.due_at and not has_failed and self.needs_poll_before(deadline):
            self.due_at = max(deadline, now)


class Waiter:
    """One wait for any number of jobs.

    Attributes:
        jobs: the jobs, in the order of the request.
        deadline: when the wait is over, in seconds of the monotonic clock.
        wants_every_poll: whether every poll wakes it, or only changes do.
        is_over: whether its time is up.
    """

    __slots__ = ("_event", "deadline", "is_over", "jobs", "wants_every_poll")

    def __init__(self, jobs: tuple[PolledJob, ...], deadline: float, *, wants_every_poll: bool) -> None:
        self.jobs = jobs
        self.deadline = deadline
        self.wants_every_poll = wants_every_poll
        self.is_over = False
        self._event: anyio.Event | None = None

    def wake(self) -> None:
        """Make the running or next call of `wait` return."""
        if self._event is None:
            self._event = anyio.Event()
        self._event.set()

    async def wait(self) -> None:
        """Wait for the next `wake`; return at once if it was called since the last time."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
        self._event = None

    def end(self) -> None:
        """Mark the wait as over and wake it."""
        self.is_over = True
        self.wake()
