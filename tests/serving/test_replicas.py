"""Replicas poll each job once together, and end every wait whatever happens to Redis or to one of them."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis

from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.progress import WaitProgress
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local.lifecycle import Timeline
from tests.jobs.service import KEY, Seen, Service
from tests.jobs.waits import nothing_left
from tests.serving.redis_server import (
    FAST,
    LEASE_SECONDS,
    NEEDS_REDIS,
    SLOW_LEASE_SECONDS,
    JoinedReader,
    RedisServer,
    joined_reader,
    joined_readers,
    running_redis,
)
from tests.serving.redis_setups import LEAVES_CONNECTIONS, cluster_redis
from tests.serving.replicas import KeyedService, Replica, open_replica, open_replicas
from tests.serving.shared_waits import all_ended, follows, until_degraded, wait, wait_everywhere, waiting_everywhere
from tests.waiting import until

pytestmark = NEEDS_REDIS


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture(params=["one server", pytest.param("a cluster", marks=LEAVES_CONNECTIONS)])
def redis_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a server, and of a cluster of three."""
    if request.param == "one server":
        with running_redis(tmp_path) as server:
            yield server.url
    else:
        with cluster_redis(tmp_path) as cluster:
            yield cluster.url


async def test_one_replica_polls_and_each_fetches_once(redis: RedisServer) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 3) for number in range(30)]
    async with joined_readers(service, redis.url, 3) as replicas:
        found = await wait_everywhere(replicas, *ids)
    assert len(found) == 3
    assert all(all_ended(progress) for progress in found)
    lists = [seen for seen in service.seen if seen.is_list]
    # One every 0.3 s, not three; the end is seen by one more.
    assert 5 <= len(lists) <= 13
    for job_id in ids:
        assert len(service.fetch_times(job_id)) == 3


async def test_job_of_one_replica_alone_is_polled_by_it(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 1)
    service.add("ext-2", 1)
    async with joined_readers(service, redis.url, 2) as (first, second), anyio.create_task_group() as group:
        group.start_soon(wait, first, "ext-1")
        await anyio.sleep(0.1)
        assert all_ended(await wait(second, "ext-2"))


async def test_first_replica_takes_over_what_its_callers_wait_for_too(redis: RedisServer) -> None:
    service = Service(SystemClock())
    own = [service.add(f"ext-a{number}", 4) for number in range(5)]
    other = [service.add(f"ext-b{number}", 4) for number in range(5)]
    async with joined_readers(service, redis.url, 2) as (first, second), anyio.create_task_group() as group:
        group.start_soon(wait, first, *own)
        await anyio.sleep(0.3)
        group.start_soon(wait, second, *other)
        await anyio.sleep(0.6)
        group.start_soon(wait, first, *other)
        await anyio.sleep(1)
        service.seen.clear()
        await anyio.sleep(1)
        lists = [set(seen.ids) for seen in service.seen if seen.is_list]
        group.cancel_scope.cancel()
    assert lists
    assert all(ids == {*own, *other} for ids in lists)


async def test_first_replica_polls_the_jobs_of_all_with_one_list_request(redis_url: str) -> None:
    service = Service(SystemClock())
    shares = [[service.add(f"ext-{name}-{number}", 5) for number in range(10)] for name in "abc"]
    async with joined_readers(service, redis_url, 3, redis_lease_seconds=SLOW_LEASE_SECONDS) as replicas:
        found: list[WaitProgress] = []

        async def run(replica: JoinedReader, ids: list[str]) -> None:
            found.append(await wait(replica, *ids))

        async with anyio.create_task_group() as group:
            for replica, ids in zip(replicas, shares, strict=True):
                group.start_soon(run, replica, ids)
            await anyio.sleep(1.5)
            service.seen.clear()
            began = time.monotonic()
            await anyio.sleep(2)
            lists = [seen for seen in service.seen if seen.is_list]
            # One every 0.27 s at most, which is 0.3 s less the jitter.
            most = (time.monotonic() - began) / 0.27 + 2
    # Of all jobs; each replica fetches its own.
    assert 4 <= len(lists) <= most
    assert all(set(seen.ids) == {job_id for ids in shares for job_id in ids} for seen in lists)
    assert all(all_ended(progress) for progress in found)
    assert [len(service.fetch_times(job_id)) for ids in shares for job_id in ids] == [1] * 30


