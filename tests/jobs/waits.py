"""Helpers for tests of waits."""

import anyio

from llx_mcp.jobs.poller import JobPoller
from llx_mcp.jobs.progress import WaitProgress
from llx_mcp.jobs.reader import JobReader
from llx_mcp.scope import Scope

LONG = 3_600.0


def statuses(progress: WaitProgress) -> list[str | None]:
    """Return the status of each job, or the name of its error; None for a job that was not polled."""
    return [
        type(snapshot.error).__name__ if snapshot.error else snapshot.job.status if snapshot.job else None
        for snapshot in progress.snapshots
    ]


async def is_idle(reader: JobReader) -> bool:
    """Return whether nothing is left of any wait, after the poll loop has had time to stop."""
    await anyio.sleep(0.001)
    assert reader._poller is not None
    return nothing_left(reader._poller)


def nothing_left(poller: JobPoller) -> bool:
    """Return whether a poller has no wait, and no job, request or loop that is left of an earlier one."""
    return not (poller._jobs or poller._waiters or len(poller._deadlines) or poller._running or poller._is_loop_running)


async def wait_for(reader: JobReader, job_ids: list[str], project_id: str | None = None) -> None:
    """Wait until all of the jobs have ended."""
    await reader.wait_many(job_ids, timeout_seconds=LONG, scope=Scope(project_id))
