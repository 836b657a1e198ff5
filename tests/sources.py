"""A job source without a service, which returns bodies by job id."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio.lowlevel
import anyio.to_thread

from llx_mcp.jobs.creation_source import CreationSource
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.models import Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

# Like the client, it parses a large body in a thread.
THREAD_BYTES = 1 << 20


class Bodies:
    """A job source that takes each body from a function and counts its fetches. It creates nothing."""

    creation: CreationSource

    def __init__(self, body_of: Callable[[str], bytes]) -> None:
        self.body_of = body_of
        self.num_fetches = 0

    @property
    def clock_offset_seconds(self) -> float:
        """Always 0: it uses the clock of this machine."""
        return 0.0

    def identity(self) -> str:
        """Return the same identity for all."""
        return "bodies"

    def derive_key(self, purpose: str) -> bytes:
        """Return the purpose itself, which is no secret."""
        return purpose.encode()

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        scope: Scope = DEFAULT_SCOPE,
        *,
        max_tries: int | None = None,
    ) -> Job:
        """Return one job."""
        self.num_fetches += 1
        await anyio.lowlevel.checkpoint()
        body = self.body_of(job_id)
        return Job.parse(body) if len(body) < THREAD_BYTES else await anyio.to_thread.run_sync(Job.parse, body)

    async def fetch_file_names(self, *_: object, **__: object) -> dict[str, str]:
        """Return no names."""
        return {}

    async def list_jobs(
        self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> JobPage:
        """Return those of the jobs that have one of the statuses."""
        jobs = [Job.parse(self.body_of(job_id)) for job_id in wanted.job_ids]
        return JobPage(tuple(job for job in jobs if not wanted.statuses or job.status in wanted.statuses))


def open_bodies(source: Bodies) -> OpenSource:
    """Return a function that opens the source."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        yield source

    return open_source
