"""A job source without a service, which returns bodies by job id, and documents that a test gives."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from llx_mcp.errors import LlxError, NotFoundError
from llx_mcp.evidence.pages import SourceText
from llx_mcp.jobs.creation_source import CreationSource
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.models import Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

Fetched = TypeVar("Fetched")

# Like the client, it parses a large body in a thread.
THREAD_BYTES = 1 << 20


class Documents:
    """Documents of jobs, with a log of what was fetched.

    Attributes:
        parse_jobs: the text of each parse job by its id, or the error that its fetch raises.
        files: the content of each file by its id, or the error that its fetch raises.
        screenshots: pictures by id of the file and index of the page.
        seconds: how long each fetch takes.
        fetched: the id that each fetch was about, in order.
        scopes: the scope of each fetch.
    """

    def __init__(self) -> None:
        self.parse_jobs: dict[str, SourceText | LlxError] = {}
        self.files: dict[str, bytes | LlxError] = {}
        self.screenshots: dict[tuple[str, int], bytes] = {}
        self.seconds = 0.0
        self.fetched: list[str] = []
        self.scopes: list[Scope] = []

    async def fetch_parse_pages(
        self, parse_job_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> SourceText:
        """Return the text of a parse job."""
        return await self._fetch(parse_job_id, self.parse_jobs.get(parse_job_id), scope)

    async def fetch_content(self, file_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None) -> bytes:
        """Return the content of a file."""
        return await self._fetch(file_id, self.files.get(file_id), scope)

    async def fetch_screenshot(
        self, file_id: str, page_index: int, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> bytes | None:
        """Return the picture of a page, if there is one."""
        self.fetched.append(file_id)
        return self.screenshots.get((file_id, page_index))

    async def _fetch(self, name: str, found: Fetched | LlxError | None, scope: Scope) -> Fetched:
        self.fetched.append(name)
        self.scopes.append(scope)
        await anyio.sleep(self.seconds)
        if isinstance(found, LlxError):
            raise found
        if found is None:
            raise NotFoundError("There is no such document.")
        return found


class Bodies:
    """A job source that takes each body from a function and counts its fetches. It creates nothing.

    Attributes:
        documents: the documents of the jobs.
    """

    creation: CreationSource

    def __init__(self, body_of: Callable[[str], bytes], key: str = "bodies") -> None:
        self.body_of = body_of
        self.num_fetches = 0
        self.documents = Documents()
        self._key = key

    @property
    def clock_offset_seconds(self) -> float:
        """Always 0: it uses the clock of this machine."""
        return 0.0

    def identity(self) -> str:
        """Return the name of the key."""
        return self._key

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
