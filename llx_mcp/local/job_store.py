"""Jobs in SQLite, each with the exact bytes in which it was imported."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from llx_mcp.local import job_rows
from llx_mcp.local.configuration_store import ConfigurationStore
from llx_mcp.local.database import Database
from llx_mcp.local.delivery_store import DeliveryStore
from llx_mcp.local.file_store import FileStore
from llx_mcp.local.job_queries import JobFilter, ListedJob, has_waiting_jobs, select_jobs, start_waiting_jobs
from llx_mcp.local.job_rows import LIFECYCLE_COLUMNS, build_lifecycle
from llx_mcp.local.lifecycle import JobLifecycle, Timeline, sections_at
from llx_mcp.local.parse_store import ParseJobStore
from llx_mcp.local.timestamps import to_unix_seconds
from llx_mcp.models import Job, read_parse_job_id
from llx_mcp.raw_json import is_null, join_json, split_json

# The recorded jobs of one document that a new job is compared with: so many of the newest, together of this size.
MAX_RECORDED = 20
MAX_RECORDED_BYTES = 128_000_000

_ID_CHARS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One job at the time of a request, its sections not decoded."""

    project_id: str | None
    sections: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """An imported job whose result is reused by new jobs of the same document.

    Attributes:
        body_id: The row of its JSON in the store.
        sections: The sections of the ended job.
    """

    body_id: int
    sections: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Everything that the store needs to create a job.

    Attributes:
        final_status: The status at the end of the timeline.
        sections: Sections that replace those of the recorded job.
        recorded: The job that the result comes from, if there is one.
        webhooks: The `webhook_configurations` of the request, a JSON list.
    """

    project_id: str
    file_input: str
    configuration_id: str | None
    timeline: Timeline
    final_status: str
    sections: Mapping[str, msgspec.Raw]
    recorded: RecordedJob | None
    webhooks: bytes | None


class JobStore:
    """A store of jobs, files and configurations. Threads and processes can share it; close it after use.

    Attributes:
        files: The uploaded documents.
        configurations: The saved configurations.
        deliveries: The webhook deliveries.
        parse_jobs: The parse jobs that jobs name.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the store.

        Args:
            path: The file, created if it does not exist; None uses memory.

        Raises:
            StoreError: The file cannot be opened as a store.
        """
        self._database = Database(path)
        self.files = FileStore(self._database)
        self.configurations = ConfigurationStore(self._database)
        self.deliveries = DeliveryStore(self._database)
        self.parse_jobs = ParseJobStore(self._database, self.files)

    def import_job(self, body: bytes, timeline: Timeline | None = None, *, document_sha256: str | None = None) -> str:
        """Store a job, replacing one with the same id, and return its id.

        Args:
            body: The JSON of one job in the service's format.
            timeline: Seconds in each status, counted from the first request for the job.
            document_sha256: The SHA-256 of the job's document, in hex. New jobs of the same document end like this one.

        Raises:
            MalformedJobError: The body is not a job.
        """
        job = Job.parse(body)
        with self._database.transaction() as db:
            job_rows.delete_job(db, job.id)
            job_rows.insert_job(
                db,
                job_id=job.id,
                final_status=job.status,
                timeline=timeline or Timeline(),
                body_id=job_rows.insert_body(db, body),
                created=to_unix_seconds(job.created_at),
                project_id=job.project_id,
                configuration_id=job.configuration_id,
                file_input=job.document,
                document_sha256=document_sha256,
                is_recorded=True,
                parse_job_id=read_parse_job_id(job.sections),
            )
        return job.id

    def set_document_sha256(self, job_id: str, document_sha256: str) -> None:
        """Set the document of an imported job, unless it is known already."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE jobs SET document_sha256 = coalesce(document_sha256, ?) WHERE id = ? AND is_recorded",
                (document_sha256, job_id),
            )

    def create_job(self, spec: JobSpec, now: datetime) -> str:
        """Create a job that starts now, and return its new id."""
        job_id = "ext-" + "".join(secrets.choice(_ID_CHARS) for _ in range(28))
        with self._database.transaction() as db:
            body_id = spec.recorded.body_id if spec.recorded else job_rows.insert_body(db, b"{}")
            if spec.recorded and not job_rows.has_body(db, body_id):
                # The recorded job was deleted after it was found, perhaps by another process.
                body_id = job_rows.insert_body(db, msgspec.json.encode(spec.recorded.sections))
            job_rows.insert_job(
                db,
                job_id=job_id,
                final_status=spec.final_status,
                timeline=spec.timeline,
                body_id=body_id,
                created=now.timestamp(),
                project_id=spec.project_id,
                configuration_id=spec.configuration_id,
                file_input=spec.file_input,
                parse_job_id=read_parse_job_id(spec.recorded.sections) if spec.recorded else None,
                started=now.timestamp(),
                overrides=msgspec.json.encode(dict(spec.sections) | {"id": job_id}),
                webhooks=spec.webhooks,
            )
        return job_id

    def get_job(self, job_id: str, now: datetime) -> StoredJob | None:
        """Return the job as it is now, or None if it does not exist. Starts its timeline if it has not started."""
        if not job_rows.is_storable(job_id):
            return None
        query = (
            f"SELECT project_id, body, overrides, {LIFECYCLE_COLUMNS} "  # noqa: S608  # nosec B608 # constant column names
            "FROM jobs JOIN bodies ON bodies.id = body_id WHERE jobs.id = ?"
        )
        with self._database.connection() as db:
            row = db.execute(query, (job_id,)).fetchone()
        if row is None:
            return None
        project_id, body, overrides, *columns = row
        lifecycle = build_lifecycle(*columns)
        if lifecycle.timeline.changes_over_time and lifecycle.started_at is None:
            lifecycle = self._start_timeline(job_id, lifecycle, now)
        sections = split_json(body) if overrides is None else _merge(body, overrides)
        return StoredJob(
            project_id, sections if lifecycle.started_at is None else sections_at(sections, lifecycle, now)
        )

    def read_body(self, job_id: str) -> bytes | None:
        """Return the JSON of the ended job, or None if the job does not exist. Does not start its timeline.

        An imported job comes in the exact bytes in which it was imported.
        """
        if not job_rows.is_storable(job_id):
            return None
        query = "SELECT body, overrides FROM jobs JOIN bodies ON bodies.id = body_id WHERE jobs.id = ?"
        with self._database.connection() as db:
            row = db.execute(query, (job_id,)).fetchone()
        if row is None:
            return None
        body, overrides = row
        return bytes(body) if overrides is None else join_json(_merge(body, overrides))

    def cancel_job(self, job_id: str, now: datetime) -> bool | None:
        """Cancel a job. Return False if it has ended already, and None if it does not exist."""
        with self._database.transaction() as db:
            lifecycle = job_rows.get_lifecycle(db, job_id)
            if lifecycle is None:
                return None
            if lifecycle.has_ended(now):
                return False
            seconds = now.timestamp()
            db.execute(
                "UPDATE jobs SET cancelled = ?, began = coalesce(began, ?) WHERE id = ?", (seconds, seconds, job_id)
            )
        return True

    def delete_job(self, job_id: str, now: datetime | None = None) -> bool | None:
        """Delete a job. Return False if it still runs, and None if it does not exist.

        Args:
            job_id: The id of the job.
            now: The current time. A job that has not ended is not deleted; None deletes it in any status.
        """
        with self._database.transaction() as db:
            lifecycle = job_rows.get_lifecycle(db, job_id)
            if lifecycle is None:
                return None
            if now is not None and not lifecycle.has_ended(now):
                return False
            job_rows.delete_job(db, job_id)
        return True

    def query_jobs(self, job_filter: JobFilter, now: datetime) -> list[ListedJob]:
        """Return one page of jobs, newest first, without their bodies.

        Starts the timeline of every job of the project that has not started: a job is created when a client first asks
        for it, alone or in a list.
        """
        with self._database.connection() as db:
            if has_waiting_jobs(db, job_filter):
                with self._database.transaction() as transaction:
                    start_waiting_jobs(transaction, job_filter, now)
            return select_jobs(db, job_filter, now)

    def list_jobs(self) -> list[tuple[str, str]]:
        """Return the id of every job and the status at its end, in the order of import. Starts no timeline."""
        with self._database.connection() as db:
            rows = db.execute(f"SELECT id, {LIFECYCLE_COLUMNS} FROM jobs ORDER BY position").fetchall()  # noqa: S608  # nosec B608 # constant column names
        return [(job_id, build_lifecycle(*columns).end_status) for job_id, *columns in rows]

    def find_recorded_jobs(self, document_sha256: str | None, file_input: str) -> list[RecordedJob]:
        """Return the imported jobs of a document, newest first: up to 20, and together up to 128 MB.

        Jobs of the same content come first; without any, those with the id of its file, and then those that read the
        same parse job.

        Args:
            document_sha256: The SHA-256 of the document, in hex; None if only its id is known.
            file_input: The id of a file or a parse job.
        """
        for column, value in (
            ("document_sha256", document_sha256), ("file_input", file_input), ("parse_job_id", file_input),
        ):  # fmt: skip
            jobs = self._find_recorded(column, value)
            if jobs:
                return jobs
        return []

    def has_recorded_job(self, file_input: str) -> bool:
        """Return whether an imported job names a file or a parse job."""
        if not job_rows.is_storable(file_input):
            return False
        query = "SELECT EXISTS (SELECT 1 FROM jobs WHERE is_recorded AND (file_input = ? OR parse_job_id = ?))"
        with self._database.connection() as db:
            return bool(db.execute(query, (file_input, file_input)).fetchone()[0])

    def find_recorded_configuration(self, configuration_id: str) -> msgspec.Raw | None:
        """Return the configuration of the newest imported job that names a saved one; None if no such job has one."""
        jobs = self._find_recorded("configuration_id", configuration_id)
        found = (job.sections.get("configuration") for job in jobs)
        return next((raw for raw in found if raw is not None and not is_null(raw)), None)

    def _find_recorded(self, column: str, value: str | None) -> list[RecordedJob]:
        if value is None or not job_rows.is_storable(value):
            return []
        query = (
            f"SELECT body_id FROM jobs WHERE is_recorded AND {column} = ? ORDER BY position DESC LIMIT {MAX_RECORDED}"  # noqa: S608  # nosec B608 # constant column names
        )
        with self._database.connection() as db:
            ids = [body_id for (body_id,) in db.execute(query, (value,)).fetchall()]
        found: list[RecordedJob] = []
        num_bytes = 0
        for body_id in ids:
            # One at a time, so that other requests wait for one body at most.
            with self._database.connection() as db:
                row = db.execute("SELECT body FROM bodies WHERE id = ?", (body_id,)).fetchone()
            if row is None:
                # Deleted since.
                continue
            num_bytes += len(row[0])
            if found and num_bytes > MAX_RECORDED_BYTES:
                break
            found.append(RecordedJob(body_id, split_json(row[0])))
        return found

    def count(self) -> int:
        """Return the number of jobs."""
        with self._database.connection() as db:
            (number,) = db.execute("SELECT count(*) FROM jobs").fetchone()
        return int(number)

    def close(self) -> None:
        """Close the store after any thread that is reading it."""
        self._database.close()

    def _start_timeline(self, job_id: str, lifecycle: JobLifecycle, now: datetime) -> JobLifecycle:
        with self._database.transaction() as db:
            seconds = now.timestamp()
            db.execute(
                "UPDATE jobs SET began = ?, created = ? WHERE id = ? AND began IS NULL", (seconds, seconds, job_id)
            )
            return job_rows.get_lifecycle(db, job_id) or lifecycle


def _merge(body: bytes, overrides: bytes) -> dict[str, msgspec.Raw]:
    own = split_json(overrides)
    return own | {name: value for name, value in split_json(body).items() if name not in own}
