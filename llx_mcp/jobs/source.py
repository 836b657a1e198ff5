"""The interface to the service: the requests that the polling and reading of jobs send."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from llx_mcp.jobs.clock import Clock
from llx_mcp.redaction import Redactor
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.evidence.pages import SourceText
    from llx_mcp.jobs.creation_source import CreationSource
    from llx_mcp.models import Job, JobPage


class DocumentSource(Protocol):
    """Reads the documents of jobs with one key."""

    async def fetch_parse_pages(
        self, parse_job_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> "SourceText":
        """Fetch the text of a parse job; `problem` says why there is none."""
        ...

    async def fetch_content(self, file_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None) -> bytes:
        """Fetch the content of a file."""
        ...

    async def fetch_screenshot(
        self, file_id: str, page_index: int, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> bytes | None:
        """Fetch the picture of one page, counted from 0; None where there is none."""
        ...


class JobSource(Protocol):
    """Reads jobs with one key. `max_tries` bounds the tries of a request; None leaves the number to the client."""

    @property
    def clock_offset_seconds(self) -> float:
        """How many seconds the service's clock is ahead of this machine's, by the `Date` of its latest response."""
        ...

    @property
    def creation(self) -> "CreationSource":
        """The requests that create, cancel and delete."""
        ...

    @property
    def documents(self) -> DocumentSource:
        """Reads the documents of the jobs."""
        ...

    def identity(self) -> str:
        """Return a digest of key and address, the same in every process that has both.

        Raises:
            ConfigurationError: there is no key.
        """
        ...

    def derive_key(self, purpose: str) -> bytes:
        """Return a secret for one purpose, derived from the key; equal wherever `identity` is equal.

        Raises:
            ConfigurationError: there is no key.
        """
        ...

    async def fetch_job(
        self, job_id: str, expand: Sequence[str] = (), scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> "Job":
        """Fetch one job with the named sections."""
        ...

    async def list_jobs(
        self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> "JobPage":
        """Fetch one page of the jobs that pass every filter."""
        ...

    async def fetch_file_names(
        self, file_ids: Sequence[str], scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> dict[str, str]:
        """Fetch the names of those files that the service knows, by id."""
        ...


OpenSource = Callable[[], AbstractAsyncContextManager[JobSource]]


def get_redactor(open_source: OpenSource) -> Redactor:
    """Return the attribute `redactor` of a function that opens a source; without it, one that removes nothing."""
    redactor = getattr(open_source, "redactor", None)
    return redactor if isinstance(redactor, Redactor) else Redactor()


def get_service_time(source: JobSource, clock: Clock) -> datetime:
    """Return the time of day by the service's clock."""
    return clock.now() + timedelta(seconds=source.clock_offset_seconds)
