"""Workers are reused between requests, killed when they exceed a time limit, and never left behind."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.answers.dispatch import Message, QueryQuestion
from llx_mcp.answers.header import Header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import ArgumentError
from llx_mcp.workers.pool import UnreadableError, WorkerLostError, WorkerPool, WorkerStoppedError

HEADING = Header("ext-1", "COMPLETED")
FOREVER = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


def body_of(value: Any) -> Callable[[], Awaitable[bytes]]:
    """Return a function that returns the body of a job with this value, and counts its calls."""

    async def fetch() -> bytes:
        fetch.count += 1  # type: ignore[attr-defined]
        return json.dumps({"extract_result": {"rows": [{"n": value}] * 3}}).encode()

    fetch.count = 0  # type: ignore[attr-defined]
    return fetch


def query(sql: str, seconds: float = 20.0, deadline_seconds: float = 10.0) -> list[tuple[Message, float]]:
    """Build the message for a query."""
    return [(QueryQuestion(JobRequest("ext-1"), HEADING, sql, deadline_seconds), seconds)]


async def first_cell(pool: WorkerPool, key: str, fetch: Callable[[], Awaitable[bytes]]) -> Any:
    """Return the value in the first row of a job."""
    answer = await pool.answer(key, fetch, query("SELECT n FROM rows LIMIT 1"))
    return answer.structured["rows"]["rows"][0][0]


async def test_job_is_sent_once_for_many_requests() -> None:
    fetch = body_of(7)
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        assert [await first_cell(pool, "a", fetch) for _ in range(3)] == [7, 7, 7]
        assert (fetch.count, pool.num_workers) == (1, 1)  # type: ignore[attr-defined]
        pool.close()
        tasks.cancel_scope.cancel()
    assert pool.num_workers == 0


async def test_many_jobs_share_two_workers_and_are_never_mixed_up() -> None:
    found: dict[str, list[Any]] = {}

    async def ask(pool: WorkerPool, number: int) -> None:
        key = f"job-{number % 5}"
        found.setdefault(key, []).append(await first_cell(pool, key, body_of(number % 5)))

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        async with anyio.create_task_group() as asking:
            for number in range(20):
                asking.start_soon(ask, pool, number)
        assert pool.num_workers <= 2
        pool.close()
        tasks.cancel_scope.cancel()
    assert found == {f"job-{number}": [number] * 4 for number in range(5)}


async def test_worker_that_exceeds_its_time_limit_is_killed_and_replaced() -> None:
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        with pytest.raises(WorkerStoppedError):
            await pool.answer("a", body_of(1), query(FOREVER, seconds=0.2))
        assert pool.num_workers == 0
        assert await first_cell(pool, "a", body_of(1)) == 1
        pool.close()
        tasks.cancel_scope.cancel()


async def test_cancelled_request_kills_its_worker() -> None:
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        assert await first_cell(pool, "a", body_of(1)) == 1
        with anyio.move_on_after(0.1) as scope:
            await pool.answer("a", body_of(1), query(FOREVER, seconds=60.0, deadline_seconds=60.0))
        assert scope.cancelled_caught
        assert pool.num_workers == 0
        assert await first_cell(pool, "a", body_of(2)) == 2
        pool.close()
        tasks.cancel_scope.cancel()


async def test_idle_worker_ends() -> None:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            pool = WorkerPool(tasks, idle_seconds=0.05)
            assert await first_cell(pool, "a", body_of(1)) == 1
            while pool.num_workers:
                await anyio.lowlevel.checkpoint()
            assert await first_cell(pool, "a", body_of(2)) == 2
            pool.close()
            tasks.cancel_scope.cancel()


async def test_errors_of_a_worker_keep_their_type() -> None:
    async def broken() -> bytes:
        return b'{"extract_result": {"a": 1e}}'

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        with pytest.raises(ArgumentError, match="no column _paht; did you mean _path"):
            await pool.answer("a", body_of(1), query("SELECT _paht FROM rows"))
        with pytest.raises((UnreadableError, WorkerLostError)):
            await pool.answer("b", broken, query("SELECT 1"))
        assert await first_cell(pool, "c", body_of(3)) == 3
        pool.close()
        tasks.cancel_scope.cancel()


async def test_worker_does_not_see_the_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-secret")
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        await first_cell(pool, "a", body_of(1))
        (worker,) = pool._workers
        environment = anyio.Path(f"/proc/{worker.process.pid}/environ")
        if await environment.exists():
            assert b"llx-secret" not in await environment.read_bytes()
        pool.close()
        tasks.cancel_scope.cancel()


async def test_cancelled_query_leaves_another_query_on_the_same_job_running() -> None:
    cells: list[Any] = []

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)

        async def ask_forever(scope: anyio.CancelScope) -> None:
            with scope:
                await pool.answer("a", body_of(1), query(FOREVER, seconds=60.0, deadline_seconds=60.0))

        async def ask_shortly() -> None:
            cells.append(await first_cell(pool, "a", body_of(1)))

        assert await first_cell(pool, "a", body_of(1)) == 1
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as callers:
            callers.start_soon(ask_forever, scope)
            await anyio.sleep(0.05)
            callers.start_soon(ask_shortly)
            await anyio.sleep(0.05)
            scope.cancel()
        assert cells == [1]
        pool.close()
        tasks.cancel_scope.cancel()


async def test_two_new_jobs_beside_an_idle_worker_start_one_worker() -> None:
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        assert await first_cell(pool, "a", body_of(1)) == 1
        async with anyio.create_task_group() as callers:
            callers.start_soon(first_cell, pool, "b", body_of(2))
            callers.start_soon(first_cell, pool, "c", body_of(3))
        assert pool.num_workers == 2
        pool.close()
        tasks.cancel_scope.cancel()
