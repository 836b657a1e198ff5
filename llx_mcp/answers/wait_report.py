"""Many jobs as one answer within a budget: a row each, then summaries of finished jobs, as many as fit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, TableBuilder, part_cost
from llx_mcp.answers.header import FREE, STUCK
from llx_mcp.answers.limits import MAX_CHARS, MIN_CHARS
from llx_mcp.answers.outputs import JobOutput, NextStep, Omission, WaitCounts, WaitOutput
from llx_mcp.answers.requests import SAME, WaitRequest, build_call, round_chars
from llx_mcp.answers.row_lines import job_line
from llx_mcp.result.sanitize import dump_json, sanitize_line

# Statuses of our own, besides those of the service: a job that cannot be read, and one that was not polled yet.
UNREADABLE = "ERROR"
NOT_POLLED = "NOT_POLLED"

_ID_CHARS = 64
_NOTE_CHARS = 200
_STATUS_CHARS = 24
_MAX_STATUSES = 8
_TABLE_SHARE = 0.7
_COMMA = 1
# A few useful summaries are better than many tiny ones.
_USEFUL_CHARS = 2_000
_SEPARATOR = "\n---\n"
_COLUMNS = ("job_id", "status", "seconds", "document", "note")
_URGENT_FIRST = {UNREADABLE: 0, "FAILED": 1, "CANCELLED": 1, "COMPLETED": 2}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job of many; what is not known is None.

    Attributes:
        job_id: id of the job, as requested.
        status: status of the job, as the service says.
        seconds: seconds from its creation until now, or until it ended.
        document: id of the file or parse job.
        note: why it failed, why it cannot be read, or what is unusual about it.
        has_ended: whether there is nothing left to wait for.
        has_result: whether there is something to read.
        is_overdue: whether it is stuck in one state unusually long.
        created_at: when it was created: ISO 8601, UTC.
        name: name of the document's file.
    """

    job_id: str
    status: str
    seconds: float | None = None
    document: str | None = None
    note: str | None = None
    has_ended: bool = False
    has_result: bool = False
    is_overdue: bool = False
    created_at: str | None = None
    name: str | None = None

    def cells(self, columns: Sequence[str]) -> list[str | int | None]:
        """Return the cells of these columns, each text one clean line of bounded length."""
        shown: dict[str, str | int | None] = {
            "job_id": sanitize_line(self.job_id, _ID_CHARS),
            "status": self.short_status,
            "seconds": None if self.seconds is None else round(self.seconds),
            "document": self.document and sanitize_line(self.document, _ID_CHARS),
            "note": self.note and sanitize_line(self.note, _NOTE_CHARS),
            "created_at": self.created_at,
            "name": self.name and sanitize_line(self.name, _ID_CHARS),
        }
        return [shown[column] for column in columns]

    @property
    def short_status(self) -> str:
        """Its status as one short line."""
        return sanitize_line(self.status, _STATUS_CHARS)


def build_job_table(rows: Sequence[JobRow], columns: Sequence[str]) -> TableBuilder:
    """Prepare a table of jobs; columns without a value are left out."""
    cells = [row.cells(columns) for row in rows]
    used = [index for index in range(len(columns)) if any(row[index] is not None for row in cells)]
    shown: Iterator[list[Any]] = ([row[index] for index in used] for row in cells)
    return TableBuilder("jobs", [columns[index] for index in used], shown, job_line)


