"""The interface between the poll loop of a key and the poll loops of the same key in other replicas.

A coordinator decides from when and until when this replica may poll a job, and carries the state of jobs from the
replica that polls them to the others. Fetching a job that has ended needs no permission: each replica does so once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from llx_mcp.jobs.cache import JobKey

if TYPE_CHECKING:
    from llx_mcp.jobs.rate_limit import RateLimit


class Turn(NamedTuple):
    """When this replica may poll a job, in seconds of the monotonic clock.

    Attributes:
        begins_at: from when on.
        ends_at: until when; after that, only with a new turn.
    """

    begins_at: float
    ends_at: float


ALWAYS = Turn(-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class JobState:
    """What replicas tell one another of a job.

    Attributes:
        status: the status that the service documents.
        polled_at: when it was polled, in seconds of the epoch.
        created_at: when it was created, in seconds of the epoch.
        interval_seconds: time from this poll to the next one.
        has_ended: whether the job has probably ended. It may also be one that cannot be read.
    """

    status: str
    polled_at: float
    created_at: float | None
    interval_seconds: float
    has_ended: bool


@dataclass(frozen=True, slots=True)
class JobNews:
    """News of a job for the poll loop. What is None or False has not changed.

    Attributes:
        key: the job.
        turn: when this replica may poll it.
        state: its state, as another replica has polled it.
        is_hastened: whether it should be polled soon.
        wanted_seconds: how long another replica wants this one to poll it as well; 0 if none does.
    """

    key: JobKey
    turn: Turn | None = None
    state: JobState | None = None
    is_hastened: bool = False
    wanted_seconds: float = 0.0


OnNews = Callable[[Sequence[JobNews]], None]


class PollCoordinator(Protocol):
    """Coordinates the poll loop of one key with those of other replicas. No method waits."""

    def start(self, on_news: OnNews) -> None:
        """Set the function that receives the news of all jobs."""
        ...

    def add(self, key: JobKey) -> Turn:
        """Begin to coordinate a job; return when it may be polled, unless news says otherwise."""
        ...

    def remove(self, key: JobKey) -> None:
        """Stop to coordinate a job, because nobody here waits for it any more."""
        ...

    def tell(self, states: Sequence[tuple[JobKey, JobState]]) -> None:
        """Tell the other replicas the states of jobs that were polled here."""
        ...

    def close(self) -> None:
        """Stop, because the key is not in use here any more."""
        ...


class Coordination(Protocol):
    """Makes a coordinator for each key."""

    def join(self, secret: bytes, rate: "RateLimit") -> PollCoordinator:
        """Return the coordinator of a key.

        Args:
            secret: a secret that all replicas derive from the key.
            rate: its rate limit; pauses are shared with the other replicas.
        """
        ...


class LocalCoordinator:
    """The coordinator of a process that works alone: it may always poll.

    Attributes:
        keys: the jobs that are waited for, by id.
    """

    def __init__(self, on_close: "Callable[[LocalCoordinator], None]" = lambda _: None) -> None:
        self.keys: dict[str, set[JobKey]] = {}
        self._on_close = on_close
        self._on_news: OnNews = lambda _: None

    def start(self, on_news: OnNews) -> None:
        """Set the function that receives news."""
        self._on_news = on_news

    def add(self, key: JobKey) -> Turn:
        """Note a job."""
        self.keys.setdefault(key.job_id, set()).add(key)
        return ALWAYS

    def remove(self, key: JobKey) -> None:
        """Forget a job."""
        keys = self.keys.get(key.job_id, set())
        keys.discard(key)
        if not keys:
            self.keys.pop(key.job_id, None)

    def tell(self, states: Sequence[tuple[JobKey, JobState]]) -> None:
        """Tell nobody."""

    def close(self) -> None:
        """Stop."""
        self._on_close(self)

    def hasten(self, job_id: str) -> None:
        """Poll a job soon, if anybody waits for it."""
        if keys := self.keys.get(job_id):
            self._on_news([JobNews(key, is_hastened=True) for key in keys])


class LocalCoordination:
    """Makes coordinators for a process that works alone."""

    def __init__(self) -> None:
        self._coordinators: set[LocalCoordinator] = set()

    def join(self, secret: bytes, rate: "RateLimit") -> LocalCoordinator:
        """Return the coordinator of a key."""
        coordinator = LocalCoordinator(self._coordinators.discard)
        self._coordinators.add(coordinator)
        return coordinator

    def hasten(self, job_id: str) -> None:
        """Poll a job soon, for every key with which anybody waits for it."""
        for coordinator in list(self._coordinators):
            coordinator.hasten(job_id)
