"""Replicas in virtual time, over a Redis in the memory of the test."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.coordination import Coordination, LocalCoordination
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from llx_mcp.llamacloud import open_client
from llx_mcp.serving import redis_store
from llx_mcp.serving.redis_store import ReplicaStore
from llx_mcp.serving.replicas import Replicas, run_replicas
from llx_mcp.settings import Settings
from tests.jobs.service import KEY, LIST_PATH, Service

LEASE_SECONDS = 10.0
# A command, and an answer of the service, take so long: at least and at most.
COMMAND_SECONDS = (0.0005, 0.01)
ANSWER_SECONDS = (0.01, 0.1)


class VirtualRedis:
    """The entries and subscriptions of a Redis, by the clock of the event loop.

    Attributes:
        entries: the value of each name, and when it expires.
        listeners: what is called with all news.
        random: chooses how long commands and answers take.
    """

    def __init__(self) -> None:
        self.entries: dict[str, tuple[Any, float]] = {}
        self.listeners: list[Callable[[str], None]] = []
        self.random = random.Random(7)

    def open_client(self) -> "VirtualClient":
        """Return a client."""
        return VirtualClient(self)

    def get(self, name: str) -> Any:
        """Return a value; None if there is none, or it has expired."""
        value, expires_at = self.entries.get(name, (None, 0.0))
        return value if expires_at > anyio.current_time() else None

    def put(self, name: str, value: Any, milliseconds: float) -> None:
        """Set a value."""
        self.entries[name] = (value, anyio.current_time() + milliseconds / 1_000)

    def milliseconds_left(self, name: str) -> int:
        """Return the time to live of an entry; -2 if there is none."""
        return -2 if self.get(name) is None else round((self.entries[name][1] - anyio.current_time()) * 1_000)

    def publish(self, data: str) -> int:
        """Send news to all that listen."""
        for listener in self.listeners:
            listener(data)
        return len(self.listeners)

    def run(self, script: str, keys: list[str], values: list[Any]) -> Any:
        """Do what a script does."""
        if script == redis_store._CLAIM:
            return self._claim(keys, *values)
        if script == redis_store._TELL:
            for name, value, milliseconds in zip(keys, values[2::2], values[3::2], strict=True):
                self.put(name, value, milliseconds)
            return self.publish(values[1])
        if script == redis_store._RELEASE:
            for name in keys:
                if self.get(name) == values[0]:
                    del self.entries[name]
            return self.publish(values[2])
        assert script in {redis_store._NOTE, redis_store._NOTE_ONCE}
        (name,), (milliseconds, _, news) = keys, values
        left = self.milliseconds_left(name)
        if left >= (milliseconds if script == redis_store._NOTE else 0):
            return 0
        self.put(name, 1, milliseconds)
        return self.publish(news)

    def _claim(self, keys: list[str], token: str, milliseconds: int, _: str, before: str, after: str) -> list[Any]:
        lead_name, pause_name, *names = keys
        lead = self.get(lead_name) or ""
        if names and lead in {"", token}:
            self.put(lead_name, token, milliseconds)
            lead = token
        answer: list[Any] = [self.milliseconds_left(pause_name), lead]
        taken = []
        for lease, state in zip(names[::2], names[1::2], strict=True):
            holder, left = self.get(lease), -1
            answer_state = "" if holder == token else self.get(state) or ""
            if holder in {None, token} or lead == token:
                self.put(lease, token, milliseconds)
                taken += [lease.rpartition(":")[2]] if holder not in {None, token} else []
            else:
                left = self.milliseconds_left(lease)
            answer += [left, answer_state]
        if taken:
            self.publish(before + '"' + '","'.join(taken) + '"' + after)
        return answer


class VirtualClient:
    """As much of a client of Redis as the store uses.

    Attributes:
        is_cut: whether its machine is gone.
        delay_seconds: how much longer its commands take.
    """

    def __init__(self, redis: VirtualRedis) -> None:
        self.is_cut = False
        self.delay_seconds = 0.0
        self._redis = redis

    async def eval(self, script: str, num_keys: int, *values: Any) -> Any:
        """Run a script."""
        await self._send()
        return self._redis.run(script, list(values[:num_keys]), list(values[num_keys:]))

    async def publish(self, channel: str, data: str) -> int:
        """Publish news."""
        await self._send()
        return self._redis.publish(data)

    async def set(self, name: str, value: Any, px: int) -> None:
        """Set an entry."""
        await self._send()
        self._redis.put(name, value, px)

    async def exists(self, name: str) -> int:
        """Return how many entries have a name."""
        await self._send()
        return int(self._redis.get(name) is not None)

    async def aclose(self) -> None:
        """Do nothing."""

    @asynccontextmanager
    async def pubsub(self) -> AsyncIterator["VirtualClient"]:
        """Listen to news until the block ends."""
        send, self._news = anyio.create_memory_object_stream[str](100_000)
        self._messages: list[dict[str, Any]] = []
        self._redis.listeners.append(send.send_nowait)
        try:
            with send, self._news:
                yield self
        finally:
            self._redis.listeners.remove(send.send_nowait)

    async def subscribe(self, channel: str) -> None:
        """Answer with the next message."""
        self._messages.append({"type": "subscribe"})

    async def ping(self) -> None:
        """Answer with the next message."""
        self._messages.append({"type": "pong"})

    async def get_message(self, timeout: float) -> dict[str, Any] | None:  # noqa: ASYNC109 - as the library
        """Return the next message; None if there is none in time."""
        if self._messages:
            return self._messages.pop()
        with anyio.move_on_after(timeout):
            return {"type": "message", "data": await self._news.receive()}
        return None

    async def _send(self) -> None:
        await anyio.sleep(self._redis.random.uniform(*COMMAND_SECONDS) + self.delay_seconds)
        if self.is_cut:
            raise OSError("the machine is gone")

    _news: MemoryObjectReceiveStream[str]


@dataclass
class Door:
    """The service as one replica reaches it.

    Attributes:
        service: the service.
        random: chooses how long each answer takes.
        lists: when each list request was sent, and its jobs.
        fetches: the jobs that were requested alone.
        fetch_seconds: how much longer it takes to answer a request for one job.
    """

    service: Service
    random: random.Random
    lists: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)
    fetch_seconds: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == LIST_PATH:
            ids = parse_qs(scope["query_string"].decode()).get("job_ids", [])
            self.lists.append((anyio.current_time(), tuple(ids)))
        else:
            self.fetches.append(scope["path"].rpartition("/")[2])
            await anyio.sleep(self.fetch_seconds)
        await anyio.sleep(self.random.uniform(*ANSWER_SECONDS))
        await self.service(scope, receive, send)


@dataclass
class VirtualReplica:
    """One replica.

    Attributes:
        reader: the reader.
        door: how it reaches the service.
        client: its client of Redis; None if it works alone.
        scope: what runs it.
    """

    reader: JobReader
    door: Door
    client: VirtualClient | None
    scope: anyio.CancelScope

    def kill(self) -> None:
        """End it at once, so that it tells nobody."""
        if self.client is not None:
            self.client.is_cut = True
        self.scope.cancel()


@asynccontextmanager
async def virtual_replica(service: Service, redis: VirtualRedis | None) -> AsyncIterator[VirtualReplica]:
    """Run one replica until the block ends, or it is killed; without a Redis, it works alone."""
    door = Door(service, redis.random if redis else random.Random(7))
    client = redis.open_client() if redis else None
    coordination: Coordination = LocalCoordination()
    settings = Settings.model_construct(api_key=SecretStr(KEY), base_url_override="http://127.0.0.1")
    # With a known limit, list requests are not spaced out as for a free key.
    options = ReaderOptions(PollSchedule(jitter=0.0), requests_per_minute=10_000)
    with anyio.CancelScope() as scope:
        async with AsyncExitStack() as stack, anyio.create_task_group() as group, AsyncExitStack() as inner:
            if client is not None:
                replicas = Replicas(ReplicaStore(cast("Redis", client), LEASE_SECONDS), service.clock)
                await inner.enter_async_context(run_replicas(replicas))
                coordination = replicas
            shared = SharedResources(JobCache(service.clock), SharedWorkers(group, stack), coordination=coordination)
            async with open_reader(lambda: open_client(settings, app=door), service.clock, options, shared) as reader:
                yield VirtualReplica(reader, door, client, scope)
