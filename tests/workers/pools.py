"""Pools of workers that leave no process behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from llx_mcp.workers.pool import WorkerPool
from tests.processes import list_children


@asynccontextmanager
async def open_pool(idle_seconds: float = 60.0) -> AsyncIterator[WorkerPool]:
    """Open a pool, and check that it leaves no process behind."""
    before = list_children()
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks, idle_seconds=idle_seconds)
        try:
            yield pool
        finally:
            pool.close()
            tasks.cancel_scope.cancel()
    assert pool.num_workers == 0
    assert list_children() == before
