"""Ordered schema migrations. Each runs in the transaction that records it."""

import sqlite3
from collections.abc import Callable
from datetime import datetime

from llx_mcp.local.timestamps import to_unix_seconds
from llx_mcp.models import Job, read_parse_job_id
from llx_mcp.raw_json import split_json

_JOBS_1 = """
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
)
"""
# Bodies are in a table of their own: a list query does not read them, and a created job shares its body with the
# recorded job that its result comes from.
_TABLES_2 = (
    "ALTER TABLE jobs RENAME TO jobs_1",
    """
    CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL)
    """,
    """
    CREATE TABLE jobs (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        ending TEXT NOT NULL,
        project_id TEXT,
        configuration_id TEXT,
        file_input TEXT,
        document_sha256 TEXT,
        is_recorded INTEGER NOT NULL,
        created REAL NOT NULL,
        began REAL,
        cancelled REAL,
        pending_seconds REAL NOT NULL,
        throttled_seconds REAL NOT NULL,
        running_seconds REAL NOT NULL,
        billing_seconds REAL NOT NULL,
        body_id INTEGER NOT NULL REFERENCES bodies (id),
        overrides BLOB,
        webhooks BLOB
    )
    """,
    "CREATE INDEX jobs_by_creation ON jobs (created, position)",
    "CREATE INDEX jobs_by_body ON jobs (body_id)",
    "CREATE INDEX jobs_by_document ON jobs (document_sha256) WHERE is_recorded",
    "CREATE INDEX jobs_by_file ON jobs (file_input) WHERE is_recorded",
    """
    CREATE TABLE files (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        external_file_id TEXT,
        purpose TEXT,
        project_id TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        created REAL NOT NULL
    )
    """,
    "CREATE TABLE contents (position INTEGER PRIMARY KEY REFERENCES files (position), content BLOB NOT NULL)",
    """
    CREATE TABLE deliveries (
        job_id TEXT NOT NULL,
        endpoint INTEGER NOT NULL,
        event_type TEXT NOT NULL,
        delivered REAL NOT NULL,
        PRIMARY KEY (job_id, endpoint, event_type)
    ) WITHOUT ROWID
    """,
)
_TABLES_3 = (
    "ALTER TABLE jobs ADD COLUMN parse_job_id TEXT",
    "CREATE INDEX jobs_by_parse_job ON jobs (parse_job_id) WHERE is_recorded",
    # Its condition is written as in `job_queries`, so that SQLite uses it.
    "CREATE INDEX jobs_not_started ON jobs (position) WHERE began IS NULL "
    "AND pending_seconds + throttled_seconds + running_seconds + billing_seconds > 0",
    "CREATE INDEX jobs_by_configuration ON jobs (configuration_id) WHERE is_recorded",
    """
    CREATE TABLE configurations (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        project_id TEXT NOT NULL,
        name TEXT NOT NULL,
        product_type TEXT NOT NULL,
        parameters BLOB NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        UNIQUE (project_id, product_type, name)
    )
    """,
)


def _create_jobs_table(db: sqlite3.Connection) -> None:
    db.execute(_JOBS_1)


def _move_bodies_to_own_table(db: sqlite3.Connection) -> None:
    for statement in _TABLES_2:
        db.execute(statement)
    rows = db.execute("SELECT position, id, status, project_id, started_at FROM jobs_1").fetchall()
    for position, job_id, ending, project_id, started_at in rows:
        (body,) = db.execute("SELECT body FROM jobs_1 WHERE position = ?", (position,)).fetchone()
        job = Job.parse(body)
        began = datetime.fromisoformat(started_at).timestamp() if started_at else None
        created = began or to_unix_seconds(job.created_at)
        db.execute("INSERT INTO bodies (id, body) VALUES (?, ?)", (position, body))
        db.execute(
            "INSERT INTO jobs SELECT position, ?, ?, ?, ?, ?, NULL, 1, ?, ?, NULL, pending_seconds, throttled_seconds, "
            "running_seconds, 0, position, NULL, NULL FROM jobs_1 WHERE position = ?",
            (job_id, ending, project_id, job.configuration_id, job.document, created, began, position),
        )
    db.execute("DROP TABLE jobs_1")


def _add_parse_jobs_and_configurations(db: sqlite3.Connection) -> None:
    for statement in _TABLES_3:
        db.execute(statement)
    rows = db.execute("SELECT position, body_id FROM jobs WHERE is_recorded").fetchall()
    for position, body_id in rows:
        (body,) = db.execute("SELECT body FROM bodies WHERE id = ?", (body_id,)).fetchone()
        parse_job_id = read_parse_job_id(split_json(body))
        db.execute("UPDATE jobs SET parse_job_id = ? WHERE position = ?", (parse_job_id, position))


# Do not change a released migration: stores of older versions run the ones that they lack.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_jobs_table,
    _move_bodies_to_own_table,
    _add_parse_jobs_and_configurations,
)
