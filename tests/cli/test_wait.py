"""A wait for several jobs lists them, and its exit status says how it went."""

import io
import json
from datetime import UTC, datetime

import pytest

from llx_mcp.answers.requests import WaitRequest
from llx_mcp.backends import local_settings
from llx_mcp.cli.job_rows import describe_snapshot, get_exit_status
from llx_mcp.cli.setup import CommandSetup
from llx_mcp.cli.wait import draw, wait_for_many
from llx_mcp.errors import NotFoundError, UnavailableError
from llx_mcp.jobs.progress import JobSnapshot, WaitProgress
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local import SAMPLE_RUNNING_ID
from llx_mcp.models import Job
from llx_mcp.outputs import WaitOutput
from llx_mcp.scope import DEFAULT_SCOPE
from tests.cli.command import ID_BY_NAME, run_command
from tests.sources import Bodies, open_bodies

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def build_job(status: str, **keys: object) -> Job:
    """Build a job with this status."""
    return Job.parse(json.dumps({"id": "ext-1", "status": status} | keys).encode())


def build_snapshot(status: str) -> JobSnapshot:
    """Build a snapshot of a job with this status."""
    return JobSnapshot("ext-1", build_job(status))


@pytest.mark.parametrize(
    ("snapshots", "status"),
    [
        ([build_snapshot("COMPLETED"), build_snapshot("COMPLETED")], 0),
        ([build_snapshot("COMPLETED"), build_snapshot("FAILED")], 1),
        ([build_snapshot("CANCELLED"), build_snapshot("RUNNING")], 1),
        ([build_snapshot("FAILED"), JobSnapshot("ext-2", error=NotFoundError("no"))], 2),
        ([build_snapshot("COMPLETED"), build_snapshot("RUNNING")], 3),
        ([build_snapshot("SOMETHING_NEW")], 3),
        ([JobSnapshot("ext-1", failure=UnavailableError("away"))], 3),
    ],
)
def test_exit_status_depends_on_all_jobs(snapshots: list[JobSnapshot], status: int) -> None:
    assert get_exit_status([describe_snapshot(snapshot, NOW)["status"] for snapshot in snapshots]) == status


def test_row_describes_a_job_in_printable_text() -> None:
    created, updated = "2026-01-05T09:00:00Z", "2026-01-05T09:01:36Z"
    failed = build_job("FAILED", created_at=created, updated_at=updated, file_input="dfl-1", error_message="a\u202e\nb")
    assert describe_snapshot(JobSnapshot("ext-1", failed), NOW) == {
        "job": "ext-1",
        "status": "FAILED",
        "time": "96 s",
        "document": "dfl-1",
        "note": "a\\u202e b",
    }
    running = JobSnapshot("ext-2", build_job("RUNNING"), failure=UnavailableError("away"), age_seconds=34.4)
    assert describe_snapshot(running, NOW) == {
        "job": "ext-2",
        "status": "RUNNING",
        "time": "34 s so far",
        "note": "the latest poll failed and is tried again",
    }


def test_table_does_not_interpret_markup() -> None:
    from rich.console import Console

    target = io.StringIO()
    snapshots = (
        JobSnapshot("ext-1", build_job("FAILED", error_message="[bold]loud[/bold]")),
        build_snapshot("RUNNING"),
    )
    rows = [describe_snapshot(snapshot, NOW) for snapshot in snapshots]
    Console(file=target, width=120).print(draw(WaitProgress(snapshots, 3.0, 4.0), rows, 120))
    assert "[bold]loud[/bold]" in target.getvalue()
    assert "1 of 2 done; next poll in 4 s" in target.getvalue()


class _AheadBodies(Bodies):
    """A service whose clock is ten days ahead of this machine's."""

    @property
    def clock_offset_seconds(self) -> float:
        """Ten days."""
        return 10 * 86_400.0


def test_wait_goes_by_the_clock_of_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    created = datetime.now(UTC).isoformat()
    source = _AheadBodies(
        lambda job_id: json.dumps({"id": job_id, "status": "RUNNING", "created_at": created}).encode()
    )
    setup = CommandSetup(local_settings(), open_bodies(source), ReaderOptions(), DEFAULT_SCOPE)
    assert wait_for_many(setup, WaitRequest(("ext-1", "ext-2")), timeout_seconds=0, as_json=False) == 3
    assert capsys.readouterr().out.count("RUNNING for 10 days") == 2


def test_wait_lists_all_jobs_in_the_given_order() -> None:
    ids = (SAMPLE_RUNNING_ID, ID_BY_NAME["invoice"], ID_BY_NAME["failed_reason"])
    run = run_command("wait", "--local", *ids, exit_status=1)
    assert [line.split()[:2] for line in run.stdout.splitlines()] == [
        [ids[0], "COMPLETED"],
        [ids[1], "COMPLETED"],
        [ids[2], "FAILED"],
    ]
    assert f"{SAMPLE_RUNNING_ID}  COMPLETED  (3 of 3 done)" in run.stderr


def test_wait_prints_running_jobs_at_the_timeout() -> None:
    run = run_command(
        "wait", "--local", "--json", "--timeout", "0.5", SAMPLE_RUNNING_ID, ID_BY_NAME["invoice"], exit_status=3
    )
    answer = WaitOutput.model_validate_json(run.stdout)
    assert answer.waited is not None
    assert (answer.waited.jobs, answer.waited.ended) == (2, 1)
    assert answer.jobs is not None
    running, invoice = [dict(zip(answer.jobs.columns, row, strict=True)) for row in answer.jobs.rows]
    assert running["status"] in ("PENDING", "THROTTLED")
    assert running["seconds"] < 60
    assert invoice["status"] == "COMPLETED"
    assert answer.structured() == json.loads(run.stdout)


def test_unreadable_job_is_listed_and_the_others_are_waited_for() -> None:
    run = run_command("wait", "--local", "ext-nowhere", ID_BY_NAME["invoice"], exit_status=2)
    first, second = run.stdout.splitlines()
    assert first.startswith("ext-nowhere  ERROR  No job")
    assert second.startswith(f"{ID_BY_NAME['invoice']}  COMPLETED")
