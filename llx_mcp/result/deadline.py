"""A limit on the time that one piece of work takes. The work asks in its loops whether the time is up."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Clock = Callable[[], float]

# How many items pass between two checks of the clock.
_ITEMS_PER_CHECK = 64


class DeadlineReachedError(Exception):
    """The time for some work is up, and it has no result."""


_gives_up_at: ContextVar[float] = ContextVar("llx_mcp_gives_up_at", default=math.inf)


@contextmanager
def give_up_after(seconds: float) -> Iterator[None]:
    """Give up work within the block at a time before its deadline: `DeadlineReachedError` is raised.

    Work that stops at its deadline has a result. Work that is given up has none, and another process can do it again.

    Args:
        seconds: processor time of this thread.
    """
    token = _gives_up_at.set(time.thread_time() + seconds)
    try:
        yield
    finally:
        _gives_up_at.reset(token)


class Deadline:
    """The time at which some work must stop.

    Args:
        seconds: how long the work may take.
        clock: returns seconds. The default counts the processor time of this thread, which is the same on a busy
            machine.
    """

    def __init__(self, seconds: float, clock: Clock = time.thread_time) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._gives_up_at = _gives_up_at.get()

    @property
    def is_over(self) -> bool:
        """Whether the time is up.

        Raises:
            DeadlineReachedError: the work is given up before that.
        """
        if time.thread_time() >= self._gives_up_at:
            raise DeadlineReachedError
        return self._clock() >= self._end

    def share(self, fraction: float) -> "Deadline":
        """Return a deadline for a part of the work, after a fraction of the time that is left."""
        return Deadline(max(self._end - self._clock(), 0.0) * fraction, self._clock)

    def limit(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items until the time is up."""
        for index, item in enumerate(items):
            if index % _ITEMS_PER_CHECK == 0 and self.is_over:
                return
            yield item
