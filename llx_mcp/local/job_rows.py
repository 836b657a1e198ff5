"""Rows of the jobs table: inserting, deleting, and reading lifecycles.

Column names are those of the released schema: `ending` holds the final status, `began` the start of the timeline.
"""

import sqlite3

from llx_mcp.local.lifecycle import JobLifecycle, Timeline
from llx_mcp.local.timestamps import from_unix_seconds

LIFECYCLE_COLUMNS = "pending_seconds, throttled_seconds, running_seconds, billing_seconds, ending, began, cancelled"

_INSERT = (
    "INSERT INTO jobs (id, ending, project_id, configuration_id, file_input, document_sha256, is_recorded, created, "
    "parse_job_id, began, pending_seconds, throttled_seconds, running_seconds, billing_seconds, body_id, overrides, "
    "webhooks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def insert_job(
    db: sqlite3.Connection,
    *,
    job_id: str,
    final_status: str,
    timeline: Timeline,
    body_id: int,
    created: float,
    project_id: str | None,
    configuration_id: str | None,
    file_input: str | None,
    document_sha256: str | None = None,
    is_recorded: bool = False,
    parse_job_id: str | None = None,
    started: float | None = None,
    overrides: bytes | None = None,
    webhooks: bytes | None = None,
) -> None:
    """Insert one row.

    Args:
        db: A connection within a transaction.
        job_id: The id of the job.
        final_status: The status at the end.
        timeline: Seconds in each status.
        body_id: The row of the job's JSON in the table of bodies.
        created: The creation time, in seconds since 1970.
        project_id: The project; None is seen from every project.
        configuration_id: The saved configuration that the job names.
        file_input: The id of the file or parse job that the job reads.
        document_sha256: The SHA-256 of the document, in hex.
        is_recorded: Whether new jobs of the same document may take their result from this one.
        parse_job_id: The parse job that the job's metadata names.
        started: The start of the timeline, in seconds since 1970.
        overrides: A JSON object whose sections replace those of the body.
        webhooks: The webhook configurations, a JSON list.
    """
    seconds = (
        timeline.pending_seconds, timeline.throttled_seconds, timeline.running_seconds, timeline.billing_seconds,
    )  # fmt: skip
    db.execute(
        _INSERT,
        (job_id, final_status, project_id, configuration_id, file_input, document_sha256, is_recorded, created,
         parse_job_id, started, *seconds, body_id, overrides, webhooks),
    )  # fmt: skip


def insert_body(db: sqlite3.Connection, body: bytes) -> int:
    """Insert the JSON of a job and return the id of its row."""
    body_id = db.execute("INSERT INTO bodies (body) VALUES (?)", (body,)).lastrowid
    assert body_id is not None  # noqa: S101 - SQLite sets it on every insert
    return body_id


def has_body(db: sqlite3.Connection, body_id: int) -> bool:
    """Return whether a body exists."""
    return db.execute("SELECT 1 FROM bodies WHERE id = ?", (body_id,)).fetchone() is not None


def delete_job(db: sqlite3.Connection, job_id: str) -> None:
    """Delete a job, if it exists, with its deliveries, and with its body if no other job shares it."""
    row = db.execute("SELECT body_id FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is not None:
        db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        db.execute("DELETE FROM deliveries WHERE job_id = ?", (job_id,))
        db.execute("DELETE FROM bodies WHERE id = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE body_id = ?)", row * 2)


def get_lifecycle(db: sqlite3.Connection, job_id: str) -> JobLifecycle | None:
    """Return the lifecycle of a job, or None if it does not exist."""
    if not is_storable(job_id):
        return None
    row = db.execute(f"SELECT {LIFECYCLE_COLUMNS} FROM jobs WHERE id = ?", (job_id,)).fetchone()  # noqa: S608  # nosec B608 # constant column names
    return None if row is None else build_lifecycle(*row)


def build_lifecycle(
    pending_seconds: float,
    throttled_seconds: float,
    running_seconds: float,
    billing_seconds: float,
    ending: str,
    began: float | None,
    cancelled: float | None,
) -> JobLifecycle:
    """Build a lifecycle from the values of `LIFECYCLE_COLUMNS`, in their order."""
    return JobLifecycle(
        Timeline(pending_seconds, throttled_seconds, running_seconds, billing_seconds),
        ending,
        None if began is None else from_unix_seconds(began),
        None if cancelled is None else from_unix_seconds(cancelled),
    )


def is_storable(text: str) -> bool:
    """Return whether SQLite can store a text: lone surrogates have no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
