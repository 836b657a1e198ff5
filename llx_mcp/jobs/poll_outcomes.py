"""What a look means for the jobs that it was at: a change, an end, a fault, and when to look again."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from llx_mcp.errors import LlxError, RateLimitedError, UpstreamError
from llx_mcp.jobs.batching import UNFINISHED, Request
from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob
from llx_mcp.jobs.polling import ListUnusableError, ServiceLimits, poll_many, poll_one
from llx_mcp.jobs.source import JobSource

if TYPE_CHECKING:
    from llx_mcp.models import Job

_FIRST_RETRY_SECONDS = 2.0
_MOST_DOUBLINGS = 10

_log = logging.getLogger("llx_mcp.jobs")


class PollRecorder:
    """Makes requests and enters what came of them."""

    def __init__(
        self, source: JobSource, store: JobCache, clock: Clock, schedule: PollSchedule, service_limits: ServiceLimits
    ) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._service_limits = service_limits

    async def observe(self, request: Request) -> None:
        """Look, and enter what was seen."""
        try:
            if request.is_list:
                await self._observe_many(request.entries)
            else:
                await self._observe_one(request.entries[0])
        except Exception as exc:
            # The loop belongs to all: what nobody foresaw ends the waits that it concerns, and no others.
            _log.exception("A look failed in an unforeseen way")
            for entry in request.entries:
                self._fail(entry, UpstreamError(f"The job could not be looked at ({type(exc).__name__})."))

    def needs_poll(self, entry: PolledJob, deadline: float) -> bool:
        """Whether a wait that is over at `deadline` should still have a look at the job."""
        if entry.has_ended:
            return False
        if entry.num_failures and not entry.is_under_way:
            return False
        return (
            entry.is_to_fetch or entry.polled_at is None or entry.polled_at < deadline - self._schedule.shortest_seconds
        )

    def advance_poll(self, entry: PolledJob, deadline: float, now: float) -> None:
        """Have a look at the job when a wait ends, if none is due shortly before; not again once that has failed."""
        has_failed = entry.num_failures > 0 and now >= deadline
        if deadline < entry.due_at and not has_failed and self.needs_poll(entry, deadline):
            entry.due_at = max(deadline, now)

    def schedule_poll(self, entry: PolledJob, due_at: float, now: float) -> None:
        """Have the next look at a time, or when a wait ends before that."""
        entry.due_at = due_at
        for waiter in entry.waiters:
            self.advance_poll(entry, waiter.deadline, now)

    async def _observe_one(self, entry: PolledJob) -> None:
        was_fetch = entry.is_to_fetch
        outcome = await poll_one(self._source, entry, self._service_limits, self._clock)
        entry.polled_at = entry.started_at
        if isinstance(outcome, LlxError):
            self._fail(entry, outcome)
        elif not outcome.is_terminal:
            if was_fetch and outcome.status in UNFINISHED:
                self._service_limits.note_contradiction()
            self._note(entry, outcome)
        elif was_fetch:
            await self._store.put(entry.key, outcome)
            entry.end(job=outcome)
        else:
            self._expect_end(entry)

    async def _observe_many(self, entries: Sequence[PolledJob]) -> None:
        try:
            outcome = await poll_many(self._source, entries, self._service_limits, self._clock)
        except ListUnusableError:
            self._service_limits.allow_lists = False
            return
        for entry in entries:
            entry.polled_at = entry.started_at
            if isinstance(outcome, LlxError):
                self._fail(entry, outcome)
            else:
                self._note_row(entry, outcome)

    def _note_row(self, entry: PolledJob, rows: "Mapping[str, Job]") -> None:
        job = rows.get(entry.key.job_id)
        if job is None:
            self._expect_end(entry)
        else:
            self._note(entry, job)

    def _expect_end(self, entry: PolledJob) -> None:
        entry.is_to_fetch = True
        entry.failure = None
        entry.num_failures = 0
        entry.due_at = self._clock.monotonic()

    def _note(self, entry: PolledJob, job: "Job") -> None:
        now = self._clock.monotonic()
        service_now = self._clock.now() + timedelta(seconds=self._source.clock_offset_seconds)
        is_change = entry.job is None or entry.job.status != job.status
        entry.job, entry.failure, entry.is_to_fetch, entry.num_failures = job, None, False, 0
        self._plan(entry, self._schedule.next_seconds(entry.age_seconds(service_now, now)))
        entry.wake(is_change=is_change)

    def _fail(self, entry: PolledJob, error: LlxError) -> None:
        if not isinstance(error, UpstreamError) or not error.is_transient:
            entry.end(error=error)
            return
        entry.failure = error
        entry.num_failures += 1
        seconds = min(
            _FIRST_RETRY_SECONDS * 2 ** min(entry.num_failures - 1, _MOST_DOUBLINGS), self._schedule.longest_seconds
        )
        # After a refusal the rate of the key says when.
        self._plan(entry, 0.0 if isinstance(error, RateLimitedError) else seconds)
        entry.wake(is_change=False)

    def _plan(self, entry: PolledJob, seconds: float) -> None:
        now = self._clock.monotonic()
        entry.interval_seconds = seconds
        self.schedule_poll(entry, now + seconds, now)
