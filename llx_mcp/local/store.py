"""Jobs in SQLite, each as the very bytes in which it came."""

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from llx_mcp.local.lifecycle import Timeline, sections_at
from llx_mcp.local.samples import SAMPLES, read_sample
from llx_mcp.models import Job, split_json

SCHEMA_VERSION = 1

_SCHEMA = """
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
_LIFE = "pending_seconds, throttled_seconds, running_seconds, started_at"


class StoreError(Exception):
    """The file is no store, or one of a newer version."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One job as it is at the time it was asked for, its sections undecoded."""

    project_id: str | None
    sections: Mapping[str, msgspec.Raw]


class JobStore:
    """A store of jobs, usable from any thread; close it when done."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the store at `path`, made if it is not there; None keeps it in memory.

        Raises:
            StoreError: the file cannot be opened as a store.
        """
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None, timeout=30)
        except sqlite3.Error as exc:
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
        try:
            self._prepare()
        except (sqlite3.Error, StoreError) as exc:
            self._db.close()
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None

    def import_job(self, body: bytes, timeline: Timeline | None = None) -> str:
        """Keep a job, in place of one with the same id; returns its id.

        Args:
            body: the JSON of one job, as the service answers it.
            timeline: how long it takes before it ends, from when it is first asked for.

        Raises:
            MalformedJobError: the body is not a job.
        """
        job = Job.parse(body)
        life = timeline or Timeline()
        values = (job.id, job.status, job.project_id, body)
        with self._lock:
            self._db.execute(
                "INSERT INTO jobs (id, status, project_id, body, pending_seconds, throttled_seconds, running_seconds) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, "
                "project_id = excluded.project_id, body = excluded.body, pending_seconds = excluded.pending_seconds, "
                "throttled_seconds = excluded.throttled_seconds, running_seconds = excluded.running_seconds, "
                "started_at = NULL",
                (*values, life.pending_seconds, life.throttled_seconds, life.running_seconds),
            )
        return job.id

    def get_job(self, job_id: str, now: datetime) -> StoredJob | None:
        """The job as it is now, or None; a job with a timeline begins when it is first asked for."""
        try:
            job_id.encode()
        except UnicodeEncodeError:
            return None
        with self._lock:
            row = self._db.execute(
                f"SELECT project_id, body, {_LIFE} FROM jobs WHERE id = ?",  # noqa: S608 - only our own column names
                (job_id,),
            ).fetchone()
            if row is None:
                return None
            project_id, body, pending, throttled, running, started_at = row
            timeline = Timeline(pending, throttled, running)
            if timeline.total_seconds and started_at is None:
                started_at = now.isoformat()
                self._db.execute("UPDATE jobs SET started_at = ? WHERE id = ?", (started_at, job_id))
        sections = split_json(body)
        if timeline.total_seconds:
            sections = sections_at(sections, timeline, datetime.fromisoformat(started_at), now)
        return StoredJob(project_id, sections)

    def read_body(self, job_id: str) -> bytes | None:
        """The very bytes in which a job came, or None; it neither begins the job's life nor shows where it is in it."""
        try:
            job_id.encode()
        except UnicodeEncodeError:
            return None
        with self._lock:
            row = self._db.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def list_jobs(self, now: datetime | None = None) -> list[tuple[str, str]]:
        """Each job's id and its status at a time, or the one in which it ends, in the order in which they came.

        A listing does not begin a life: a job that nobody has asked for is in its first state.
        """
        with self._lock:
            rows = self._db.execute(
                f"SELECT id, status, {_LIFE} FROM jobs ORDER BY position"  # noqa: S608 - only our own column names
            ).fetchall()
        if now is None:
            return [(job_id, status) for job_id, status, *_ in rows]
        return [(job_id, _status_at(now, status, started, Timeline(*life))) for job_id, status, *life, started in rows]

    def count(self) -> int:
        """How many jobs there are."""
        with self._lock:
            (number,) = self._db.execute("SELECT count(*) FROM jobs").fetchone()
        return int(number)

    def close(self) -> None:
        """Close the store once no thread reads it; what was imported is kept."""
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        # One process makes the tables, however many open the file at once.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._checked_version() == 0:
                self._db.execute(_SCHEMA)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        # Only now: the mode is written into the file, and a file that is refused is left as it is.
        self._db.execute("PRAGMA journal_mode = WAL")

    def _checked_version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if (tables and version == 0) or (version and "jobs" not in tables):
            raise StoreError("it is the database of another program")
        if version > SCHEMA_VERSION:
            raise StoreError("this store was made by a newer llx-mcp; update llx-mcp to open it")
        return int(version)


def open_store(path: Path | None = None, *, with_samples: bool = True) -> JobStore:
    """A store with the samples that ship with the package, where it does not hold them yet.

    Raises:
        StoreError: the file cannot be opened as a store.
    """
    store = JobStore(path)
    try:
        held = {job_id for job_id, _ in store.list_jobs()}
        for sample in SAMPLES if with_samples else ():
            if sample.job_id not in held:
                store.import_job(read_sample(sample), Timeline(*sample.timeline))
    except sqlite3.Error as exc:
        store.close()
        raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
    return store


def _status_at(now: datetime, ending: str, started_at: str | None, timeline: Timeline) -> str:
    elapsed_seconds = (now - datetime.fromisoformat(started_at)).total_seconds() if started_at else 0.0
    state = timeline.state_at(elapsed_seconds)
    return ending if state is None else state[0]
