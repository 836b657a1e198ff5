"""Turns for callers: a few at a time, one for each job, round robin over the credentials and over the jobs of each."""

import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """One call that takes a turn of its own, whatever it is about.

    Attributes:
        identity: whose call it is: a credential, or what stands for one.
    """

    identity: Hashable


class TurnQueue:
    """Grants turns to callers. Many callers about one job cannot delay those about another for long.

    Nor can many jobs of one credential delay those of another.
    """

    def __init__(self, max_turns: int, max_owner_turns: int | None = None) -> None:
        """Grant turns.

        Args:
            max_turns: the most at a time.
            max_owner_turns: the most at a time of one credential; by default, all.
        """
        self._max_turns = max_turns
        self._max_owner_turns = max_turns if max_owner_turns is None else max_owner_turns
        self._running: set[Hashable] = set()
        # When each credential with callers that wait or run last got a turn, by number.
        self._granted: dict[Hashable, int] = {}
        self._numbers = itertools.count(1)
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
        while len(self._running) < self._max_turns:
            job = self._choose()
            if job is None:
                break
            granted = self._waiting[job][0]
            self._forget(job, granted)
            self._running.add(job)
            self._granted[_get_owner(job)] = next(self._numbers)
            granted.set()
        if not self._waiting and not self._running:
            self._granted.clear()

    def _choose(self) -> Hashable | None:
        """Return the next job: of the credential with the fewest turns, then of the one that waited longest."""
        num_running = Counter(map(_get_owner, self._running))
        waiting = [(job, _get_owner(job)) for job in self._waiting if job not in self._running]
        ready = [(job, owner) for job, owner in waiting if num_running[owner] < self._max_owner_turns]
        chosen = min(ready, key=lambda each: (num_running[each[1]], self._granted.get(each[1], 0)), default=None)
        return None if chosen is None else chosen[0]

    def _forget(self, job: Hashable, granted: anyio.Event) -> None:
        callers = self._waiting[job]
        callers.remove(granted)
        if not callers:
            del self._waiting[job]


def _get_owner(job: Hashable) -> Hashable:
    """Return the credential of a job, or of the first of several jobs; None for a job without one."""
    one = next(iter(job), None) if isinstance(job, frozenset) else job
    return getattr(one, "identity", None)
