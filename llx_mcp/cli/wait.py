"""`llx-mcp wait ID…`: many jobs at once for people, as a live table on a terminal, as lines elsewhere."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio

from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.lister import build_waited_row
from llx_mcp.jobs.reader import ReaderOptions, open_reader
from llx_mcp.jobs.source import OpenSource
from llx_mcp.result.sanitize import dump_json, sanitize_line
from llx_mcp.scope import DEFAULT_SCOPE, Scope

if TYPE_CHECKING:
    from llx_mcp.jobs.progress import JobSnapshot, WaitProgress

EXIT_COMPLETED, EXIT_FAILED, EXIT_ERROR, EXIT_TIMEOUT = range(4)

_COLUMNS = ("job", "status", "time", "document", "note")
_SHORT, _LONG = 48, 160


def wait_for_many(
    source: OpenSource,
    job_ids: Sequence[str],
    *,
    timeout_seconds: float,
    as_json: bool,
    scope: Scope = DEFAULT_SCOPE,
    options: ReaderOptions | None = None,
) -> int:
    """Wait until all of the jobs have ended, then print a line for each, or JSON; returns the exit status.

    0 where all completed; else 2 where one cannot be read, 1 where one failed or was cancelled, 3 where one is
    still running at the timeout.

    Raises:
        LlxError: nothing can be asked at all.
    """

    async def run() -> "WaitProgress":
        display = _Table() if sys.stderr.isatty() else _Lines()
        async with open_reader(source, SystemClock(), options) as reader:
            with display:
                return await reader.wait_many(
                    job_ids,
                    timeout_seconds=timeout_seconds,
                    scope=scope,
                    on_progress=display.show,
                )

    progress = anyio.run(run)
    rows = [describe_snapshot(snapshot, datetime.now(UTC)) for snapshot in progress.snapshots]
    if as_json:
        print(dump_json(rows))
    else:
        for row in rows:
            print("  ".join(row[name] for name in _COLUMNS if row.get(name)))
    return exit_status(progress.snapshots)


def describe_snapshot(snapshot: "JobSnapshot", now: datetime) -> dict[str, str]:
    """One job as a row: its id, status, time in words, document, and what is wrong with it or unusual."""
    line = build_waited_row(snapshot, now)
    row = {"job": sanitize_line(line.job_id, _SHORT), "status": line.short_status}
    if line.seconds is not None:
        row["time"] = f"{line.seconds:.0f} s" if line.has_ended else f"{line.seconds:.0f} s so far"
    if line.document:
        row["document"] = sanitize_line(line.document, _SHORT)
    if line.note:
        row["note"] = sanitize_line(line.note, _LONG)
    return row


def exit_status(snapshots: Sequence["JobSnapshot"]) -> int:
    """What a shell is told of jobs that were waited for."""
    if any(snapshot.error is not None for snapshot in snapshots):
        return EXIT_ERROR
    statuses = {snapshot.job.status if snapshot.job is not None else None for snapshot in snapshots}
    if statuses & {"FAILED", "CANCELLED"}:
        return EXIT_FAILED
    return EXIT_COMPLETED if statuses == {"COMPLETED"} else EXIT_TIMEOUT


class _Lines:
    """A line on stderr for each change of a job's status."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    async def show(self, progress: "WaitProgress") -> None:
        """Tell what has changed."""
        for snapshot in progress.snapshots:
            row = describe_snapshot(snapshot, datetime.now(UTC))
            if self._told.get(snapshot.job_id) != row["status"] and row["status"] != "UNSEEN":
                self._told[snapshot.job_id] = row["status"]
                count = f"{progress.num_ended} of {progress.num_jobs} done"
                print(f"{row['job']}  {row['status']}  ({count})", file=sys.stderr, flush=True)


class _Table:
    """A table on stderr that is drawn anew with each look."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> "_Table":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    async def show(self, progress: "WaitProgress") -> None:
        """Draw the jobs as they are."""
        self._live.update(_draw(progress), refresh=True)


def _draw(progress: "WaitProgress") -> Any:
    from rich.table import Table
    from rich.text import Text

    next_poll = "" if progress.next_poll_seconds is None else f"; next poll in {progress.next_poll_seconds:.0f} s"
    table = Table(caption=f"{progress.num_ended} of {progress.num_jobs} done{next_poll}")
    for name in _COLUMNS:
        table.add_column(name)
    colours = {"COMPLETED": "green", "FAILED": "red", "CANCELLED": "yellow", "ERROR": "red"}
    for snapshot in progress.snapshots:
        row = describe_snapshot(snapshot, datetime.now(UTC))
        # As text: what a document or a service says is no markup.
        cells = [Text(row.get(name, "")) for name in _COLUMNS]
        cells[1].stylize(colours.get(row["status"], "cyan"))
        table.add_row(*cells)
    return table
