"""Shows how far an extraction is: a live table on a terminal, lines elsewhere."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

from llx_mcp.answers.wait_report import UNREADABLE
from llx_mcp.cli.extract_files import UNCHECKED, UNCLEAR, FileState
from llx_mcp.cli.job_rows import CELL_CHARS, NOTE_CHARS, Row, describe_snapshot, join_cells
from llx_mcp.cli.waiting_line import LiveTable, WaitingLine
from llx_mcp.cli.wording import describe_error
from llx_mcp.jobs.reader import JobReader
from llx_mcp.redaction import Redactor, map_strings
from llx_mcp.result.sanitize import sanitize_line

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import RenderableType

# In the live table, which must fit the terminal. Lines have whole notes.
_SHORT_NOTE_CHARS = 160
_STATUS_CHARS = 24
# Lines of the terminal that are not rows, and lines of one row.
_OTHER_LINES = 6
_ROW_LINES = 2
_LEAST_ROWS = 3
_UNCLEAR = "the answer to its creation was lost; its job is looked for, for some minutes"
_EXISTED = "found: it has the same document and options; --again creates another"


class Display(Protocol):
    """Shows the states of files."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, states: Sequence[FileState], next_poll_seconds: float | None) -> None:
        """Show the states."""
        ...


def open_display(reader: JobReader, redactor: Redactor, line: WaitingLine) -> Display:
    """Return the display for stderr."""
    return _Table(reader, redactor, line) if sys.stderr.isatty() else _Lines(reader, redactor)


def describe_states(states: Sequence[FileState], reader: JobReader, redactor: Redactor) -> list[Row]:
    """Return each file's name, job, status, time and a note, as printable text without the key."""
    now = reader.fetcher.service_now()
    return [map_strings(_describe(state, now), redactor.redact) for state in states]


def count(states: Sequence[FileState]) -> str:
    """Return how many of the files have ended, and how many have a job where that is not all."""
    num_ended, num_created = sum(state.is_done for state in states), sum(state.job_id is not None for state in states)
    words = [f"{num_ended} of {len(states)} done"]
    if num_created < len(states) and num_ended < len(states):
        words.append(f"{num_created} with a job")
    return ", ".join(words)


def draw(rows: Sequence[Row], states: Sequence[FileState], caption: str, size: tuple[int, int]) -> "RenderableType":
    """Build a table of as many files as fit: those with something to come first, then errors, then the others.

    Args:
        rows: the files, as `describe_states` describes them.
        states: the same files.
        caption: a line below the table.
        size: columns and lines of the terminal.
    """
    from llx_mcp.cli.tables import build_job_table

    order = sorted(range(len(rows)), key=lambda index: _urgency(states[index]))
    num_shown = max((size[1] - _OTHER_LINES) // _ROW_LINES, _LEAST_ROWS)
    more = f"; {len(rows) - num_shown} files more" if len(rows) > num_shown else ""
    shown = [_shorten(rows[index]) for index in sorted(order[:num_shown])]
    return build_job_table(shown, size[0], f"{caption}{more}")


def _shorten(row: Row) -> Row:
    return {**row, "note": sanitize_line(row["note"], _SHORT_NOTE_CHARS)} if "note" in row else row


def _describe(state: FileState, now: "datetime") -> Row:
    row = {"name": sanitize_line(state.path, CELL_CHARS)}
    if state.job_id is not None:
        row["job"] = sanitize_line(state.job_id, CELL_CHARS)
    row["status"] = sanitize_line(state.status, _STATUS_CHARS)
    if state.snapshot is not None:
        polled = describe_snapshot(state.snapshot, now)
        row |= {name: polled[name] for name in ("time", "note") if name in polled}
    if state.error is not None:
        row["note"] = sanitize_line(describe_error(state.error), NOTE_CHARS)
    elif state.status == UNCLEAR:
        row["note"] = _UNCLEAR
    elif state.created is not None and not state.created.is_new and state.status != "COMPLETED":
        reason = row.get("note") or sanitize_line(state.created.job.error_message or "", NOTE_CHARS)
        row["note"] = f"{reason} ({_EXISTED})" if reason else _EXISTED
    return row


def _urgency(state: FileState) -> int:
    if state.status == UNREADABLE:
        return 1
    return 2 if state.is_done or state.status == UNCHECKED else 0


class _Lines:
    """Prints a line to stderr for each change of a file's status."""

    def __init__(self, reader: JobReader, redactor: Redactor) -> None:
        self._reader = reader
        self._redactor = redactor
        self._statuses: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, states: Sequence[FileState], next_poll_seconds: float | None) -> None:
        """Print the files whose status has changed."""
        changed = [state for state in states if self._statuses.get(state.path, UNCHECKED) != state.status]
        for state, row in zip(changed, describe_states(changed, self._reader, self._redactor), strict=True):
            self._statuses[state.path] = state.status
            print(f"{join_cells(row)}  ({count(states)})", file=sys.stderr, flush=True)


class _Table(LiveTable):
    """Draws a table on stderr, again after each change."""

    def __init__(self, reader: JobReader, redactor: Redactor, line: WaitingLine) -> None:
        super().__init__(line)
        self._reader = reader
        self._redactor = redactor

    def show(self, states: Sequence[FileState], next_poll_seconds: float | None) -> None:
        """Draw the current states."""
        self._line.clear()
        self._live.start()
        rows = describe_states(states, self._reader, self._redactor)
        poll = "" if next_poll_seconds is None else f"; next poll in {next_poll_seconds:.0f} s"
        table = draw(rows, states, f"{count(states)}{poll}", (self._console.width, self._console.height))
        self._live.update(table, refresh=True)
