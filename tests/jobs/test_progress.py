"""The progress of a wait."""

from llx_mcp.jobs.progress import WaitProgress, describe_progress


def test_progress_is_described_in_one_line() -> None:
    from llx_mcp.jobs.progress import JobSnapshot
    from llx_mcp.models import Job

    running = JobSnapshot("ext-1", Job(id="ext-1", status="RUNNING"), age_seconds=34.2)
    done = JobSnapshot("ext-2", Job(id="ext-2", status="COMPLETED"))
    assert describe_progress(WaitProgress((running,), 3.0, 4.4)) == "RUNNING for 34 s; next poll in 4 s"
    assert describe_progress(WaitProgress((done,), 3.0, is_over=True)) == "COMPLETED"
    many = WaitProgress((done, running, JobSnapshot("ext-3")), 3.0, 4.0)
    assert describe_progress(many) == "RUNNING for 34 s; 1 of 3 done; next poll in 4 s"
    assert describe_progress(WaitProgress((JobSnapshot("ext-3"),), 0.0)) == "not polled yet"
