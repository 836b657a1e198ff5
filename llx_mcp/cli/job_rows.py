"""Jobs of a command as rows of text, what is known of each, how they are printed, and which exit status they give."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from llx_mcp.answers.wait_report import UNREADABLE
from llx_mcp.cli.options import EXIT_COMPLETED, EXIT_ERROR, EXIT_FAILED, EXIT_TIMEOUT
from llx_mcp.cli.wording import describe_error
from llx_mcp.jobs.job_rows import build_waited_row
from llx_mcp.result.sanitize import sanitize_line

if TYPE_CHECKING:
    from llx_mcp.jobs.progress import JobSnapshot

Row = dict[str, str]

CELL_CHARS = 64
_COLUMNS = ("name", "job", "status", "time", "document", "note")
# A reason of the service may end with what to do about it.
NOTE_CHARS = 600


def describe_snapshot(snapshot: "JobSnapshot", now: datetime) -> Row:
    """Return a job's id, status, time, document, and a note about an error or anything unusual, as printable text.

    Args:
        snapshot: what is known of the job.
        now: the time by the service's clock.
    """
    line = build_waited_row(snapshot, now)
    note = line.note if snapshot.error is None else describe_error(snapshot.error)
    row = {"job": sanitize_line(line.job_id, CELL_CHARS), "status": line.short_status}
    if line.seconds is not None:
        row["time"] = f"{line.seconds:.0f} s" if line.has_ended else f"{line.seconds:.0f} s so far"
    if line.document:
        row["document"] = sanitize_line(line.document, CELL_CHARS)
    if note:
        row["note"] = sanitize_line(note, NOTE_CHARS)
    return row


def print_rows(rows: Sequence[Row], stream: TextIO) -> None:
    """Print jobs: a table on a terminal, lines elsewhere."""
    if not stream.isatty():
        for row in rows:
            print(join_cells(row), file=stream)
        return
    from rich.console import Console

    from llx_mcp.cli.tables import build_job_table

    console = Console(file=stream, highlight=False)
    console.print(build_job_table(rows, console.width))


def join_cells(row: Row) -> str:
    """Return a row as one line."""
    return "  ".join(row[name] for name in _COLUMNS if row.get(name))


def get_exit_status(statuses: Collection[str]) -> int:
    """Return the exit status for jobs with these statuses. The first that applies counts:

    - 2: a job cannot be read (`UNREADABLE`);
    - 1: a job failed or was cancelled;
    - 0: all completed;
    - 3: a job is still running.
    """
    if UNREADABLE in statuses:
        return EXIT_ERROR
    if not {"FAILED", "CANCELLED"}.isdisjoint(statuses):
        return EXIT_FAILED
    return EXIT_COMPLETED if set(statuses) == {"COMPLETED"} else EXIT_TIMEOUT
