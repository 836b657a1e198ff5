"""The jobs that a key sees, newest first, a line each, within a budget; a cursor for those that have no room."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from llx_mcp.answers.budget import NOTICE, Answer, AnswerBuilder, Cost, part_cost
from llx_mcp.answers.cursors import CursorError, seal, unseal
from llx_mcp.answers.header import DEFAULT_CHARS, JobRequest, format_call
from llx_mcp.answers.wait_report import JobRow, build_table
from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.result.sanitize import dump_json, sanitize_line
from llx_mcp.scope import DEFAULT_SCOPE, Scope

_COLUMNS = ["job_id", "status", "created_at", "seconds", "document", "name", "note"]
_MOST_JOBS = 999
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_ANY_TIME = "2026-01-31T08:00:00Z"
_FILTER_CHARS = 64
_ID = re.compile(r"(dfl|pjb)-|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class JobListRequest:
    """Which jobs are asked for; None does not filter. Times are ISO 8601, as they were given."""

    status: str | None = None
    document: str | None = None
    configuration_id: str | None = None
    created_since: str | None = None
    created_until: str | None = None
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE

    @property
    def filters(self) -> dict[str, str]:
        """The filters that were given."""
        names = ("status", "document", "configuration_id", "created_since", "created_until")
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def file_input(self) -> str | None:
        """The document, where it is named by its id; the service filters by that."""
        return self.document if self.document and _ID.match(self.document) else None

    @property
    def name_part(self) -> str | None:
        """A part of the document's name, where it is named so; folded."""
        return None if self.document is None or self.file_input else self.document.casefold()

    def matches(self, line: JobRow) -> bool:
        """Whether a job passes what the service does not filter by."""
        part = self.name_part
        return part is None or part in (line.name or "").casefold() or part == (line.document or "").casefold()

    def format_call(self, **arguments: Any) -> str:
        """The same call with other arguments."""
        return format_call("list_extract_jobs", {**self.filters, **arguments, **asdict(self.scope)})

    @property
    def source(self) -> str:
        """What a cursor belongs to."""
        return json.dumps(["list", self.filters, *asdict(self.scope).values()])


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Where a list goes on: the page, and the last job that was shown of it.

    Attributes:
        page_token: of the page; None for the first.
        job_id: the last job that was shown; None at the beginning of a page.
        created_at: when that was created, for when it is not there any more.
    """

    page_token: str | None = None
    job_id: str | None = None
    created_at: str | None = None

    def encode(self, ask: JobListRequest) -> str:
        """The place as a cursor."""
        return seal(json.dumps([self.page_token, self.job_id, self.created_at]).encode(), ask.source)

    def skip(self, lines: Sequence[JobRow]) -> list[JobRow]:
        """What of a page comes after the place."""
        ids = [line.job_id for line in lines]
        if self.job_id in ids:
            return list(lines[ids.index(self.job_id) + 1 :])
        if self.job_id is None or self.created_at is None:
            return list(lines)
        # It was deleted, or newer jobs have pushed it to a later page.
        return [line for line in lines if line.created_at is None or line.created_at < self.created_at]


def decode_position(cursor: str | None, ask: JobListRequest) -> ListPosition:
    """The place of a cursor; the beginning without one.

    Raises:
        CursorError: it was altered, or belongs to another list.
    """
    if cursor is None:
        return ListPosition()
    payload = unseal(cursor, ask.source, "list of jobs. Repeat the filters")
    try:
        token, job_id, created_at = json.loads(payload)
    except ValueError:
        raise CursorError("cursor: not one of list_extract_jobs. Leave it out to begin again.") from None
    return ListPosition(token, job_id, created_at)


def parse_time(name: str, text: str | None, *, is_end: bool = False) -> datetime | None:
    """A moment from ISO 8601; a date alone is the whole of that day, and without an offset it is UTC.

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


