"""Turns for callers: a few at a time, one for each job, round robin over the jobs."""

from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import anyio


class TurnQueue:
    """Grants turns to callers. Many callers about one job cannot delay those about another for long."""

    def __init__(self, max_turns: int) -> None:
        self._max_turns = max_turns
        self._running: set[Hashable] = set()
        # The waiting callers of each job. The job whose turn ended last is the last one.
        self._waiting: dict[Hashable, deque[anyio.Event]] = {}

    @property
    def num_running(self) -> int:
        """Number of callers that have a turn."""
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        """Number of callers that wait for a turn."""
        return sum(len(callers) for callers in self._waiting.values())

    @asynccontextmanager
    async def turn(self, job: Hashable) -> AsyncIterator[None]:
        """Wait for a turn. It ends with the block."""
        granted = anyio.Event()
        self._waiting.setdefault(job, deque()).append(granted)
        self._grant()
        try:
            await granted.wait()
            yield
        finally:
            if granted.is_set():
                self._running.remove(job)
                if job in self._waiting:
                    self._waiting[job] = self._waiting.pop(job)
                self._grant()
            else:
                self._forget(job, granted)

    def _grant(self) -> None:
        for job in [job for job in self._waiting if job not in self._running]:
            if len(self._running) == self._max_turns:
                return
            granted = self._waiting[job][0]
            self._forget(job, granted)
            self._running.add(job)
            granted.set()

    def _forget(self, job: Hashable, granted: anyio.Event) -> None:
        callers = self._waiting[job]
        callers.remove(granted)
        if not callers:
            del self._waiting[job]
