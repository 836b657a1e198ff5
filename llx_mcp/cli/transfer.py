"""Copies jobs from LlamaCloud or from files into a local database, and from a database to files."""

import hashlib
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
    from llx_mcp.local.scenarios import Scenario
    from llx_mcp.models import Job

_JOB_SUFFIX = ".job.json"
_PDF = b"%PDF-"
# A PDF may begin with other bytes.
_HEAD_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class RecordResult:
    """The result of recording one job.

    Attributes:
        job_id: the id of the job.
        error: why the job was not recorded; None if it was.
        document_error: why its document was not recorded; None if it was, or if the job was not.
    """

    job_id: str
    error: LlxError | None = None
    document_error: LlxError | None = None


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
                results.append(RecordResult(job_id, document_error=await _record(client, job_id, store)))
            except LlxError as exc:
                results.append(RecordResult(job_id, exc))
    return results


async def _record(client: "LlamaCloudClient", job_id: str, store: "JobStore") -> LlxError | None:
    """Record one job; return why its document was not recorded, None if it was."""
    from llx_mcp.models import EXPANDABLE_SECTIONS

    job = await client.fetch_job(job_id, EXPANDABLE_SECTIONS)
    if not job.is_terminal:
        raise ArgumentError(
            f"The job is {excerpt(job.status)}, and only finished jobs can be recorded. Wait for it first: llx-mcp "
            f"wait {excerpt(job_id)}"
        )
    sha256 = error = None
    try:
        sha256 = await _record_document(client, job, store)
    except (UpstreamError, ArgumentError) as exc:
        error = exc
    store.import_job(job.dump(), document_sha256=sha256)
    return error


async def _record_document(client: "LlamaCloudClient", job: "Job", store: "JobStore") -> str:
    """Record the document of a job; return its SHA-256.

    Raises:
        ArgumentError: the job was made from no file, or its id cannot be sent.
        UpstreamError: the key cannot read the file, or it is gone.
    """
    from llx_mcp.models import PARSE_JOB_PREFIX

    if not job.document or job.document.startswith(PARSE_JOB_PREFIX):
        raise ArgumentError("The job was made from no file.")
    document = await client.documents.fetch_document(job.document)
    return _put_document(
        store, job, document.content, document.name, file_id=job.document, project_id=document.project_id
    )


def _put_document(
    store: "JobStore",
    job: "Job",
    content: bytes,
    name: str,
    *,
    file_id: str | None = None,
    project_id: str | None = None,
) -> str:
    """Store the document of a job, and return its SHA-256. Without an id it gets a new one."""
    from llx_mcp.local.seeding import PROJECT_ID

    project_id = project_id or job.project_id or PROJECT_ID
    now = datetime.now(UTC)
    file = store.files.put_file(content, name, now, project_id=project_id, purpose="extract", file_id=file_id)
    return file.sha256


def import_job(store: "JobStore", path: Path, scenario: "Scenario | None", document: Path | None) -> str:
    """Copy a job from a JSON file, and its document.

    Args:
        store: the database to write to; a job with the same id is replaced.
        path: the file of the job.
        scenario: how the job runs; None takes it from the name of the file, or the default.
        document: the file of its document; None takes the PDF with the same name beside the job, if there is one.

    Returns:
        A line that says what was imported.

    Raises:
        ArgumentError: the file holds no job, its document is no PDF, or the job names no document to which it could
            belong.
        OSError: a file cannot be read.
    """
    from llx_mcp.local.scenarios import apply_scenario, get_scenario, scenario_from_file_name
    from llx_mcp.models import Job, MalformedJobError

    chosen = scenario or scenario_from_file_name(path.name) or get_scenario("instant")
    found = document or _find_document(path)
    try:
        body = apply_scenario(path.read_bytes(), chosen)
        job = Job.parse(body)
    except MalformedJobError as exc:
        raise ArgumentError(str(exc)) from None
    replaced = None if found is None else store.files.get_file(job.document or "")
    sha256 = None if found is None else _import_document(store, job, found)
    store.import_job(body, chosen.timeline, document_sha256=sha256)
    if found is None:
        return f"{job.id}  {path}"
    note = f" (it replaces {replaced.name})" if replaced is not None and replaced.sha256 != sha256 else ""
    return f"{job.id}  {path}  with {found}{note}"


def _find_document(path: Path) -> Path | None:
    """Return the PDF beside the file of a job that has the same name; None if there is none."""
    name = path.name.removesuffix(_JOB_SUFFIX) if path.name.endswith(_JOB_SUFFIX) else path.stem
    beside = path.with_name(f"{name}.pdf")
    return beside if beside.is_file() else None


def _import_document(store: "JobStore", job: "Job", path: Path) -> str:
    """Store a file as the document of a job, under the id that the job names; return its SHA-256."""
    from llx_mcp.models import PARSE_JOB_PREFIX

    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ArgumentError(f"Its document {path} cannot be read: {exc.strerror}.") from None
    if not content:
        raise ArgumentError(f"Its document {path} is empty.")
    if _PDF not in content[:_HEAD_BYTES]:
        raise ArgumentError(f"Its document {path} is no PDF, and citations are checked in PDFs only. Give the PDF.")
    if not job.document:
        raise ArgumentError(
            f"It names no file_input, so {path} cannot be its document. Import it without the document."
        )
    if not job.document.startswith(PARSE_JOB_PREFIX):
        return _put_document(store, job, content, path.name, file_id=job.document)
    # A parse job is not a file: the job finds its file by the content.
    sha256 = hashlib.sha256(content).hexdigest()
    if store.files.find_content(sha256) is None:
        _put_document(store, job, content, path.name)
    return sha256


def export_job(store: "JobStore", job_id: str, folder: Path) -> list[Path]:
    """Write a job to `ID.job.json` in a folder, byte for byte, and its document to `ID.pdf` if it is a PDF.

    Returns:
        The paths of the files.

    Raises:
        ArgumentError: the database has no such job, or a file exists with other content.
        OSError: a file cannot be written.
    """
    body = store.read_body(job_id)
    if body is None:
        raise ArgumentError("The database has no such job. llx-mcp local list shows its jobs.")
    # An id is any text, so characters that a file name cannot hold are percent-encoded.
    name = quote(job_id, safe="")
    paths = [_write_once(folder / f"{name}{_JOB_SUFFIX}", body)]
    content = _read_pdf(store, body)
    if content is not None:
        paths.append(_write_once(folder / f"{name}.pdf", content))
    return paths


def _read_pdf(store: "JobStore", body: bytes) -> bytes | None:
    """Return the document of a job; None if it is not stored, or is no PDF."""
    from llx_mcp.models import PARSE_JOB_PREFIX, Job

    document = Job.parse(body).document or ""
    if document.startswith(PARSE_JOB_PREFIX):
        parse_job = store.parse_jobs.find(document, None)
        file = None if parse_job is None else parse_job.file
    else:
        file = store.files.get_file(document)
    content = None if file is None else store.files.get_content(file)
    return content if content is not None and _PDF in content[:_HEAD_BYTES] else None


def _write_once(path: Path, content: bytes) -> Path:
    """Write a new file; one that exists must have the same content."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        if path.read_bytes() != content:
            raise ArgumentError(f"{path} exists with other content. Move it, or choose another folder.") from None
    return path
