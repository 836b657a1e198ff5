"""Rows about jobs: of a wait, from its snapshots, and of a list, from the service's pages."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from llx_mcp.answers.header import describe_overdue, format_time
from llx_mcp.answers.wait_report import NOT_POLLED, UNREADABLE, JobRow
from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, RateLimitedError

if TYPE_CHECKING:
    from llx_mcp.jobs.progress import JobSnapshot
    from llx_mcp.models import Job

_POLL_FAILED = "the latest poll failed and is tried again"
_EXCERPT_BYTES = 400
_EXCERPT_CHARS = 80
# JSON punctuation, except for commas and colons.
_PUNCTUATION = re.compile(r'[{}\[\]"]')


def build_waited_row(snapshot: "JobSnapshot", now: datetime) -> JobRow:
    """Build the row of a job of a wait.

    Args:
        snapshot: what is known of the job.
        now: the time by the service's clock.
    """
    if snapshot.error is not None:
        return JobRow(snapshot.job_id, UNREADABLE, note=str(snapshot.error), has_ended=True)
    if snapshot.job is None:
        return JobRow(snapshot.job_id, NOT_POLLED, note=str(snapshot.failure) if snapshot.failure else None)
    job = snapshot.job
    overdue = describe_overdue(job, now)
    failed_poll = _POLL_FAILED if snapshot.failure is not None else None
    return JobRow(
        snapshot.job_id,
        job.status,
        _seconds(job, now) if snapshot.has_ended else snapshot.age_seconds,
        job.document,
        job.error_message or overdue or failed_poll or _describe_no_result(job),
        has_ended=snapshot.has_ended,
        has_result=job.is_success and job.has_result,
        is_overdue=overdue is not None,
    )


def build_fetched_row(job_id: str, job: "Job | LlxError", now: datetime) -> JobRow:
    """Build the row of a job of several that were fetched, or could not be.

    Args:
        job_id: id of the job, as the answer or the request has it.
        job: the job, or the error that says why there is none.
        now: the time by the service's clock.
    """
    if isinstance(job, LlxError):
        return JobRow(job_id, UNREADABLE, note=str(job), has_ended=True)
    note = job.error_message or describe_overdue(job, now) or _describe_no_result(job)
    return JobRow(job_id, job.status, note=note, has_ended=job.is_terminal)


def build_listed_row(job: "Job", name: str | None, now: datetime) -> JobRow:
    """Build the row of a job of a list.

    Args:
        job: the job, as the list has it.
        name: name of its document's file, where that is known.
        now: the time by the service's clock.
    """
    created_at = None if job.created_at is None else format_time(job.created_at)
    note = job.error_message or describe_overdue(job, now)
    if note is None and name is None and job.has_result:
        note = f"begins {_excerpt_result(job)}"
    return JobRow(
        job.id,
        job.status,
        _seconds(job, now),
        job.document,
        note,
        has_ended=job.is_terminal,
        has_result=job.has_result,
        created_at=created_at,
        name=name,
    )


def get_single_job(snapshot: "JobSnapshot") -> "Job":
    """Return the job of a wait for one job.

    Raises:
        LlxError: the reason why there is none.
    """
    error = snapshot.error or (snapshot.failure if snapshot.job is None else None)
    if error is not None:
        raise error.with_traceback(None)
    if snapshot.job is None:
        raise RateLimitedError(
            "The time was up before the job could be read: LlamaCloud has not answered yet, or the rate limit of this "
            "key is used up. Call again in a minute, with a longer timeout_seconds."
        )
    return snapshot.job


def raise_common_error(snapshots: "Sequence[JobSnapshot]") -> None:
    """Raise the error that all jobs have in common.

    Raises:
        LlxError: none of them can be read, for a reason that has nothing to do with their ids.
    """
    errors = [snapshot.error for snapshot in snapshots]
    first = errors[0]
    is_common = all(type(error) is type(first) for error in errors)
    if first is not None and is_common and not isinstance(first, NotFoundError | ArgumentError):
        raise first.with_traceback(None)


def _describe_no_result(job: "Job") -> str | None:
    if job.status == "FAILED":
        return "the service gave no reason"
    return "it found no value" if job.is_success and not job.has_result else None


def _seconds(job: "Job", now: datetime) -> float | None:
    if job.created_at is None:
        return None
    until = job.updated_at if job.is_terminal else now
    return None if until is None or until < job.created_at else (until - job.created_at).total_seconds()


def _excerpt_result(job: "Job") -> str:
    """Return the first words of a result, which tell jobs without a file name apart. Nothing is decoded for them."""
    raw = job.raw("extract_result")
    start = bytes(raw)[:_EXCERPT_BYTES].decode(errors="ignore") if raw is not None else ""
    text = " ".join(_PUNCTUATION.sub("", start).split())
    return text if len(text) <= _EXCERPT_CHARS else f"{text[: _EXCERPT_CHARS - 1]}…"
