"""The poll loop. There is one for each key: it starts with the first wait and ends with the last.

Concurrent waits share the polls of a job, several jobs share a request where the service allows it, and all requests
share the rate limit of the key. Waiting never changes a job, and a cancelled wait does not affect the others.
"""

import math
from collections.abc import AsyncGenerator, Sequence

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from llx_mcp.answers.requests import Until
from llx_mcp.errors import UnreachableError
from llx_mcp.jobs.batching import MAX_RUNNING_REQUESTS, PollRequest, plan_requests
from llx_mcp.jobs.cache import JobCache, JobKey
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.coordination import JobNews, LocalCoordinator, PollCoordinator
from llx_mcp.jobs.deadlines import Deadlines
from llx_mcp.jobs.guests import GuestJobs
from llx_mcp.jobs.poll_news import apply_news, list_states
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob, Waiter
from llx_mcp.jobs.polling import PollRecorder
from llx_mcp.jobs.progress import JobSnapshot, OnProgress, WaitProgress, is_enough
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from llx_mcp.jobs.source import JobSource, get_service_time
from llx_mcp.observation import observe, set_request_id

CLOSING_SECONDS = 2.0

# A key without a known limit may be a free one, with 20 requests a minute. As long as a poll loop is small enough
# for a free key, it spaces out its list requests once it has used most of that minute.
_SMALL_LOOP_JOBS = 50
_FREE_KEY_REQUESTS_PER_MINUTE = 14
_SPACED_LIST_SECONDS = 10.0


