"""A store as people expect to find it: with the samples and their documents in it."""

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from llx_mcp.local.job_store import JobStore, StoreError
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.local.samples import SAMPLES, Sample, read_document, read_sample
from llx_mcp.models import Job

# The samples' project, and that of whatever is created without naming one.
PROJECT_ID = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
_DRAWN = datetime(2026, 1, 5, 9, tzinfo=UTC)


def open_store(path: Path | None = None, *, with_samples: bool = True) -> JobStore:
    """A store with the samples that ship with the package, where it does not hold them yet.

    Raises:
        StoreError: the file cannot be opened as a store.
    """
    store = JobStore(path)
    try:
        held = {job_id for job_id, _ in store.list_jobs()} if with_samples else set()
        held_files = {file.file_id for file in store.files.list_files()} if with_samples else set()
        for sample in SAMPLES if with_samples else ():
            _put_sample(store, sample, held, held_files)
    except sqlite3.Error as exc:
        store.close()
        raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
    return store


def _put_sample(store: JobStore, sample: Sample, held: set[str], held_files: set[str]) -> None:
    body = read_sample(sample)
    file_id = Job.parse(body).document
    if sample.job_id in held and file_id in held_files:
        return
    document = read_document(sample)
    sha256 = hashlib.sha256(document).hexdigest()
    if file_id and file_id not in held_files:
        name = f"{sample.document}.pdf"
        store.files.put_file(document, name, _DRAWN, project_id=PROJECT_ID, purpose="extract", file_id=file_id)
        held_files.add(file_id)
    if sample.job_id in held:
        # From a store of before documents were kept.
        store.name_document(sample.job_id, sha256)
    else:
        store.import_job(body, Timeline(*sample.timeline), document_sha256=sha256)