class WaitReport:
    """Builds the answer to a wait for many jobs.

    The table is there from the start. `next_summary` names the job to summarize next and the budget of its summary;
    `add` takes the summary, `skip` says why there is none.
    """

    def __init__(self, rows: Sequence[JobRow], request: WaitRequest, waited_seconds: float) -> None:
        self._rows = rows
        self._request = request
        self._unread = [row.job_id for row in rows if row.has_result]
        self._summaries: list[JobOutput] = []
        self._spent = Cost()
        head = WaitOutput(waited=_count(rows, request, waited_seconds))
        self._builder = AnswerBuilder(head, request.max_chars)
        if steps := _next_steps(rows, request):
            self._builder.add_next_steps(*steps)
        self._add_table()

    def next_summary(self) -> tuple[str, int] | None:
        """Return the job to summarize next and the budget of its summary; None where there is no room, or no job."""
        if not self._unread:
            return None
        room = self._builder.room - self._spent - self._reserve()
        most = min(room.text - len(_SEPARATOR), room.data - _COMMA, MAX_CHARS)
        share = max(most // len(self._unread), _USEFUL_CHARS)
        return None if most < MIN_CHARS else (self._unread[0], min(share, most))

    def add(self, summary: Answer) -> None:
        """Add the summary of the job that was named last."""
        self._unread.pop(0)
        if not self._summaries:
            self._spent += part_cost("summaries", [])
        self._spent += Cost(len(_SEPARATOR) + len(summary.text), len(dump_json(summary.structured)) + _COMMA)
        self._summaries.append(JobOutput.model_validate(summary.structured))

    def skip(self, reason: str) -> None:
        """Say why the job that was named last has no summary."""
        job_id = sanitize_line(self._unread.pop(0), _ID_CHARS)
        self._builder.omit(Omission(what=f"summary of {job_id}", hint=sanitize_line(reason, _NOTE_CHARS)))

    def build(self) -> Answer:
        """Build both forms of the answer."""
        if self._summaries:
            self._builder.add("summaries", self._summaries)
        if self._unread:
            self._builder.omit(self._omission_of_unread(len(self._unread)))
        return self._builder.build()

    def _reserve(self) -> Cost:
        longest = self._omission_of_unread(len(self._rows))
        return self._builder.omissions_cost(longest) + part_cost("summaries", [])

    def _omission_of_unread(self, count: int) -> Omission:
        call = self._request.job_request(self._unread[0] if self._unread else "").call("get_extract_job")
        if count == 1:
            return Omission(what="summary of a finished job", count=count, call=call)
        hint = "call it for each other COMPLETED job too"
        return Omission(what="summaries of finished jobs", count=count, call=call, hint=hint)

    def _add_table(self) -> None:
        builder = self._builder
        reserve = self._reserve() if self._unread else Cost()
        # Where no summary has room beside the table, the table has all of it.
        left = min(builder.room.text, builder.room.data) * (1 - _TABLE_SHARE)
        share = _TABLE_SHARE if self._unread and left >= MIN_CHARS else 1.0
        every = build_job_table(self._rows, _COLUMNS)
        every.fill(Cost(MAX_CHARS, MAX_CHARS))
        if every.spent.fits((builder.room - reserve).share(share)):
            builder.add("jobs", every.table)
            return
        need = int((builder.spent + reserve + every.spent).chars / _TABLE_SHARE)
        longest = self._omission_of_jobs(len(self._rows), need)
        # If not all rows fit, jobs that need attention come first.
        rows = sorted(self._rows, key=lambda row: _URGENT_FIRST.get(row.short_status, 3))
        table = build_job_table(rows, every.columns)
        table.fill((builder.room - reserve - builder.omissions_cost(longest)).share(share))
        if table.rows:
            builder.add("jobs", table.table)
        builder.omit(self._omission_of_jobs(len(rows) - len(table.rows), need))

    def _omission_of_jobs(self, num_left: int, need_chars: int) -> Omission:
        rounded = min(round_chars(need_chars), MAX_CHARS)
        call = self._request.call(self._request.job_ids, timeout_seconds=0, max_chars=rounded)
        return Omission(what="jobs", count=num_left, total=len(self._rows), call=call)


def _count(rows: Sequence[JobRow], request: WaitRequest, waited_seconds: float) -> WaitCounts:
    counts = Counter(row.short_status for row in rows)
    shown = dict(counts.most_common(_MAX_STATUSES))
    rest = len(rows) - sum(shown.values())
    repeated = len(request.job_ids) - len(rows)
    return WaitCounts(
        jobs=len(rows),
        ended=sum(row.has_ended and row.status != UNREADABLE for row in rows),
        statuses=shown | ({"other": rest} if rest else {}),
        seconds=round(waited_seconds, 1),
        until=request.until,
        **({"repeated": repeated} if repeated > 0 else {}),
    )


def _next_steps(rows: Sequence[JobRow], request: WaitRequest) -> list[list[NextStep]]:
    """Return what to do next, in full and then shorter; empty where there is nothing to do."""
    waiting = [row.job_id for row in rows if not row.has_ended]
    readable = next((row.job_id for row in rows if row.has_result), None)
    reading = []
    if readable is not None:
        call = request.job_request(readable).call("get_extract_job")
        reading = [NextStep(text="To read one that has ended:", call=call)]
    if not waiting:
        return [reading] if reading else []
    verb = "job has" if len(waiting) == 1 else "jobs have"
    about = STUCK if any(row.is_overdue for row in rows) else FREE
    call = request.call(waiting)
    full = NextStep(text=f"{len(waiting)} {verb} not ended. {about} To keep waiting:", call=call)
    shortest = build_call("wait_for_extract_job", {"job_ids": SAME})
    return [
        [full, *reading],
        [full],
        [NextStep(text="To keep waiting:", call=call)],
        [NextStep(text="To keep waiting:", call=shortest)],
    ]
