"""A cache of finished jobs.

A finished job no longer changes, except for its usage, which billing records later. The cache holds the compressed
body of a job, not its decoded tree.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from llx_mcp.jobs.byte_cache import MAX_BYTES, THREAD_BYTES, ByteCache, CachedBytes
from llx_mcp.jobs.clock import Clock
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

# A job without billed usage is fetched again after this time,
_UNBILLED_SECONDS = 60.0
# unless it ended so long ago that it will never be billed.
_MAX_BILLING_DELAY = timedelta(days=1)
# The results of so many calls are kept with a job. Beside its bytes, each takes up to this much memory.
_MAX_RESULTS = 8
_RESULT_BYTES = 1_000
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


class CachedJob(CachedBytes):
    """A job that was fetched with all its sections; its bytes are the job's JSON, as the service sent it.

    Attributes:
        job: the job without its sections.
        name: unique name of this body; a worker process uses it to recognize a job that it has decoded.
        cached_at: when it was cached, by the monotonic clock.
        is_billed: whether its usage will not change any more.
        is_slow: whether an answer about it took so long that a worker process gives the next ones.
    """

    def __init__(self, job: "Job") -> None:
        """Make a cached job from a job and the body that it was parsed from."""
        super().__init__(job.body)
        self.job = job.without_sections()
        self.name = f"{job.id}\n{next(_serial)}"
        self.cached_at = 0.0
        self.is_billed = False
        self.is_slow = False
        # The latest used last.
        self._results: OrderedDict[bytes, bytes] = OrderedDict()

    @property
    def num_cached_bytes(self) -> int:
        """Memory of the body and of the results of calls."""
        results = sum(_RESULT_BYTES + len(call) + len(result) for call, result in self._results.items())
        return super().num_cached_bytes + results

    def find_result(self, call: bytes) -> bytes | None:
        """Return the result that a call had before; None if it is not kept."""
        result = self._results.get(call)
        if result is not None:
            self._results.move_to_end(call)
        return result

    def keep_result(self, call: bytes, result: bytes) -> None:
        """Keep the result of a call. The cache of the job has a method for this, which counts it."""
        self._results[call] = result
        if len(self._results) > _MAX_RESULTS:
            self._results.popitem(last=False)


class JobCache:
    """Finished jobs of one or more credentials, within the budget of a cache.

    Attributes:
        entries: the cache, which may hold other things too.
    """

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self.entries = ByteCache(max_bytes)
        self._clock = clock

    def job_ids(self, identity: str) -> list[str]:
        """Return the ids of a credential's cached jobs, the latest used first."""
        keys = self.entries.newest_first(identity)
        return list(dict.fromkeys(key.job_id for key in keys if isinstance(key, JobKey)))

    def forget_job(self, job_id: str) -> None:
        """Drop a job of every credential, because it was deleted."""
        for identity in self.entries.list_identities():
            for key in list(self.entries.newest_first(identity)):
                if isinstance(key, JobKey) and key.job_id == job_id:
                    self.entries.drop(key)

    def forget_credential(self, identity: str) -> None:
        """Drop everything that the cache holds for a credential: its jobs, its documents and their texts."""
        self.entries.drop_all(identity)

    def find(self, key: JobKey, *, usage: UsageNeed = "recent") -> CachedJob | None:
        """Return a cached job; None if there is none, or none with such usage.

        Args:
            key: the job and its credential.
            usage: `billed` needs the billed usage, `recent` also takes a job that was fetched within the last minute,
                and `any` takes every job.
        """
        cached = self.entries.peek(key)
        if not isinstance(cached, CachedJob) or not self._has_usage(cached, usage):
            return None
        self.entries.find(key)
        return cached

    async def put(self, key: JobKey, job: "Job", *, compressed: bool = True) -> CachedJob:
        """Cache a job if it has ended, and return it as a cached job in any case.

        Args:
            key: the job and its credential.
            job: the job with all its sections.
            compressed: whether to compress it now; otherwise call `compress` later.
        """
        cached = CachedJob(job)
        if job.is_terminal:
            await self.entries.put(key, cached, compressed=compressed)
            cached.cached_at = self._clock.monotonic()
            cached.is_billed = self._is_billed(job)
        return cached

    def keep_result(self, key: JobKey, call: bytes, result: bytes) -> None:
        """Keep the result of a call about a cached job, with those of a few other calls."""
        cached = self.entries.peek(key)
        if isinstance(cached, CachedJob):
            cached.keep_result(call, result)
            self.entries.recount(key)

    async def compress(self, key: JobKey) -> None:
        """Compress a job that was cached without compression."""
        await self.entries.compress(key)

    def _has_usage(self, cached: CachedJob, usage: UsageNeed) -> bool:
        if cached.is_billed or usage == "any":
            return True
        return usage == "recent" and self._clock.monotonic() - cached.cached_at < _UNBILLED_SECONDS

    def _is_billed(self, job: "Job") -> bool:
        if job.has_billed_usage:
            return True
        # Some jobs are never billed, and older formats carry no usage.
        return job.updated_at is not None and self._clock.now() - job.updated_at > _MAX_BILLING_DELAY


async def parse_cached(cached: CachedJob) -> "Job":
    """Return the job with all its sections."""
    from llx_mcp.models import Job

    body = await cached.body()
    return Job.parse(body) if len(body) < THREAD_BYTES else await anyio.to_thread.run_sync(Job.parse, body)
