"""Jobs on their way: from LlamaCloud into a store, and from a store to files."""

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job.

    Attributes:
        failure: why it was not recorded; None where it was.
        has_document: whether its document was recorded with it.
    """

    job_id: str
    failure: LlxError | None = None
    has_document: bool = False


async def record_jobs(settings: Settings, job_ids: Sequence[str], store: "JobStore") -> list[Outcome]:
    """Copy jobs from LlamaCloud, all sections of each, with the document where the key may read it.

    Args:
        settings: key and address of the service.
        job_ids: jobs that have ended.
        store: where they go, in place of ones with the same id.

    Returns:
        What became of each, in the order given; one that cannot be copied keeps none of the others.
    """
    from llx_mcp.llamacloud import open_client

    outcomes: list[Outcome] = []
    async with open_client(settings) as client:
        for job_id in job_ids:
            try:
                outcomes.append(Outcome(job_id, has_document=await _record(client, job_id, store)))
            except LlxError as exc:
                outcomes.append(Outcome(job_id, exc))
    return outcomes


async def _record(client: "LlamaCloudClient", job_id: str, store: "JobStore") -> bool:
    from llx_mcp.local.seeding import PROJECT_ID
    from llx_mcp.models import EXPANDABLE_SECTIONS

    job = await client.fetch_job(job_id, EXPANDABLE_SECTIONS)
    if not job.is_terminal:
        words = f"It is {excerpt(job.status)}, and a recorded job stays as it is. Record it once it has ended: "
        raise ArgumentError(f"{words}llx-mcp wait {excerpt(job_id)}")
    sha256 = None
    # A parse job is no file, and says nothing of its own.
    if job.document and not job.document.startswith("pjb-"):
        try:
            document = await client.fetch_document(job.document)
        except (UpstreamError, ArgumentError):
            pass
        else:
            project_id = document.project_id or job.project_id or PROJECT_ID
            now = datetime.now(UTC)
            file = store.files.put_file(
                document.content, document.name, now, project_id=project_id, purpose="extract", file_id=job.document
            )
            sha256 = file.sha256
    store.import_job(job.dump(), document_sha256=sha256)
    return sha256 is not None


def export_job(store: "JobStore", job_id: str, folder: Path) -> Path:
    """Write one job to `ID.job.json` in the folder, in the very bytes in which it came; returns the file.

    Raises:
        ArgumentError: the store has no such job, or the file holds something else already.
        OSError: the file cannot be written.
    """
    body = store.read_body(job_id)
    if body is None:
        raise ArgumentError("The store holds no such job. llx-mcp local list shows those that it holds.")
    # An id is any text: what a file's name cannot hold is percent-encoded.
    path = folder / f"{quote(job_id, safe='')}.job.json"
    try:
        with path.open("xb") as file:
            file.write(body)
    except FileExistsError:
        if path.read_bytes() != body:
            raise ArgumentError(
                f"{path} is there already and holds something else. Move it, or name another folder."
            ) from None
    return path
