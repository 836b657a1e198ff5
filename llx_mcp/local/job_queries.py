"""A page of jobs, newest first, without reading a body."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from llx_mcp.local.lifecycle import Life, Timeline

_COLUMNS = (
    "created, position, id, file_input, pending_seconds, throttled_seconds, running_seconds, ending, began, cancelled"
)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a page holds; None does not filter.

    Attributes:
        after: the place of the last job of the page before, as `JobRow.place`.
        limit: the most jobs.
    """

    limit: int
    after: tuple[float, int] | None = None
    project_id: str | None = None
    statuses: tuple[str, ...] = ()
    file_input: str | None = None
    configuration_id: str | None = None
    job_ids: tuple[str, ...] | None = None
    created_on_or_after: datetime | None = None
    created_on_or_before: datetime | None = None
    document_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """What a listing knows of one job.

    Attributes:
        place: its creation in seconds since 1970, and its number, which order it among the others.
    """

    job_id: str
    status: str
    file_input: str | None
    created: datetime
    place: tuple[float, int]


def read_rows(db: sqlite3.Connection, wanted: JobFilter, now: datetime) -> list[JobRow]:
    """The page that a filter asks for.

    Args:
        db: the connection, to this thread alone.
        wanted: the filter.
        now: the time at which jobs have a status.
    """
    conditions, values = _conditions(wanted)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = db.execute(f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY created DESC, position DESC", values)  # noqa: S608 - only our own conditions
    found: list[JobRow] = []
    for created, position, job_id, file_input, pending, throttled, running, ending, began, cancelled in rows:
        life = Life(Timeline(pending, throttled, running), ending, _moment(began), _moment(cancelled))
        status = life.status_at(now)
        if wanted.statuses and status not in wanted.statuses:
            continue
        found.append(JobRow(job_id, status, file_input, datetime.fromtimestamp(created, UTC), (created, position)))
        if len(found) == wanted.limit:
            break
    rows.close()
    return found


def _conditions(wanted: JobFilter) -> tuple[list[str], list[object]]:
    after, before, ids = wanted.created_on_or_after, wanted.created_on_or_before, wanted.job_ids
    choices: list[tuple[str, tuple[object, ...]]] = [
        ("(created, position) < (?, ?)", wanted.after or ()),
        ("(project_id IS NULL OR lower(project_id) = ?)", _given(wanted.project_id)),
        ("file_input = ?", _given(wanted.file_input)),
        ("configuration_id = ?", _given(wanted.configuration_id)),
        ("substr(file_input, 1, 4) = ?", _given(wanted.document_prefix)),
        ("created >= ?", (after.timestamp(),) if after else ()),
        ("created <= ?", (before.timestamp(),) if before else ()),
        (f"id IN ({', '.join('?' * len(ids or ()))})", ids or ()),
    ]
    chosen = [(condition, values) for condition, values in choices if values]
    return [condition for condition, _ in chosen], [value for _, values in chosen for value in values]


def _given(text: str | None) -> tuple[object, ...]:
    return (text,) if text else ()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
