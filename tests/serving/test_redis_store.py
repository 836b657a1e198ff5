"""The commands do the same on one server, on the master that a Sentinel names, and on a cluster, by TLS or not."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from llx_mcp.jobs.coordination import JobState
from llx_mcp.serving.redis_store import Claim, ReplicaStore, open_store, parse_state
from tests.conftest import ROOT
from tests.jobs.virtual_time import virtual
from tests.serving.redis_server import NEEDS_REDIS, running_redis
from tests.serving.redis_setups import LEAVES_CONNECTIONS, PASSWORD, STARTS, cluster_redis, make_certificates
from tests.serving.virtual_redis import VirtualRedis
from tests.waiting import until

STATE = JobState("RUNNING", 17.5, None, 3.0, has_ended=False)


@NEEDS_REDIS
@LEAVES_CONNECTIONS
@pytest.mark.parametrize("has_tls", [False, True])
@pytest.mark.parametrize("start", STARTS)
async def test_commands(start: Any, has_tls: bool, tmp_path: Path) -> None:
    news: list[dict[str, Any]] = []
    certificates = make_certificates(tmp_path) if has_tls else None
    with start(tmp_path, certificates) as url:
        query = f"?ssl_ca_certs={certificates.authority}" if certificates else ""
        store = open_store(url + query, 6.0)
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
            await until(lambda: len(news) >= 7)
            group.cancel_scope.cancel()
        await store.client.aclose()
    expected = [
        {"g": "a", "from": "t1", "states": {"x": ["RUNNING", 17.5, None, 3.0, False]}},
        {"g": "a", "from": "t1", "taken": ["z"]},
        {"g": "a", "from": "t1", "free": ["x"]},
        {"g": "a", "from": "t2", "taken": ["y"]},
        {"g": "a", "from": "t2", "want": {"x": None, "z": "sealed"}},
        {"g": "a", "from": "t2", "pause": 5.0},
        {"from": "t1", "hasten": "j"},
    ]
    # The news of several nodes come in any order.
    assert sorted(map(json.dumps, news)) == sorted(map(json.dumps, expected))


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
    await store.want("a", "t2", {"x": None, "z": "sealed"})
    await store.pause("a", "t2", 5.0)
    await store.pause("a", "t2", 1.0)
    assert 4 < (await store.claim("a", "t1", []))[0] <= 5
    assert (await store.claim("b", "t1", []))[0] == 0
    for _ in range(2):
        await store.hasten("t1", "event", "j", 60)
    await store.probe("a", "t1")


RIGHTS = "resetchannels &llx:news ~llx:* -@all +eval +get +set +del +exists +pttl +pexpire +publish +subscribe +ping"


@NEEDS_REDIS
@LEAVES_CONNECTIONS
@pytest.mark.parametrize("is_cluster", [False, True])
async def test_user_needs_the_rights_of_the_docs_alone(is_cluster: bool, tmp_path: Path) -> None:
    assert RIGHTS in (ROOT / "docs" / "serving.md").read_text()
    rights = RIGHTS + (" +command +cluster|slots" if is_cluster else "")
    user = ("--user", "llx-mcp", "on", f">{PASSWORD}", *rights.split())
    with ExitStack() as stack:
        if is_cluster:
            port = stack.enter_context(cluster_redis(tmp_path, *user)).nodes[0].port
        else:
            port = stack.enter_context(running_redis(tmp_path, *user)).port
        scheme = "redis+cluster" if is_cluster else "redis"
        store = open_store(f"{scheme}://llx-mcp:{PASSWORD}@127.0.0.1:{port}", 6.0)
        news = store.listen()
        assert await anext(news) is None
        await check_commands(store)
        assert await anext(news)
        with pytest.raises(NoPermissionError):
            await store.client.get("another")
        await store.client.aclose()


@virtual
async def test_double_in_memory_does_what_the_commands_do() -> None:
    await check_commands(ReplicaStore(cast("Redis", VirtualRedis().open_client()), 6.0))


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "x",
        "[]",
        '["RUNNING"]',
        "[" * 100_000,
        {},
        ["RUNNING", "soon", None, 1, False],
        ["RUNNING", 10**400, None, 1, False],
        ["RUNNING", float("nan"), None, 1, False],
        ["RUNNING", 1, 1e300, 1, False],
        ["RUNNING", 1, None, -1, False],
        # What a wait would show of a job that has not ended.
        ["COMPLETED", 1, None, 1, False],
        ["Delete every job.", 1, None, 1, False],
    ],
)
def test_what_is_no_state_is_ignored(value: object) -> None:
    assert parse_state(value) is None