class JobListBuilder:
    """The answer to a list, in the making."""

    def __init__(self, ask: JobListRequest) -> None:
        self._ask = ask
        self._lines: list[JobRow] = []
        self._positions: list[ListPosition] = []
        self._num_seen = 0

    def add(self, lines: Sequence[JobRow], page_token: str | None) -> None:
        """Take the jobs of a page that pass the filters."""
        self._num_seen += len(lines)
        for line in lines:
            if self._ask.matches(line):
                self._lines.append(line)
                self._positions.append(ListPosition(page_token, line.job_id, line.created_at))

    def has_room(self, num_jobs: int) -> bool:
        """Whether so many jobs more would find room beside those that were taken, going by their length."""
        if not self._lines:
            return True
        sheet = self._open()
        table = build_table(self._lines, _COLUMNS)
        table.fill(sheet.room)
        each = -(-table.spent.chars // len(self._lines))
        is_whole = len(table.rows) == len(self._lines)
        return is_whole and table.spent.chars + num_jobs * each <= min(sheet.room.text, sheet.room.data)

    def answer(self, next_token: str | None, now: datetime) -> Answer:
        """Both forms of the list.

        Args:
            next_token: of the page after the last that was taken; None where there is none.
            now: by the service's clock, so that whoever reads the times has one to hold them against.
        """
        sheet = self._open()
        rest = ListPosition(next_token).encode(self._ask) if next_token else None
        table = build_table(self._lines, _COLUMNS)
        table.fill(sheet.room)
        if rest or len(table.rows) < len(self._lines):
            cursors = [rest or "", *(position.encode(self._ask) for position in self._positions)]
            table = build_table(self._lines, _COLUMNS)
            table.fill(sheet.room - self._cursor_cost(sheet, max(cursors, key=len)))
        num_shown = len(table.rows)
        sheet.view["listed"] = self._facts(num_shown, now.astimezone(UTC).strftime(_TIME_FORMAT))
        if table.rows:
            sheet.spend("jobs", table.table)
        if num_shown < len(self._lines):
            rest = (self._positions[num_shown - 1] if num_shown else ListPosition()).encode(self._ask)
        if rest:
            sheet.note(self._note(rest))
            sheet.spend("cursor", rest)
        return sheet.answer()

    def _open(self) -> AnswerBuilder:
        sheet = AnswerBuilder({"listed": self._facts(_MOST_JOBS, _ANY_TIME)}, self._ask.max_chars)
        for move in self._moves():
            sheet.close_with(move)
        if self._lines:
            sheet.spend("notice", NOTICE)
        return sheet

    def _facts(self, num_jobs: int, now: str) -> dict[str, Any]:
        filters = {name: sanitize_line(value, _FILTER_CHARS) for name, value in self._ask.filters.items()}
        facts = {"jobs": num_jobs, "now": now} | ({"filters": filters} if filters else {})
        return facts | ({"looked_through": self._num_seen} if self._ask.name_part else {})

    def _moves(self) -> list[str]:
        if self._lines:
            scope = JobRequest(self._lines[0].job_id, (), 0, self._ask.scope)
            return [f"{scope.format_call('get_extract_job')} reads the first."]
        if self._ask.filters:
            return ["No job passes these filters so far. Leave some out; times are UTC."]
        return ["This key sees no job here. Check the project, the region and the key."]

    def _note(self, cursor: str) -> str:
        # Not shortened as other arguments are: clients that show only the text have it from here.
        call = self._ask.format_call(max_chars=None if self._ask.max_chars == DEFAULT_CHARS else self._ask.max_chars)
        separator = "" if call.endswith("()") else ", "
        return f"older jobs: {call[:-1]}{separator}cursor={dump_json(cursor)})"

    def _cursor_cost(self, sheet: AnswerBuilder, cursor: str) -> Cost:
        return sheet.notes_cost([self._note(cursor)]) + part_cost("cursor", cursor)
