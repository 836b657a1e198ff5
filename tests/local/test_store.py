"""A store keeps what it was given, and says clearly what it cannot open."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llx_mcp.local import SAMPLES, JobStore, open_store
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.local.store import SCHEMA_VERSION, StoreError
from llx_mcp.models import MalformedJobError, join_json

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b'{"id":"ext-1","status":"FAILED","error_message":null}'


def test_a_store_on_disk_keeps_jobs_and_has_the_samples_once(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    store = open_store(path)
    store.import_job(BODY)
    store.close()
    again = open_store(path)
    assert again.count() == len(SAMPLES) + 1
    job = again.get_job("ext-1", NOW)
    again.close()
    assert job is not None
    assert join_json(job.sections) == BODY


def test_a_job_imported_again_takes_the_place_of_the_first() -> None:
    store = JobStore()
    store.import_job(BODY, Timeline(running_seconds=60))
    store.get_job("ext-1", NOW)
    store.import_job(BODY.replace(b"FAILED", b"CANCELLED"))
    job = store.get_job("ext-1", NOW)
    store.close()
    assert job is not None
    assert bytes(job.sections["status"]) == b'"CANCELLED"'


def test_a_life_goes_on_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    first = JobStore(path)
    first.import_job(BODY, Timeline(pending_seconds=5, running_seconds=5))
    first.get_job("ext-1", NOW)
    first.close()
    second = JobStore(path)
    job = second.get_job("ext-1", NOW.replace(second=7))
    second.close()
    assert job is not None
    assert bytes(job.sections["status"]) == b'"RUNNING"'


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":"ext-1"}', b"%PDF-1.7"])
def test_what_is_not_a_job_is_not_imported(body: bytes) -> None:
    store = JobStore()
    with pytest.raises(MalformedJobError):
        store.import_job(body)
    assert store.count() == 0
    store.close()


def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than its header would be " * 20)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"notes\.txt cannot be opened"):
        JobStore(path)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    JobStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(StoreError, match="newer"):
        JobStore(path)


def test_an_id_that_cannot_be_stored_is_not_there() -> None:
    store = JobStore()
    assert store.get_job("\ud800", NOW) is None
    store.close()
