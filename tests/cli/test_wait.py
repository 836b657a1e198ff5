"""Many jobs are waited for at once, and the shell is told how it went."""

import io
import json

import pytest

from llx_mcp.cli.wait import _draw, describe_snapshot, exit_status
from llx_mcp.errors import NotFoundError, UnavailableError
from llx_mcp.jobs.progress import JobSnapshot, WaitProgress
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.models import Job
from tests.cli.test_main import llx
from tests.generated_jobs import NOW

BY_NAME = {sample.name: sample.job_id for sample in SAMPLES}


def job(status: str, **keys: object) -> Job:
    """A job in this status."""
    return Job.parse(json.dumps({"id": "ext-1", "status": status} | keys).encode())


def seen(status: str) -> JobSnapshot:
    """A job that was seen in this status."""
    return JobSnapshot("ext-1", job(status))


@pytest.mark.parametrize(
    ("snapshots", "status"),
    [
        ([seen("COMPLETED"), seen("COMPLETED")], 0),
        ([seen("COMPLETED"), seen("FAILED")], 1),
        ([seen("CANCELLED"), seen("RUNNING")], 1),
        ([seen("FAILED"), JobSnapshot("ext-2", error=NotFoundError("no"))], 2),
        ([seen("COMPLETED"), seen("RUNNING")], 3),
        ([seen("SOMETHING_NEW")], 3),
        ([JobSnapshot("ext-1", failure=UnavailableError("away"))], 3),
    ],
)
def test_the_exit_status_says_how_it_went(snapshots: list[JobSnapshot], status: int) -> None:
    assert exit_status(snapshots) == status


def test_a_row_says_what_is_known_in_visible_words() -> None:
    created, updated = "2026-01-05T09:00:00Z", "2026-01-05T09:01:36Z"
    failed = job("FAILED", created_at=created, updated_at=updated, file_input="dfl-1", error_message="a\u202e\nb")
    assert describe_snapshot(JobSnapshot("ext-1", failed), NOW) == {
        "job": "ext-1",
        "status": "FAILED",
        "time": "96 s",
        "document": "dfl-1",
        "note": "a\\u202e b",
    }
    running = JobSnapshot("ext-2", job("RUNNING"), failure=UnavailableError("away"), age_seconds=34.4)
    assert describe_snapshot(running, NOW) == {
        "job": "ext-2",
        "status": "RUNNING",
        "time": "34 s so far",
        "note": "the latest poll failed and is tried again",
    }


def test_the_table_shows_markup_as_it_is() -> None:
    from rich.console import Console

    target = io.StringIO()
    snapshots = (JobSnapshot("ext-1", job("FAILED", error_message="[bold]loud[/bold]")), seen("RUNNING"))
    Console(file=target, width=120).print(_draw(WaitProgress(snapshots, 3.0, 4.0)))
    assert "[bold]loud[/bold]" in target.getvalue()
    assert "1 of 2 done; next poll in 4 s" in target.getvalue()


def test_the_command_waits_for_all_and_lists_them() -> None:
    ids = (SAMPLE_RUNNING_ID, BY_NAME["invoice"], BY_NAME["failed_reason"])
    run = llx("wait", "--local", *ids, status=1)
    assert [line.split()[:2] for line in run.stdout.splitlines()] == [
        [ids[0], "COMPLETED"],
        [ids[1], "COMPLETED"],
        [ids[2], "FAILED"],
    ]
    assert f"{SAMPLE_RUNNING_ID}  COMPLETED  (3 of 3 done)" in run.stderr


def test_the_command_ends_at_the_timeout_with_what_is_known() -> None:
    run = llx("wait", "--local", "--json", "--timeout", "0.5", SAMPLE_RUNNING_ID, BY_NAME["invoice"], status=3)
    running, invoice = json.loads(run.stdout)
    assert running["status"] in ("PENDING", "THROTTLED")
    assert running["time"].endswith(" s so far")
    assert len(running["time"]) < 12
    assert invoice["status"] == "COMPLETED"


def test_one_that_cannot_be_read_is_told_and_the_others_are_waited_for() -> None:
    run = llx("wait", "--local", "ext-nowhere", BY_NAME["invoice"], status=2)
    first, second = run.stdout.splitlines()
    assert first.startswith("ext-nowhere  ERROR  No job")
    assert second.startswith(f"{BY_NAME['invoice']}  COMPLETED")
