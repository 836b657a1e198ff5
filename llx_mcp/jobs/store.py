"""Finished jobs, kept within a budget of bytes: the least recently used go first.

A job that has ended does not change, but for its usage, which billing records later. What is kept is the
compressed body and not the tree.
"""

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from llx_mcp.jobs.clock import Clock

if TYPE_CHECKING:
    from llx_mcp.models import Job

MAX_BYTES = 256 * 1024 * 1024

# Smaller bodies are compressed in less time than a thread costs.
_THREAD_BYTES = 1 << 18
_FASTEST = 1
_UNBILLED_SECONDS = 60.0
_BILLED_BY_THEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class JobKey:
    """Whose job it is. One credential never meets what was kept for another.

    Attributes:
        identity: digest of the key and the address that the job came with.
        project_id: as asked for.
        organization_id: as asked for.
        job_id: as asked for.
    """

    identity: str
    project_id: str | None
    organization_id: str | None
    job_id: str


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    kept_at: float
    is_billed: bool


class FinishedJobs:
    """A store in memory."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept: OrderedDict[JobKey, _Kept] = OrderedDict()
        self._num_bytes = 0

    @property
    def num_bytes(self) -> int:
        """The compressed bytes that are kept."""
        return self._num_bytes

    def __len__(self) -> int:
        """How many jobs are kept."""
        return len(self._kept)

    async def get(self, key: JobKey) -> "Job | None":
        """The job with all its sections; None where it is not kept, or its usage deserves another look."""
        from llx_mcp.models import Job

        kept = self._kept.get(key)
        if kept is None:
            return None
        if not kept.is_billed and self._clock.monotonic() - kept.kept_at >= _UNBILLED_SECONDS:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        body = kept.body
        if len(body) < _THREAD_BYTES:
            return Job.parse(zlib.decompress(body))
        return await anyio.to_thread.run_sync(lambda: Job.parse(zlib.decompress(body)))

    async def put(self, key: JobKey, job: "Job") -> None:
        """Keep a job that was fetched with all its sections; one that has not ended is let be."""
        if not job.is_terminal:
            return
        size = sum(memoryview(raw).nbytes for raw in job.sections.values())
        if size < _THREAD_BYTES:
            body = _compress(job)
        else:
            body = await anyio.to_thread.run_sync(_compress, job)
        self._drop(key)
        if len(body) > self._max_bytes:
            return
        self._kept[key] = _Kept(body, self._clock.monotonic(), self._is_billed(job))
        self._num_bytes += len(body)
        while self._num_bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _is_billed(self, job: "Job") -> bool:
        if job.usage is not None and job.usage.credits is not None:
            return True
        # Some jobs are never billed, and older formats carry no usage.
        return job.updated_at is not None and self._clock.now() - job.updated_at > _BILLED_BY_THEN

    def _drop(self, key: JobKey) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._num_bytes -= len(kept.body)


def _compress(job: "Job") -> bytes:
    return zlib.compress(job.dump(), _FASTEST)
