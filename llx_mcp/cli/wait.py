"""Waits for several jobs: a live table on a terminal, lines elsewhere."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self

from llx_mcp.answers.requests import WaitRequest
from llx_mcp.answers.wait_report import NOT_POLLED
from llx_mcp.cli.job_rows import Row, describe_snapshot, get_exit_status, print_rows
from llx_mcp.cli.jobs import open_command_reader, redact_answer
from llx_mcp.cli.setup import CommandSetup
from llx_mcp.cli.waiting_line import LiveTable, WaitingLine, run_waiting
from llx_mcp.redaction import Redactor, map_strings
from llx_mcp.result.sanitize import dump_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from llx_mcp.answers.budget import Answer
    from llx_mcp.jobs.progress import WaitProgress


def wait_for_many(setup: CommandSetup, request: WaitRequest, *, timeout_seconds: float, as_json: bool) -> int:
    """Wait until all jobs have ended, then print a line for each.

    Args:
        setup: where jobs come from.
        request: the jobs, at most 100, and what to show of them as JSON.
        timeout_seconds: the longest wait.
        as_json: print the structured form of the tool's answer instead of lines.

    Returns:
        The exit status, as `get_exit_status` defines it.

    Raises:
        LlxError: no request can be made, or there are more than 100 ids.
    """
    redactor = setup.redactor

    async def run(line: WaitingLine) -> tuple[list[Row], "Answer | None"]:
        display = _Table(line) if sys.stderr.isatty() else _Lines()
        async with open_command_reader(setup) as reader:

            def describe(progress: "WaitProgress") -> list[Row]:
                return _describe(progress, reader.fetcher.service_now(), redactor)

            async def show(progress: "WaitProgress") -> None:
                display.show(progress, describe(progress))

            with display:
                progress = await reader.wait_many(
                    request.job_ids, timeout_seconds=timeout_seconds, scope=request.scope, on_progress=show
                )
            answer = await reader.build_wait_answer(request, progress) if as_json else None
            return describe(progress), answer

    rows, answer = run_waiting(run)
    if answer is not None:
        print(dump_json(redact_answer(setup, answer)))
    else:
        print_rows(rows, sys.stdout)
    return get_exit_status([row["status"] for row in rows])


def _describe(progress: "WaitProgress", now: datetime, redactor: Redactor) -> list[Row]:
    """Describe the jobs of a wait without the key, for every form in which they are printed."""
    return [map_strings(describe_snapshot(snapshot, now), redactor.redact) for snapshot in progress.snapshots]


class _Lines:
    """Prints a line to stderr for each change of a job's status."""

    def __init__(self) -> None:
        self._statuses: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, progress: "WaitProgress", rows: Sequence[Row]) -> None:
        """Print the jobs whose status has changed."""
        for snapshot, row in zip(progress.snapshots, rows, strict=True):
            if self._statuses.get(snapshot.job_id) != row["status"] and row["status"] != NOT_POLLED:
                self._statuses[snapshot.job_id] = row["status"]
                count = f"{progress.num_ended} of {progress.num_jobs} done"
                print(f"{row['job']}  {row['status']}  ({count})", file=sys.stderr, flush=True)


class _Table(LiveTable):
    """Draws a table on stderr, again after each poll."""

    def show(self, progress: "WaitProgress", rows: Sequence[Row]) -> None:
        """Draw the current state of the jobs."""
        self._line.clear()
        self._live.start()
        self._live.update(draw(progress, rows, self._console.width), refresh=True)


def draw(progress: "WaitProgress", rows: Sequence[Row], width: int) -> "RenderableType":
    """Build the table of a wait.

    Args:
        progress: the state of the wait.
        rows: its jobs, as `describe_snapshot` describes them.
        width: columns of the terminal.
    """
    from llx_mcp.cli.tables import build_job_table

    next_poll = "" if progress.next_poll_seconds is None else f"; next poll in {progress.next_poll_seconds:.0f} s"
    return build_job_table(rows, width, f"{progress.num_ended} of {progress.num_jobs} done{next_poll}")
