"""Jobs in SQLite, each as the very bytes in which it came."""

import secrets
import sqlite3
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from llx_mcp.local.database import SCHEMA_VERSION, Database, StoreError
from llx_mcp.local.file_store import FileStore
from llx_mcp.local.job_queries import JobFilter, JobRow, read_rows
from llx_mcp.local.lifecycle import Life, Timeline, seconds_since_1970, sections_at
from llx_mcp.models import Job
from llx_mcp.raw_json import decode_json, join_json, split_json

__all__ = ["SCHEMA_VERSION", "JobStore", "NewJob", "Recorded", "StoreError", "StoredJob", "WebhookJob"]

_LIFE = "pending_seconds, throttled_seconds, running_seconds, billing_seconds, ending, began, cancelled"
_INSERT = (
    "INSERT INTO jobs (id, ending, project_id, configuration_id, file_input, document_sha256, is_recorded, created, "
    "began, pending_seconds, throttled_seconds, running_seconds, billing_seconds, body_id, overrides, webhooks) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ID_CHARS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One job as it is at the time it was asked for, its sections undecoded."""

    project_id: str | None
    sections: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A job whose result answers for its document: an imported or recorded one.

    Attributes:
        body_id: of its body in the store.
        sections: the job as it ended.
    """

    body_id: int
    sections: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be created.

    Attributes:
        sections: what it says of its own; everything else is as recorded.
        recorded: where its result comes from, or None.
        webhooks: the endpoints to be told, as they were sent.
    """

    project_id: str
    file_input: str
    configuration_id: str | None
    timeline: Timeline
    ending: str
    sections: Mapping[str, msgspec.Raw]
    recorded: Recorded | None
    webhooks: bytes | None


@dataclass(frozen=True, slots=True)
class WebhookJob:
    """A job whose life is told to webhooks.

    Attributes:
        configurations: the endpoints, as they were sent at create, in order.
    """

    job_id: str
    project_id: str | None
    configurations: list[dict[str, object]]
    life: Life

    def events_until(self, now: datetime) -> list[tuple[str, datetime]]:
        """The events so far and when each came, in order."""
        if self.life.began is None:
            return []
        events = [("extract.pending", self.life.began)]
        ended = self.life.ended_at()
        if ended is not None and ended <= now:
            names = {"COMPLETED": "extract.success", "FAILED": "extract.error", "CANCELLED": "extract.cancelled"}
            events.append((names.get(self.life.status_at(now), "extract.error"), ended))
        return events


class JobStore:
    """A store of jobs and files, usable from any thread and by several processes; close it when done."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the store at `path`, made if it is not there; None keeps it in memory.

        Raises:
            StoreError: the file cannot be opened as a store.
        """
        self._database = Database(path)
        self.files = FileStore(self._database)

    def import_job(self, body: bytes, timeline: Timeline | None = None, *, document_sha256: str | None = None) -> str:
        """Keep a job, in place of one with the same id; returns its id.

        Args:
            body: the JSON of one job, as the service answers it.
            timeline: how long it takes before it ends, from when it is first asked for.
            document_sha256: of the document that it was made from, in hex, where that is known: a job that is
                created for the same document ends as this one.

        Raises:
            MalformedJobError: the body is not a job.
        """
        job = Job.parse(body)
        life = timeline or Timeline()
        created = seconds_since_1970(job.created_at)
        with self._database.writing() as db:
            _delete(db, job.id)
            body_id = _keep_body(db, body)
            db.execute(
                _INSERT,
                (job.id, job.status, job.project_id, job.configuration_id, job.document, document_sha256, 1, created,
                 None, *_seconds(life), body_id, None, None),
            )  # fmt: skip
        return job.id

    def name_document(self, job_id: str, document_sha256: str) -> None:
        """Say which document an imported job was made from, where it was not known."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET document_sha256 = coalesce(document_sha256, ?) WHERE id = ? AND is_recorded",
                (document_sha256, job_id),
            )

    def create_job(self, new: NewJob, now: datetime) -> str:
        """Keep a job that begins now, under a new id, which is returned."""
        job_id = "ext-" + "".join(secrets.choice(_ID_CHARS) for _ in range(28))
        began = now.timestamp()
        with self._database.writing() as db:
            overrides = msgspec.json.encode(dict(new.sections) | {"id": job_id})
            body_id = new.recorded.body_id if new.recorded else _keep_body(db, b"{}")
            if new.recorded and not _has_body(db, body_id):
                # Deleted since it was found, perhaps by another process.
                body_id = _keep_body(db, msgspec.json.encode(new.recorded.sections))
            db.execute(
                _INSERT,
                (job_id, new.ending, new.project_id, new.configuration_id, new.file_input, None, 0, began, began,
                 *_seconds(new.timeline), body_id, overrides, new.webhooks),
            )  # fmt: skip
        return job_id

    def get_job(self, job_id: str, now: datetime, *, is_asked_for: bool = True) -> StoredJob | None:
        """The job as it is now, or None; an imported job with a timeline begins when it is first asked for.

        Args:
            job_id: the job.
            now: the time of day, aware.
            is_asked_for: False leaves a job that has not begun in its first state, as a listing does.
        """
        if not _is_storable(job_id):
            return None
        query = f"SELECT project_id, created, body, overrides, {_LIFE} FROM jobs JOIN bodies ON bodies.id = body_id WHERE jobs.id = ?"  # noqa: S608, E501 - only our own column names
        with self._database.reading() as db:
            row = db.execute(query, (job_id,)).fetchone()
        if row is None:
            return None
        project_id, created, body, overrides, *lived = row
        life = _life(lived)
        if life.timeline.is_alive and life.began is None:
            if is_asked_for:
                life = self._begin(job_id, life, now)
            else:
                now = datetime.fromtimestamp(created, UTC)
                life = replace(life, began=now)
        return StoredJob(project_id, _sections(body, overrides, life, now))

    def read_body(self, job_id: str) -> bytes | None:
        """The very bytes in which a job came, or as a created one ends; None where there is none. Begins no life."""
        if not _is_storable(job_id):
            return None
        query = "SELECT body, overrides FROM jobs JOIN bodies ON bodies.id = body_id WHERE jobs.id = ?"
        with self._database.reading() as db:
            row = db.execute(query, (job_id,)).fetchone()
        if row is None:
            return None
        body, overrides = row
        return bytes(body) if overrides is None else join_json(_merge(body, overrides))

    def cancel_job(self, job_id: str, now: datetime) -> bool | None:
        """Cancel a job that has not ended; returns whether it was, or None where there is none."""
        with self._database.writing() as db:
            life = _read_life(db, job_id)
            if life is None:
                return None
            if life.status_at(now) in ("COMPLETED", "FAILED", "CANCELLED"):
                return False
            moment = now.timestamp()
            db.execute(
                "UPDATE jobs SET cancelled = ?, began = coalesce(began, ?) WHERE id = ?", (moment, moment, job_id)
            )
        return True

    def delete_job(self, job_id: str, now: datetime | None = None) -> bool | None:
        """Delete a job; returns whether it was, or None where there is none.

        Args:
            job_id: the job.
            now: leaves a job that has not ended by then as it is; None deletes any.
        """
        with self._database.writing() as db:
            life = _read_life(db, job_id)
            if life is None:
                return None
            if now is not None and life.status_at(now) not in ("COMPLETED", "FAILED", "CANCELLED"):
                return False
            _delete(db, job_id)
        return True

    def query_jobs(self, wanted: JobFilter, now: datetime) -> list[JobRow]:
        """Jobs newest first, without their bodies; `get_job` gives each."""
        with self._database.reading() as db:
            return read_rows(db, wanted, now)

    def list_jobs(self, now: datetime | None = None) -> list[tuple[str, str]]:
        """Each job's id and its status at a time, or the one in which it ends, in the order in which they came.

        A listing does not begin a life: a job that nobody has asked for is in its first state.
        """
        with self._database.reading() as db:
            rows = db.execute(f"SELECT id, {_LIFE} FROM jobs ORDER BY position").fetchall()  # noqa: S608 - as above
        lives = [(job_id, _life(lived)) for job_id, *lived in rows]
        return [(job_id, life.ending if now is None else life.status_at(now)) for job_id, life in lives]

    def find_recorded(self, document_sha256: str | None, file_input: str) -> list[Recorded]:
        """The imported jobs of a document, newest first: by its content, or by the id that it had there.

        Args:
            document_sha256: of the document, in hex; None where only its id is known.
            file_input: a file's or parse job's id.
        """
        query = (
            "SELECT body_id, body FROM jobs JOIN bodies ON bodies.id = body_id "
            "WHERE is_recorded AND {} ORDER BY position DESC LIMIT 20"
        )
        with self._database.reading() as db:
            rows = db.execute(query.format("document_sha256 = ?"), (document_sha256,)).fetchall()
            rows = rows or db.execute(query.format("file_input = ?"), (file_input,)).fetchall()
        return [Recorded(body_id, split_json(body)) for body_id, body in rows]

    def list_webhook_jobs(self) -> list[WebhookJob]:
        """The jobs that were created with webhooks, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT id, project_id, webhooks, {_LIFE} FROM jobs WHERE webhooks IS NOT NULL ORDER BY position"  # noqa: S608 - as above
            ).fetchall()
        return [WebhookJob(job_id, project, decode_json(sent), _life(lived)) for job_id, project, sent, *lived in rows]

    def is_delivered(self, job_id: str, endpoint: int, event_type: str) -> bool:
        """Whether an event of a job has been delivered to, or given up for, its n-th endpoint, from 0."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT 1 FROM deliveries WHERE job_id = ? AND endpoint = ? AND event_type = ?",
                (job_id, endpoint, event_type),
            ).fetchone()
        return row is not None

    def record_delivery(self, job_id: str, endpoint: int, event_type: str, now: datetime) -> None:
        """Note that an event has been delivered to, or given up for, a job's n-th endpoint."""
        with self._database.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?)", (job_id, endpoint, event_type, now.timestamp())
            )

    def count(self) -> int:
        """How many jobs there are."""
        with self._database.reading() as db:
            (number,) = db.execute("SELECT count(*) FROM jobs").fetchone()
        return int(number)

    def close(self) -> None:
        """Close the store once no thread reads it; what was imported is kept."""
        self._database.close()

    def _begin(self, job_id: str, life: Life, now: datetime) -> Life:
        with self._database.writing() as db:
            moment = now.timestamp()
            db.execute(
                "UPDATE jobs SET began = ?, created = ? WHERE id = ? AND began IS NULL", (moment, moment, job_id)
            )
            return _read_life(db, job_id) or life


