"""The seam to the service: what the jobs' side asks of it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llx_mcp.models import Job, JobPage


class JobSource(Protocol):
    """Reads jobs with one key."""

    @property
    def clock_offset_seconds(self) -> float:
        """How far the service's clock is ahead of this machine's, as far as its answers told."""
        ...

    def identity(self) -> str:
        """A digest of key and address, the same wherever both are the same.

        Raises:
            ConfigurationError: there is no key.
        """
        ...

    def derive_key(self, purpose: str) -> bytes:
        """A secret for one purpose, made from the key; the same wherever `identity` is the same.

        Raises:
            ConfigurationError: there is no key.
        """
        ...

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        project_id: str | None = None,
        organization_id: str | None = None,
        *,
        max_tries: int | None = None,
    ) -> "Job":
        """One job, with the sections named; None tries as often as the client does by itself."""
        ...

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
    ) -> "JobPage":
        """One page of the jobs that this key sees, those that pass every filter given."""
        ...

    async def fetch_file_names(
        self,
        file_ids: Sequence[str],
        project_id: str | None = None,
        organization_id: str | None = None,
        *,
        max_tries: int | None = None,
    ) -> dict[str, str]:
        """The names of the files that the service knows of these, by id."""
        ...


OpenSource = Callable[[], AbstractAsyncContextManager[JobSource]]
