"""The commands do the same on one server, on the master that a Sentinel names, and on a cluster."""

import gc
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from redis.asyncio import Redis, SSLConnection
from redis.asyncio.cluster import RedisCluster

from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.coordination import JobState
from llx_mcp.serving.redis_store import Claim, ReplicaStore, open_redis, parse_state
from tests.jobs.virtual_time import virtual
from tests.server.serving import find_port
from tests.serving.redis_server import NEEDS_REDIS, RedisServer, running_redis
from tests.serving.virtual_redis import VirtualRedis

STATE = JobState("RUNNING", 17.5, None, 3.0, has_ended=False)


def cli(server: RedisServer, *words: str) -> str:
    command = ["redis-cli", "-p", str(server.port), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def one_server(folder: Path) -> Iterator[str]:
    with running_redis(folder, "--requirepass", "pa55") as server:
        yield f"redis://:pa55@127.0.0.1:{server.port}/0"


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    with running_redis(folder, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1") as server:
        cli(server, "cluster", "addslotsrange", "0", "16383")
        for _ in range(200):
            if "cluster_state:ok" in cli(server, "cluster", "info"):
                break
            time.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{server.port}"


@contextmanager
def sentinel(folder: Path) -> Iterator[str]:
    port = find_port()
    with running_redis(folder, "--requirepass", "pa55") as server:
        file = folder / "sentinel.conf"
        lines = (f"port {port}", f"sentinel monitor main 127.0.0.1 {server.port} 1", "sentinel auth-pass main pa55")
        file.write_text("\n".join(lines))
        watcher = RedisServer(port, folder)
        watcher.start_as(["redis-server", str(file), "--sentinel"])
        try:
            yield f"redis+sentinel://:pa55@127.0.0.1:{port}/main/0"
        finally:
            watcher.stop()


# The library leaves some connections of a cluster to the garbage collector.
@NEEDS_REDIS
@pytest.mark.filterwarnings("ignore:unclosed", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("start", [one_server, sentinel, cluster])
async def test_commands(start: Any, tmp_path: Path) -> None:
    if start is cluster and not hasattr(RedisCluster, "pubsub"):
        pytest.skip("this version of the library has no pub/sub for clusters")
    news: list[dict[str, Any]] = []
    with start(tmp_path) as url:
        store = ReplicaStore(open_redis(url, 2.0), 6.0)
        subscribed = anyio.Event()

        async def listen() -> None:
            async for item in store.listen():
                subscribed.set()
                if item is not None:
                    news.append(item)

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            with anyio.fail_after(20):
                await subscribed.wait()
            await check_commands(store)
            with anyio.fail_after(20):
                while len(news) < 6:  # noqa: ASYNC110 - there is no event for it
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        await store.client.aclose()
        await anyio.sleep(0.1)
        gc.collect()
    assert news == [
        {"g": "a", "from": "t1", "states": {"x": ["RUNNING", 17.5, None, 3.0, False]}},
        {"g": "a", "from": "t1", "taken": ["z"]},
        {"g": "a", "from": "t1", "free": ["x"]},
        {"g": "a", "from": "t2", "taken": ["y"]},
        {"g": "a", "from": "t2", "pause": 5.0},
        {"from": "t1", "hasten": "j"},
    ]


async def check_commands(store: ReplicaStore) -> None:
    mine = Claim(None, None)
    assert await store.claim("a", "t1", []) == (0.0, "", [])
    assert await store.claim("a", "t1", ["x", "y"]) == (0.0, "t1", [mine, mine])
    await store.tell("a", "t1", {"x": STATE})
    _, lead, (x, y, z) = await store.claim("a", "t2", ["x", "y", "z"])
    assert 5 < (x.seconds_left or 0) <= 6
    assert (lead, x.state, y.state, z) == ("t1", STATE, None, mine)
    # The first replica with the key takes what another holds, and renews what it has.
    assert await store.claim("a", "t1", ["x", "z"]) == (0.0, "t1", [mine, mine])
    _, _, (z,) = await store.claim("a", "t2", ["z"])
    assert z.seconds_left is not None
    # Nobody releases what another holds.
    await store.release("a", "t1", ["x"], leaves=True)
    _, _, (x, y) = await store.claim("a", "t2", ["x", "y"])
    # The second leads now.
    assert (x, y) == (Claim(None, STATE), mine)
    # Another key has names of its own.
    assert await store.claim("b", "t3", ["x"]) == (0.0, "t3", [mine])
    await store.pause("a", "t2", 5.0)
    await store.pause("a", "t2", 1.0)
    assert 4 < (await store.claim("a", "t1", []))[0] <= 5
    assert (await store.claim("b", "t1", []))[0] == 0
    for _ in range(2):
        await store.hasten("t1", "event", "j", 60)
    await store.probe("t1")


@virtual
async def test_double_in_memory_does_what_the_commands_do() -> None:
    await check_commands(ReplicaStore(cast("Redis", VirtualRedis().open_client()), 6.0))


@pytest.mark.parametrize("value", [None, 7, "", "x", "[]", '["RUNNING"]', ["RUNNING", "soon", None, 1, False], {}])
def test_what_is_no_state_is_ignored(value: object) -> None:
    assert parse_state(value) is None


@pytest.mark.parametrize(
    "url", ["http://:pa55@h", "redis", "redis+sentinel://:pa55@h:1", "redis://:pa55@h:port", "unix:///pa55"]
)
def test_url_that_cannot_be_used_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="LLX_MCP_REDIS_URL: must be") as caught:
        open_redis(url, 1.0)
    assert "pa55" not in str(caught.value)


def test_tls_is_used_where_the_url_says_so() -> None:
    plain, encrypted = (open_redis(f"{scheme}://h:6380/1", 1.0).connection_pool for scheme in ("redis", "rediss"))
    assert not issubclass(plain.connection_class, SSLConnection)
    assert issubclass(encrypted.connection_class, SSLConnection)
    master = open_redis("rediss+sentinel://h:1/main", 1.0).connection_pool
    assert issubclass(master.connection_class, SSLConnection)
