"""Pages of jobs, newest first, without their bodies."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from llx_mcp.local.job_rows import LIFECYCLE_COLUMNS, build_lifecycle
from llx_mcp.local.timestamps import from_unix_seconds


class PageCursor(NamedTuple):
    """The sort key of a job in a list: its creation time in seconds since 1970, and its row number."""

    created: float
    position: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """The jobs that a page may hold. A filter of None lets every job pass.

    Attributes:
        limit: The maximum number of jobs.
        after: The cursor of the last job of the previous page.
        document_prefix: The first four characters of `file_input`.
    """

    limit: int
    after: PageCursor | None = None
    project_id: str | None = None
    statuses: tuple[str, ...] = ()
    file_input: str | None = None
    configuration_id: str | None = None
    job_ids: tuple[str, ...] | None = None
    created_on_or_after: datetime | None = None
    created_on_or_before: datetime | None = None
    document_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One job of a page."""

    job_id: str
    status: str
    file_input: str | None
    created: datetime
    cursor: PageCursor


def select_jobs(db: sqlite3.Connection, job_filter: JobFilter, now: datetime) -> list[ListedJob]:
    """Return one page of jobs, newest first.

    Args:
        db: A connection that no other thread uses meanwhile.
        job_filter: The jobs that the page may hold.
        now: The time at which to evaluate statuses, aware.
    """
    conditions, values = _build_conditions(job_filter)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = db.execute(
        f"SELECT created, position, id, file_input, {LIFECYCLE_COLUMNS} FROM jobs {where} "  # noqa: S608  # nosec B608 # constant conditions
        "ORDER BY created DESC, position DESC",
        values,
    )
    jobs: list[ListedJob] = []
    for created, position, job_id, file_input, *columns in rows:
        status = build_lifecycle(*columns).status_at(now)
        if job_filter.statuses and status not in job_filter.statuses:
            continue
        jobs.append(ListedJob(job_id, status, file_input, from_unix_seconds(created), PageCursor(created, position)))
        if len(jobs) == job_filter.limit:
            break
    rows.close()
    return jobs


def has_waiting_jobs(db: sqlite3.Connection, job_filter: JobFilter) -> bool:
    """Return whether jobs of a list have a timeline that has not started."""
    conditions, values = _build_waiting_conditions(job_filter)
    query = f"SELECT EXISTS (SELECT 1 FROM jobs WHERE {' AND '.join(conditions)})"  # noqa: S608  # nosec B608 # constant conditions
    return bool(db.execute(query, values).fetchone()[0])


def start_waiting_jobs(db: sqlite3.Connection, job_filter: JobFilter, now: datetime) -> None:
    """Start the timelines of a list that have not started. The jobs are created now.

    They start before any page is read: a job that moved to the first page while a client reads the second would be on
    neither.
    """
    conditions, values = _build_waiting_conditions(job_filter)
    seconds = now.timestamp()
    statement = f"UPDATE jobs SET began = ?, created = ? WHERE {' AND '.join(conditions)}"  # noqa: S608  # nosec B608 # constant conditions
    db.execute(statement, (seconds, seconds, *values))


def _build_waiting_conditions(job_filter: JobFilter) -> tuple[list[str], list[object]]:
    # Without dates and cursor: the creation time that they compare is not yet set.
    whole = replace(job_filter, after=None, created_on_or_after=None, created_on_or_before=None)
    conditions, values = _build_conditions(whole)
    return ["began IS NULL", "pending_seconds + throttled_seconds + running_seconds + billing_seconds > 0",
            *conditions], values  # fmt: skip


def _build_conditions(job_filter: JobFilter) -> tuple[list[str], list[object]]:
    after, before, ids = job_filter.created_on_or_after, job_filter.created_on_or_before, job_filter.job_ids
    choices: list[tuple[str, tuple[object, ...]]] = [
        ("(created, position) < (?, ?)", job_filter.after or ()),
        ("(project_id IS NULL OR lower(project_id) = ?)", _parameters(job_filter.project_id)),
        ("file_input = ?", _parameters(job_filter.file_input)),
        ("configuration_id = ?", _parameters(job_filter.configuration_id)),
        ("substr(file_input, 1, 4) = ?", _parameters(job_filter.document_prefix)),
        ("created >= ?", (after.timestamp(),) if after else ()),
        ("created <= ?", (before.timestamp(),) if before else ()),
        (f"id IN ({', '.join('?' * len(ids or ()))})", ids or ()),
    ]
    used = [(condition, values) for condition, values in choices if values]
    return [condition for condition, _ in used], [value for _, values in used for value in values]


def _parameters(text: str | None) -> tuple[object, ...]:
    return (text,) if text else ()
