"""Many jobs as one answer within a budget: a line each, then what the finished ones say as far as there is room."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, Rows, part_cost
from llx_mcp.answers.header import (
    DEFAULT_CHARS,
    DEFAULT_EXPAND,
    MAX_CHARS,
    MIN_CHARS,
    SAME,
    STUCK,
    JobRequest,
    format_call,
)
from llx_mcp.answers.markdown import render, roll_line
from llx_mcp.result.sanitize import dump_json, sanitize_line
from llx_mcp.scope import DEFAULT_SCOPE, Scope

Until = Literal["all", "any"]

# What cannot be read, beside the statuses of the service.
UNREADABLE = "ERROR"
UNSEEN = "UNSEEN"

_ID_CHARS = 64
_NOTE_CHARS = 200
_STATUSES_SHOWN = 8
_IDS_SHARE = 0.1
_TABLE_SHARE = 0.7
_COMMA = 1
# A few jobs that say something are better than many that say next to nothing.
_USEFUL_CHARS = 2_000
_SEPARATOR = "\n---\n"
_WAITED_COLUMNS = ["job_id", "status", "seconds", "document", "note"]
_URGENT_FIRST = {UNREADABLE: 0, "FAILED": 1, "CANCELLED": 1, "COMPLETED": 2}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job of many; what is not known is None.

    Attributes:
        job_id: as it was asked for.
        status: as the service says.
        seconds: from its creation until now, or until it ended.
        document: id of the file or parse job.
        note: why it failed, why it cannot be read, or what is unusual about it.
        has_ended: whether there is nothing left to wait for.
        has_result: whether there is something to read.
        is_overdue: whether it has been in its state far longer than jobs usually are.
        created_at: ISO 8601, UTC.
        name: of the document's file.
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

    def cells(self, columns: Sequence[str]) -> list[Any]:
        """The cells of these columns, each one visible line of bounded length."""
        shown = {
            "job_id": sanitize_line(self.job_id, _ID_CHARS),
            "status": self.kind,
            "seconds": None if self.seconds is None else round(self.seconds),
            "document": self.document and sanitize_line(self.document, _ID_CHARS),
            "note": self.note and sanitize_line(self.note, _NOTE_CHARS),
            "created_at": self.created_at,
            "name": self.name and sanitize_line(self.name, _ID_CHARS),
        }
        return [shown[column] for column in columns]

    @property
    def kind(self) -> str:
        """Its status as one short line."""
        return sanitize_line(self.status, 24)


def build_table(lines: Sequence[JobRow], columns: Sequence[str]) -> Rows:
    """The lines as a table that can be filled; columns that say nothing are left out."""
    used = [name for index, name in enumerate(columns) if any(line.cells(columns)[index] is not None for line in lines)]
    head = part_cost("jobs", {"columns": used, "rows": []})
    return Rows(head, used, (line.cells(used) for line in lines), roll_line)


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """The arguments of a wait, as far as they shape its answer and must be repeated in the next.

    `is_many` is whether the answer is a table; else there is one id, and the answer is about that job.
    """

    job_ids: tuple[str, ...]
    until: Until = "all"
    expand: tuple[str, ...] = DEFAULT_EXPAND
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE
    is_many: bool = True

    def ask(self, job_id: str, max_chars: int | None = None) -> JobRequest:
        """The same about one job."""
        return JobRequest(job_id, self.expand, max_chars or self.max_chars, self.scope)

    def format_wait(self, job_ids: Sequence[str], **arguments: Any) -> str:
        """The call that waits for some of the jobs, or for all of them where these would fill the answer."""
        num_chars = sum(len(job_id) + len('"",') for job_id in job_ids)
        is_plain = all(sanitize_line(job_id, _ID_CHARS) == job_id for job_id in job_ids)
        is_short = num_chars <= self.max_chars * _IDS_SHARE and is_plain
        given = {
            "job_ids": list(job_ids) if is_short else SAME,
            "until": None if self.until == "all" else self.until,
            "expand": None if self.expand == DEFAULT_EXPAND else list(self.expand),
            **arguments,
            **asdict(self.scope),
        }
        return format_call("wait_for_extract_job", given)


class WaitReport:
    """The answer to a wait for many jobs.

    The table is there from the start. `next_summary` names the job to read next and the characters that there are
    for it; `add` takes what it says, `skip` why it says nothing.
    """

    def __init__(self, lines: Sequence[JobRow], asks: WaitRequest, waited_seconds: float) -> None:
        self._lines = lines
        self._asks = asks
        self._unread = [line.job_id for line in lines if line.has_result]
        self._views: list[dict[str, Any]] = []
        self._spent = Cost()
        self._sheet = AnswerBuilder({"waited": _count(lines, asks, waited_seconds)}, asks.max_chars)
        moves = _moves(lines, asks)
        if moves:
            self._sheet.close_with(*moves)
        self._add_table()

    def next_summary(self) -> tuple[str, int] | None:
        """The job to read next, and the most characters of what it says; None where there is no room, or no job."""
        if not self._unread:
            return None
        room = self._sheet.room - self._spent - self._reserve()
        most = min(room.text - len(_SEPARATOR), room.data - _COMMA, MAX_CHARS)
        share = max(most // len(self._unread), _USEFUL_CHARS)
        return None if most < MIN_CHARS else (self._unread[0], min(share, most))

    def add(self, answer: Answer) -> None:
        """Take what the job says that was named last."""
        self._unread.pop(0)
        if not self._views:
            self._spent += part_cost("summaries", [])
        self._spent += Cost(len(_SEPARATOR) + len(render(answer.view)), len(dump_json(answer.view)) + _COMMA)
        self._views.append(answer.view)

    def skip(self, reason: str) -> None:
        """Say of the job that was named last why it says nothing."""
        job_id = sanitize_line(self._unread.pop(0), _ID_CHARS)
        self._sheet.note(f"what {job_id} says: {sanitize_line(reason, _NOTE_CHARS)}")

    def answer(self) -> Answer:
        """Both forms of what was taken."""
        if self._views:
            self._sheet.spend("summaries", self._views)
        if self._unread:
            self._sheet.note(self._note_on_unread(len(self._unread)))
        return self._sheet.answer()

    def _reserve(self) -> Cost:
        return self._sheet.notes_cost([self._note_on_unread(len(self._lines))]) + part_cost("summaries", [])

    def _note_on_unread(self, count: int) -> str:
        call = self._asks.ask(self._unread[0] if self._unread else "").format_call("get_extract_job")
        others = ", and so each other that has COMPLETED" if count > 1 else ""
        return f"what {count} job{'s' if count > 1 else ''} say{'' if count > 1 else 's'}: {call}{others}"

    def _add_table(self) -> None:
        sheet = self._sheet
        reserve = self._reserve() if self._unread else Cost()
        # Where no summary has room beside the table, the table has all of it.
        left = min(sheet.room.text, sheet.room.data) * (1 - _TABLE_SHARE)
        share = _TABLE_SHARE if self._unread and left >= MIN_CHARS else 1.0
        every = build_table(self._lines, _WAITED_COLUMNS)
        every.fill(Cost(MAX_CHARS, MAX_CHARS))
        if every.spent.fits((sheet.room - reserve).share(share)):
            sheet.spend("jobs", every.table)
            return
        need = (sheet.spent + reserve + every.spent).chars / _TABLE_SHARE
        note = f"{len(self._lines)} of {len(self._lines)} jobs: {self._way_to_all(int(need))}"
        # What wants something done comes first where not all have room.
        lines = sorted(self._lines, key=lambda line: _URGENT_FIRST.get(line.kind, 3))
        table = build_table(lines, every.columns)
        table.fill((sheet.room - reserve - sheet.notes_cost([note])).share(share))
        if table.rows:
            sheet.spend("jobs", table.table)
        num_left = len(lines) - len(table.rows)
        sheet.note(note.replace(str(len(lines)), str(num_left), 1))

    def _way_to_all(self, need_chars: int) -> str:
        rounded = min(-(-need_chars // 100) * 100, MAX_CHARS)
        return self._asks.format_wait(self._asks.job_ids, timeout_seconds=0, max_chars=rounded)


def _count(lines: Sequence[JobRow], asks: WaitRequest, waited_seconds: float) -> dict[str, Any]:
    counts = Counter(line.kind for line in lines)
    shown = dict(counts.most_common(_STATUSES_SHOWN))
    rest = len(lines) - sum(shown.values())
    repeated = len(asks.job_ids) - len(lines)
    facts: dict[str, Any] = {
        "jobs": len(lines),
        "ended": sum(line.has_ended and line.status != UNREADABLE for line in lines),
    }
    facts |= {"statuses": shown | ({"other": rest} if rest else {})}
    facts |= {"seconds": round(waited_seconds, 1), "until": asks.until}
    return facts | ({"repeated": repeated} if repeated > 0 else {})


def _moves(lines: Sequence[JobRow], asks: WaitRequest) -> list[str]:
    waiting = [line.job_id for line in lines if not line.has_ended]
    readable = next((line.job_id for line in lines if line.has_result), None)
    reading = ""
    if readable is not None:
        reading = f"{asks.ask(readable).format_call('get_extract_job')} reads one that has ended."
    if not waiting:
        return [reading] if reading else []
    call = asks.format_wait(waiting)
    verb = "job has" if len(waiting) == 1 else "jobs have"
    free = STUCK if any(line.is_overdue for line in lines) else "Looking and waiting change and bill nothing."
    full = f"{len(waiting)} {verb} not ended: {call} waits on. {free}"
    return [f"{full} {reading}".strip(), full, call, f"wait_for_extract_job(job_ids={SAME})"]
