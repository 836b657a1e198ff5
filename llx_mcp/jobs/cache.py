"""Finished jobs, kept within a budget of bytes: the least recently used go first.

A job that has ended does not change, but for its usage, which billing records later. What is kept is the
compressed body, not the tree.
"""

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import anyio.to_thread

from llx_mcp.jobs.clock import Clock
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

MAX_BYTES = 256 * 1024 * 1024

# Smaller bodies are compressed in less time than a thread costs.
_THREAD_BYTES = 1 << 18
_FASTEST = 1
_UNBILLED_SECONDS = 60.0
_BILLED_BY_THEN = timedelta(days=1)
_serial = count()


@dataclass(frozen=True, slots=True)
class JobKey:
    """Whose job it is. One credential never meets what was kept for another.

    Attributes:
        identity: digest of the key and the address that the job came with.
        scope: the project and organization of the request.
        job_id: the id of the request.
    """

    identity: str
    scope: Scope
    job_id: str


@dataclass(eq=False, slots=True)
class CachedJob:
    """A job as it was fetched with all its sections.

    Attributes:
        job: its facts, without the bytes.
        num_bytes: size of the body.
        name: of this very body, for those who hold something made from it.
    """

    job: "Job"
    num_bytes: int
    name: str
    _body: bytes | None
    _packed: bytes = b""

    @classmethod
    def of(cls, job: "Job") -> "CachedJob":
        """A job with the body that it was parsed from."""
        return cls(job.without_sections(), len(job.body), f"{job.id}\n{next(_serial)}", job.body)

    @property
    def is_compressed(self) -> bool:
        """Whether only the compressed body is held."""
        return self._body is None

    @property
    def num_cached_bytes(self) -> int:
        """Bytes that it takes in memory."""
        return len(self._body or b"") + len(self._packed)

    async def body(self) -> bytes:
        """The job's JSON, as it came."""
        if self._body is not None:
            return self._body
        if len(self._packed) < _THREAD_BYTES:
            return zlib.decompress(self._packed)
        return await anyio.to_thread.run_sync(zlib.decompress, self._packed)

    async def compress(self) -> None:
        """Hold the body compressed."""
        body = self._body
        if body is None:
            return
        if len(body) < _THREAD_BYTES:
            self._packed = zlib.compress(body, _FASTEST)
        else:
            # zlib lets other threads run meanwhile.
            self._packed = await anyio.to_thread.run_sync(zlib.compress, body, _FASTEST)
        self._body = None


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    cached: CachedJob
    cached_at: float
    is_billed: bool


class JobCache:
    """A store in memory."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._entries: OrderedDict[JobKey, _CacheEntry] = OrderedDict()
        self._sizes: dict[JobKey, int] = {}
        self._num_bytes = 0

    @property
    def num_bytes(self) -> int:
        """What is kept takes."""
        return self._num_bytes

    def __len__(self) -> int:
        """How many jobs are kept."""
        return len(self._entries)

    def find(self, key: JobKey, *, billed: bool = False) -> CachedJob | None:
        """A job that is kept; None where it is not, or its usage deserves another look.

        Args:
            key: whose job it is.
            billed: only with the usage that billing has recorded.
        """
        entry = self._entries.get(key)
        if entry is None or (billed and not entry.is_billed):
            return None
        if not entry.is_billed and self._clock.monotonic() - entry.cached_at >= _UNBILLED_SECONDS:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.cached

    async def get(self, key: JobKey) -> "Job | None":
        """The job with all its sections, parsed again from what is kept."""
        cached = self.find(key)
        return None if cached is None else await parse_cached(cached)

    async def put(self, key: JobKey, job: "Job", *, compressed: bool = True) -> CachedJob:
        """Keep a job that was fetched with all its sections; one that has not ended is let be.

        Args:
            key: whose job it is.
            job: the job.
            compressed: compress it at once; else `compress` does, when there is time.
        """
        cached = CachedJob.of(job)
        if not job.is_terminal:
            return cached
        if compressed:
            await cached.compress()
        self._drop(key)
        if cached.num_cached_bytes <= self._max_bytes or not compressed:
            self._entries[key] = _CacheEntry(cached, self._clock.monotonic(), self._is_billed(job))
            self.measure(key)
        return cached

    async def compress(self, key: JobKey) -> None:
        """Compress a job that was put as it came."""
        entry = self._entries.get(key)
        if entry is not None:
            await entry.cached.compress()
            self.measure(key)

    def measure(self, key: JobKey) -> None:
        """Take note that a job has grown or shrunk; those not asked for longest go where there is no room."""
        entry = self._entries.get(key)
        if entry is None:
            return
        size = entry.cached.num_cached_bytes
        self._num_bytes += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        while self._num_bytes > self._max_bytes and self._entries:
            self._drop(next(iter(self._entries)))

    def _is_billed(self, job: "Job") -> bool:
        if job.usage is not None and job.usage.credits is not None:
            return True
        # Some jobs are never billed, and older formats carry no usage.
        return job.updated_at is not None and self._clock.now() - job.updated_at > _BILLED_BY_THEN

    def _drop(self, key: JobKey) -> None:
        if self._entries.pop(key, None) is not None:
            self._num_bytes -= self._sizes.pop(key, 0)


async def parse_cached(cached: CachedJob) -> "Job":
    """The job with all its sections."""
    from llx_mcp.models import Job

    body = await cached.body()
    return Job.parse(body) if len(body) < _THREAD_BYTES else await anyio.to_thread.run_sync(Job.parse, body)
