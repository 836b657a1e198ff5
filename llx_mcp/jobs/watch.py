"""Waiting for a job to end: few looks, early enough.

A fresh job is looked at at once and again after 2 and 5 seconds. From then on the interval grows with the
job's own age, so that short jobs are noticed soon and a 10-minute job costs few requests. Looks go
without `expand`; waiting never changes the job.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import anyio

from llx_mcp.errors import RateLimitedError, UnreachableError, UpstreamError

if TYPE_CHECKING:
    from llx_mcp.models import Job

_FRESH_SECONDS = (2.0, 3.0)
_SHARE_OF_AGE = 0.05
_SHORTEST_SECONDS = 4.0
_LONGEST_SECONDS = 15.0
_JITTER = 0.1
_LOOK_SECONDS = 10.0


class Clock(Protocol):
    """Time, as far as waiting needs it."""

    def now(self) -> datetime:
        """The time of day, aware."""
        ...

    def monotonic(self) -> float:
        """Seconds that only rise."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The event loop's clock, in seconds."""
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look gave.

    Attributes:
        job: the job as last seen, None before the first success.
        failure: why this look gave nothing, where it failed in a way that may pass.
        age_seconds: since the job was created, where that is known and it has not ended.
        waited_seconds: since the wait began; rises from look to look.
        next_seconds: until the next look; None where this was the last.
    """

    job: "Job | None"
    failure: UpstreamError | None
    age_seconds: float | None
    waited_seconds: float
    next_seconds: float | None


async def wait_for_end(
    look: "Callable[[], Awaitable[Job]]",
    *,
    timeout_seconds: float,
    clock: Clock,
    on_look: Callable[[Look], Awaitable[None]],
) -> Look:
    """Look until the job has ended or the time is up; the last look is returned.

    Args:
        look: fetches the job, without its sections.
        timeout_seconds: how long to wait; 0 looks once.
        clock: time and sleep.
        on_look: told of each look; it may take its time.

    Raises:
        UpstreamError: one that cannot pass, at once; one that can, if no look succeeded before the time was up.
    """
    started = clock.monotonic()
    job: Job | None = None
    num_looks = 0
    while True:
        failure: UpstreamError | None = None
        remaining = timeout_seconds - (clock.monotonic() - started)
        try:
            # A request that hangs must not hold the caller much beyond the time it gave.
            with anyio.fail_after(max(remaining, _LOOK_SECONDS)):
                job = await look()
        except TimeoutError:
            failure = UnreachableError("LlamaCloud did not answer while the job was waited for. Try again later.")
        except UpstreamError as exc:
            if not exc.passing:
                raise
            failure = exc
        num_looks += 1
        waited = clock.monotonic() - started
        age = _age_seconds(job, clock.now())
        interval = _interval(age or 0.0, failure, num_looks)
        is_last = (job is not None and failure is None and job.is_terminal) or waited >= timeout_seconds
        seen = Look(job, failure, age, waited, None if is_last else min(interval, timeout_seconds - waited))
        await on_look(seen)
        if seen.next_seconds is None:
            if job is None and failure is not None:
                raise failure
            return seen
        await clock.sleep(seen.next_seconds)


def describe_look(look: Look) -> str:
    """One look in words: `RUNNING for 34 s; next look in 4 s`."""
    words = "not seen yet"
    if look.job is not None:
        words = look.job.status if look.age_seconds is None else f"{look.job.status} for {look.age_seconds:.0f} s"
    if look.failure is not None:
        words += "; this look failed and is tried again"
    return words if look.next_seconds is None else f"{words}; next look in {look.next_seconds:.0f} s"


def _age_seconds(job: "Job | None", now: datetime) -> float | None:
    if job is None or job.created_at is None or job.is_terminal:
        return None
    # The service's clock may be ahead of ours.
    return max((now - job.created_at).total_seconds(), 0.0)


def _interval(age: float, failure: UpstreamError | None, num_looks: int) -> float:
    """Seconds until the next look."""
    is_fresh = age < _SHORTEST_SECONDS / _SHARE_OF_AGE
    if failure is None and is_fresh and num_looks <= len(_FRESH_SECONDS):
        return _FRESH_SECONDS[num_looks - 1]
    seconds = min(max(age * _SHARE_OF_AGE, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    if isinstance(failure, RateLimitedError) and failure.retry_after_seconds:
        seconds = max(seconds, failure.retry_after_seconds)
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads requests, keeps no secret
