"""Stores of older versions are migrated without losing anything."""

import sqlite3
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llx_mcp.local import SAMPLES, JobStore, open_store
from llx_mcp.local.database import SCHEMA_VERSION, StoreError
from llx_mcp.local.job_queries import JobFilter
from llx_mcp.local.samples import read_sample
from llx_mcp.raw_json import join_json

NOW = datetime(2026, 8, 1, tzinfo=UTC)
OLD = b'{"id":"ext-old","status":"COMPLETED","extract_result":{"n":1.50},"created_at":"2025-03-04T05:06:07Z","x":1e0}'
LIVE = b'{"id":"ext-live","status":"FAILED","error_message":"","file_input":"dfl-1","created_at":"?","updated_at":"?"}'

# The schema of the first version. Do not change it with the code.
VERSION_1 = """
CREATE TABLE jobs (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    project_id TEXT,
    body BLOB NOT NULL,
    pending_seconds REAL NOT NULL,
    throttled_seconds REAL NOT NULL,
    running_seconds REAL NOT NULL,
    started_at TEXT
);
"""


def make_version_1(path: Path) -> None:
    """Create a store of the first version with an ended job, a running one and a sample."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1)
        sample = SAMPLES[0]
        rows = [
            ("ext-old", "COMPLETED", None, OLD, 0.0, 0.0, 0.0, None),
            ("ext-live", "FAILED", "p", LIVE, 5.0, 0.0, 5.0, NOW.isoformat()),
            (sample.job_id, "COMPLETED", None, read_sample(sample), 0.0, 0.0, 0.0, None),
        ]
        db.executemany(
            "INSERT INTO jobs (id, status, project_id, body, pending_seconds, throttled_seconds, running_seconds, "
            "started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        db.execute("PRAGMA user_version = 1")
        db.execute("PRAGMA journal_mode = WAL")
        db.commit()


def test_version_1_store_keeps_bytes_timelines_and_order(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    make_version_1(path)
    with closing(JobStore(path)) as store:
        old, live = store.get_job("ext-old", NOW), store.get_job("ext-live", NOW + timedelta(seconds=6))
        assert old is not None
        assert live is not None
        assert join_json(old.sections) == OLD
        assert (bytes(live.sections["status"]), live.project_id) == (b'"RUNNING"', "p")
        assert store.list_jobs() == [("ext-old", "COMPLETED"), ("ext-live", "FAILED"), (SAMPLES[0].job_id, "COMPLETED")]
        rows = store.query_jobs(JobFilter(limit=9), NOW)
        assert [(row.job_id, row.created.year) for row in rows] == [
            ("ext-live", 2026), (SAMPLES[0].job_id, 2026), ("ext-old", 2025),
        ]  # fmt: skip


def test_each_migration_is_recorded_once(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    make_version_1(path)
    for _ in range(2):
        JobStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert [version for (version,) in db.execute("SELECT version FROM migrations")] == [2, 3]
    fresh = tmp_path / "fresh.db"
    JobStore(fresh).close()
    with closing(sqlite3.connect(fresh)) as db, closing(sqlite3.connect(path)) as migrated:
        assert [version for (version,) in db.execute("SELECT version FROM migrations")] == [1, 2, 3]
        tables = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        assert db.execute(tables).fetchall() == migrated.execute(tables).fetchall()


def test_failed_migration_leaves_store_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    make_version_1(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE jobs SET body = x'00' WHERE id = 'ext-live'")
        db.commit()
        before = list(db.iterdump())
    with pytest.raises(StoreError, match=r"jobs\.db cannot be opened"):
        JobStore(path)
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before
        assert db.execute("PRAGMA user_version").fetchone() == (1,)


def test_samples_in_migrated_store_are_found_by_document(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    make_version_1(path)
    with closing(open_store(path)) as store:
        file = store.files.get_file("dfl-sample0invoice00000000000000")
        assert file is not None
        assert len(store.find_recorded_jobs(file.sha256, "dfl-other")) == 4


def open_and_count(path: Path) -> int:
    """Open a store in another process and count its jobs."""
    with closing(open_store(path)) as store:
        return store.count()


def test_concurrent_processes_migrate_a_store_once(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    make_version_1(path)
    with ProcessPoolExecutor(3) as pool:
        counts = list(pool.map(open_and_count, [path] * 6))
    assert counts == [len(SAMPLES) + 2] * 6