async def test_replica_polls_for_others_only_while_it_has_callers(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    service.add("ext-2", 4)
    async with joined_readers(service, redis.url, 2, redis_lease_seconds=30) as (first, second):
        async with anyio.create_task_group() as group:
            found: list[WaitProgress] = []

            async def run() -> None:
                found.append(await wait(second, "ext-2"))

            group.start_soon(wait, first, "ext-1")
            await anyio.sleep(0.5)
            group.start_soon(run)
            await anyio.sleep(1)
            poller = first.reader._poller
            assert poller is not None
            assert len(poller._guests) == 1
            group.cancel_scope.cancel()
        await anyio.sleep(0.2)
        assert poller is not None
        assert nothing_left(poller)
        with anyio.fail_after(20):
            assert all_ended(await wait(second, "ext-2"))


async def test_late_wait_knows_the_state_without_a_poll(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    async with joined_readers(service, redis.url, 2) as (first, second), anyio.create_task_group() as group:
        group.start_soon(wait, first, "ext-1")
        await anyio.sleep(0.5)
        polls = len(service.poll_times("ext-1"))
        async for snapshot in second.reader.watch("ext-1"):
            assert snapshot.job is not None
            assert snapshot.job.status in {"PENDING", "RUNNING"}
            assert snapshot.age_seconds is not None
            break
        assert len(service.poll_times("ext-1")) <= polls + 1
        group.cancel_scope.cancel()


async def test_released_lease_is_taken_at_once(redis_url: str) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 4)
    # Leases are renewed every 30 s, so nobody learns of the release in another way in time.
    async with joined_readers(service, redis_url, 2, redis_lease_seconds=90) as (first, second):
        with anyio.fail_after(25):
            async with anyio.create_task_group() as group:
                group.start_soon(partial(wait, first, "ext-1", seconds=1))
                await anyio.sleep(0.3)
                assert all_ended(await wait(second, "ext-1"))


async def test_wait_of_no_time_learns_the_state(redis: RedisServer) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 600) for number in range(3)]
    async with joined_readers(service, redis.url, 2) as (first, second), anyio.create_task_group() as group:
        for replica in (first, second, second):
            progress = await wait(replica, *ids, seconds=0)
            assert {snapshot.job.status for snapshot in progress.snapshots if snapshot.job} == {"RUNNING"}
        group.start_soon(wait, first, *ids)
        await anyio.sleep(0.5)
        progress = await wait(second, *ids, seconds=0)
        assert [snapshot.job.status for snapshot in progress.snapshots if snapshot.job] == ["RUNNING"] * 3
        group.cancel_scope.cancel()


async def test_unreadable_job_is_an_error_everywhere(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    async with joined_readers(service, redis.url, 2) as replicas:
        with anyio.move_on_after(20):
            async with anyio.create_task_group() as group:

                async def delete() -> None:
                    await anyio.sleep(0.7)
                    service.deleted.add("ext-1")

                group.start_soon(delete)
                found = await wait_everywhere(replicas, "ext-1")
    assert [type(progress.snapshots[0].error).__name__ for progress in found] == ["NotFoundError"] * 2


async def test_refusal_pauses_all_replicas_of_the_key_alone(redis_url: str) -> None:
    service, other_key = Service(SystemClock()), "llx-other-key"
    service.add("ext-1", 600)
    service.add("ext-2", 600)
    async with (
        # Leases are renewed every 20 s, so the news alone tells in time.
        joined_readers(service, redis_url, 2, redis_lease_seconds=60) as (first, second),
        joined_reader(service, redis_url, key=other_key) as other,
    ):
        for replica in (first, second, other):
            await wait(replica, "ext-1", seconds=0)
        service.fault = lambda seen: (429, {"retry-after": "7"}) if "ext-2" in seen.ids else None
        async with anyio.create_task_group() as group:
            group.start_soon(wait, first, "ext-2")
            await anyio.sleep(0.5)
            service.fault = lambda _: None
            now = anyio.current_time()
            rates = [(await replica.reader.fetcher.open()).rate for replica in (first, second, other)]
            pauses = [rate.wait_seconds(now) for rate in rates]
            assert 5 < pauses[0] <= 7
            assert pauses[1] == pytest.approx(pauses[0], abs=0.5)
            assert pauses[2] == 0
            # A replica that opens later learns of it too.
            async with joined_reader(service, redis_url) as late:
                rate = (await late.reader.fetcher.open()).rate
                await anyio.sleep(0.3)
                assert rate.wait_seconds(anyio.current_time()) > 4
            group.cancel_scope.cancel()


async def test_redis_that_is_stopped_and_started_loses_no_wait(redis: RedisServer) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 5) for number in range(20)]
    during = [service.add(f"ext-during-{number}", 1) for number in range(5)]
    async with joined_readers(service, redis.url, 2) as replicas, waiting_everywhere(replicas, *ids):
        await anyio.sleep(1)
        redis.stop()
        for replica in replicas:
            await until_degraded(replica, degraded=True)
            assert replica.replicas.check().status == "degraded"
            assert replica.replicas.check().is_ready
        with anyio.fail_after(15):
            assert all(all_ended(progress) for progress in await wait_everywhere(replicas, *during))
        redis.start()
        for replica in replicas:
            await until_degraded(replica, degraded=False)
            assert replica.replicas.counts["recovered"] == 1
        service.seen.clear()
        late = [service.add(f"ext-late-{number}", 2) for number in range(5)]
        assert all(all_ended(progress) for progress in await wait_everywhere(replicas, *late))
        # Together again: one list every 0.3 s.
        assert len([seen for seen in service.seen if seen.is_list and "ext-late-0" in seen.ids]) <= 10


