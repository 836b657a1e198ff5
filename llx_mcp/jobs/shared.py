"""What the readers of several credentials share: the memory for finished jobs, and the worker processes."""

from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.lowlevel
from anyio.abc import TaskGroup

from llx_mcp.jobs.cache import JobCache
from llx_mcp.workers.turns import TurnQueue

if TYPE_CHECKING:
    from llx_mcp.workers.pool import WorkerPool

# A request takes some 20 steps of the event loop.
_STEPS_BETWEEN = 10


class SharedWorkers:
    """Opens one pool of worker processes with the first question that needs it. It ends with the given stack."""

    def __init__(self, group: TaskGroup, stack: AsyncExitStack) -> None:
        self._turns_here = TurnQueue(1)
        self._group = group
        self._stack = stack
        self._pool: WorkerPool | None = None

    def open_pool(self) -> "WorkerPool":
        """Return the pool."""
        # Imported late, because most questions are answered in this process.
        from llx_mcp.workers.pool import WorkerPool

        if self._pool is None:
            self._pool = WorkerPool(self._group)
            self._stack.callback(self._pool.close)
        return self._pool

    @property
    def num_workers(self) -> int:
        """How many processes run."""
        return 0 if self._pool is None else self._pool.num_workers

    @asynccontextmanager
    async def turn_here(self, job: Hashable) -> AsyncIterator[None]:
        """Wait for a turn to answer in this process, which holds the event loop. Credentials take turns."""
        async with self._turns_here.turn(job):
            if self._turns_here.num_waiting:
                # Answers follow one another. In between, requests that need less come forward.
                for _ in range(_STEPS_BETWEEN):
                    await anyio.lowlevel.checkpoint()
            yield


@dataclass(frozen=True, slots=True)
class SharedResources:
    """What readers share.

    Attributes:
        cache: the finished jobs of all credentials.
        workers: opens the pool of worker processes.
    """

    cache: JobCache
    workers: SharedWorkers
