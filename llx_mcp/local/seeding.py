"""Opening a store and adding the sample jobs and their documents to it."""

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from llx_mcp.local.database import StoreError
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.local.samples import SAMPLES, Sample, read_document, read_sample
from llx_mcp.models import Job

# The project of the samples, and of jobs and files that are created without a project.
PROJECT_ID = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
# When the documents of the samples were uploaded: before their jobs were created.
_SAMPLES_UPLOADED = datetime(2026, 7, 6, 8, 59, tzinfo=UTC)


def open_store(path: Path | None = None, *, with_samples: bool = True) -> JobStore:
    """Open a store.

    Args:
        path: The file, created if it does not exist; None uses memory.
        with_samples: Add the samples that the store does not hold yet.

    Raises:
        StoreError: The file cannot be opened as a store.
    """
    store = JobStore(path)
    try:
        if with_samples:
            _add_samples(store)
    except (sqlite3.Error, StoreError) as exc:
        store.close()
        raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
    return store


def _add_samples(store: JobStore) -> None:
    job_ids = {job_id for job_id, _ in store.list_jobs()}
    file_ids = {file.file_id for file in store.files.list_files()}
    for sample in SAMPLES:
        _add_sample(store, sample, job_ids, file_ids)


def _add_sample(store: JobStore, sample: Sample, job_ids: set[str], file_ids: set[str]) -> None:
    body = read_sample(sample)
    file_id = Job.parse(body).document
    if sample.job_id in job_ids and file_id in file_ids:
        return
    document = read_document(sample)
    sha256 = hashlib.sha256(document).hexdigest()
    if file_id and file_id not in file_ids:
        name = f"{sample.document}.pdf"
        store.files.put_file(
            document, name, _SAMPLES_UPLOADED, project_id=PROJECT_ID, purpose="extract", file_id=file_id
        )
        file_ids.add(file_id)
    if sample.job_id in job_ids:
        # The first schema version had jobs without documents.
        store.set_document_sha256(sample.job_id, sha256)
    else:
        store.import_job(body, Timeline(*sample.timeline), document_sha256=sha256)
