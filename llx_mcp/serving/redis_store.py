"""The commands that replicas send to Redis. Every name is a keyed hash, and every entry expires.

The names of one key of LlamaCloud share a hash tag, so that in a cluster they are on one node. News goes over one
channel to all replicas; nothing of it is stored.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from llx_mcp.jobs.batching import UNFINISHED
from llx_mcp.jobs.coordination import JobState
from llx_mcp.serving.redis_client import open_redis

if TYPE_CHECKING:
    from redis.asyncio import Redis

CHANNEL = "llx:news"
_PROBE_MS = 1_000
# No time of a state is later, in seconds of the epoch.
_MAX_SECONDS = 1e11

# Renews the leases of a replica, takes those that are free, and returns the others with their holders' states. The
# first replica that polls with a key leads: it takes the leases of all jobs that its own callers wait for, so that
# one list request covers them.
# KEYS: lead, pause, then lease and state of each job. ARGV: token, lease in ms, channel, news of a lease that is taken
# from another replica before and after the names.
_CLAIM = """
local lead = redis.call('GET', KEYS[1])
if #KEYS > 2 and (not lead or lead == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  lead = ARGV[1]
end
local answer, taken = {redis.call('PTTL', KEYS[2]), lead or ''}, {}
for i = 3, #KEYS, 2 do
  local holder = redis.call('GET', KEYS[i])
  local left, state = -1, ''
  if holder == ARGV[1] then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  else
    state = redis.call('GET', KEYS[i + 1]) or ''
    if not holder or lead == ARGV[1] then
      redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
      if holder then taken[#taken + 1] = string.match(KEYS[i], '[^:]+$') end
    else
      left = redis.call('PTTL', KEYS[i])
    end
  end
  answer[#answer + 1] = left
  answer[#answer + 1] = state
end
if #taken > 0 then
  redis.call('PUBLISH', ARGV[3], ARGV[4] .. '"' .. table.concat(taken, '","') .. '"' .. ARGV[5])
end
return answer
"""
# KEYS: states. ARGV: channel, news, then value and time to live in ms of each state.
_TELL = """
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[2 * i + 1], 'PX', ARGV[2 * i + 2]) end
return redis.call('PUBLISH', ARGV[1], ARGV[2])
"""
# KEYS: leases. ARGV: token, channel, news.
_RELEASE = """
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""
# KEYS: pause, or an event. ARGV: time to live in ms, channel, news. A shorter entry does not replace a longer one.
_NOTE = """
if redis.call('PTTL', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""
# KEYS: an event. ARGV: time to live in ms, channel, news. Each event is news once.
_NOTE_ONCE = """
if not redis.call('SET', KEYS[1], 1, 'PX', ARGV[1], 'NX') then return 0 end
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""


class Claim(NamedTuple):
    """The answer to the claim of one job.

    Attributes:
        seconds_left: how long another replica holds its lease; None if this one does.
        state: its latest state, unless it was polled here.
    """

    seconds_left: float | None
    state: JobState | None


class Claims(NamedTuple):
    """The answer to the claims of several jobs.

    Attributes:
        pause_seconds: how long no request may be sent with the key.
        lead: token of the replica that leads; empty if none does.
        claims: one for each job.
    """

    pause_seconds: float
    lead: str
    claims: list[Claim]


@dataclass(frozen=True, slots=True)
class ReplicaStore:
    """Sends commands to Redis. They raise `RedisError`, `RedisClusterException`, `OSError` or `TimeoutError`.

    Attributes:
        client: the client.
        lease_seconds: how long a lease lasts.
    """

    client: "Redis"
    lease_seconds: float

    @property
    def command_seconds(self) -> float:
        """How long one command may take."""
        return self.lease_seconds / 3

    async def claim(self, group: str, token: str, names: Sequence[str]) -> Claims:
        """Renew or take the leases of jobs where possible."""
        keys = [_key(group, "lead"), _key(group, "pause")]
        for name in names:
            keys += [_key(group, "lease", name), _key(group, "state", name)]
        before, after = json.dumps({"g": group, "from": token, "taken": ["?"]}).split('"?"')
        milliseconds = round(self.lease_seconds * 1_000)
        pause, lead, *pairs = await self._eval(_CLAIM, keys, token, milliseconds, CHANNEL, before, after)
        claims = [
            Claim(None if left < 0 else left / 1_000, parse_state(state))
            for left, state in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        return Claims(max(pause, 0) / 1_000, lead, claims)

    async def tell(self, group: str, token: str, states: Mapping[str, JobState]) -> None:
        """Store the states of jobs, and publish them."""
        values = {name: _dump_state(state) for name, state in states.items()}
        news = {"g": group, "from": token, "states": values}
        stored: list[str | int] = []
        for name, state in states.items():
            seconds = state.interval_seconds + 2 * self.lease_seconds
            stored += [json.dumps(values[name]), round(seconds * 1_000)]
        await self._eval(_TELL, [_key(group, "state", name) for name in states], CHANNEL, json.dumps(news), *stored)

    async def release(self, group: str, token: str, names: Sequence[str], *, leaves: bool) -> None:
        """Give up leases. A replica that leaves polls nothing with this key any more."""
        keys = [_key(group, "lease", name) for name in names] + ([_key(group, "lead")] if leaves else [])
        news = {"g": group, "from": token, "free": list(names)}
        await self._eval(_RELEASE, keys, token, CHANNEL, json.dumps(news))

    async def want(self, group: str, token: str, sealed: Mapping[str, str | None]) -> None:
        """Ask the replica that leads to poll jobs, of which some are encrypted. Nothing of it is stored."""
        news = {"g": group, "from": token, "want": sealed}
        with anyio.fail_after(self.command_seconds):
            await self.client.publish(CHANNEL, json.dumps(news))

    async def pause(self, group: str, token: str, seconds: float) -> None:
        """Make all replicas pause with a key."""
        news = {"g": group, "from": token, "pause": seconds}
        await self._eval(_NOTE, [_key(group, "pause")], max(round(seconds * 1_000), 1), CHANNEL, json.dumps(news))

    async def hasten(self, token: str, event: str, job: str, seconds: float) -> None:
        """Make all replicas poll a job soon, once for each event within so many seconds."""
        news = {"from": token, "hasten": job}
        await self._eval(_NOTE_ONCE, [f"llx:event:{event}"], round(seconds * 1_000), CHANNEL, json.dumps(news))

    async def probe(self, group: str, token: str) -> None:
        """Write something where the entries of a key are, which fails if Redis is full."""
        with anyio.fail_after(self.command_seconds):
            await self.client.set(_key(group, "probe", token), 1, px=_PROBE_MS)

    async def listen(self) -> AsyncIterator[dict[str, Any] | None]:
        """Yield the news of other replicas; None when the subscription begins, or begins again.

        Raises:
            TimeoutError: Redis does not answer any more.
        """
        # If its node is gone, the client of a cluster asks the others which one has taken over. Subscribing does not.
        with anyio.fail_after(self.command_seconds):
            await self.client.exists(CHANNEL)
        async with self.client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            # Redis has still to answer the subscription, or a ping.
            is_pinged = True
            while True:
                message = await pubsub.get_message(timeout=self.command_seconds)
                if message is None:
                    if is_pinged:
                        raise TimeoutError("Redis does not answer")
                    await pubsub.ping()
                    is_pinged = True
                    continue
                is_pinged = False
                if message["type"] == "subscribe":
                    yield None
                elif message["type"] == "message":
                    yield _parse_news(message["data"])

    async def _eval(self, script: str, keys: Sequence[str], *values: str | float) -> Any:
        # With its text, because a Redis that was restarted knows no script.
        with anyio.fail_after(self.command_seconds):
            return await self.client.eval(script, len(keys), *keys, *values)


def _key(group: str, *parts: str) -> str:
    return ":".join(("llx", f"{{{group}}}", *parts))


def _dump_state(state: JobState) -> list[Any]:
    return [state.status, state.polled_at, state.created_at, state.interval_seconds, state.has_ended]


def parse_state(value: object) -> JobState | None:
    """Return a state as it was stored or published; None if it is none.

    Anyone who can write to Redis can make one up, and a wait may show its status. So the status of a job that has not
    ended must be one that such a job can have.
    """
    with suppress(ValueError, TypeError, OverflowError, RecursionError):
        fields = json.loads(value) if isinstance(value, (str, bytes)) and value else value
        status, polled_at, created_at, interval, has_ended = fields  # type: ignore[misc] # caught below
        state = JobState(
            str(status),
            float(polled_at),
            None if created_at is None else float(created_at),
            float(interval),
            bool(has_ended),
        )
        numbers = (state.polled_at, state.created_at or 0.0, state.interval_seconds)
        is_usual = state.has_ended or state.status in UNFINISHED
        return state if is_usual and all(0 <= number < _MAX_SECONDS for number in numbers) else None
    return None


def _parse_news(data: object) -> dict[str, Any]:
    with suppress(ValueError, TypeError, RecursionError):
        news = json.loads(data)  # type: ignore[arg-type] # caught below
        if isinstance(news, dict):
            return news
    return {}


def open_store(url: str, lease_seconds: float) -> ReplicaStore:
    """Return what sends commands to the Redis of a URL. It connects later.

    Raises:
        ConfigurationError: as in `open_redis`.
    """
    # A command takes a third of the lease at most. The client gives up before: only then it looks for another node.
    return ReplicaStore(open_redis(url, lease_seconds / 4), lease_seconds)
