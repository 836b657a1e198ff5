"""Waits for the same jobs on several replicas."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from llx_mcp.jobs.progress import WaitProgress
from tests.jobs.service import Service
from tests.serving.redis_server import JoinedReader
from tests.waiting import until

# No wait takes so long, unless something hangs.
LONG = 60.0


async def wait(replica: JoinedReader, *ids: str, seconds: float = LONG) -> WaitProgress:
    """Wait for jobs on one replica."""
    return await replica.reader.wait_many(ids, timeout_seconds=seconds)


async def wait_everywhere(replicas: list[JoinedReader], *ids: str) -> list[WaitProgress]:
    """Wait for the same jobs on all replicas at once."""
    found: list[WaitProgress] = []

    async def run(replica: JoinedReader) -> None:
        found.append(await wait(replica, *ids))

    async with anyio.create_task_group() as group:
        for replica in replicas:
            group.start_soon(run, replica)
    return found


@asynccontextmanager
async def waiting_everywhere(replicas: list[JoinedReader], *ids: str) -> AsyncIterator[list[WaitProgress]]:
    """Wait for the same jobs on all replicas while the block runs; at the end, all waits must have their results.

    Yields the waits that are over.
    """
    found: list[WaitProgress] = []

    async def run() -> None:
        found.extend(await wait_everywhere(replicas, *ids))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        yield found
    assert [all_ended(progress) for progress in found] == [True] * len(replicas)


def all_ended(progress: WaitProgress, status: str = "COMPLETED") -> bool:
    """Return whether every job of a wait has ended with its result."""
    return all(snapshot.job is not None and snapshot.job.status == status for snapshot in progress.snapshots)


async def until_degraded(replica: JoinedReader, *, degraded: bool) -> None:
    """Wait until a replica works alone, or does not."""
    await until(lambda: replica.replicas.is_degraded == degraded, 20)


async def check_that_one_polls(service: Service, replicas: list[JoinedReader]) -> None:
    """Check that one replica polls a new job, and the others follow it."""
    job_id = service.add("ext-shared", 600)
    async with anyio.create_task_group() as group:
        for replica in replicas:
            group.start_soon(wait, replica, job_id)
        await until(lambda: sum(follows(replica, job_id) for replica in replicas) == len(replicas) - 1, 20)
        group.cancel_scope.cancel()


def follows(replica: JoinedReader, job_id: str) -> bool:
    """Return whether another replica polls a job that this one waits for."""
    jobs = [job for found in replica.replicas._polls.values() for polls in found for job in polls._jobs.values()]
    return any(job.key.job_id == job_id and job.followed_at is not None for job in jobs)