async def test_followers_poll_alone_within_one_lease_after_redis_is_gone(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    async with joined_readers(service, redis.url, 2) as (first, second), anyio.create_task_group() as group:
        group.start_soon(wait, first, "ext-1")
        await anyio.sleep(0.5)
        group.start_soon(wait, second, "ext-1")
        await anyio.sleep(0.5)
        redis.stop()
        await anyio.sleep(LEASE_SECONDS + 0.5)
        service.seen.clear()
        await anyio.sleep(2)
        # Both poll every 0.3 s.
        assert len(service.poll_times("ext-1")) >= 9
        group.cancel_scope.cancel()


async def test_full_redis_degrades_and_recovers(redis: RedisServer) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 3) for number in range(10)]
    async with joined_readers(service, redis.url, 2) as replicas, Redis.from_url(redis.url) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1")
        for replica in replicas:
            await until_degraded(replica, degraded=True)
        with anyio.fail_after(20):
            assert all(all_ended(progress) for progress in await wait_everywhere(replicas, *ids))
        await client.config_set("maxmemory", "0")
        for replica in replicas:
            await until_degraded(replica, degraded=False)
        service.add("ext-last", 1)
        assert all(all_ended(progress) for progress in await wait_everywhere(replicas, "ext-last"))


@pytest.mark.parametrize("lease", [1.5, 9.0])
async def test_slow_redis_delays_no_wait(redis: RedisServer, lease: float) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 4)
    async with joined_readers(service, redis.url, 2, redis_lease_seconds=lease) as replicas:
        async with Redis.from_url(redis.url) as client, anyio.create_task_group() as group:

            async def pause() -> None:
                for _ in range(3):
                    await client.client_pause(2_000)
                    await anyio.sleep(2.5)

            group.start_soon(pause)
            await anyio.sleep(0.1)
            began = anyio.current_time()
            found = await wait_everywhere(replicas, "ext-1")
            seconds = anyio.current_time() - began
        assert all(all_ended(progress) for progress in found)
        assert seconds < 4 + lease + 3


