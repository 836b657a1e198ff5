"""Jobs that this replica polls for another one, together with those of its own callers and with the same key."""

import math
from collections.abc import Callable, Iterable, Sequence

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.polled_job import PolledJob, Waiter

Join = Callable[[Sequence[JobKey], float], Waiter]


class GuestJobs:
    """Holds a wait for each such job, as long as the other replica asks for it again and again."""

    def __init__(self, join: Join, leave: Callable[[Waiter], None]) -> None:
        """Hold waits.

        Args:
            join: begins a wait for jobs until a deadline.
            leave: ends a wait.
        """
        self._join = join
        self._leave = leave
        self._waiters: dict[JobKey, Waiter] = {}
        self._expires_at: dict[JobKey, float] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def __contains__(self, key: JobKey) -> bool:
        return key in self._waiters

    def add(self, key: JobKey, expires_at: float) -> None:
        """Poll a job until a time, or longer if it is added again."""
        self._expires_at[key] = expires_at
        if key not in self._waiters:
            self._waiters[key] = self._join([key], math.inf)

    def is_alone(self, polled: PolledJob) -> bool:
        """Return whether only other replicas wait for a job."""
        waiter = self._waiters.get(polled.key)
        return waiter is not None and polled.waiters == {waiter}

    def end(self, keys: Iterable[JobKey]) -> None:
        """Stop to poll some of the jobs."""
        ended = [self._waiters.pop(key) for key in list(keys) if self._expires_at.pop(key, None) is not None]
        # Only now, because the end of a wait may end all others.
        for waiter in ended:
            self._leave(waiter)

    def end_expired(self, now: float) -> None:
        """Stop to poll the jobs that nobody asked for lately."""
        if self._waiters:
            self.end([key for key, at in self._expires_at.items() if at <= now])

    def clear(self) -> None:
        """Stop to poll all of them."""
        self.end(list(self._waiters))
