"""The interface to the service: what the polling and reading of jobs need of a client."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job, JobPage


class JobSource(Protocol):
    """Reads jobs with one key. `max_tries` bounds the tries of a request; None leaves them to the client."""

    @property
    def clock_offset_seconds(self) -> float:
        """How far the service's clock is ahead of this machine's, from the `Date` of its latest response."""
        ...

    def identity(self) -> str:
        """Return a digest of key and address, the same wherever both are the same.

        Raises:
            ConfigurationError: there is no key.
        """
        ...

    def derive_key(self, purpose: str) -> bytes:
        """Return a secret for one purpose, made from the key; the same wherever `identity` is the same.

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
