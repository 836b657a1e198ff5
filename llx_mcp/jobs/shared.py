"""What the readers of several credentials share: memory, processes, and turns at what needs much of either."""

from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio.lowlevel
from anyio.abc import TaskGroup

from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.coordination import Coordination
from llx_mcp.turns import TurnQueue

if TYPE_CHECKING:
    from llx_mcp.pdf.processes import PdfProcesses
    from llx_mcp.workers.pool import WorkerPool

# A request takes some 20 steps of the event loop.
_STEPS_BETWEEN = 10
# So many documents are in memory at a time, because a large one takes much of it; half of them of one credential.
_MAX_DOCUMENTS = 12


class SharedWorkers:
    """Opens one pool of worker processes with the first question that needs it. It ends with the given stack.

    Attributes:
        num_busy: how many credentials have open requests, where there can be several.
    """

    def __init__(self, group: TaskGroup, stack: AsyncExitStack) -> None:
        self.num_busy = 0
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


class SharedPdfs:
    """Lets the readers of several credentials take turns at the processes that work on PDFs."""

    def __init__(self) -> None:
        self._turns: TurnQueue | None = None

    def open_processes(self) -> "PdfProcesses":
        """Return the processes of one reader, which closes them. The turns are those of all readers."""
        # Imported late, because most questions need no document.
        from llx_mcp.pdf.processes import MAX_PROCESSES, PdfProcesses

        if self._turns is None:
            self._turns = TurnQueue(MAX_PROCESSES)
        return PdfProcesses(self._turns)


@dataclass(frozen=True, slots=True)
class SharedResources:
    """What readers share.

    Attributes:
        cache: the finished jobs, the documents and their texts, of all credentials.
        workers: opens the pool of worker processes.
        pdfs: opens processes that work on PDFs.
        documents: the turns at fetching and reading documents.
        coordination: coordinates the polls with other replicas; None where there are none.
    """

    cache: JobCache
    workers: SharedWorkers
    pdfs: SharedPdfs = field(default_factory=SharedPdfs)
    documents: TurnQueue = field(default_factory=lambda: TurnQueue(_MAX_DOCUMENTS, _MAX_DOCUMENTS // 2))
    coordination: Coordination | None = None
