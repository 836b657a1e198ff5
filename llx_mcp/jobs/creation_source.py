"""The interface to the service for creating."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from llx_mcp.scope import DEFAULT_SCOPE, Scope

if TYPE_CHECKING:
    from llx_mcp.models import CloudFile, Job


class Download(Protocol):
    """A document of the web."""

    @property
    def name(self) -> str:
        """The last part of the path of its address."""
        ...

    @property
    def media_type(self) -> str:
        """What its host says that it is; empty where it says nothing."""
        ...

    @property
    def content(self) -> bytes:
        """Its bytes."""
        ...


class CreationSource(Protocol):
    """Sends each request once. Every method raises an `UpstreamError` if there is no answer that can be used."""

    async def find_files(self, external_file_id: str, scope: Scope = DEFAULT_SCOPE) -> "tuple[CloudFile, ...]":
        """Return the files that were uploaded under an id."""
        ...

    async def fetch_file(self, file_id: str, scope: Scope = DEFAULT_SCOPE) -> "CloudFile":
        """Return what the service knows of a file."""
        ...

    async def download(self, url: str, max_bytes: int) -> Download:
        """Download a document from a public https address, if it has no more bytes."""
        ...

    async def upload(
        self, content: BinaryIO, name: str, external_file_id: str, scope: Scope = DEFAULT_SCOPE
    ) -> "CloudFile":
        """Upload a file."""
        ...

    async def validate_schema(self, data_schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schema, ready for use."""
        ...

    async def generate_schema(self, prompt: str, file_id: str, scope: Scope = DEFAULT_SCOPE) -> dict[str, Any]:
        """Return the parameters of a configuration for a document, with its `data_schema`."""
        ...

    async def fetch_configuration(self, configuration_id: str, scope: Scope = DEFAULT_SCOPE) -> dict[str, Any]:
        """Return the parameters of a saved configuration."""
        ...

    async def create(self, wanted: Mapping[str, Any], scope: Scope = DEFAULT_SCOPE) -> "Job":
        """Create a job. An `UnclearOutcomeError` says that there may be one, every other error that there is none."""
        ...

    async def cancel(self, job_id: str, scope: Scope = DEFAULT_SCOPE) -> None:
        """Cancel a job."""
        ...

    async def delete(self, job_id: str, scope: Scope = DEFAULT_SCOPE) -> None:
        """Delete a job."""
        ...
