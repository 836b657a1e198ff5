"""What the readers of several credentials share: the memory for finished jobs, and the worker processes."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from llx_mcp.jobs.cache import JobCache

if TYPE_CHECKING:
    from llx_mcp.workers.pool import WorkerPool


class SharedWorkers:
    """Opens one pool of worker processes with the first question that needs it. It ends with the given stack."""

    def __init__(self, group: TaskGroup, stack: AsyncExitStack) -> None:
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


@dataclass(frozen=True, slots=True)
class SharedResources:
    """What readers share.

    Attributes:
        cache: the finished jobs of all credentials.
        workers: opens the pool of worker processes.
    """

    cache: JobCache
    workers: SharedWorkers
