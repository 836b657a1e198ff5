"""Replicas follow the primary that the Sentinels name, and no wait is lost while it changes."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from llx_mcp.jobs.clock import SystemClock
from tests.jobs.service import Service
from tests.serving.redis_server import NEEDS_REDIS, SLOW_LEASE_SECONDS, RedisServer, joined_readers
from tests.serving.redis_setups import LEAVES_CONNECTIONS, cli, watched_redis
from tests.serving.shared_waits import (
    all_ended,
    check_that_one_polls,
    until_degraded,
    wait_everywhere,
    waiting_everywhere,
)

pytestmark = [NEEDS_REDIS, LEAVES_CONNECTIONS]


End = Callable[[RedisServer], None]


@pytest.mark.parametrize("end", [RedisServer.stop, RedisServer.freeze])
async def test_primary_that_ends_is_replaced_and_no_wait_is_lost(end: End, tmp_path: Path) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 4) for number in range(10)]
    during = [service.add(f"ext-during-{number}", 1) for number in range(3)]
    with watched_redis(tmp_path) as redis:
        async with joined_readers(service, redis.url, 2) as replicas, waiting_everywhere(replicas, *ids):
            await anyio.sleep(0.5)
            end(redis.primary)
            for replica in replicas:
                await until_degraded(replica, degraded=True)
            assert all(all_ended(progress) for progress in await wait_everywhere(replicas, *during))
            for replica in replicas:
                await until_degraded(replica, degraded=False)
            assert "role:master" in cli(redis.replica, "info", "replication")
            await check_that_one_polls(service, replicas)


@pytest.mark.parametrize("end", [RedisServer.stop, RedisServer.freeze])
async def test_first_sentinel_that_does_not_answer_degrades_nothing(end: End, tmp_path: Path) -> None:
    service = Service(SystemClock())
    with watched_redis(tmp_path, 3) as redis:
        end(redis.sentinels[0])
        async with joined_readers(service, redis.url, 2, redis_lease_seconds=SLOW_LEASE_SECONDS) as replicas:
            await check_that_one_polls(service, replicas)
            assert [replica.replicas.counts["degraded"] for replica in replicas] == [0, 0]