class JobPoller:
    """Waits for jobs with one key. Its polls run in the task group that it is given."""

    def __init__(
        self,
        source: RateLimitedSource,
        cache: JobCache,
        clock: Clock,
        group: TaskGroup,
        schedule: PollSchedule,
        coordinator: PollCoordinator | None = None,
    ) -> None:
        self._source = source
        self._cache = cache
        self._clock = clock
        self._group = group
        self._schedule = schedule
        self._coordinator = coordinator or LocalCoordinator()
        self._coordinator.start(self._apply_news)
        self._guests = GuestJobs(lambda keys, deadline: self._join(keys, deadline, wants_every_poll=False), self._leave)
        self._recorder = PollRecorder(cache, clock)
        self._jobs: dict[JobKey, PolledJob] = {}
        self._waiters: set[Waiter] = set()
        self._deadlines = Deadlines()
        self._running: dict[PollRequest, anyio.CancelScope] = {}
        self._is_loop_running = False
        self._next_turn_at = math.inf
        self._listed_at = -math.inf
        self._is_closed = False
        self._all_left = anyio.Event()
        self._wake = anyio.Event()
        self._sleep: anyio.CancelScope | None = None

    @property
    def num_waits(self) -> int:
        """How many waits are open."""
        return len(self._waiters)

    async def wait(
        self,
        keys: Sequence[JobKey],
        *,
        until: Until,
        timeout_seconds: float,
        on_progress: OnProgress | None,
    ) -> WaitProgress:
        """Wait until all or any of the jobs have ended, or the time is up; return the last progress.

        Args:
            keys: the jobs, each once.
            until: whether all jobs must end, or any one.
            timeout_seconds: how long to wait; 0 polls once.
            on_progress: called after every poll of any of the jobs; it may be slow. None is cheaper.

        Raises:
            UnreachableError: the server is stopping.
        """
        started_at = self._clock.monotonic()
        waiter = self._join(keys, started_at + timeout_seconds, wants_every_poll=on_progress is not None)
        try:
            while True:
                await waiter.wait()
                progress = self._build_progress(waiter, until, started_at)
                if on_progress is not None:
                    await on_progress(progress)
                if progress.is_over:
                    return progress
        finally:
            self._leave(waiter)

    async def watch(self, key: JobKey) -> AsyncGenerator[JobSnapshot, None]:
        """Yield the job now and after each change of status, until it has ended or cannot be read."""
        waiter = self._join([key], math.inf, wants_every_poll=False)
        (polled,) = waiter.jobs
        yielded: tuple[str | None, bool] | None = None
        try:
            while True:
                await waiter.wait()
                snapshot = polled.build_snapshot(get_service_time(self._source, self._clock), self._clock.monotonic())
                state = (snapshot.job.status if snapshot.job else None, snapshot.has_ended)
                if polled.is_known and state != yielded:
                    yielded = state
                    yield snapshot
                if snapshot.has_ended or waiter.is_over:
                    return
        finally:
            self._leave(waiter)

    def end_waits(self) -> None:
        """End every wait as if its time was up: now, or with the first poll of its jobs."""
        now = self._clock.monotonic()
        for waiter in self._waiters:
            if all(polled.is_known for polled in waiter.jobs):
                waiter.end()
                continue
            waiter.deadline = min(waiter.deadline, now)
            self._deadlines.add(waiter)
        self._notify()

    async def close(self) -> None:
        """End every wait with the progress so far, and refuse new ones."""
        self._is_closed = True
        self._guests.clear()
        for waiter in self._waiters:
            waiter.end()
        if self._waiters:
            with anyio.move_on_after(CLOSING_SECONDS, shield=True):
                await self._all_left.wait()

    def _join(self, keys: Sequence[JobKey], deadline: float, *, wants_every_poll: bool) -> Waiter:
        if self._is_closed:
            raise UnreachableError("This server is stopping and does not begin to wait. The job is left as it is.")
        now = self._clock.monotonic()
        waiter = Waiter(
            tuple(self._get_or_add_job(key, now) for key in keys), deadline, wants_every_poll=wants_every_poll
        )
        for polled in waiter.jobs:
            polled.add_waiter(waiter, now)
        self._waiters.add(waiter)
        self._deadlines.add(waiter)
        if any(polled.is_known for polled in waiter.jobs):
            waiter.wake()
        if not self._is_loop_running:
            self._is_loop_running = True
            self._group.start_soon(self._run)
        if min(deadline, *(polled.ready_at(now) for polled in waiter.jobs)) < self._next_turn_at:
            self._notify()
        return waiter

    def _get_or_add_job(self, key: JobKey, now: float) -> PolledJob:
        polled = self._jobs.get(key)
        if polled is None:
            cached = self._cache.find(key, usage="any")
            job = None if cached is None else cached.job
            polled = self._jobs[key] = PolledJob(key, self._schedule, now, now, job=job, has_ended=job is not None)
            if not polled.has_ended:
                polled.turn = self._coordinator.add(key)
        elif polled.error is not None:
            # A wait that begins after an error polls the job again.
            polled = self._jobs[key] = PolledJob(key, self._schedule, now, now)
            polled.turn = self._coordinator.add(key)
        return polled

    def _apply_news(self, news: Sequence[JobNews]) -> None:
        for item in news:
            if item.wanted_seconds and self._has_callers() and (item.key in self._guests or item.key not in self._jobs):
                self._guests.add(item.key, self._clock.monotonic() + item.wanted_seconds)
            polled = self._jobs.get(item.key)
            if polled is not None:
                apply_news(polled, item, self._clock)
                self._leave_to_others([polled])
        self._notify()

    def _has_callers(self) -> bool:
        return len(self._waiters) > len(self._guests) and not self._is_closed

    def _leave(self, waiter: Waiter) -> None:
        self._waiters.discard(waiter)
        waiter.is_over = True
        for polled in waiter.jobs:
            polled.remove_waiter(waiter)
            if polled.waiters:
                continue
            if self._jobs.get(polled.key) is polled:
                del self._jobs[polled.key]
                self._coordinator.remove(polled.key)
            if polled.is_polling:
                self._cancel_unwanted_requests()
        self._leave_to_others(waiter.jobs)
        if self._guests and not self._has_callers():
            # With the keys of its own callers alone.
            self._guests.clear()
        if not self._waiters:
            self._all_left.set()
        if not self._jobs:
            self._notify()

    def _cancel_unwanted_requests(self) -> None:
        """Cancel the requests whose jobs have no waiters any more."""
        for request, scope in self._running.items():
            if not any(polled.waiters for polled in request.jobs):
                scope.cancel()

    def _build_progress(self, waiter: Waiter, until: Until, started_at: float) -> WaitProgress:
        now = self._clock.monotonic()
        service_now = get_service_time(self._source, self._clock)
        snapshots = tuple(polled.build_snapshot(service_now, now) for polled in waiter.jobs)
        waited_seconds = max(now - started_at, 0.0)
        if waiter.is_over or is_enough(snapshots, until):
            return WaitProgress(snapshots, waited_seconds, is_over=True)
        due_at = min((polled.due_at for polled in waiter.jobs if not polled.has_ended), default=now)
        next_poll_at = max(due_at, now + self._source.rate.wait_seconds(now))
        return WaitProgress(snapshots, waited_seconds, max(min(next_poll_at, waiter.deadline) - now, 0.0))

    async def _run(self) -> None:
        try:
            while self._jobs:
                self._wake = anyio.Event()
                self._guests.end_expired(self._clock.monotonic())
                # Waiters that the latest poll woke run before time passes.
                await anyio.lowlevel.checkpoint()
                now = self._clock.monotonic()
                self._deadlines.collect_late(now)
                next_request_at = self._start_requests(now)
                self._deadlines.end_late(now, self._expects_poll)
                self._next_turn_at = min(next_request_at, self._deadlines.next_expiry(len(self._waiters)))
                await self._rest(self._next_turn_at - now)
        finally:
            self._is_loop_running = False
            self._deadlines.clear()

    def _start_requests(self, now: float) -> float:
        """Start the requests that are due and allowed; return when the next one can be started."""
        if len(self._running) >= MAX_RUNNING_REQUESTS:
            # The end of any request wakes the loop.
            return math.inf
        allow_lists = self._recorder.allow_lists
        for request in plan_requests(self._jobs.values(), now, allow_lists=allow_lists, running=self._running):
            if len(self._running) >= MAX_RUNNING_REQUESTS:
                return math.inf
            if self._postpone_list(request, now):
                continue
            pause_seconds = self._source.rate.wait_seconds(now)
            if pause_seconds > 0:
                return now + pause_seconds
            self._start(request, now)
        due_times = [
            polled.ready_at(now) for polled in self._jobs.values() if not (polled.is_polling or polled.has_ended)
        ]
        return min(due_times, default=math.inf)

    def _postpone_list(self, request: PollRequest, now: float) -> bool:
        """Postpone a list request if the rest of the minute of a free key is needed to fetch jobs that end.

        Free keys have 20 requests a minute. A caller that waits for hundreds of jobs has a key with more.
        """
        rate = self._source.rate
        spaced_until = self._listed_at + _SPACED_LIST_SECONDS
        may_be_free_key = rate.per_minute is None and len(self._jobs) <= _SMALL_LOOP_JOBS
        if not (request.is_list and may_be_free_key and now < spaced_until and not self._deadlines.has_late):
            return False
        if rate.num_recent(now) < _FREE_KEY_REQUESTS_PER_MINUTE:
            return False
        if any(polled.polled_at is None for polled in request.jobs):
            return False
        for polled in request.jobs:
            polled.schedule_poll(max(polled.due_at, spaced_until), now)
        return True

    def _start(self, request: PollRequest, now: float) -> None:
        if request.is_list:
            self._listed_at = now
        for polled in request.jobs:
            polled.start_poll(now)
        self._running[request] = anyio.CancelScope()
        # The task begins only later, so its request is counted here: the loop plans the next ones before that.
        self._group.start_soon(self._poll, request, self._source.reserve_request())

    async def _poll(self, request: PollRequest, source: JobSource) -> None:
        # The loop serves all waits, not the request that happened to start it.
        set_request_id(None)
        try:
            with self._running[request], observe("poll", kind="list" if request.is_list else "job"):
                await self._recorder.poll(source, request)
                self._coordinator.tell(list_states(request.jobs, self._clock))
        finally:
            del self._running[request]
            for polled in request.jobs:
                polled.finish_poll()
            self._leave_to_others(request.jobs)
            self._notify()

    def _leave_to_others(self, jobs: Sequence[PolledJob]) -> None:
        """Stop to poll those of the jobs that have ended and that only other replicas wait for: they fetch them."""
        ended = [job for job in jobs if job.needs_full_fetch or job.has_ended]
        self._guests.end(job.key for job in ended if self._guests.is_alone(job))

    async def _rest(self, seconds: float) -> None:
        if self._wake.is_set():
            return
        if self._running or seconds == math.inf:
            # While a request runs, time passes without the clock's help.
            with anyio.move_on_after(seconds):
                await self._wake.wait()
            return
        with anyio.CancelScope() as self._sleep:
            await self._clock.sleep(max(seconds, 0.0))
        self._sleep = None

    def _notify(self) -> None:
        """Make the loop run again now."""
        self._wake.set()
        if self._sleep is not None:
            self._sleep.cancel()

    def _expects_poll(self, waiter: Waiter, now: float) -> bool:
        """Return whether a wait needs a poll that runs, or runs as soon as another ends.

        A poll that the rate limit does not allow now is not waited for.
        """
        is_full = len(self._running) >= MAX_RUNNING_REQUESTS
        needed = [polled for polled in waiter.jobs if polled.needs_poll_before(waiter.deadline)]
        return any(is_full or polled.is_polling or polled.awaits_turn(now) for polled in needed)
