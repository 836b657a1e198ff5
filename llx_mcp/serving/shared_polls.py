"""The jobs of one key of LlamaCloud, as one replica shares them with the others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from secrets import token_hex
from typing import Any, Protocol

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.coordination import ALWAYS, JobNews, JobState, OnNews, Turn
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.serving.job_seal import JobSeal
from llx_mcp.serving.redis_store import Claim, ReplicaStore, parse_state

# A wait does not wait longer than this for a first poll, by Redis's answer or by another replica. Under load, a replica
# that thousands of waits have just joined needs more than a second until it has claimed their jobs.
FIRST_POLL_SECONDS = 3.0
# When a lease has expired, Redis and the next replica that leads have so much time to settle who polls.
CLAIM_SECONDS = 1.0
# So many jobs are claimed by one command, which blocks Redis for less than a millisecond.
_CHUNK = 200
# A lease has expired this long after its time to live was over.
_EXPIRED_SECONDS = 0.02


class PollsOwner(Protocol):
    """Sends what coordinators have noted."""

    def note_due(self) -> None:
        """Note that a coordinator has something to send."""
        ...

    def note_added(self, polls: "SharedPolls", key: JobKey) -> None:
        """Note a job that is waited for."""
        ...

    def note_removed(self, polls: "SharedPolls", key: JobKey) -> None:
        """Note a job that is not waited for any more."""
        ...


@dataclass(eq=False, slots=True)
class _SharedJob:
    key: JobKey
    turn: Turn
    # When another replica was first seen to hold the lease, and when the lease expires; None if none holds it.
    followed_at: float | None = None
    expires_at: float | None = None
    state: JobState | None = None

    @property
    def has_ended(self) -> bool:
        """Whether a replica saw the end. Only a fetch is left, which needs no lease."""
        return self.state is not None and self.state.has_ended

    def hold(self, turn: Turn) -> None:
        """Note that this replica holds the lease."""
        self.turn = turn
        self.followed_at = self.expires_at = None

    def follow(self, now: float, expires_at: float) -> None:
        """Note that another replica holds the lease."""
        self.followed_at = now if self.followed_at is None else self.followed_at
        self.expires_at = expires_at
        self._update_turn()

    def go_alone(self) -> None:
        """Poll at once, but from the end of its lease on if another replica polls the job."""
        if self.expires_at is None or self.state is None:
            self.turn = ALWAYS
        else:
            self.turn = Turn(self.expires_at, math.inf)

    def note_state(self, state: JobState) -> None:
        """Note the state, unless a newer one is known."""
        if self.state is None or self.state.polled_at <= state.polled_at:
            self.state = state
        self._update_turn()

    def _update_turn(self) -> None:
        if self.followed_at is None or self.expires_at is None:
            return
        # Redis is asked first, so that not all replicas begin to poll when a lease ends.
        begins_at = self.expires_at + CLAIM_SECONDS
        if self.state is None:
            begins_at = min(begins_at, self.followed_at + FIRST_POLL_SECONDS)
        self.turn = Turn(begins_at, math.inf)


class SharedPolls:
    """The coordinator of one key. Its methods note what to send; `Replicas` calls `send` soon after.

    Attributes:
        group: name of the key in Redis.
        token: random name of this coordinator: the value of its leases.
        claim_at: when to renew the leases next, in seconds of the monotonic clock.
        is_closed: whether the key is not in use any more.
        is_sending: whether commands are running.
    """

    def __init__(self, secret: bytes, rate: RateLimit, clock: Clock, lease_seconds: float, owner: PollsOwner) -> None:
        self.group = _name(secret, "key")
        self.token = token_hex(8)
        self.claim_at = 0.0
        self.is_closed = False
        self.is_sending = False
        self._secret = secret
        self._rate = rate
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._owner = owner
        self._on_news: OnNews = lambda _: None
        self._is_alone = False
        self._seal = JobSeal(secret)
        self._lead = ""
        self._jobs: dict[str, _SharedJob] = {}
        self._names: dict[JobKey, str] = {}
        self._new: set[str] = set()
        self._states: dict[str, JobState] = {}
        self._released: set[str] = set()
        self._pause_seconds = 0.0
        rate.on_pause = self._note_pause

    @property
    def is_due(self) -> bool:
        """Whether there is something to send now."""
        return bool(
            self._new
            or self._states
            or self._released
            or self._pause_seconds
            or self._clock.monotonic() >= self.claim_at
        )

    def start(self, on_news: OnNews) -> None:
        """Set the function that receives news."""
        self._on_news = on_news

    def add(self, key: JobKey) -> Turn:
        """Claim a job. It may be polled in some seconds, or at once if Redis answers that no other replica leads."""
        name = _name(self._secret, f"job\0{key.scope.project_id}\0{key.scope.organization_id}\0{key.job_id}")
        turn = ALWAYS if self._is_alone else Turn(self._clock.monotonic() + FIRST_POLL_SECONDS, math.inf)
        self._jobs[name] = _SharedJob(key, turn)
        self._names[key] = name
        self._new.add(name)
        self._released.discard(name)
        self._owner.note_added(self, key)
        return turn

    def remove(self, key: JobKey) -> None:
        """Release a job."""
        name = self._names.pop(key, None)
        if name is None:
            return
        self._new.discard(name)
        job = self._jobs.pop(name)
        if job.followed_at is None and not self._is_alone:
            self._released.add(name)
        self._owner.note_removed(self, key)

    def tell(self, states: Sequence[tuple[JobKey, JobState]]) -> None:
        """Note the states of jobs. One that has ended is not polled any more, unless a later state says otherwise."""
        for key, state in states:
            name = self._names.get(key)
            if name is None:
                continue
            job = self._jobs[name]
            is_known = state.has_ended and (job.has_ended or job.followed_at is not None)
            job.state = state
            if not (is_known or self._is_alone):
                self._states[name] = state
        self._owner.note_due()

    def close(self) -> None:
        """Release everything."""
        for key in list(self._names):
            self.remove(key)
        self._rate.on_pause = lambda _: None
        self.is_closed = True
        self._owner.note_due()

    def hasten(self, key: JobKey) -> None:
        """Poll a job soon."""
        self._on_news([JobNews(key, is_hastened=True)])

    def go_alone(self) -> None:
        """Poll without the other replicas; jobs that another polls, from the end of its lease on."""
        if self._is_alone:
            return
        self._is_alone = True
        self._pause_seconds = 0.0
        self._states.clear()
        self._released.clear()
        for job in self._jobs.values():
            job.go_alone()
        self._on_news([JobNews(job.key, job.turn) for job in self._jobs.values()])

    def reclaim(self) -> None:
        """Claim all jobs again, because news may have been missed."""
        self._is_alone = False
        self.claim_at = 0.0

    async def send(self, store: ReplicaStore) -> None:
        """Send what is noted, and renew the leases if it is time.

        Raises:
            RedisError, OSError, TimeoutError: Redis cannot be used.
        """
        # Read together, because no replica may find a lease free before it knows that the job has ended.
        states, released = dict(self._states), set(self._released)
        if self._pause_seconds:
            seconds, self._pause_seconds = self._pause_seconds, 0.0
            await store.pause(self.group, self.token, seconds)
        if states:
            await store.tell(self.group, self.token, states)
            # Only now, because they are sent again if this is cancelled.
            self._states = {name: state for name, state in self._states.items() if states.get(name) is not state}
        if released:
            await store.release(self.group, self.token, sorted(released), leaves=not self._jobs)
            self._released -= released
        if self._clock.monotonic() >= self.claim_at:
            self.claim_at = self._clock.monotonic() + self._lease_seconds / 3 if self._jobs else math.inf
            names, self._new = list(self._jobs), set()
            await self._claim(store, names)
        elif self._new:
            names, self._new = list(self._new), set()
            self.claim_at = min(self.claim_at, self._clock.monotonic() + self._lease_seconds / 3)
            await self._claim(store, names)

    def apply(self, news: Mapping[str, Any]) -> None:
        """Apply news of another replica with the same key."""
        if seconds := news.get("pause"):
            self._rate.share_pause(self._clock.monotonic(), float(seconds))
        freed = (name for name in news.get("free", ()) if name in self._jobs)
        self._new.update(name for name in freed if not self._jobs[name].has_ended)
        changes = self._list_wanted(news.get("want", {}))
        for name in news.get("taken", ()):
            if job := self._jobs.get(name):
                self._follow(job, self._lease_seconds)
                changes.append(JobNews(job.key, job.turn))
        for name, value in news.get("states", {}).items():
            job, state = self._jobs.get(name), parse_state(value)
            if job is not None and state is not None:
                job.note_state(state)
                changes.append(JobNews(job.key, job.turn, state))
        if changes:
            self._on_news(changes)

    async def _claim(self, store: ReplicaStore, names: Sequence[str]) -> None:
        """Claim those of the jobs that have not ended, and let the replica that leads poll them."""
        names = [name for name in names if name in self._jobs and not self._jobs[name].has_ended]
        earlier_lead = self._lead
        for begin in range(0, max(len(names), 1), _CHUNK):
            chunk = names[begin : begin + _CHUNK]
            began_at = self._clock.monotonic()
            pause_seconds, self._lead, claims = await store.claim(self.group, self.token, chunk)
            if pause_seconds:
                self._rate.share_pause(self._clock.monotonic(), pause_seconds)
            self._apply_claims(began_at, earlier_lead, dict(zip(chunk, claims, strict=True)))
        await self._want(store, names)

    async def _want(self, store: ReplicaStore, names: Sequence[str]) -> None:
        """Ask the replica that leads to poll jobs. It learns the ids of those that it has not taken yet."""
        if not self._has_other_lead:
            return
        # A job can have ended while it was claimed.
        jobs = {name: job for name in names if (job := self._jobs.get(name)) is not None and not job.has_ended}
        sealed = {name: self._seal.close(job.key) if job.followed_at is None else None for name, job in jobs.items()}
        if sealed:
            await store.want(self.group, self.token, sealed)

    def _list_wanted(self, sealed: Mapping[str, object]) -> list[JobNews]:
        """Return the jobs that another replica wants this one to poll, if this one leads and has callers."""
        if self._lead != self.token or not self._names:
            return []
        identity = next(iter(self._names)).identity
        wanted = []
        for name, value in sealed.items():
            key = self._jobs[name].key if name in self._jobs else self._seal.open(value, identity)
            if key is not None:
                wanted.append(JobNews(key, wanted_seconds=self._lease_seconds))
        return wanted

    @property
    def _has_other_lead(self) -> bool:
        return self._lead not in ("", self.token)

    def _apply_claims(self, began_at: float, earlier_lead: str, claims: Mapping[str, Claim]) -> None:
        changes = []
        for name, claim in claims.items():
            job = self._jobs.get(name)
            if job is None:
                # Its last wait ended meanwhile.
                if claim.seconds_left is None:
                    self._released.add(name)
                continue
            if claim.state is not None:
                job.note_state(claim.state)
            if claim.seconds_left is None:
                # Measured from before the command, so that it ends here no later than in Redis.
                job.hold(Turn(self._choose_begin(job, earlier_lead), began_at + self._lease_seconds))
            else:
                self._follow(job, claim.seconds_left)
            changes.append(JobNews(job.key, job.turn, claim.state))
        if changes:
            self._on_news(changes)

    def _choose_begin(self, job: _SharedJob, earlier_lead: str) -> float:
        """Return from when on to poll a job whose lease is held here.

        If another replica leads, it has some time to take the job: since the job was added, or since that one leads.
        """
        if not self._has_other_lead:
            return -math.inf
        if job.followed_at is None:
            return job.turn.begins_at
        # A replica that led before, and has not renewed its lease, is gone.
        return -math.inf if self._lead == earlier_lead else self._clock.monotonic() + CLAIM_SECONDS

    def _follow(self, job: _SharedJob, seconds_left: float) -> None:
        now = self._clock.monotonic()
        expires_at = now + seconds_left + _EXPIRED_SECONDS
        self.claim_at = min(self.claim_at, expires_at)
        job.follow(now, expires_at)

    def _note_pause(self, seconds: float) -> None:
        if not self._is_alone:
            self._pause_seconds = max(self._pause_seconds, seconds)
        self._owner.note_due()


def _name(secret: bytes, text: str) -> str:
    return digest(secret, text.encode(), sha256).hex()[:32]
