"""A store keeps jobs unchanged, and refuses files that it cannot open."""

import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from llx_mcp.local import SAMPLES, JobStore, job_store, open_store
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


def test_list_has_the_status_at_the_end_of_each_job_and_starts_no_timeline() -> None:
    with closing(JobStore()) as store:
        for job_id in ("ext-1", "ext-2"):
            import_job(store, job_id, Timeline(pending_seconds=2, running_seconds=2))
        store.cancel_job("ext-2", NOW)
        assert store.list_jobs() == [("ext-1", "FAILED"), ("ext-2", "CANCELLED")]
        assert status_of(store, "ext-1", NOW + timedelta(seconds=100)) == '"PENDING"'


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


def import_job(store: JobStore, job_id: str, timeline: Timeline | None = None, **sections: object) -> bytes:
    """Import a failed job, and return its JSON."""
    body = json.dumps({"id": job_id, "status": "FAILED", **sections}).encode()
    store.import_job(body, timeline)
    return body


def status_of(store: JobStore, job_id: str, now: datetime) -> str:
    """Return the status of a job at a time."""
    job = store.get_job(job_id, now)
    assert job is not None
    return bytes(job.sections["status"]).decode()


def test_only_a_job_that_has_not_ended_can_be_cancelled() -> None:
    later = NOW + timedelta(seconds=5)
    with closing(JobStore()) as store:
        import_job(store, "ext-ended")
        import_job(store, "ext-running", Timeline(running_seconds=60))
        import_job(store, "ext-waiting", Timeline(running_seconds=60))
        store.get_job("ext-running", NOW)
        ids = ("ext-none", "ext-ended", "ext-running", "ext-waiting")
        assert [store.cancel_job(job_id, later) for job_id in ids] == [None, False, True, True]
        assert [store.cancel_job(job_id, later) for job_id in ids] == [None, False, False, False]
        assert [status_of(store, job_id, later) for job_id in ids[1:]] == ['"FAILED"', '"CANCELLED"', '"CANCELLED"']
        jobs = [store.get_job(job_id, later) for job_id in ids[2:]]
        created = [bytes(job.sections["created_at"]) for job in jobs if job is not None]
        assert created == [b'"2026-01-01T00:00:00Z"', b'"2026-01-01T00:00:05Z"']


def test_job_that_still_runs_is_deleted_only_without_a_time() -> None:
    with closing(JobStore()) as store:
        import_job(store, "ext-ended")
        import_job(store, "ext-running", Timeline(running_seconds=60))
        ids = ("ext-none", "ext-ended", "ext-running")
        assert [store.delete_job(job_id, NOW) for job_id in ids] == [None, True, False]
        assert store.count() == 1
        assert [store.delete_job(job_id) for job_id in ids] == [None, None, True]
        assert store.count() == 0


def test_body_is_read_as_it_was_imported_and_starts_nothing() -> None:
    with closing(JobStore()) as store:
        body = import_job(store, "ext-1", Timeline(running_seconds=60))
        assert [store.read_body(job_id) for job_id in ("ext-1", "ext-none", "\ud800")] == [body, None, None]
        assert status_of(store, "ext-1", NOW + timedelta(days=1)) == '"RUNNING"'


def test_created_job_has_a_new_id_and_its_own_sections_before_those_of_the_recorded_one() -> None:
    with closing(JobStore()) as store:
        import_job(store, "ext-1", extract_result={"n": 1}, file_input="dfl-1")
        (recorded,) = store.find_recorded_jobs(None, "dfl-1")
        own = {"status": msgspec.Raw(b'"COMPLETED"')}
        spec = JobSpec("p", "dfl-1", None, Timeline(), "COMPLETED", own, recorded, None)
        ids = [store.create_job(spec, NOW) for _ in range(2)]
        assert ids[0] != ids[1]
        assert all(re.fullmatch("ext-[a-z0-9]{28}", job_id) for job_id in ids)
        job = json.loads(store.read_body(ids[0]) or b"")
        assert (job["id"], job["status"], job["extract_result"]) == (ids[0], "COMPLETED", {"n": 1})
        # It is no recording itself.
        assert [each.body_id for each in store.find_recorded_jobs(None, "dfl-1")] == [recorded.body_id]


def test_recorded_jobs_are_found_by_content_then_by_file_newest_first() -> None:
    with closing(JobStore()) as store:
        for job_id, file_input in (("ext-1", "dfl-1"), ("ext-2", "dfl-1"), ("ext-3", "dfl-2")):
            import_job(store, job_id, file_input=file_input)
        store.set_document_sha256("ext-3", "00")
        store.set_document_sha256("ext-3", "11")

        def find(document_sha256: str | None, file_input: str) -> list[str]:
            jobs = store.find_recorded_jobs(document_sha256, file_input)
            return [bytes(job.sections["id"]).decode() for job in jobs]

        assert find("00", "dfl-1") == ['"ext-3"']
        assert find("11", "dfl-1") == find(None, "dfl-1") == ['"ext-2"', '"ext-1"']
        assert find(None, "dfl-9") == find(None, "\ud800") == []


def test_recorded_jobs_are_limited_in_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(JobStore()) as store:
        for number in range(25):
            import_job(store, f"ext-{number}", file_input="dfl-1", extract_result="x" * 1_000)

        def find() -> list[str]:
            return [json.loads(bytes(job.sections["id"])) for job in store.find_recorded_jobs(None, "dfl-1")]

        assert find() == [f"ext-{number}" for number in range(24, 4, -1)]
        monkeypatch.setattr(job_store, "MAX_RECORDED_BYTES", 3_500)
        assert find() == ["ext-24", "ext-23", "ext-22"]
        # One is returned in any case.
        monkeypatch.setattr(job_store, "MAX_RECORDED_BYTES", 1)
        assert find() == ["ext-24"]


def test_recorded_configuration_is_that_of_the_newest_job_that_has_one() -> None:
    with closing(JobStore()) as store:
        for job_id, configuration in (("ext-1", {"tier": "agentic"}), ("ext-2", {"tier": "turbo"}), ("ext-3", None)):
            import_job(store, job_id, configuration_id="cfg-1", configuration=configuration)
        found = store.find_recorded_configuration("cfg-1")
        assert found is not None
        assert json.loads(bytes(found)) == {"tier": "turbo"}
        assert store.find_recorded_configuration("cfg-2") is None
