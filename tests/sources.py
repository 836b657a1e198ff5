"""A source of jobs without a service: bodies by their ids."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio.lowlevel
import anyio.to_thread

from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.models import Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

# As the client does, so that a large body is not parsed in the event loop.
THREAD_BYTES = 1 << 20


class Bodies:
    """Hands out the body of each job that is asked for, and counts how often."""

    def __init__(self, body_of: Callable[[str], bytes]) -> None:
        self.body_of = body_of
        self.fetched = 0

    @property
    def clock_offset_seconds(self) -> float:
        """Its clock is ours."""
        return 0.0

    def identity(self) -> str:
        """There is but one."""
        return "bodies"

    def derive_key(self, purpose: str) -> bytes:
        """No secret."""
        return purpose.encode()

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        scope: Scope = DEFAULT_SCOPE,
        *,
        max_tries: int | None = None,
    ) -> Job:
        """One job."""
        self.fetched += 1
        await anyio.lowlevel.checkpoint()
        body = self.body_of(job_id)
        return Job.parse(body) if len(body) < THREAD_BYTES else await anyio.to_thread.run_sync(Job.parse, body)

    async def fetch_file_names(self, *_: object, **__: object) -> dict[str, str]:
        """None."""
        return {}

    async def list_jobs(
        self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> JobPage:
        """Those of the jobs that are in one of the states."""
        jobs = [Job.parse(self.body_of(job_id)) for job_id in wanted.job_ids]
        return JobPage(tuple(job for job in jobs if not wanted.statuses or job.status in wanted.statuses))


def open_bodies(source: Bodies) -> OpenSource:
    """The source as a server takes it."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        yield source

    return open_source
