"""The deadlines of waits, and the waits past theirs that still expect a poll."""

import heapq
import itertools
import math
from collections.abc import Callable

from llx_mcp.jobs.polled_job import Waiter

# A wait outlasts its timeout only for a poll that it still needs, and by no more than this.
GRACE_SECONDS = 10.0

# The heap is cleaned up when it has this many more entries than twice the open waits.
_SPARE_ENTRIES = 64


class Deadlines:
    """Ends each wait when its time is up, or soon after. Times are in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiter]] = []
        self._numbers = itertools.count()
        self._late: list[Waiter] = []

    def __len__(self) -> int:
        return len(self._heap) + len(self._late)

    @property
    def has_late(self) -> bool:
        """Whether the time of an open wait is up."""
        return bool(self._late)

    def add(self, waiter: Waiter) -> None:
        """Note the deadline of a wait. A wait is added again when its deadline becomes earlier."""
        if waiter.deadline < math.inf:
            heapq.heappush(self._heap, (waiter.deadline, next(self._numbers), waiter))

    def collect_late(self, now: float) -> None:
        """Find the waits whose time is up."""
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].is_over):
            self._late.append(heapq.heappop(self._heap)[2])

    def end_late(self, now: float, expects_poll: Callable[[Waiter, float], bool]) -> None:
        """End the waits that `collect_late` has found, except those that expect a poll, until their grace is over.

        Args:
            now: the time.
            expects_poll: whether a wait should see one more poll at this time, which has begun or begins soon.
        """
        late, self._late = self._late, []
        for waiter in late:
            if waiter.is_over:
                continue
            if now < waiter.deadline + GRACE_SECONDS and expects_poll(waiter, now):
                self._late.append(waiter)
            else:
                waiter.end()

    def next_expiry(self, num_open: int) -> float:
        """Return when the next deadline or grace is over; infinity if there is none.

        Args:
            num_open: number of open waits. When most of the others ended before their deadline, they are forgotten.
        """
        if len(self._heap) > 2 * num_open + _SPARE_ENTRIES:
            self._heap = [entry for entry in self._heap if not entry[2].is_over]
            heapq.heapify(self._heap)
        late = min((waiter.deadline for waiter in self._late), default=math.inf) + GRACE_SECONDS
        return min(late, self._heap[0][0] if self._heap else math.inf)

    def clear(self) -> None:
        """Forget all deadlines."""
        self._heap.clear()
        self._late.clear()
