"""Answers about several jobs: which of them are answered for, and what each says about some words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llx_mcp.answers.budget import NOTICE, Answer, AnswerBuilder, Cost, part_cost
from llx_mcp.answers.header import FREE
from llx_mcp.answers.outputs import NextStep, Omission, QueryOutput
from llx_mcp.answers.requests import JobsRequest
from llx_mcp.answers.search_outputs import JobSearch, SearchOutput
from llx_mcp.answers.wait_report import UNREADABLE, JobRow, build_job_table
from llx_mcp.result.sanitize import dump_json, sanitize_line

_COLUMNS = ("job_id", "status", "note")
_JOBS_SHARE = 0.6
_NOTES_SHARE = 0.3
_MIN_NOTE_CHARS = 40
_ID_CHARS = 64
_REASON_CHARS = 200
_COMMA = 1
# A search of one job has room for a hit from about here.
_USEFUL_CHARS = 700


def start_joined(
    head: QueryOutput | SearchOutput, jobs: Sequence[JobRow], shown: Sequence[JobRow], request: JobsRequest
) -> AnswerBuilder:
    """Start an answer about several jobs: the notice, what to do about jobs that have not ended, and a table of jobs.

    Args:
        head: the empty output.
        jobs: all jobs.
        shown: those that the table shows.
        request: the jobs and the budget.
    """
    builder = AnswerBuilder(head, request.max_chars)
    builder.add("notice", NOTICE)
    if waiting := [job.job_id for job in jobs if not job.has_ended]:
        verb = "job has" if len(waiting) == 1 else "jobs have"
        call = request.call("wait_for_extract_job", waiting)
        builder.add_next_steps([NextStep(text=f"{len(waiting)} {verb} not ended. {FREE} To wait:", call=call)])
    if shown:
        _add_jobs(builder, shown)
    return builder


def _add_jobs(builder: AnswerBuilder, jobs: Sequence[JobRow]) -> None:
    num_notes = sum(job.note is not None for job in jobs)
    most = min(builder.room.text, builder.room.data)
    note_chars = max(int(most * _NOTES_SHARE / max(num_notes, 1)), _MIN_NOTE_CHARS)
    # If not all rows fit, jobs without an answer come first.
    rows = [replace(job, note=job.note and sanitize_line(job.note, note_chars)) for job in jobs]
    omission = Omission(what="jobs", count=len(jobs), total=len(jobs), hint="raise max_chars")
    room = (builder.room - builder.omissions_cost(omission)).share(_JOBS_SHARE)
    table = build_job_table(rows, _COLUMNS)
    table.fill(room)
    if len(table.rows) < len(rows):
        table = build_job_table(sorted(rows, key=lambda row: row.note is None), _COLUMNS)
        table.fill(room)
        builder.omit(omission.model_copy(update={"count": len(rows) - len(table.rows)}))
    if table.rows:
        builder.add("jobs", table.table)


@dataclass(frozen=True, slots=True)
class JobSearchRoom:
    """A job to search, and how much its answer may take.

    Attributes:
        job_id: the job.
        max_chars: the budget.
        limit: the most matches to show.
    """

    job_id: str
    max_chars: int
    limit: int


@dataclass(slots=True)
class _Searched:
    job_id: str
    found: JobSearch
    cost: Cost
    # A job is searched again at most once.
    is_final: bool

    @property
    def num_shown(self) -> int:
        return len(self.found.hits.rows) if self.found.hits is not None else 0


class SearchReport:
    """Builds the answer to a search of several jobs.

    `next_search` names the job to search next, and the room for it; `add` takes what was found, `skip` says why there
    is nothing. Each job has the same room at first. What some do not need goes to the others.
    """

    def __init__(self, jobs: Sequence[JobRow], request: JobsRequest, text: str, limit: int) -> None:
        unread = [job for job in jobs if job.status == UNREADABLE]
        self._request = request
        self._text = text
        self._limit = limit
        self._share = max(limit // len(jobs), 1)
        self._left = [job.job_id for job in jobs if job.status != UNREADABLE]
        self._searched: list[_Searched] = []
        self._again: _Searched | None = None
        # Each search has the next step of its own job.
        self._builder = start_joined(SearchOutput(), unread, unread, request)

    def next_search(self) -> JobSearchRoom | None:
        """Return the job to search next; None where there is no room, or no job."""
        room = self._builder.room - self._spent - self._reserve()
        most = min(room.text, room.data) - _COMMA
        if self._left:
            share = max(most // len(self._left), _USEFUL_CHARS)
            return None if most < _USEFUL_CHARS else JobSearchRoom(self._left[0], min(share, most), self._share)
        spare = self._limit - sum(one.num_shown for one in self._searched)
        self._again = next((one for one in self._searched if one.found.omitted and not one.is_final), None)
        if self._again is None or most < _USEFUL_CHARS or spare < 1:
            return None
        self._again.is_final = True
        room += self._again.cost
        most = min(room.text, room.data) - _COMMA
        return JobSearchRoom(self._again.job_id, most, spare + self._again.num_shown)

    def add(self, found: Answer) -> None:
        """Add what was found in the job that was named last."""
        # The whole answer has the notice.
        structured = {name: value for name, value in found.structured.items() if name != "notice"}
        cost = Cost(len(found.text) + len("\n"), len(dump_json(structured)) + _COMMA)
        search = JobSearch.model_validate(structured)
        if self._again is not None:
            self._again.found, self._again.cost = search, cost
        else:
            self._searched.append(_Searched(self._left.pop(0), search, cost, is_final=False))

    def skip(self, reason: str) -> None:
        """Say why the job that was named last was not searched. What was found in it before stays."""
        if self._again is not None:
            return
        job_id = sanitize_line(self._left.pop(0), _ID_CHARS)
        self._builder.omit(Omission(what=f"search of {job_id}", hint=sanitize_line(reason, _REASON_CHARS)))

    def build(self) -> Answer:
        """Build both forms of the answer."""
        if self._searched:
            self._builder.add("searches", [one.found for one in self._searched])
        if self._left:
            self._builder.omit(self._omission())
        return self._builder.build()

    @property
    def _spent(self) -> Cost:
        return sum((one.cost for one in self._searched), Cost())

    def _reserve(self) -> Cost:
        return self._builder.omissions_cost(self._omission()) + part_cost("searches", [])

    def _omission(self) -> Omission:
        call = self._request.call("find_in_extract_result", self._left, text=self._text)
        return Omission(what="jobs that were not searched", count=len(self._left), call=call)
