"""A cache of finished jobs with a byte budget, which evicts the least recently used.

A finished job no longer changes, except for its usage, which billing records later. The cache holds the compressed
body of a job, not its decoded tree. Several credentials may share a cache and its budget. Then the credential that
holds the most loses a job first, so none can evict the jobs of one that holds less.
"""

import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from llx_mcp.jobs.clock import Clock
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

MAX_BYTES = 256 * 1024 * 1024

# Compressing a smaller body takes less time than starting a thread.
_THREAD_BYTES = 1 << 18
_FASTEST = 1
_UNCOMPRESSED_SHARE = 0.25
# A job without billed usage is fetched again after this time,
_UNBILLED_SECONDS = 60.0
# unless it ended so long ago that it will never be billed.
_MAX_BILLING_DELAY = timedelta(days=1)
_serial = count()

# How recent the usage of a cached job must be.
UsageNeed = Literal["any", "recent", "billed"]


@dataclass(frozen=True, slots=True)
class JobKey:
    """Key of a cached job. It includes the credential, so no credential sees a job cached for another.

    Attributes:
        identity: digest of the API key and the service's address.
        scope: project and organization of the request.
        job_id: id of the job, as in the request.
    """

    identity: str
    scope: Scope
    job_id: str


@dataclass(eq=False, slots=True)
class CachedJob:
    """A job that was fetched with all its sections.

    Attributes:
        job: the job without its sections.
        num_bytes: size of the uncompressed body.
        name: unique name of this body; a worker process uses it to recognize a job that it has decoded.
    """

    job: "Job"
    num_bytes: int
    name: str
    _body: bytes | None
    _packed: bytes = b""
    _compressing: anyio.Lock = field(default_factory=anyio.Lock)

    @classmethod
    def of(cls, job: "Job") -> "CachedJob":
        """Make a cached job from a job and the body that it was parsed from."""
        return cls(job.without_sections(), len(job.body), f"{job.id}\n{next(_serial)}", job.body)

    @property
    def is_compressed(self) -> bool:
        """Whether only the compressed body is held."""
        return self._body is None

    @property
    def num_cached_bytes(self) -> int:
        """Memory of the body as it is held."""
        return len(self._body or b"") + len(self._packed)

    async def body(self) -> bytes:
        """Return the job's JSON, as the service sent it."""
        if self._body is not None:
            return self._body
        if len(self._packed) < _THREAD_BYTES:
            return zlib.decompress(self._packed)
        return await anyio.to_thread.run_sync(zlib.decompress, self._packed)

    async def compress(self) -> None:
        """Replace the body by its compressed form."""
        async with self._compressing:
            body = self._body
            if body is None:
                return
            if len(body) < _THREAD_BYTES:
                self._packed = zlib.compress(body, _FASTEST)
            else:
                # zlib releases the interpreter lock.
                self._packed = await anyio.to_thread.run_sync(zlib.compress, body, _FASTEST)
            self._body = None


@dataclass(eq=False, slots=True)
class _Entry:
    cached: CachedJob
    cached_at: float
    is_billed: bool
    num_counted_bytes: int = 0


