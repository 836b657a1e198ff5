"""Fetches jobs with one key: each once for all concurrent callers, finished jobs from the cache."""

import math
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import LlxError
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.coordination import Coordination, LocalCoordinator, PollCoordinator
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from llx_mcp.jobs.single_flight import SingleFlight
from llx_mcp.jobs.source import OpenSource, get_service_time
from llx_mcp.observation import observe
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job, JobPage

# A larger body is compressed after its first answer, because both need the processor.
_COMPRESS_LATER_BYTES = 1 << 16
# A finished job is at hand, so its usage is not waited for longer than this.
_REFRESH_SECONDS = 10.0
# A list is useful without the names of files. After a request for names that took too long, none is sent for a while.
_NAMES_SECONDS = 10.0
_NAMES_PAUSE_SECONDS = 60.0


class JobFetcher:
    """Fetches jobs. It opens the source with the first request, so that the start of the server stays fast.

    Attributes:
        cache: the finished jobs.
        coordinator: coordinates the polls with other replicas, once the source is open.
    """

    def __init__(
        self,
        open_source: OpenSource,
        clock: Clock,
        stack: AsyncExitStack,
        group: TaskGroup,
        *,
        cache: JobCache,
        requests_per_minute: float | None,
        coordination: Coordination | None = None,
    ) -> None:
        self.cache = cache
        self.coordinator: PollCoordinator = LocalCoordinator()
        self._coordination = coordination
        self._open_source = open_source
        self._clock = clock
        self._stack = stack
        self._requests_per_minute = requests_per_minute
        self._source: RateLimitedSource | None = None
        self._opening = anyio.Lock()
        self._identity: str | None = None
        self._names_allowed_at = -math.inf
        self._fetches: SingleFlight[CachedJob] = SingleFlight(group)

    async def open(self) -> RateLimitedSource:
        """Return the source, opened once.

        Raises:
            ConfigurationError: it cannot be opened.
        """
        if self._source is not None:
            return self._source
        async with self._opening:
            if self._source is None:
                source = await self._stack.enter_async_context(self._open_source())
                rate = RateLimit(self._requests_per_minute)
                if self._coordination is not None:
                    self.coordinator = self._coordination.join(source.derive_key("replicas"), rate)
                    self._stack.callback(self.coordinator.close)
                self._source = RateLimitedSource(source, rate, self._clock)
        return self._source

    async def identity(self) -> str:
        """Return a digest of key and address, the same in every process that has both.

        Raises:
            ConfigurationError: there is no key.
        """
        if self._identity is None:
            self._identity = (await self.open()).identity()
        return self._identity

    @property
    def known_identity(self) -> str | None:
        """The digest of key and address, or None where nothing was requested yet."""
        return self._identity

    @property
    def is_key_accepted(self) -> bool:
        """Whether the service has answered any request of the key."""
        return self._source is not None and self._source.rate.has_succeeded

    async def build_key(self, job_id: str, scope: Scope) -> JobKey:
        """Return the cache key of a job for this credential.

        Raises:
            ConfigurationError: there is no key.
        """
        return JobKey(await self.identity(), scope, job_id)

    def service_now(self) -> datetime:
        """Return the time of day by the service's clock, or by ours before the first response."""
        return self._clock.now() if self._source is None else get_service_time(self._source, self._clock)

    def find_job(self, request: JobRequest) -> tuple[JobKey, CachedJob] | None:
        """Return a job and where it is cached; None if it is not, or its usage is older than the request needs."""
        if self._identity is None:
            return None
        key = JobKey(self._identity, request.scope, request.job_id)
        cached = self.cache.find(key, usage="billed" if "usage" in request.expand else "recent")
        return None if cached is None else (key, cached)

    async def fetch_job(self, request: JobRequest) -> CachedJob:
        """Return the job with all its sections, from the cache or from a fetch that concurrent callers share.

        Raises:
            LlxError: the job cannot be read; the message says what to do next.
        """
        key = await self.build_key(request.job_id, request.scope)
        with observe("cache") as step:
            found = self.find_job(request)
            unbilled = self.cache.find(key, usage="any") if found is None else None
            step.outcome = "hit" if found else "stale" if unbilled else "miss"
        if found is not None:
            return found[1]
        return await (self._share_fetch(key) if unbilled is None else self._refresh(key, unbilled))

    async def fetch_polled_job(self, request: JobRequest, job: "Job") -> CachedJob:
        """Return a job of a wait with its sections: cached, from its snapshot, or fetched if neither has them.

        Raises:
            LlxError: the job cannot be read; the message says what to do next.
        """
        cached = self.cache.find(await self.build_key(request.job_id, request.scope), usage="any")
        return cached or (CachedJob(job) if job.body else await self.fetch_job(request))

    async def fetch_page(self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE) -> "JobPage":
        """Fetch one page of the jobs that pass every filter.

        Raises:
            LlxError: the service gives no list; the message says what to do next.
        """
        return await (await self.open()).list_jobs(wanted, scope)

    async def fetch_file_names(self, file_ids: Sequence[str], scope: Scope = DEFAULT_SCOPE) -> dict[str, str]:
        """Return the names of those files that the service knows, by id; none if it does not answer soon."""
        if not file_ids or self._clock.monotonic() < self._names_allowed_at:
            return {}
        source = await self.open()
        with anyio.move_on_after(_NAMES_SECONDS) as limit:
            try:
                return await source.fetch_file_names(file_ids, scope, max_tries=1)
            except LlxError as exc:
                if not exc.is_transient:
                    self._names_allowed_at = math.inf
        if limit.cancelled_caught:
            self._names_allowed_at = self._clock.monotonic() + _NAMES_PAUSE_SECONDS
        return {}

    async def _share_fetch(self, key: JobKey) -> CachedJob:
        return await self._fetches.run(key, lambda: self._fetch(key))

    async def _refresh(self, key: JobKey, unbilled: CachedJob) -> CachedJob:
        """Fetch a finished job again for its usage. If the service cannot answer now, return it as it was."""
        source = await self.open()
        if source.rate.wait_seconds(self._clock.monotonic()) > 0:
            return unbilled
        with anyio.move_on_after(_REFRESH_SECONDS):
            try:
                return await self._share_fetch(key)
            except LlxError as exc:
                if not exc.is_transient:
                    raise
        return unbilled

    async def _fetch(self, key: JobKey) -> CachedJob:
        from llx_mcp.models import EXPANDABLE_SECTIONS

        source = await self.open()
        job = await source.fetch_job(key.job_id, EXPANDABLE_SECTIONS, key.scope)
        return await self.cache.put(key, job, compressed=len(job.body) < _COMPRESS_LATER_BYTES)
