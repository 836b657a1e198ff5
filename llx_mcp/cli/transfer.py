"""Copies jobs from LlamaCloud into a local database, and from a database to files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from llx_mcp.errors import ArgumentError, LlxError, UpstreamError, excerpt
from llx_mcp.settings import Settings

if TYPE_CHECKING:
    from llx_mcp.llamacloud.client import LlamaCloudClient
    from llx_mcp.local import JobStore
    from llx_mcp.models import Job


@dataclass(frozen=True, slots=True)
class RecordResult:
    """The result of recording one job.

    Attributes:
        job_id: the id of the job.
        error: why the job was not recorded; None if it was.
        has_document: whether its document was recorded too.
    """

    job_id: str
    error: LlxError | None = None
    has_document: bool = False


async def record_jobs(settings: Settings, job_ids: Sequence[str], store: "JobStore") -> list[RecordResult]:
    """Copy jobs from LlamaCloud with all sections, and with their documents where the key may read them.

    Args:
        settings: key and address of the service.
        job_ids: ids of jobs that have ended.
        store: the database to write to; a job with the same id is replaced.

    Returns:
        One result for each job, in the order of the ids. An error with one job does not stop the others.
    """
    from llx_mcp.llamacloud import open_client

    results: list[RecordResult] = []
    async with open_client(settings) as client:
        for job_id in job_ids:
            try:
                results.append(RecordResult(job_id, has_document=await _record(client, job_id, store)))
            except LlxError as exc:
                results.append(RecordResult(job_id, exc))
    return results


async def _record(client: "LlamaCloudClient", job_id: str, store: "JobStore") -> bool:
    """Record one job; return whether its document was recorded too."""
    from llx_mcp.models import EXPANDABLE_SECTIONS

    job = await client.fetch_job(job_id, EXPANDABLE_SECTIONS)
    if not job.is_terminal:
        raise ArgumentError(
            f"The job is {excerpt(job.status)}, and only finished jobs can be recorded. Wait for it first: llx-mcp "
            f"wait {excerpt(job_id)}"
        )
    sha256 = await _record_document(client, job, store)
    store.import_job(job.dump(), document_sha256=sha256)
    return sha256 is not None


async def _record_document(client: "LlamaCloudClient", job: "Job", store: "JobStore") -> str | None:
    """Record the document of a job; return its SHA-256, or None if there is no document or the key cannot read it."""
    from llx_mcp.local.parse_jobs import PARSE_JOB_PREFIX
    from llx_mcp.local.seeding import PROJECT_ID

    if not job.document or job.document.startswith(PARSE_JOB_PREFIX):
        return None
    try:
        document = await client.documents.fetch_document(job.document)
    except (UpstreamError, ArgumentError):
        return None
    file = store.files.put_file(
        document.content,
        document.name,
        datetime.now(UTC),
        project_id=document.project_id or job.project_id or PROJECT_ID,
        purpose="extract",
        file_id=job.document,
    )
    return file.sha256


def export_job(store: "JobStore", job_id: str, folder: Path) -> Path:
    """Write one job to `ID.job.json` in a folder, byte for byte, and return the file's path.

    Raises:
        ArgumentError: the database has no such job, or the file exists with other content.
        OSError: the file cannot be written.
    """
    body = store.read_body(job_id)
    if body is None:
        raise ArgumentError("The database has no such job. llx-mcp local list shows its jobs.")
    # An id is any text, so characters that a file name cannot hold are percent-encoded.
    path = folder / f"{quote(job_id, safe='')}.job.json"
    try:
        with path.open("xb") as file:
            file.write(body)
    except FileExistsError:
        if path.read_bytes() != body:
            raise ArgumentError(f"{path} exists with other content. Move it, or choose another folder.") from None
    return path
