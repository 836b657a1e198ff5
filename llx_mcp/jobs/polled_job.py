"""The books of waiting: which jobs are looked at, and who waits for them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import anyio

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.progress import JobSnapshot

if TYPE_CHECKING:
    from llx_mcp.errors import LlxError, UpstreamError
    from llx_mcp.models import Job


@dataclass(eq=False, slots=True)
class PolledJob:
    """One job that is looked at. Times are of the rising clock.

    Attributes:
        waiters: who waits for it.
        job: as last seen, with all its sections once it has ended.
        error: why it is looked at no longer.
        failure: why the latest look gave nothing, where that may pass.
        first_at: when it was first waited for.
        looked_at: when the latest look that is through began; None before the first.
        due_at: when the next look is due.
        interval_seconds: from the latest look to the next.
        is_under_way: whether a look is out.
        started_at: when the look that is out began.
        num_failures: how many looks failed since the last that did not.
        has_ended: whether there is nothing left to look at.
        is_to_fetch: whether it has probably ended, so that the next look asks for all sections.
    """

    key: JobKey
    first_at: float
    due_at: float
    waiters: "set[Waiter]" = field(default_factory=set)
    job: "Job | None" = None
    error: "LlxError | None" = None
    failure: "UpstreamError | None" = None
    polled_at: float | None = None
    interval_seconds: float = 1.0
    is_under_way: bool = False
    is_to_fetch: bool = False
    started_at: float = 0.0
    num_failures: int = 0
    # A field and not worked out: it is asked for each job whenever the loop turns.
    has_ended: bool = False

    def end(self, *, job: "Job | None" = None, error: "LlxError | None" = None) -> None:
        """There is nothing left to look at: the job came whole, or cannot be read."""
        self.job = job or self.job
        self.error = error
        self.failure = None
        self.has_ended = True
        self.wake(is_change=True)

    @property
    def is_seen(self) -> bool:
        """Whether anything is known of the job."""
        return self.job is not None or self.error is not None

    def age_seconds(self, service_now: datetime, now: float) -> float:
        """Since the job was created, by the service's own clock; at least since it was first waited for."""
        created_at = self.job.created_at if self.job is not None else None
        waited = now - self.first_at
        return waited if created_at is None else max((service_now - created_at).total_seconds(), waited)

    def build_snapshot(self, service_now: datetime, now: float) -> JobSnapshot:
        """What is known now."""
        is_aging = self.job is not None and not self.has_ended and self.job.created_at is not None
        age = self.age_seconds(service_now, now) if is_aging else None
        return JobSnapshot(self.key.job_id, self.job, self.error, self.failure, age)

    def wake(self, *, is_change: bool) -> None:
        """Wake who waits: all at a change, else those who asked to be told of every look."""
        for waiter in self.waiters:
            if is_change or waiter.wants_every_poll:
                waiter.wake()


class Waiter:
    """One wait, for any number of jobs.

    Attributes:
        entries: the jobs, in the order asked.
        deadline: when it is over, by the rising clock.
        wants_looks: whether it is woken by every look, or by changes only.
        is_over: whether its time is up.
    """

    __slots__ = ("_event", "deadline", "entries", "is_over", "wants_every_poll")

    def __init__(self, entries: tuple[PolledJob, ...], deadline: float, *, wants_every_poll: bool) -> None:
        self.entries = entries
        self.deadline = deadline
        self.wants_every_poll = wants_every_poll
        self.is_over = False
        self._event: anyio.Event | None = None

    def wake(self) -> None:
        """Have it look at its entries."""
        if self._event is None:
            self._event = anyio.Event()
        self._event.set()

    async def wait(self) -> None:
        """Sleep until woken; at once if that happened since the last time."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
        self._event = None
