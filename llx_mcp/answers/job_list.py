"""The jobs that a key sees, newest first, a row each, within a budget; then a cursor for those that do not fit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from llx_mcp.answers.budget import NOTICE, Answer, AnswerBuilder, Cost, part_cost
from llx_mcp.answers.cursors import CursorError, unwrap_cursor, wrap_cursor
from llx_mcp.answers.header import format_time
from llx_mcp.answers.outputs import JobListFacts, JobListOutput, NextStep, Omission
from llx_mcp.answers.requests import JobListRequest, JobRequest
from llx_mcp.answers.wait_report import JobRow, build_job_table
from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.result.sanitize import sanitize_line

_COLUMNS = ("job_id", "status", "created_at", "seconds", "document", "name", "note")
_MAX_JOBS = 999
_ANY_TIME = "2026-01-31T08:00:00Z"
_FILTER_CHARS = 64


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Where a list goes on.

    Attributes:
        page_token: token of the page; None for the first.
        job_id: the last job of it that was shown; None at the beginning of a page.
        created_at: when that job was created, in case it is no longer there.
    """

    page_token: str | None = None
    job_id: str | None = None
    created_at: str | None = None

    def encode(self, request: JobListRequest) -> str:
        """Return the position as a cursor."""
        payload = json.dumps([self.page_token, self.job_id, self.created_at]).encode()
        return wrap_cursor(payload, request.cursor_source)

    def skip(self, rows: Sequence[JobRow]) -> list[JobRow]:
        """Return those rows of a page that come after the position."""
        ids = [row.job_id for row in rows]
        if self.job_id in ids:
            return list(rows[ids.index(self.job_id) + 1 :])
        if self.job_id is None or self.created_at is None:
            return list(rows)
        # The job was deleted, or newer jobs have pushed it to a later page.
        return [row for row in rows if row.created_at is None or row.created_at < self.created_at]


def decode_position(cursor: str | None, request: JobListRequest) -> ListPosition:
    """Return the position of a cursor; the beginning without one.

    Raises:
        CursorError: it was altered, or belongs to another list.
    """
    if cursor is None:
        return ListPosition()
    payload = unwrap_cursor(cursor, request.cursor_source, "list of jobs. Repeat the filters")
    try:
        token, job_id, created_at = json.loads(payload)
    except ValueError:
        raise CursorError("cursor: list_extract_jobs did not create it. Leave it out to start again.") from None
    return ListPosition(token, job_id, created_at)


def parse_time(name: str, text: str | None, *, is_end: bool = False) -> datetime | None:
    """Parse a time in ISO 8601. A date alone is the whole of that day; without an offset it is UTC.

    Raises:
        ArgumentError: it is no such time.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if is_end and len(text.strip()) <= len("2026-01-31"):
            moment = datetime.combine(moment.date(), time.min, moment.tzinfo) + timedelta(days=1, microseconds=-1)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentError(
            f"{name} (given: {excerpt(repr(text), 60)}): a date or time in ISO 8601, such as 2026-01-31 or "
            "2026-01-31T08:00:00Z; UTC where it has no offset."
        ) from None


def parse_period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Parse the first and the last moment of a list, as `parse_time` does.

    Raises:
        ArgumentError: one is no time, or the first is after the last.
    """
    first, last = parse_time("created_since", since), parse_time("created_until", until, is_end=True)
    if first is not None and last is not None and first > last:
        given = excerpt(repr(since), 60), excerpt(repr(until), 60)
        raise ArgumentError(
            f"created_since (given: {given[0]}) is later than the end of the period (given: {given[1]}), so no job can "
            "pass. Give the earlier time first, or leave one out."
        )
    return first, last


