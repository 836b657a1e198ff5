"""Replicas work as one through Redis; without it, each works alone.

One task listens to the news of the others, one sends what the coordinators have noted and renews their leases. While
Redis cannot be used, the replica polls by itself, and tries again.
"""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from hmac import digest
from secrets import token_hex
from typing import Any, Literal, Protocol, cast

import anyio
from anyio.abc import TaskGroup

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.coordination import Coordination, LocalCoordination
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.serving.health import PartState
from llx_mcp.serving.redis_store import ReplicaStore, open_store
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.serving.shared_polls import SharedPolls

# Commands that are sent at once, each over a connection of its own.
_MAX_COMMANDS = 32
_CLOSE_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 0.1
_MAX_RETRY_SECONDS = 5.0

Half = Literal["news", "commands"]
_log = logging.getLogger("llx_mcp.serving.replicas")


class HasteningCoordination(Coordination, Protocol):
    """A coordination that takes hints of changed jobs."""

    async def hasten_job(self, secret: str, event_id: str, job_id: str, seconds: float) -> None:
        """Poll a job soon wherever it is waited for.

        Args:
            secret: a secret that all replicas share.
            event_id: what says that it has changed; the same event is used once.
            job_id: the job.
            seconds: how long the event is remembered.
        """
        ...


class SingleReplica(LocalCoordination):
    """The coordination of a replica that works alone. The caller recognizes an event that comes twice."""

    async def hasten_job(self, secret: str, event_id: str, job_id: str, seconds: float) -> None:
        """Poll a job soon."""
        self.hasten(job_id)