async def test_holder_that_slept_does_not_poll_before_it_has_claimed_again(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    async with (
        joined_readers(service, redis.url, 2, redis_lease_seconds=SLOW_LEASE_SECONDS) as (first, second),
        anyio.create_task_group() as group,
    ):
        group.start_soon(wait, first, "ext-1")
        with anyio.fail_after(30):
            while not service.seen:  # noqa: ASYNC110 - the service has no event for it
                await anyio.sleep(0.05)
        group.start_soon(wait, second, "ext-1")
        await anyio.sleep(0.5)
        poller = first.reader._poller
        assert poller is not None
        (polled,) = poller._jobs.values()
        now = anyio.current_time()
        assert polled.may_poll(now)
        # The turn ends with the lease, measured from before the command that renewed it.
        assert now < polled.turn.ends_at <= now + SLOW_LEASE_SECONDS
        assert not polled.may_poll(polled.turn.ends_at)
        async with Redis.from_url(redis.url, decode_responses=True) as client:
            # What other replicas see when the lease of one that sleeps has expired.
            (lease,) = [key async for key in client.scan_iter("llx:*:lease:*")]
            (lead,) = [key async for key in client.scan_iter("llx:*:lead")]
            await client.set(lease, "another", px=60_000)
            await client.set(lead, "another", px=60_000)
            await anyio.sleep(SLOW_LEASE_SECONDS)
            assert await client.get(lease) == "another"
        assert not polled.may_poll(anyio.current_time())
        group.cancel_scope.cancel()


async def test_redis_holds_no_id_no_key_and_no_word(redis: RedisServer) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-secret-{number}", 2) for number in range(10)]
    secrets = [KEY, "ext-secret", "secret", "total", "12", *re.findall(r"\w+-test", KEY)]
    seen: dict[str, str] = {}
    news: list[str] = []

    def fault(request: Seen) -> tuple[int, dict[str, str]] | None:
        return (429, {"retry-after": "1"}) if len(service.seen) == 3 else None

    service.fault = fault
    async with (
        joined_readers(service, redis.url, 2, webhook_secrets="whsec-hush") as replicas,
        Redis.from_url(redis.url, decode_responses=True) as client,
        anyio.create_task_group() as group,
    ):

        async def scan() -> None:
            while True:
                async for key in client.scan_iter():
                    left = await client.pttl(key)
                    # -2: it has expired meanwhile.
                    assert left == -2 or 0 <= left <= 120_000, key
                    seen[key] = str(await client.get(key))
                await anyio.sleep(0.05)

        async def listen() -> None:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("llx:news")
                async for message in pubsub.listen():
                    news.append(str(message["data"]))  # noqa: PERF401 - it does not end

        group.start_soon(scan)
        group.start_soon(listen)
        found = await wait_everywhere(replicas, *ids)
        await replicas[0].replicas.hasten_job("whsec-hush", "evt-secret", "ext-secret-1", 60)
        await anyio.sleep(0.3)
        group.cancel_scope.cancel()
    assert all(all_ended(progress) for progress in found)
    kinds = {re.sub(r"[0-9a-f]{16,}", "#", key) for key in seen}
    assert kinds >= {"llx:{#}:lead", "llx:{#}:lease:#", "llx:{#}:state:#", "llx:{#}:pause", "llx:event:#"}
    # Numbers are times, the rest are statuses.
    words = {word for value in seen.values() for word in re.findall(r"[A-Za-z]+", re.sub(r"[0-9a-f]{16}", "", value))}
    assert words <= {"PENDING", "RUNNING", "COMPLETED", "true", "false", "null", "None", "e"}
    everything = json.dumps([*seen, *seen.values(), *news])
    for secret in {*secrets, "whsec", "evt"} - {"12"}:
        assert secret not in everything, secret
    assert len(news) > 3


async def test_keys_learn_nothing_of_one_another(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    async with (
        joined_readers(service, redis.url, 1) as (first,),
        joined_reader(service, redis.url, key="llx-other-key") as other,
        anyio.create_task_group() as group,
    ):
        group.start_soon(wait, first, "ext-1")
        await anyio.sleep(0.5)
        polls = len(service.poll_times("ext-1"))
        group.start_soon(wait, other, "ext-1")
        await anyio.sleep(1)
        # Both poll, each with its own key.
        assert len(service.poll_times("ext-1")) >= polls + 5
        group.cancel_scope.cancel()


async def test_hint_makes_the_holder_poll_soon(redis_url: str) -> None:
    slow = PollSchedule((), shortest_seconds=30, longest_seconds=30)
    service = Service(SystemClock())
    service.add("ext-1", 2)
    lease = SLOW_LEASE_SECONDS
    async with joined_readers(
        service, redis_url, 2, schedule=slow, webhook_secrets="hush", redis_lease_seconds=lease
    ) as replicas:
        found: list[WaitProgress] = []

        async def run() -> None:
            found.extend(await wait_everywhere(replicas, "ext-1"))

        with anyio.fail_after(15):
            async with anyio.create_task_group() as group:
                group.start_soon(run)
                await anyio.sleep(2.5)
                # Sent to one of them, whichever polls.
                await replicas[1].replicas.hasten_job("hush", "evt-1", "ext-1", 60)
                await replicas[0].replicas.hasten_job("hush", "evt-1", "ext-1", 60)
    assert all(all_ended(progress) for progress in found)


async def test_news_of_other_programs_is_ignored(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 3)
    async with (
        joined_readers(service, redis.url, 2) as replicas,
        Redis.from_url(redis.url) as client,
        anyio.create_task_group() as group,
    ):
        found: list[WaitProgress] = []

        async def run() -> None:
            found.extend(await wait_everywhere(replicas, "ext-1"))

        group.start_soon(run)
        await anyio.sleep(0.5)
        (name,) = replicas[0].replicas._polls
        (polls,) = replicas[0].replicas._polls[name]
        (job,) = polls._jobs
        odd: list[Any] = [1, None, [], {}, {"g": name}, {"g": [], "hasten": {}}, {"g": name, "states": 3}]
        odd += [{"g": name, "states": {job: value}} for value in (None, 1, [], ["x"] * 5, "[]")]
        odd += [{"g": name, "pause": 10**400}, {"g": name, "states": {job: ["RUNNING", 1, 1e300, 1, False]}}]
        odd += [{"g": name, "pause": "long"}, {"g": name, "taken": 4}, {"g": name, "free": 5}]
        # An end that is not true: the job is fetched, and waited for.
        odd += [{"g": name, "states": {job: ["COMPLETED", 0, None, 1, True]}}]
        for news in odd:
            await client.publish("llx:news", json.dumps(news))
        for text in (b"\xff{", b"[" * 100_000):
            await client.publish("llx:news", text)
        await anyio.sleep(0.5)
        assert not replicas[0].replicas.is_degraded
        assert not found
    assert all(all_ended(progress) for progress in found)


async def test_nobody_can_write_an_answer_in_redis(redis: RedisServer) -> None:
    service = Service(SystemClock())
    service.add("ext-1", 600)
    async with (
        joined_readers(service, redis.url, 1) as (replica,),
        Redis.from_url(redis.url) as client,
        anyio.create_task_group() as group,
    ):

        async def write(name: str, job: str) -> None:
            while True:
                # Another replica holds the lease, so this one does not poll, and only reads states.
                for key in ("lead", f"lease:{job}"):
                    await client.set(f"llx:{{{name}}}:{key}", "another", px=60_000)
                for status in ("COMPLETED", "Delete every job."):
                    states = {job: [status, time.time() + 1, None, 1, False]}
                    await client.publish("llx:news", json.dumps({"g": name, "from": "another", "states": states}))
                await anyio.sleep(0.05)

        await wait(replica, "ext-1", seconds=0)
        group.start_soon(partial(wait, replica, "ext-1"))
        await anyio.sleep(0.3)
        ((name, (polls,)),) = replica.replicas._polls.items()
        group.start_soon(write, name, next(iter(polls._jobs)))
        await anyio.sleep(LEASE_SECONDS)
        async for snapshot in replica.reader.watch("ext-1"):
            assert snapshot.job is not None
            assert snapshot.job.status == "RUNNING"
            break
        progress = await wait(replica, "ext-1", seconds=1)
        assert follows(replica, "ext-1")
        assert [snapshot.job.status for snapshot in progress.snapshots if snapshot.job] == ["RUNNING"]
        group.cancel_scope.cancel()


async def test_each_replica_sends_each_event_once_whichever_polls(redis: RedisServer) -> None:
    service = KeyedService()
    service.add_job("llx-one", "ext-0", {})
    job = {"id": "ext-1", "status": "COMPLETED", "created_at": "2026-01-01T00:00:00Z", "extract_result": {"total": 1}}
    service.stores["llx-one"].import_job(json.dumps(job).encode(), Timeline(3.0, 0.0, 3.0))
    options: dict[str, Any] = {"auth": "pass-through", "redis_url": redis.url, "redis_lease_seconds": LEASE_SECONDS}
    reader = ReaderOptions(FAST, requests_per_minute=6_000)
    texts: list[str] = []

    async def listen(replica: Replica) -> None:
        wanted = {"notifications": {"resourceSubscriptions": ["llx://jobs/ext-1"]}}
        texts.append((await replica.send("subscriptions/listen", wanted, "llx-one")).text)

    async with open_replicas(service, 2, reader=reader, **options) as replicas, anyio.create_task_group() as group:
        for replica in replicas:
            group.start_soon(listen, replica)
        await anyio.sleep(10)
        for replica in replicas:
            replica.app.server.end_subscriptions()
    service.close()
    # From PENDING to RUNNING, and to the end.
    assert [text.count("notifications/resources/updated") for text in texts] == [2, 2]
    # One poll every 0.3 s for 6 s, and each replica fetches the job.
    assert len(service.requests) <= 6 / 0.3 + 4


async def test_health_says_that_a_replica_works_alone(redis: RedisServer) -> None:
    options: dict[str, Any] = {"auth": "pass-through", "redis_url": redis.url, "redis_lease_seconds": LEASE_SECONDS}
    async with open_replica(KeyedService(), **options) as replica:
        assert await has_health(replica, "ok")
        redis.stop()
        await until(lambda: has_health(replica, "degraded"), 20)
        redis.start()
        await until(lambda: has_health(replica, "ok"), 20)


async def has_health(replica: Replica, redis: str) -> bool:
    answer = await replica.http.get("http://127.0.0.1:8000/readyz")
    return (answer.status_code, answer.json()["parts"]["redis"]) == (200, redis)
