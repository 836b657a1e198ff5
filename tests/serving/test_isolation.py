"""Tenants at random over shared replicas: nothing of one is in an answer, an error or a log of another.

All tenants have jobs with the same ids. Each value holds a word that belongs to one tenant alone, so any mix-up shows.
"""

import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis

from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.redaction import RedactingFilter
from llx_mcp.serving.logs import hide_documents
from tests.jobs.creating import SCHEMA
from tests.serving.redis_server import NEEDS_REDIS, running_redis
from tests.serving.replicas import LEGACY, MODERN, Answer, KeyedService, Replica, open_replicas

NUM_TENANTS = 7
# Fewer than there are tenants, so that readers are dropped and opened all the time.
MAX_TENANTS = 5
NUM_JOBS = 6
CONCURRENCY = 12
# Of each seed. More find more: LLX_MCP_TEST_STEPS=2500 takes some minutes.
NUM_STEPS = int(os.environ.get("LLX_MCP_TEST_STEPS", "400"))
OPTIONS = ReaderOptions(creation=CreationOptions(frozenset({"create"})))
TASKS: dict[str, Any] = {
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
}


class World:
    """The tenants, their jobs, and what they have been given so far."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.service = KeyedService()
        letters = "bcdfghjklmnpqrstvwxz"
        self.words = ["".join(self.random.choices(letters, k=14)) for _ in range(NUM_TENANTS)]
        self.keys = [f"llx-{''.join(self.random.choices(letters, k=40))}" for _ in range(NUM_TENANTS)]
        self.cursors: dict[int, list[str]] = {index: [] for index in range(NUM_TENANTS)}
        self.tasks: dict[int, list[str]] = {index: [] for index in range(NUM_TENANTS)}
        self.outcomes: Counter[str] = Counter()
        for word, key in zip(self.words, self.keys, strict=True):
            for number in range(NUM_JOBS):
                rows = [{"name": f"{word} {row}", "amount": row} for row in range(60)]
                self.service.add_job(key, f"ext-{number}", {"owner": word, "rows": rows})
            self.service.add_job(key, f"ext-of-{word}", {"owner": word})
            self.service.add_job(key, "ext-stuck", {"owner": word}, "stuck")
            self.service.add_job(key, "ext-cited", {"owner": word}, file_id="dfl-cited")
            self.service.add_document(key, "dfl-cited", word)

    def job(self, tenant: int) -> str:
        """Choose a job: one of the tenant, one that all have, or one of another tenant."""
        return self.random.choice(
            [f"ext-{self.random.randrange(NUM_JOBS)}"] * 6
            + [f"ext-of-{self.words[tenant]}", f"ext-of-{self.random.choice(self.words)}", "ext-unknown", "ext-stuck"]
        )

    def any_of(self, given: dict[int, list[str]], tenant: int) -> tuple[str | None, bool]:
        """Choose a cursor or task that was given to the tenant, or to another; and say whose it is."""
        owner = tenant if self.random.random() < 0.5 else self.random.randrange(NUM_TENANTS)
        return (self.random.choice(given[owner]) if given[owner] else None), owner == tenant


Step = Callable[[World, Replica, int, str], Any]


async def get(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    return await replica.call("get_extract_job", world.keys[tenant], version, job_id=world.job(tenant))


async def find(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    text = world.random.choice([world.words[tenant], world.random.choice(world.words), "17"])
    job_id = world.job(tenant)
    return await replica.call("find_in_extract_result", world.keys[tenant], version, job_id=job_id, text=text)


async def read(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    cursor, is_own = world.any_of(world.cursors, tenant)
    arguments: dict[str, Any] = {"job_id": world.job(tenant), "path": "rows", "max_chars": 2_000}
    if cursor is not None:
        arguments["cursor"] = cursor
    answer = await replica.call("read_extract_result", world.keys[tenant], version, **arguments)
    if answer.status == 200 and not answer.message["result"]["isError"]:
        # A job without a result has no pages, and ignores a cursor.
        assert cursor is None or is_own or "values" not in answer.content
        if next_cursor := answer.content.get("cursor"):
            world.cursors[tenant].append(next_cursor)
    return answer


async def read_source(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    """Read the document of a job. The jobs and documents of all tenants have the same ids."""
    answer = await replica.call("read_source_text", world.keys[tenant], version, job_id="ext-cited", pages="1")
    if answer.status == 200 and answer.content.get("lines"):
        assert world.words[tenant] in str(answer.content["lines"])
        world.outcomes["lines of a document"] += 1
    return answer


async def create(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    arguments = {"document_id": "dfl-cited", "data_schema": SCHEMA, "again": world.random.random() < 0.2}
    answer = await replica.call("create_extract_job", world.keys[tenant], version, **arguments)
    if answer.status == 200:
        assert answer.content["job_id"] in [
            job_id for job_id, _ in world.service.stores[world.keys[tenant]].list_jobs()
        ]
    return answer


async def list_jobs(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    return await replica.call("list_extract_jobs", world.keys[tenant], version)


async def wait(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    ids = [world.job(tenant) for _ in range(3)]
    parameters = {
        "name": "wait_for_extract_job",
        "arguments": {"job_ids": ids, "timeout_seconds": 0},
        "_meta": {"progressToken": 1},
    }
    return await replica.send("tools/call", parameters, world.keys[tenant], version)


async def begin_task(world: World, replica: Replica, tenant: int, _: str) -> Answer:
    parameters = {"name": "wait_for_extract_job", "arguments": {"job_id": "ext-stuck"}, "_meta": TASKS}
    answer = await replica.send("tools/call", parameters, world.keys[tenant])
    if answer.status == 200:
        world.tasks[tenant].append(answer.message["result"]["taskId"])
    return answer


async def get_task(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    task_id, is_own = world.any_of(world.tasks, tenant)
    if task_id is None:
        return await begin_task(world, replica, tenant, version)
    method = world.random.choice(["tasks/get", "tasks/cancel"])
    answer = await replica.send(method, {"taskId": task_id, "_meta": TASKS}, world.keys[tenant])
    if answer.status == 200:
        assert is_own == ("result" in answer.message)
    return answer


async def read_resource(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    uri = f"llx://jobs/{world.job(tenant)}{world.random.choice(['', '/result', '/tables/rows'])}"
    return await replica.send("resources/read", {"uri": uri}, world.keys[tenant], version)


async def complete(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    reference = {"type": "ref/resource", "uri": "llx://jobs/{job_id}"}
    parameters = {"ref": reference, "argument": {"name": "job_id", "value": "ext-o"}}
    return await replica.send("completion/complete", parameters, world.keys[tenant], version)


async def fail(world: World, replica: Replica, tenant: int, version: str) -> Answer:
    """Send a key that is wrong, cut or of no tenant, or a method that holds the key."""
    key = world.keys[tenant]
    if world.random.random() < 0.5:
        return await replica.send(f"unknown/{key}", {}, key, version)
    wrong = world.random.choice([key[:-1], f"{key}x", key.upper(), "sk-other"])
    return await replica.call("get_extract_job", wrong, version, job_id=world.job(tenant))


READING: list[Step] = [get, get, find, read, read, read_source, list_jobs, read_resource, complete]
STEPS: list[Step] = [*READING, wait, begin_task, get_task, create, fail]


def assert_nothing_of_others(world: World, tenant: int, step: Step, answer: Answer) -> None:
    """Check that an answer holds no key, and no word of another tenant that was not in the request."""
    seen = f"{dict(answer.headers)}{answer.text}"
    for other in range(NUM_TENANTS):
        assert world.keys[other][4:24] not in seen
        if other == tenant:
            continue
        # The request itself may name a word of another tenant, as an id or a text, and errors repeat it.
        values = seen.replace(f"ext-of-{world.words[other]}", "")
        if step is find:
            assert f"{world.words[other]} " not in values.replace("\\n", " ").replace(f"{world.words[other]} in", "")
        else:
            assert world.words[other] not in values, answer.text


class Log(logging.Handler):
    """Collects the log as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Log]:
    hide_documents()
    handler = Log()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


