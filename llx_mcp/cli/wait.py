"""Waits for several jobs: a live table on a terminal, lines elsewhere."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import anyio

from llx_mcp.cli.jobs import open_command_reader
from llx_mcp.cli.options import EXIT_COMPLETED, EXIT_ERROR, EXIT_FAILED, EXIT_TIMEOUT, CommandSetup, describe_error
from llx_mcp.jobs.job_rows import build_waited_row
from llx_mcp.redaction import map_strings
from llx_mcp.result.sanitize import dump_json, sanitize_line

if TYPE_CHECKING:
    from rich.table import Table

    from llx_mcp.jobs.progress import JobSnapshot, WaitProgress

_COLUMNS = ("job", "status", "time", "document", "note")
_CELL_CHARS = 48
_NOTE_CHARS = 160
_STATUS_COLOURS = {"COMPLETED": "green", "FAILED": "red", "CANCELLED": "yellow", "ERROR": "red"}


def wait_for_many(setup: CommandSetup, job_ids: Sequence[str], *, timeout_seconds: float, as_json: bool) -> int:
    """Wait until all jobs have ended, then print a line for each.

    Args:
        setup: where jobs come from, and their project and organization.
        job_ids: ids of the jobs, at most 100.
        timeout_seconds: the longest wait.
        as_json: print a JSON list instead of lines.

    Returns:
        The exit status, as `get_exit_status` defines it.

    Raises:
        LlxError: no request can be made, or there are more than 100 ids.
    """

    async def run() -> "WaitProgress":
        display = _Table() if sys.stderr.isatty() else _Lines()
        async with open_command_reader(setup) as reader:
            with display:
                return await reader.wait_many(
                    job_ids, timeout_seconds=timeout_seconds, scope=setup.scope, on_progress=display.show
                )

    progress = anyio.run(run)
    now, redact = datetime.now(UTC), setup.redactor.redact
    rows = [map_strings(describe_snapshot(snapshot, now), redact) for snapshot in progress.snapshots]
    if as_json:
        print(dump_json(rows))
    else:
        for row in rows:
            print("  ".join(row[name] for name in _COLUMNS if row.get(name)))
    return get_exit_status(progress.snapshots)


def describe_snapshot(snapshot: "JobSnapshot", now: datetime) -> dict[str, str]:
    """Return a job's id, status, time, document, and a note about an error or anything unusual, as printable text."""
    line = build_waited_row(snapshot, now)
    note = line.note if snapshot.error is None else describe_error(snapshot.error)
    row = {"job": sanitize_line(line.job_id, _CELL_CHARS), "status": line.short_status}
    if line.seconds is not None:
        row["time"] = f"{line.seconds:.0f} s" if line.has_ended else f"{line.seconds:.0f} s so far"
    if line.document:
        row["document"] = sanitize_line(line.document, _CELL_CHARS)
    if note:
        row["note"] = sanitize_line(note, _NOTE_CHARS)
    return row


def get_exit_status(snapshots: Sequence["JobSnapshot"]) -> int:
    """Return the exit status for the jobs. The first that applies counts:

    - 2: a job cannot be read;
    - 1: a job failed or was cancelled;
    - 0: all completed;
    - 3: a job is still running.
    """
    if any(snapshot.error is not None for snapshot in snapshots):
        return EXIT_ERROR
    statuses = {snapshot.job.status if snapshot.job is not None else None for snapshot in snapshots}
    if statuses & {"FAILED", "CANCELLED"}:
        return EXIT_FAILED
    return EXIT_COMPLETED if statuses == {"COMPLETED"} else EXIT_TIMEOUT


class _Lines:
    """Prints a line to stderr for each change of a job's status."""

    def __init__(self) -> None:
        self._statuses: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    async def show(self, progress: "WaitProgress") -> None:
        """Print the jobs whose status has changed."""
        for snapshot in progress.snapshots:
            row = describe_snapshot(snapshot, datetime.now(UTC))
            if self._statuses.get(snapshot.job_id) != row["status"] and row["status"] != "NOT_POLLED":
                self._statuses[snapshot.job_id] = row["status"]
                count = f"{progress.num_ended} of {progress.num_jobs} done"
                print(f"{row['job']}  {row['status']}  ({count})", file=sys.stderr, flush=True)


class _Table:
    """Draws a table on stderr, again after each poll."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    async def show(self, progress: "WaitProgress") -> None:
        """Draw the current state of the jobs."""
        self._live.update(_draw(progress), refresh=True)


def _draw(progress: "WaitProgress") -> "Table":
    from rich.table import Table
    from rich.text import Text

    next_poll = "" if progress.next_poll_seconds is None else f"; next poll in {progress.next_poll_seconds:.0f} s"
    table = Table(caption=f"{progress.num_ended} of {progress.num_jobs} done{next_poll}")
    for name in _COLUMNS:
        table.add_column(name)
    for snapshot in progress.snapshots:
        row = describe_snapshot(snapshot, datetime.now(UTC))
        # As Text, so that markup in the text of a document or the service has no effect.
        cells = [Text(row.get(name, "")) for name in _COLUMNS]
        cells[1].stylize(_STATUS_COLOURS.get(row["status"], "cyan"))
        table.add_row(*cells)
    return table