class Replicas:
    """Coordinates the polls of this replica with those of the others.

    Attributes:
        is_degraded: whether it works alone, because Redis cannot be used.
        counts: what happened, for metrics: how often it `degraded` and `recovered`, the `news` that came, and the
            `failed_commands`.
    """

    def __init__(self, store: ReplicaStore, clock: Clock, webhook_secrets: Sequence[str] = ()) -> None:
        """Coordinate.

        Args:
            store: sends commands to Redis.
            clock: the clock of the polls.
            webhook_secrets: secrets that name jobs in hints of changes.
        """
        self.is_degraded = False
        self.counts = Counter(degraded=0, recovered=0, news=0, failed_commands=0)
        self._store = store
        self._clock = clock
        self._token = token_hex(8)
        self._webhook_secrets = tuple(webhook_secrets)
        self._polls: dict[str, set[SharedPolls]] = defaultdict(set)
        self._hinted: dict[str, set[tuple[SharedPolls, JobKey]]] = defaultdict(set)
        self._faults: set[Half] = set()
        # The key whose commands are tried: that of the last one that failed, because each node of a cluster has some.
        self._probed_group = self._token
        self._wake = anyio.Event()
        self._limiter = anyio.CapacityLimiter(_MAX_COMMANDS)
        # Until the first subscription, news could be missed.
        self._is_listening = anyio.Event()

    def check(self) -> PartState:
        """Return the state for `/readyz` and the metrics: a replica that works alone takes calls as well."""
        return PartState("degraded" if self.is_degraded else "ok", counts=self.counts)

    def join(self, secret: bytes, rate: RateLimit) -> SharedPolls:
        """Return the coordinator of a key."""
        polls = SharedPolls(secret, rate, self._clock, self._store.lease_seconds, self)
        if self.is_degraded:
            polls.go_alone()
        self._polls[polls.group].add(polls)
        self.note_due()
        return polls

    def note_due(self) -> None:
        """Send soon."""
        self._wake.set()

    def note_added(self, polls: SharedPolls, key: JobKey) -> None:
        """Name a job for hints, and send soon."""
        for secret in self._webhook_secrets:
            self._hinted[_name_job(secret, key.job_id)].add((polls, key))
        self.note_due()

    def note_removed(self, polls: SharedPolls, key: JobKey) -> None:
        """Forget a job, and send soon."""
        for secret in self._webhook_secrets:
            name = _name_job(secret, key.job_id)
            self._hinted[name].discard((polls, key))
            if not self._hinted[name]:
                del self._hinted[name]
        self.note_due()

    async def hasten_job(self, secret: str, event_id: str, job_id: str, seconds: float) -> None:
        """Poll a job soon on every replica; on this one alone if Redis cannot be used."""
        name = _name_job(secret, job_id)
        if self.is_degraded:
            self._hasten(name)
            return
        event = digest(secret.encode(), f"llx-mcp event\0{event_id}".encode(), sha256).hex()[:32]
        if not await self._try(lambda: self._store.hasten(self._token, event, name, seconds), self._token):
            self._hasten(name)

    async def run(self) -> None:
        """Listen and send until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            with anyio.move_on_after(self._store.command_seconds):
                await self._is_listening.wait()
            while True:
                self._wake = anyio.Event()
                if self._faults:
                    await self._recover()
                else:
                    await self._send_all(group)
                await self._rest()

    async def close(self) -> None:
        """Release the leases, so that other replicas need not wait until they expire."""
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
            if not self.is_degraded:
                async with anyio.create_task_group() as group:
                    await self._send_all(group)
        # The server ends, whatever has become of the connections.
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True), suppress(Exception):
            await self._store.client.aclose()

    async def _listen(self) -> None:
        retry_seconds = _FIRST_RETRY_SECONDS
        while True:
            try:
                async for news in self._store.listen():
                    retry_seconds = _FIRST_RETRY_SECONDS
                    if news is None:
                        self._note_listening()
                    else:
                        self._apply(news)
            except Exception as exc:  # noqa: BLE001 - whatever ended it, it begins again
                self._note_fault("news", exc)
            await anyio.sleep(retry_seconds)
            retry_seconds = min(retry_seconds * 2, _MAX_RETRY_SECONDS, self._store.command_seconds)

    def _note_listening(self) -> None:
        self._is_listening.set()
        # Subscribed first, and then read: no news in between is lost.
        self._end_fault("news")
        self._reclaim()

    def _apply(self, news: dict[str, Any]) -> None:
        self.counts["news"] += 1
        # What another program has published is ignored.
        with suppress(TypeError, ValueError, AttributeError, OverflowError):
            if name := news.get("hasten"):
                self._hasten(name)
            for polls in tuple(self._polls.get(news.get("g", ""), ())):
                if news.get("from") != polls.token:
                    polls.apply(news)
        self.note_due()

    def _hasten(self, name: str) -> None:
        for polls, key in tuple(self._hinted.get(name, ())):
            polls.hasten(key)

    async def _send_all(self, group: TaskGroup) -> None:
        """Send what is due. The commands of one coordinator follow one another."""
        due = [polls for found in self._polls.values() for polls in found if polls.is_due and not polls.is_sending]
        for polls in due:
            polls.is_sending = True
            group.start_soon(self._send, polls)

    async def _send(self, polls: SharedPolls) -> None:
        try:
            async with self._limiter:
                is_sent = await self._try(lambda: polls.send(self._store), polls.group)
        finally:
            polls.is_sending = False
        if polls.is_closed and (is_sent or self.is_degraded):
            self._forget(polls)
        self.note_due()

    def _forget(self, polls: SharedPolls) -> None:
        found = self._polls.get(polls.group, set())
        found.discard(polls)
        if not found:
            self._polls.pop(polls.group, None)

    async def _recover(self) -> None:
        """Write something; if that works again, claim all jobs again."""
        for polls in [polls for found in self._polls.values() for polls in found if polls.is_closed]:
            self._forget(polls)
        if "commands" in self._faults and await self._probe():
            self._end_fault("commands")
            self._reclaim()

    async def _rest(self) -> None:
        """Wait for something to send. A replica that sends nothing probes Redis now and then."""
        now = self._clock.monotonic()
        if self._faults:
            await anyio.sleep(min(self._store.command_seconds, 1.0))
            return
        idle_polls = (polls for found in self._polls.values() for polls in found if not polls.is_sending)
        claim_at = min((polls.claim_at for polls in idle_polls), default=math.inf)
        seconds = min(claim_at - now, self._store.command_seconds)
        with anyio.move_on_after(max(seconds, 0.0)) as idle:
            await self._wake.wait()
        if idle.cancelled_caught and claim_at > self._clock.monotonic():
            await self._probe()

    async def _probe(self) -> bool:
        group = self._probed_group
        return await self._try(lambda: self._store.probe(group, self._token), group)

    async def _try(self, command: Callable[[], Awaitable[None]], group: str) -> bool:
        """Send commands about a key; return whether that worked."""
        try:
            await command()
        except Exception as exc:  # noqa: BLE001 - any failure means that Redis cannot be used now
            self.counts["failed_commands"] += 1
            self._probed_group = group
            self._note_fault("commands", exc)
            return False
        return True

    def _note_fault(self, half: Half, exc: Exception) -> None:
        self._faults.add(half)
        if self.is_degraded:
            return
        self.is_degraded = True
        self.counts["degraded"] += 1
        _log.warning("Redis cannot be used (%s); this replica works alone until it can", _describe_fault(exc))
        for found in self._polls.values():
            for polls in found:
                polls.go_alone()
        self.note_due()

    def _end_fault(self, half: Half) -> None:
        self._faults.discard(half)
        if self._faults or not self.is_degraded:
            return
        self.is_degraded = False
        self.counts["recovered"] += 1
        _log.warning("Redis can be used again")

    def _reclaim(self) -> None:
        if self.is_degraded:
            return
        for found in self._polls.values():
            for polls in found:
                polls.reclaim()
        self.note_due()


@asynccontextmanager
async def _run(replicas: Replicas) -> AsyncIterator[None]:
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(replicas.run)
            try:
                yield
            finally:
                group.cancel_scope.cancel()
    finally:
        # Only now, because no connection may be in use when it is closed.
        await replicas.close()


def build_replicas(settings: HttpSettings, clock: Clock) -> "Replicas | SingleReplica":
    """Build the coordination with the other replicas that the settings name.

    Raises:
        ConfigurationError: the address of Redis cannot be used.
    """
    if settings.redis_url is None:
        return SingleReplica()
    lease = settings.redis_lease_seconds
    secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
    return Replicas(open_store(settings.redis_url.get_secret_value(), lease), clock, secrets)


@asynccontextmanager
async def run_replicas(replicas: "Replicas | SingleReplica") -> AsyncIterator[None]:
    """Coordinate for as long as the block lasts."""
    if isinstance(replicas, SingleReplica):
        yield
        return
    async with _run(replicas):
        yield


def _describe_fault(exc: BaseException) -> str:
    """Return the kind of a fault, and what the system says of it, such as why a certificate is refused."""
    reasons, cause = [type(exc).__name__], cast("BaseException | None", exc)
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            reasons.append(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return ": ".join(dict.fromkeys(reasons))


def _name_job(secret: str, job_id: str) -> str:
    return digest(secret.encode(), f"llx-mcp job\0{job_id}".encode(), sha256).hex()[:32]
