"""A source of jobs without a service: bodies by their ids."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import anyio.lowlevel
import anyio.to_thread

from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.models import Job, JobPage

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
        project_id: str | None = None,
        organization_id: str | None = None,
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
        self,
        *,
        job_ids: Sequence[str] = (),
        status: Sequence[str] = (),
        file_input: str | None = None,
        configuration_id: str | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        max_tries: int | None = None,
    ) -> JobPage:
        """Those of the jobs that are in one of the states."""
        jobs = [Job.parse(self.body_of(job_id)) for job_id in job_ids]
        return JobPage(tuple(job for job in jobs if not status or job.status in status))


def open_bodies(source: Bodies) -> OpenSource:
    """The source as a server takes it."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        yield source

    return open_source
