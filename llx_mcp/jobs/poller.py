"""One poll loop for everybody: it starts with the first who waits and ends with the last.

Any number of waits share the looks at a job, several jobs share a request where the service allows it, and all
requests of the key share its rate. Waiting never changes a job; whoever leaves leaves the others alone.
"""

import heapq
import itertools
import math
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from llx_mcp.answers.requests import Until
from llx_mcp.errors import UnreachableError
from llx_mcp.jobs.batching import Request, plan_requests
from llx_mcp.jobs.cache import JobCache, JobKey
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.poll_outcomes import PollRecorder
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob, Waiter
from llx_mcp.jobs.polling import ServiceLimits
from llx_mcp.jobs.progress import JobSnapshot, OnProgress, WaitProgress, is_enough
from llx_mcp.jobs.source import JobSource

# Beyond its time a wait lasts only for a look that is out, and no longer than this.
GRACE_SECONDS = 10.0
CLOSING_SECONDS = 2.0
MAX_UNDER_WAY = 8
PRUDENT_JOBS = 50
PRUDENT_REQUESTS = 14
PRUDENT_LIST_SECONDS = 10.0

_FEW = 64


class JobPoller:
    """Waits for jobs with one key. The tasks that look belong to the group that it was given."""

    def __init__(
        self,
        source: JobSource,
        store: JobCache,
        clock: Clock,
        group: TaskGroup,
        *,
        schedule: PollSchedule,
        service_limits: ServiceLimits,
    ) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._group = group
        self._schedule = schedule
        self._service_limits = service_limits
        self._observer = PollRecorder(source, store, clock, schedule, service_limits)
        self._entries: dict[JobKey, PolledJob] = {}
        self._waiters: set[Waiter] = set()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._order = itertools.count()
        # Their time is up, and a look at one of their jobs is still to come.
        self._late: list[Waiter] = []
        self._out: dict[Request, anyio.CancelScope] = {}
        self._num_under_way = 0
        self._is_running = False
        self._rests_until = math.inf
        self._listed_at = -math.inf
        self._is_closed = False
        self._all_left = anyio.Event()
        self._wake = anyio.Event()
        self._sleep: anyio.CancelScope | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits, and nothing is left of those who did."""
        return not (self._entries or self._waiters or self._num_under_way or self._is_running)

    async def wait(
        self,
        keys: Sequence[JobKey],
        *,
        until: Until,
        timeout_seconds: float,
        on_progress: OnProgress | None,
    ) -> WaitProgress:
        """Wait until all or any of the jobs have ended, or the time is up; the last progress is returned.

        Args:
            keys: the jobs, each once.
            until: which end ends the wait.
            timeout_seconds: how long to wait; 0 looks once.
            on_progress: told of every look at any of the jobs; it may take its time. None is cheaper.

        Raises:
            UnreachableError: the server is stopping.
        """
        started = self._clock.monotonic()
        waiter = await self._join(keys, started + timeout_seconds, wants_every_poll=on_progress is not None)
        try:
            while True:
                await waiter.wait()
                progress = self._measure(waiter, until, started)
                if on_progress is not None:
                    await on_progress(progress)
                if progress.next_seconds is None:
                    return progress
        finally:
            self._leave(waiter)

    async def watch(self, key: JobKey) -> AsyncGenerator[JobSnapshot, None]:
        """The job as it is, and again at each change of status, until it has ended or cannot be read."""
        waiter = await self._join([key], math.inf, wants_every_poll=False)
        (entry,) = waiter.entries
        told: tuple[str | None, bool] | None = None
        try:
            while True:
                await waiter.wait()
                snapshot = entry.build_snapshot(self._service_now(), self._clock.monotonic())
                state = (snapshot.job.status if snapshot.job else None, snapshot.has_ended)
                if entry.is_seen and state != told:
                    told = state
                    yield snapshot
                if snapshot.has_ended or waiter.is_over:
                    return
        finally:
            self._leave(waiter)

    async def close(self) -> None:
        """Answer every wait with what is known, and let no more begin."""
        self._is_closed = True
        for waiter in self._waiters:
            waiter.is_over = True
            waiter.wake()
        if self._waiters:
            with anyio.move_on_after(CLOSING_SECONDS, shield=True):
                await self._all_left.wait()

    async def _join(self, keys: Sequence[JobKey], deadline: float, *, wants_every_poll: bool) -> Waiter:
        found = [None if key in self._entries else self._store.find(key) for key in keys]
        kept = [None if place is None else place.job for place in found]
        if self._is_closed:
            raise UnreachableError("This server is stopping and does not begin to wait. The job is left as it is.")
        now = self._clock.monotonic()
        entries = []
        for key, job in zip(keys, kept, strict=True):
            entry = self._entries.get(key)
            if entry is None or entry.error is not None:
                # Who comes after an error has a look of their own.
                entry = self._entries[key] = PolledJob(key, now, now, job=job, has_ended=job is not None)
            entries.append(entry)
        waiter = Waiter(tuple(entries), deadline, wants_every_poll=wants_every_poll)
        for entry in entries:
            entry.waiters.add(waiter)
            self._observer.advance_poll(entry, deadline, now)
        self._waiters.add(waiter)
        if deadline < math.inf:
            heapq.heappush(self._deadlines, (deadline, next(self._order), waiter))
        if any(entry.is_seen for entry in entries):
            waiter.wake()
        if not self._is_running:
            self._is_running = True
            self._group.start_soon(self._run)
        if min(deadline, *(entry.due_at for entry in entries)) < self._rests_until:
            self._notify()
        return waiter

    def _leave(self, waiter: Waiter) -> None:
        self._waiters.discard(waiter)
        waiter.is_over = True
        for entry in waiter.entries:
            entry.waiters.discard(waiter)
            if entry.waiters:
                continue
            if self._entries.get(entry.key) is entry:
                del self._entries[entry.key]
            if entry.is_under_way:
                self._call_back()
        if not self._waiters:
            self._all_left.set()
        if not self._entries:
            self._notify()

    def _call_back(self) -> None:
        """Give up the requests that nobody waits for any more."""
        for request, scope in self._out.items():
            if not any(entry.waiters for entry in request.entries):
                scope.cancel()

    def _measure(self, waiter: Waiter, until: Until, started: float) -> WaitProgress:
        now = self._clock.monotonic()
        service_now = self._service_now()
        snapshots = tuple(entry.build_snapshot(service_now, now) for entry in waiter.entries)
        is_done = waiter.is_over or is_enough(snapshots, until)
        due_at = min((entry.due_at for entry in waiter.entries if not entry.has_ended), default=now)
        next_at = max(due_at, now + self._service_limits.rate.wait_seconds(now))
        next_seconds = None if is_done else max(min(next_at, waiter.deadline) - now, 0.0)
        return WaitProgress(snapshots, max(now - started, 0.0), next_seconds)

    async def _run(self) -> None:
        try:
            while self._entries:
                self._wake = anyio.Event()
                # Whoever was woken by the last look runs before time passes.
                await anyio.lowlevel.checkpoint()
                now = self._clock.monotonic()
                self._expire(now)
                self._rests_until = self._start_requests(now)
                await self._rest(self._rests_until - now)
        finally:
            self._is_running = False
            self._deadlines.clear()
            self._late.clear()

    def _start_requests(self, now: float) -> float:
        """Start what is due and allowed; when to come again."""
        next_at = self._next_expiry()
        num_free = MAX_UNDER_WAY - self._num_under_way
        if num_free <= 0:
            # The end of any of them wakes the loop.
            return next_at
        allow_lists = self._service_limits.allow_lists
        requests = plan_requests(self._entries.values(), now, allow_lists=allow_lists, most=num_free)
        for request in requests:
            if self._num_under_way >= MAX_UNDER_WAY:
                return next_at
            if self._makes_room(request, now):
                continue
            pause = self._service_limits.rate.wait_seconds(now)
            if pause > 0:
                return min(next_at, now + pause)
            self._start(request, now)
        idle = [entry.due_at for entry in self._entries.values() if not (entry.is_under_way or entry.has_ended)]
        return min(next_at, min(idle, default=math.inf))

    def _makes_room(self, request: Request, now: float) -> bool:
        """Put off a list where the key may be a free one and its minute is nearly used: ends need what is left.

        Free keys have 20 requests a minute, and whoever waits for hundreds of jobs has more.
        """
        rate = self._service_limits.rate
        until = self._listed_at + PRUDENT_LIST_SECONDS
        is_prudent = rate.per_minute is None and len(self._entries) <= PRUDENT_JOBS and not self._late
        if not (request.is_list and is_prudent and now < until and rate.num_recent(now) >= PRUDENT_REQUESTS):
            return False
        if any(entry.polled_at is None for entry in request.entries):
            return False
        for entry in request.entries:
            self._observer.schedule_poll(entry, max(entry.due_at, until), now)
        return True

    def _start(self, request: Request, now: float) -> None:
        if request.is_list:
            self._listed_at = now
        # Spent here and not by the request itself, which begins only later.
        self._service_limits.rate.spend(now)
        for entry in request.entries:
            entry.is_under_way = True
            entry.started_at = now
        self._num_under_way += 1
        self._out[request] = anyio.CancelScope()
        self._group.start_soon(self._make, request)

    async def _make(self, request: Request) -> None:
        try:
            with self._out[request]:
                await self._observer.observe(request)
        finally:
            del self._out[request]
            for entry in request.entries:
                entry.is_under_way = False
            self._num_under_way -= 1
            self._notify()

    async def _rest(self, seconds: float) -> None:
        if self._wake.is_set():
            return
        if self._num_under_way or seconds == math.inf:
            # While a request is out, time passes by itself.
            with anyio.move_on_after(seconds):
                await self._wake.wait()
            return
        with anyio.CancelScope() as self._sleep:
            await self._clock.sleep(max(seconds, 0.0))
        self._sleep = None

    def _notify(self) -> None:
        self._wake.set()
        if self._sleep is not None:
            self._sleep.cancel()

    def _expire(self, now: float) -> None:
        """End the waits whose time is up, but for those that a look is still to come for."""
        while self._deadlines and (self._deadlines[0][0] <= now or self._deadlines[0][2].is_over):
            self._late.append(heapq.heappop(self._deadlines)[2])
        late, self._late = self._late, []
        for waiter in late:
            if waiter.is_over:
                continue
            needs_poll = any(self._observer.needs_poll(entry, waiter.deadline) for entry in waiter.entries)
            if needs_poll and now < waiter.deadline + GRACE_SECONDS:
                self._late.append(waiter)
            else:
                waiter.is_over = True
                waiter.wake()

    def _next_expiry(self) -> float:
        if len(self._deadlines) > 2 * len(self._waiters) + _FEW:
            # Most of these have left before their time.
            self._deadlines = [item for item in self._deadlines if not item[2].is_over]
            heapq.heapify(self._deadlines)
        late = min((waiter.deadline for waiter in self._late), default=math.inf) + GRACE_SECONDS
        return min(late, self._deadlines[0][0] if self._deadlines else math.inf)

    def _service_now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._source.clock_offset_seconds)