async def take_step(world: World, replicas: list[Replica]) -> None:
    tenant = world.random.randrange(NUM_TENANTS)
    step = world.random.choice(STEPS)
    version = world.random.choice([LEGACY, MODERN])
    answer: Answer = await step(world, world.random.choice(replicas), tenant, version)
    assert_nothing_of_others(world, tenant, step, answer)
    world.outcomes[f"{step.__name__} {answer.status}"] += 1
    if step is get and answer.status == 200 and not answer.message["result"]["isError"]:
        assert world.words[tenant] in answer.text or "ext-stuck" in answer.text


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_of_one_tenant_reaches_another(seed: int, log: Log) -> None:
    await check_isolation(seed, log)


@NEEDS_REDIS
async def test_nothing_of_a_tenant_reaches_redis(log: Log, tmp_path: Path) -> None:
    with running_redis(tmp_path) as redis:
        async with Redis.from_url(redis.url) as client, client.monitor() as monitor, anyio.create_task_group() as group:
            commands: list[str] = []

            async def record() -> None:
                while True:
                    commands.append((await monitor.next_command())["command"])

            group.start_soon(record)
            world = await check_isolation(4, log, redis_url=redis.url)
            await anyio.sleep(0.5)
            group.cancel_scope.cancel()
    text = "\n".join(commands)
    assert text.count("EVAL") > 20
    for key, word in zip(world.keys, world.words, strict=True):
        assert key[4:24] not in text
        assert word not in text
    assert "ext-" not in text


async def check_isolation(seed: int, log: Log, **settings: Any) -> World:
    world = World(seed)
    async with open_replicas(
        world.service, 2, auth="pass-through", max_tenants=MAX_TENANTS, reader=OPTIONS, **settings
    ) as replicas:
        for replica in replicas:
            log.addFilter(RedactingFilter(replica.app.redactor))

        async def work(num_steps: int) -> None:
            for _ in range(num_steps):
                await take_step(world, replicas)

        async with anyio.create_task_group() as group:
            for _ in range(CONCURRENCY):
                group.start_soon(work, NUM_STEPS // CONCURRENCY)
    text = "\n".join(log.lines)
    for key, word in zip(world.keys, world.words, strict=True):
        assert key[4:24] not in text
        assert word not in text.replace(f"ext-of-{word}", "")
    assert {key for key, _ in world.service.requests} >= set(world.keys)
    assert world.outcomes["get 200"] > NUM_STEPS / 20
    assert world.outcomes["get_task 200"] > NUM_STEPS / 60
    assert world.outcomes["create 200"] > NUM_STEPS / 60
    assert world.outcomes["lines of a document"] > 0
    world.service.close()
    return world