class JobCache:
    """An in-memory LRU cache of finished jobs, for one or more credentials. The budget counts compressed bodies.

    A body that is not compressed yet does not count, because its size in the cache is not known. All such bodies
    together are limited to a quarter of the budget, or to the newest body where that alone is larger.
    """

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        # The entries of each credential, the latest used last, and the bytes that count of each.
        self._entries: dict[str, OrderedDict[JobKey, _Entry]] = {}
        self._num_bytes: dict[str, int] = {}

    @property
    def num_bytes(self) -> int:
        """The bytes that count against the budget."""
        return sum(self._num_bytes.values())

    def job_ids(self, identity: str) -> list[str]:
        """Return the ids of a credential's cached jobs, the latest used first."""
        return list(dict.fromkeys(key.job_id for key in reversed(self._entries.get(identity, {}))))

    def forget(self, identity: str) -> None:
        """Drop all jobs of a credential."""
        self._entries.pop(identity, None)
        self._num_bytes.pop(identity, None)

    def find(self, key: JobKey, *, usage: UsageNeed = "recent") -> CachedJob | None:
        """Return a cached job; None if there is none, or none with such usage.

        Args:
            key: the job and its credential.
            usage: `billed` needs the billed usage, `recent` also takes a job that was fetched within the last minute,
                and `any` takes every job.
        """
        entry = self._find_entry(key)
        if entry is None or not self._has_usage(entry, usage):
            return None
        self._entries[key.identity].move_to_end(key)
        return entry.cached

    async def put(self, key: JobKey, job: "Job", *, compressed: bool = True) -> CachedJob:
        """Cache a job if it has ended, and return it as a cached job in any case.

        Args:
            key: the job and its credential.
            job: the job with all its sections.
            compressed: whether to compress it now; otherwise call `compress` later.
        """
        cached = CachedJob.of(job)
        if not job.is_terminal or not self._max_bytes:
            return cached
        if compressed:
            await cached.compress()
        else:
            await self._limit_uncompressed(cached.num_bytes)
        self._drop(key)
        entry = _Entry(cached, self._clock.monotonic(), self._is_billed(job))
        self._entries.setdefault(key.identity, OrderedDict())[key] = entry
        self._count(key, entry)
        return cached

    async def compress(self, key: JobKey) -> None:
        """Compress a job that was cached without compression."""
        entry = self._find_entry(key)
        if entry is None:
            return
        await entry.cached.compress()
        if self._find_entry(key) is entry:
            self._count(key, entry)

    def _find_entry(self, key: JobKey) -> _Entry | None:
        own = self._entries.get(key.identity)
        return None if own is None else own.get(key)

    async def _limit_uncompressed(self, num_new_bytes: int) -> None:
        """Compress the oldest of the uncompressed bodies until a new one fits beside the others."""
        entries = [item for own in self._entries.values() for item in own.items()]
        waiting = [(key, entry.cached) for key, entry in entries if not entry.cached.is_compressed]
        num_bytes = num_new_bytes + sum(cached.num_bytes for _, cached in waiting)
        for key, cached in waiting:
            if num_bytes <= self._max_bytes * _UNCOMPRESSED_SHARE:
                return
            await self.compress(key)
            num_bytes -= cached.num_bytes

    def _count(self, key: JobKey, entry: _Entry) -> None:
        """Count a job if it is compressed, and evict the least recently used jobs while the budget is exceeded."""
        size = entry.cached.num_cached_bytes if entry.cached.is_compressed else 0
        if size > self._max_bytes:
            # It would evict every other job, and itself in the end.
            self._drop(key)
            return
        self._add_bytes(key.identity, size - entry.num_counted_bytes)
        entry.num_counted_bytes = size
        while self.num_bytes > self._max_bytes:
            largest = max(self._num_bytes, key=self._num_bytes.__getitem__)
            self._drop(next(iter(self._entries[largest])))

    def _add_bytes(self, identity: str, num_bytes: int) -> None:
        self._num_bytes[identity] = self._num_bytes.get(identity, 0) + num_bytes

    def _has_usage(self, entry: _Entry, usage: UsageNeed) -> bool:
        if entry.is_billed or usage == "any":
            return True
        return usage == "recent" and self._clock.monotonic() - entry.cached_at < _UNBILLED_SECONDS

    def _is_billed(self, job: "Job") -> bool:
        if job.has_billed_usage:
            return True
        # Some jobs are never billed, and older formats carry no usage.
        return job.updated_at is not None and self._clock.now() - job.updated_at > _MAX_BILLING_DELAY

    def _drop(self, key: JobKey) -> None:
        entry = self._find_entry(key)
        if entry is not None:
            del self._entries[key.identity][key]
            self._add_bytes(key.identity, -entry.num_counted_bytes)


async def parse_cached(cached: CachedJob) -> "Job":
    """Return the job with all its sections."""
    from llx_mcp.models import Job

    body = await cached.body()
    return Job.parse(body) if len(body) < _THREAD_BYTES else await anyio.to_thread.run_sync(Job.parse, body)
