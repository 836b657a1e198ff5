"""The table of an extraction fits the terminal, shows what is going on first, and interprets no markup."""

import io
import json

from rich.console import Console

from llx_mcp.answers.wait_report import UNREADABLE
from llx_mcp.cli.extract_files import UNCHECKED, FileState
from llx_mcp.cli.extract_progress import count, draw
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.progress import JobSnapshot
from llx_mcp.models import Job


def build_state(path: str, status: str) -> FileState:
    """Build the state of a file whose job has this status, or an error."""
    state = FileState(path)
    if status == UNREADABLE:
        state.error = ArgumentError("bad")
    elif status != UNCHECKED:
        state.snapshot = JobSnapshot("ext-1", Job.parse(json.dumps({"id": "ext-1", "status": status}).encode()))
    return state


def show(states: list[FileState], lines: int) -> str:
    """Draw a table on a terminal of so many lines."""
    rows = [{"name": state.path, "status": state.status} for state in states]
    target = io.StringIO()
    Console(file=target, width=100).print(draw(rows, states, count(states), (100, lines)))
    return target.getvalue()


def test_unfinished_files_and_errors_come_before_those_that_are_done() -> None:
    statuses = ["COMPLETED"] * 40 + ["RUNNING", UNREADABLE] + [UNCHECKED] * 40
    states = [build_state(f"{number}.pdf", status) for number, status in enumerate(statuses)]
    shown = show(states, lines=14)
    assert [line.split()[0] for line in shown.splitlines() if ".pdf" in line] == [
        "COMPLETED", "COMPLETED", "RUNNING", "ERROR"
    ]  # fmt: skip
    # The caption is as wide as the table.
    assert "41 of 82 done, 0 with a job; 78 files more" in " ".join(shown.split())
    assert len(shown.splitlines()) <= 14
    assert "more" not in show(states[:3], lines=14)


def test_small_terminal_shows_some_rows() -> None:
    states = [build_state(f"{number}.pdf", "RUNNING") for number in range(9)]
    assert show(states, lines=1).count("RUNNING") == 3


def test_names_are_no_markup() -> None:
    assert "[bold]a.pdf" in show([build_state("[bold]a.pdf", "RUNNING")], lines=20)
