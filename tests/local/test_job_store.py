"""A store keeps jobs unchanged, and refuses files that it cannot open."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llx_mcp.local import SAMPLES, JobStore, open_store
from llx_mcp.local.database import SCHEMA_VERSION, StoreError
from llx_mcp.local.job_queries import JobFilter
from llx_mcp.local.job_store import JobSpec
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.models import MalformedJobError
from llx_mcp.raw_json import join_json

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b'{"id":"ext-1","status":"FAILED","error_message":null}'


def test_reopened_store_keeps_jobs_and_adds_samples_once(tmp_path: Path) -> None:
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


def test_second_import_replaces_job() -> None:
    store = JobStore()
    store.import_job(BODY, Timeline(running_seconds=60))
    store.get_job("ext-1", NOW)
    store.import_job(BODY.replace(b"FAILED", b"CANCELLED"))
    job = store.get_job("ext-1", NOW)
    store.close()
    assert job is not None
    assert bytes(job.sections["status"]) == b'"CANCELLED"'


def test_second_import_restarts_timeline() -> None:
    with closing(JobStore()) as store:
        for now in (NOW, NOW + timedelta(days=1)):
            store.import_job(BODY, Timeline(pending_seconds=5))
            job = store.get_job("ext-1", now)
            assert job is not None
            assert bytes(job.sections["status"]) == b'"PENDING"'


def test_closed_store_raises() -> None:
    store = JobStore()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store.count()


def test_timeline_continues_after_restart(tmp_path: Path) -> None:
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
def test_malformed_job_is_not_imported(body: bytes) -> None:
    store = JobStore()
    with pytest.raises(MalformedJobError):
        store.import_job(body)
    assert store.count() == 0
    store.close()


def test_non_database_file_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than its header would be " * 20)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"notes\.txt cannot be opened"):
        JobStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [["CREATE TABLE notes (x)"], ["CREATE TABLE jobs (x)"], ["CREATE TABLE notes (x)", "PRAGMA user_version = 1"]],
)
def test_foreign_database_is_refused_and_unchanged(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(path)
    assert path.read_bytes() == before


def test_newer_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    JobStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="newer"):
        JobStore(path)


def test_store_uses_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(JobStore(path)), closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("name", [None, "jobs.db"])
def test_many_threads_import_and_read_concurrently(tmp_path: Path, name: str | None) -> None:
    def import_and_get(number: int) -> bytes:
        body = BODY.replace(b"ext-1", b"ext-%d" % number)
        job = store.get_job(store.import_job(body), NOW)
        assert job is not None
        return join_json(job.sections)

    with closing(JobStore(tmp_path / name if name else None)) as store, ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(import_and_get, range(100)))
        assert bodies == [BODY.replace(b"ext-1", b"ext-%d" % number) for number in range(100)]
        assert store.count() == 100


def test_list_evaluates_statuses_without_starting_timelines() -> None:
    with closing(JobStore()) as store:
        store.import_job(BODY, Timeline(pending_seconds=2, running_seconds=2))
        later = NOW + timedelta(seconds=100)
        assert store.list_jobs(NOW) == store.list_jobs(later) == [("ext-1", "PENDING")]
        store.get_job("ext-1", later)
        statuses = [store.list_jobs(later + timedelta(seconds=seconds))[0][1] for seconds in (1, 2, 4)]
        assert statuses == ["PENDING", "RUNNING", "FAILED"]
        assert store.list_jobs() == [("ext-1", "FAILED")]


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "yesterday"])
def test_job_with_invalid_time_is_listed(created: str) -> None:
    with closing(JobStore()) as store:
        store.import_job(b'{"id":"ext-1","status":"FAILED","created_at":"%s"}' % created.encode())
        assert [job.job_id for job in store.query_jobs(JobFilter(limit=1), NOW)] == ["ext-1"]


def test_job_keeps_result_if_recorded_job_is_deleted_before_create() -> None:
    with closing(JobStore()) as store:
        store.import_job(BODY, document_sha256="00")
        (recorded,) = store.find_recorded_jobs("00", "dfl-1")
        store.delete_job("ext-1")
        spec = JobSpec("p", "dfl-1", None, Timeline(), "FAILED", {}, recorded, None)
        job = store.get_job(store.create_job(spec, NOW), NOW)
        assert job is not None
        assert bytes(job.sections["status"]) == b'"FAILED"'


def test_id_with_lone_surrogate_is_not_found() -> None:
    store = JobStore()
    assert store.get_job("\ud800", NOW) is None
    store.close()
