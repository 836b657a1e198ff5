"""The coordinator of one key: when this replica may poll a job, and what it tells the others."""

import json
import math
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from redis.asyncio import Redis

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.coordination import JobNews, JobState, Turn
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.scope import DEFAULT_SCOPE
from llx_mcp.serving.redis_store import ReplicaStore
from llx_mcp.serving.shared_polls import CLAIM_SECONDS, FIRST_POLL_SECONDS, SharedPolls
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.serving.virtual_redis import LEASE_SECONDS, VirtualRedis

KEY, OTHER = (JobKey("identity", DEFAULT_SCOPE, job_id) for job_id in ("ext-1", "ext-2"))


class Polls:
    """The coordinator of one replica, whose commands the test sends.

    Attributes:
        polls: the coordinator.
        client: its client of Redis.
        news: what it told the poll loop.
        heard: the news that all replicas published.
    """

    def __init__(self, redis: VirtualRedis) -> None:
        self.client = redis.open_client()
        self.news: list[JobNews] = []
        self.heard: list[dict[str, Any]] = []
        self.polls = SharedPolls(b"secret", RateLimit(), VirtualClock(), LEASE_SECONDS, self)
        self.polls.start(self.news.extend)
        self._store = ReplicaStore(cast("Redis", self.client), LEASE_SECONDS)
        self._published: list[str] = []
        redis.listeners.append(self._published.append)

    async def send(self) -> None:
        """Send what is noted, and hear the news of others."""
        await self.polls.send(self._store)
        self.hear()

    def hear(self) -> None:
        """Apply the news of others."""
        while self._published:
            news = json.loads(self._published.pop(0))
            self.heard.append(news)
            if news["from"] != self.polls.token:
                self.polls.apply(news)

    def turn(self, key: JobKey = KEY) -> Turn:
        """Return the latest turn of a job."""
        return next(news.turn for news in reversed(self.news) if news.key == key and news.turn is not None)

    def note_due(self) -> None:
        """Do nothing: the test sends."""

    def note_added(self, polls: SharedPolls, key: JobKey) -> None:
        """Do nothing."""

    def note_removed(self, polls: SharedPolls, key: JobKey) -> None:
        """Do nothing."""


async def join(*replicas: Polls) -> None:
    """Wait for one job on each of the replicas, one after another."""
    for replica in replicas:
        replica.polls.add(KEY)
        await replica.send()


def state(status: str = "RUNNING", *, has_ended: bool = False) -> JobState:
    """Make the state of a job that was polled now."""
    return JobState(status, VirtualClock().now().timestamp(), None, 5.0, has_ended)


@virtual
async def test_leading_replica_has_some_seconds_to_take_a_new_job() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first)
    assert first.turn().begins_at == -math.inf
    now = anyio.current_time()
    assert second.polls.add(OTHER) == Turn(now + FIRST_POLL_SECONDS, math.inf)
    await second.send()
    turn = second.turn(OTHER)
    assert turn.begins_at == now + FIRST_POLL_SECONDS
    assert turn.ends_at == pytest.approx(now + LEASE_SECONDS, abs=0.1)
    # They do not begin again when its lease is renewed.
    await anyio.sleep(LEASE_SECONDS / 2)
    await second.send()
    assert second.turn(OTHER).begins_at == now + FIRST_POLL_SECONDS
    assert second.turn(OTHER).ends_at > turn.ends_at + 1


@virtual
async def test_job_of_a_leader_that_is_gone_is_polled_at_once() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first, second)
    await anyio.sleep(LEASE_SECONDS + 0.1)
    # It may have claimed another job, and with that the lead, a little later.
    redis.put(f"llx:{{{first.polls.group}}}:lead", first.polls.token, 1_000)
    await second.send()
    assert second.turn().begins_at == -math.inf


@virtual
async def test_next_leader_has_a_second_to_take_the_jobs_of_the_one_before() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first, second)
    await anyio.sleep(LEASE_SECONDS + 1)
    redis.put(f"llx:{{{first.polls.group}}}:lead", "a third", 60_000)
    await second.send()
    assert second.turn().begins_at == pytest.approx(anyio.current_time() + CLAIM_SECONDS, abs=0.1)


@virtual
async def test_job_without_news_is_polled_soon_and_with_news_after_the_lease() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first, second)
    now = anyio.current_time()
    assert second.turn().begins_at == pytest.approx(now + FIRST_POLL_SECONDS, abs=0.1)
    first.polls.tell([(KEY, state())])
    await first.send()
    second.hear()
    assert second.turn().begins_at == pytest.approx(now + LEASE_SECONDS + CLAIM_SECONDS, abs=0.1)


@virtual
async def test_job_that_has_ended_is_neither_claimed_nor_asked_for() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first, second)
    second.polls.add(OTHER)
    first.polls.tell([(KEY, state(has_ended=True))])
    first.polls.remove(KEY)
    await first.send()
    second.hear()
    num_news = len(second.news)
    second.polls.claim_at = 0.0
    await second.send()
    assert {news.key for news in second.news[num_news:]} == {OTHER}
    # That was not true: it is claimed again.
    second.polls.tell([(KEY, state())])
    second.polls.claim_at = 0.0
    await second.send()
    assert second.turn().begins_at == -math.inf


@virtual
async def test_no_lease_is_free_before_the_end_is_told() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first)
    first.polls.tell([(KEY, state())])
    async with anyio.create_task_group() as group:
        group.start_soon(first.send)
        await anyio.lowlevel.checkpoint()
        # While a command runs, the job ends.
        first.polls.tell([(KEY, state(has_ended=True))])
        first.polls.remove(KEY)
    await first.send()
    second.hear()
    published = [
        [told[-1] for told in news["states"].values()] if "states" in news else "free" for news in second.heard
    ]
    assert published == [[False], [True], "free"]


@virtual
async def test_end_is_told_although_the_command_was_cancelled() -> None:
    redis = VirtualRedis()
    first, second = Polls(redis), Polls(redis)
    await join(first, second)
    first.polls.tell([(KEY, state(has_ended=True))])
    first.polls.remove(KEY)
    with anyio.move_on_after(0):
        await first.send()
    second.hear()
    assert [news.state for news in second.news] == [None]
    await first.send()
    second.hear()
    assert [news.state.has_ended for news in second.news if news.state is not None] == [True]
