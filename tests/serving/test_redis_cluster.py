"""Nodes of a cluster end, are replaced, and give slots away; no wait is lost, and replicas work as one again."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path

import anyio
import pytest

from llx_mcp.jobs.clock import SystemClock
from llx_mcp.serving.redis_store import CHANNEL
from llx_mcp.serving.shared_polls import _name
from tests.jobs.service import Service, source_of
from tests.serving.redis_server import NEEDS_REDIS, JoinedReader, RedisServer, joined_readers
from tests.serving.redis_setups import LEAVES_CONNECTIONS, Cluster, cluster_redis
from tests.serving.shared_waits import (
    all_ended,
    check_that_one_polls,
    until_degraded,
    wait_everywhere,
    waiting_everywhere,
)
from tests.waiting import until

pytestmark = [NEEDS_REDIS, LEAVES_CONNECTIONS]
End = Callable[[RedisServer], None]


async def name_group(service: Service, key: str) -> str:
    """Return the hash tag of a key of LlamaCloud."""
    async with source_of(service, key)() as source:
        return _name(source.derive_key("replicas"), "key")


async def choose_key(service: Service, cluster: Cluster, node: RedisServer, *, is_held: bool) -> str:
    """Return a key of LlamaCloud whose entries a node holds, or does not hold."""
    for number in count():
        key = f"llx-key-{number}"
        if (cluster.find_node(f"{{{await name_group(service, key)}}}") is node) == is_held:
            return key
    raise AssertionError


def joined(service: Service, cluster: Cluster, key: str) -> AbstractAsyncContextManager[list[JoinedReader]]:
    """Open two replicas that do not take a busy machine for a fault, and a fault for long."""
    return joined_readers(service, cluster.url, 2, key=key, redis_lease_seconds=3.0)


# With partial coverage, the other nodes go on while one is gone.
@pytest.mark.parametrize("coverage", ["yes", "no"])
async def test_node_that_ends_degrades_until_it_is_back(coverage: str, tmp_path: Path) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 3) for number in range(10)]
    with cluster_redis(tmp_path, "--cluster-require-full-coverage", coverage) as cluster:
        news_node = cluster.find_node(CHANNEL)
        node = next(node for node in cluster.nodes if node is not news_node)
        key = await choose_key(service, cluster, node, is_held=True)
        async with joined(service, cluster, key) as replicas, waiting_everywhere(replicas, *ids) as found:
            await anyio.sleep(1)
            node.stop()
            for replica in replicas:
                await until_degraded(replica, degraded=True)
            counts = [replica.replicas.counts["recovered"] for replica in replicas]
            await until(lambda: len(found) >= 2)
            # It is a state, and not one that comes and goes.
            assert [replica.replicas.counts["recovered"] for replica in replicas] == counts
            node.start()
            for replica in replicas:
                await until_degraded(replica, degraded=False)
            await check_that_one_polls(service, replicas)


# The node that sends the news, with the entries of the key or without: subscribing fails alone, or commands as well.
@pytest.mark.parametrize(("end", "is_held"), [(RedisServer.stop, False), (RedisServer.freeze, True)])
async def test_replica_of_a_node_that_ends_is_found(end: End, is_held: bool, tmp_path: Path) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 3) for number in range(10)]
    with cluster_redis(tmp_path, num_replicas=3) as cluster:
        node = cluster.find_node(CHANNEL)
        key = await choose_key(service, cluster, node, is_held=is_held)
        async with joined(service, cluster, key) as replicas, waiting_everywhere(replicas, *ids):
            await anyio.sleep(1)
            end(node)
            for replica in replicas:
                await until_degraded(replica, degraded=True)
            for replica in replicas:
                await until_degraded(replica, degraded=False)
            await check_that_one_polls(service, replicas)


async def test_slot_that_moves_loses_no_wait(tmp_path: Path) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 4) for number in range(10)]
    during = [service.add(f"ext-during-{number}", 1) for number in range(3)]
    with cluster_redis(tmp_path) as cluster:
        source, target = cluster.nodes[:2]
        key = await choose_key(service, cluster, source, is_held=True)
        slot_key = f"{{{await name_group(service, key)}}}"
        async with joined(service, cluster, key) as replicas, waiting_everywhere(replicas, *ids):
            await anyio.sleep(1)
            cluster.begin_move(slot_key, target)
            # Of several entries, some are not found while a slot moves.
            assert all(all_ended(progress) for progress in await wait_everywhere(replicas, *during))
            cluster.finish_move(slot_key, target)
            assert cluster.find_node(slot_key) is target
            for replica in replicas:
                await until_degraded(replica, degraded=False)
            await check_that_one_polls(service, replicas)