def _sections(body: bytes, overrides: bytes | None, life: Life, now: datetime) -> Mapping[str, msgspec.Raw]:
    sections = split_json(body) if overrides is None else _merge(body, overrides)
    return sections if life.began is None else sections_at(sections, life, now)


def _merge(body: bytes, overrides: bytes) -> dict[str, msgspec.Raw]:
    own = split_json(overrides)
    return own | {name: value for name, value in split_json(body).items() if name not in own}


def _life(lived: list[object]) -> Life:
    pending, throttled, running, billing, ending, began, cancelled = lived
    timeline = Timeline(pending, throttled, running, billing)  # type: ignore[arg-type]  # rows are not typed
    return Life(timeline, str(ending), _moment(began), _moment(cancelled))


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, float) else None


def _seconds(life: Timeline) -> tuple[float, float, float, float]:
    return life.pending_seconds, life.throttled_seconds, life.running_seconds, life.billing_seconds


def _read_life(db: sqlite3.Connection, job_id: str) -> Life | None:
    if not _is_storable(job_id):
        return None
    row = db.execute(f"SELECT {_LIFE} FROM jobs WHERE id = ?", (job_id,)).fetchone()  # noqa: S608 - as above
    return None if row is None else _life(list(row))


def _keep_body(db: sqlite3.Connection, body: bytes) -> int:
    number = db.execute("INSERT INTO bodies (body) VALUES (?)", (body,)).lastrowid
    assert number is not None  # noqa: S101 - an insert has one
    return number


def _has_body(db: sqlite3.Connection, body_id: int) -> bool:
    return db.execute("SELECT 1 FROM bodies WHERE id = ?", (body_id,)).fetchone() is not None


def _delete(db: sqlite3.Connection, job_id: str) -> None:
    row = db.execute("SELECT body_id FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is not None:
        db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        db.execute("DELETE FROM deliveries WHERE job_id = ?", (job_id,))
        db.execute("DELETE FROM bodies WHERE id = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE body_id = ?)", row * 2)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
