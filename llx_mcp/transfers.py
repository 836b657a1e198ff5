"""Jobs on their way: from LlamaCloud into a store, and from a store to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from llx_mcp.errors import ArgumentError, LlxError
from llx_mcp.settings import Settings

if TYPE_CHECKING:
    from llx_mcp.local import JobStore


async def record_jobs(
    settings: Settings, job_ids: Sequence[str], store: "JobStore"
) -> list[tuple[str, LlxError | None]]:
    """Copy jobs from LlamaCloud, all sections of each; one that cannot be copied keeps none of the others.

    Args:
        settings: key and address of the service.
        job_ids: jobs that have ended.
        store: where they go, in place of ones with the same id.

    Returns:
        Each id with why it was not recorded, or None where it was, in the order given.
    """
    from llx_mcp.llamacloud import open_client
    from llx_mcp.models import EXPANDABLE_SECTIONS

    outcomes: list[tuple[str, LlxError | None]] = []
    async with open_client(settings) as client:
        for job_id in job_ids:
            failure: LlxError | None = None
            try:
                job = await client.fetch_job(job_id, EXPANDABLE_SECTIONS)
                if not job.is_terminal:
                    words = f"It is {job.status}, and a recorded job stays as it is. Record it once it has ended: "
                    raise ArgumentError(f"{words}llx-mcp wait {job_id}")
                store.import_job(job.dump())
            except LlxError as exc:
                failure = exc
            outcomes.append((job_id, failure))
    return outcomes


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
