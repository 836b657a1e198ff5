"""Many jobs at once: what was seen of them while they were waited for, and what a list says of them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from llx_mcp.answers.header import describe_overdue
from llx_mcp.answers.job_list import JobListBuilder, ListPosition, decode_position, parse_time
from llx_mcp.answers.requests import JobListRequest
from llx_mcp.answers.wait_report import UNREADABLE, UNSEEN, JobRow
from llx_mcp.errors import ArgumentError, BadResponseError, NotFoundError, RateLimitedError
from llx_mcp.scope import JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.jobs.progress import JobSnapshot
    from llx_mcp.models import Job, JobPage

PAGE_SIZE = 25
# A list ships the results of its jobs, so it is not gone through without end.
MAX_PAGES = 4
_SMALLER_PAGE_SIZES = (5, 1)

_FAILED_LOOK = "the latest look failed and is tried again"
_BEGIN_BYTES = 400
_PARSE_JOB = "pjb-"
# Of JSON, but for the commas and colons.
_PUNCTUATION = re.compile(r'[{}\[\]"]')
_BEGIN_CHARS = 80


class PageReader(Protocol):
    """What a list needs of the reader."""

    def service_now(self) -> datetime:
        """The time of day by the service's clock."""
        ...

    async def fetch_page(self, wanted: JobFilter, scope: Scope) -> "JobPage":
        """One page of jobs."""
        ...

    async def fetch_file_names(self, file_ids: Sequence[str], scope: Scope) -> dict[str, str]:
        """Names of files by id."""
        ...


def build_waited_row(snapshot: "JobSnapshot", now: datetime) -> JobRow:
    """A job that was waited for.

    Args:
        sight: what was seen of it.
        now: by the service's clock.
    """
    if snapshot.error is not None:
        return JobRow(snapshot.job_id, UNREADABLE, note=str(snapshot.error), has_ended=True)
    if snapshot.job is None:
        return JobRow(snapshot.job_id, UNSEEN, note=str(snapshot.failure) if snapshot.failure else None)
    job = snapshot.job
    overdue = describe_overdue(job, now)
    failed_look = _FAILED_LOOK if snapshot.failure is not None else None
    return JobRow(
        snapshot.job_id,
        job.status,
        _seconds(job, now) if snapshot.has_ended else snapshot.age_seconds,
        job.document,
        job.error_message or overdue or failed_look or _describe_nothing(job),
        has_ended=snapshot.has_ended,
        has_result=job.is_success and job.has_result,
        is_overdue=overdue is not None,
    )


def _describe_nothing(job: "Job") -> str | None:
    if job.status == "FAILED":
        return "the service gave no reason"
    return "it found no value" if job.is_success and not job.has_result else None


def build_listed_row(job: "Job", name: str | None, now: datetime) -> JobRow:
    """A job of a list.

    Args:
        job: as the list has it.
        name: of its document's file, where that is known.
        now: by the service's clock.
    """
    created_at = None
    if job.created_at is not None:
        created_at = job.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    note = job.error_message or describe_overdue(job, now)
    if note is None and name is None and job.has_result:
        note = f"begins {_beginning(job)}"
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
    """The job of a single wait.

    Raises:
        LlxError: what stood in its way.
    """
    error = snapshot.error or (snapshot.failure if snapshot.job is None else None)
    if error is not None:
        raise error.with_traceback(None)
    if snapshot.job is None:
        raise RateLimitedError(
            "The time was up before the job could be read: the requests that this key may make are used up, or its "
            "result is still on its way. Call again in a minute, with a longer timeout_seconds."
        )
    return snapshot.job


def raise_common_error(snapshots: "Sequence[JobSnapshot]") -> None:
    """Raise what stands in the way of all jobs alike.

    Raises:
        LlxError: none of them can be read, and for a reason that has nothing to do with their ids.
    """
    errors = [snapshot.error for snapshot in snapshots]
    first = errors[0]
    is_common = all(type(error) is type(first) for error in errors)
    if first is not None and is_common and not isinstance(first, NotFoundError | ArgumentError):
        raise first.with_traceback(None)


async def list_jobs(reader: PageReader, ask: JobListRequest, cursor: str | None) -> "Answer":
    """The jobs that pass the filters, newest first, as many as have room.

    Raises:
        LlxError: there is no list, or a filter or the cursor cannot be used.
    """
    position = decode_position(cursor, ask)
    wanted = JobFilter(
        statuses=(ask.status,) if ask.status else (),
        file_input=ask.file_input,
        configuration_id=ask.configuration_id,
        created_since=parse_time("created_since", ask.created_since),
        created_until=parse_time("created_until", ask.created_until, is_end=True),
    )
    token = position.page_token
    listing = JobListBuilder(ask)
    for _ in range(MAX_PAGES):
        page = await _fetch_page(reader, replace(wanted, page_token=token), ask.scope)
        now = reader.service_now()
        files = {job.document for job in page.items if job.document and not job.document.startswith(_PARSE_JOB)}
        names = await reader.fetch_file_names(sorted(files), ask.scope)
        lines = [build_listed_row(job, names.get(job.document or ""), now) for job in page.items]
        listing.add(position.skip(lines), token)
        position, token = ListPosition(token), page.next_page_token
        if token is None or not listing.has_room(PAGE_SIZE):
            break
    return listing.build(token, now)


async def _fetch_page(reader: PageReader, wanted: JobFilter, scope: Scope) -> "JobPage":
    for size in (PAGE_SIZE, *_SMALLER_PAGE_SIZES):
        try:
            return await reader.fetch_page(replace(wanted, page_size=size), scope)
        except BadResponseError:
            # Rows carry whole results: so many may be more than is read at once.
            if size == _SMALLER_PAGE_SIZES[-1]:
                raise
    raise AssertionError("the last size either answers or raises")


def _seconds(job: "Job", now: datetime) -> float | None:
    if job.created_at is None:
        return None
    until = job.updated_at if job.is_terminal else now
    return None if until is None or until < job.created_at else (until - job.created_at).total_seconds()


def _beginning(job: "Job") -> str:
    """The first words of a result, which tell jobs without a file's name apart; nothing is decoded for them."""
    raw = job.raw("extract_result")
    begin = bytes(raw)[:_BEGIN_BYTES].decode(errors="ignore") if raw is not None else ""
    text = " ".join(_PUNCTUATION.sub("", begin).split())
    return text if len(text) <= _BEGIN_CHARS else f"{text[: _BEGIN_CHARS - 1]}…"