class JobListBuilder:
    """Builds the answer to a list."""

    def __init__(self, request: JobListRequest) -> None:
        self._request = request
        self._rows: list[JobRow] = []
        self._positions: list[ListPosition] = []
        self._num_searched = 0
        self._num_unreadable = 0

    def add(self, rows: Sequence[JobRow], page_token: str | None, num_unreadable: int = 0) -> None:
        """Add those jobs of a page that pass the filters.

        Args:
            rows: the jobs.
            page_token: token of the page.
            num_unreadable: number of items of the page that are not jobs.
        """
        self._num_searched += len(rows)
        self._num_unreadable += num_unreadable
        for row in rows:
            if self._matches(row):
                self._rows.append(row)
                self._positions.append(ListPosition(page_token, row.job_id, row.created_at))

    def has_room(self, num_jobs: int) -> bool:
        """Whether this many more jobs would fit, going by the length of those that were added."""
        if not self._rows:
            return True
        builder = self._start()
        table = build_job_table(self._rows, _COLUMNS)
        table.fill(builder.room)
        each = -(-table.spent.chars // len(self._rows))
        is_whole = len(table.rows) == len(self._rows)
        return is_whole and table.spent.chars + num_jobs * each <= min(builder.room.text, builder.room.data)

    def build(self, next_token: str | None, now: datetime) -> Answer:
        """Build both forms of the list.

        Args:
            next_token: token of the page after the last that was added; None where there is none.
            now: the time by the service's clock, so that a reader can compare the times with it.
        """
        builder = self._start(has_more=next_token is not None)
        rest = ListPosition(next_token).encode(self._request) if next_token else None
        table = build_job_table(self._rows, _COLUMNS)
        table.fill(builder.room)
        if rest or len(table.rows) < len(self._rows):
            cursors = [rest or "", *(position.encode(self._request) for position in self._positions)]
            table = build_job_table(self._rows, _COLUMNS)
            table.fill(builder.room - self._cursor_cost(builder, max(cursors, key=len)))
        num_shown = len(table.rows)
        builder.replace_head(self._head(num_shown, format_time(now)))
        if table.rows:
            builder.add("jobs", table.table)
        if num_shown < len(self._rows):
            rest = (self._positions[num_shown - 1] if num_shown else ListPosition()).encode(self._request)
        if rest:
            builder.omit(self._omission(rest))
            builder.add("cursor", rest)
        return builder.build()

    def _matches(self, row: JobRow) -> bool:
        """Whether a job passes the filter by name, which the service does not have."""
        part = self._request.name_part
        return part is None or part in (row.name or "").casefold() or part == (row.document or "").casefold()

    def _start(self, *, has_more: bool = False) -> AnswerBuilder:
        builder = AnswerBuilder(self._head(_MAX_JOBS, _ANY_TIME), self._request.max_chars)
        builder.add_next_steps([self._next_step(has_more=has_more)])
        if self._rows:
            builder.add("notice", NOTICE)
        if self._num_unreadable:
            hint = "the service sent them without an id or a status"
            builder.omit(Omission(what="items that are not jobs", count=self._num_unreadable, hint=hint))
        return builder

    def _head(self, num_jobs: int, now: str) -> JobListOutput:
        filters = {name: sanitize_line(value, _FILTER_CHARS) for name, value in self._request.filters.items()}
        known = {"filters": filters} if filters else {}
        searched = {"searched": self._num_searched} if self._request.name_part else {}
        return JobListOutput(listed=JobListFacts.model_validate({"jobs": num_jobs, "now": now, **known, **searched}))

    def _next_step(self, *, has_more: bool) -> NextStep:
        if self._rows:
            first = JobRequest(self._rows[0].job_id, scope=self._request.scope)
            return NextStep(text="To read the first:", call=first.call("get_extract_job"))
        if self._num_unreadable:
            return NextStep(text="None of these items is a job. Try again; if that persists, ask the service's owner.")
        if self._request.filters:
            return NextStep(text="No job passes these filters so far. Leave some out; times are UTC.")
        if has_more:
            return NextStep(text="No job so far. Older jobs may follow: go on with the cursor.")
        return NextStep(text="This key sees no job here. Check the project, the region and the key.")

    def _omission(self, cursor: str) -> Omission:
        return Omission(what="older jobs", call=self._request.call(cursor=cursor))

    def _cursor_cost(self, builder: AnswerBuilder, cursor: str) -> Cost:
        return builder.omissions_cost(self._omission(cursor)) + part_cost("cursor", cursor)
