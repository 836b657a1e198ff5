"""Replicas in virtual time: who polls, how often, and when each of them learns of an end."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import pytest
from anyio.abc import TaskStatus

from llx_mcp.serving.shared_polls import CLAIM_SECONDS, FIRST_POLL_SECONDS
from tests.jobs.service import Service
from tests.jobs.virtual_time import VirtualClock, run_virtual, virtual
from tests.jobs.waits import wait_for
from tests.serving.virtual_redis import LEASE_SECONDS, VirtualRedis, VirtualReplica, virtual_replica

# The longest interval of the schedule from the age of 20.5 s on.
INTERVAL_SECONDS = 6.5
# The callers of the other replicas come so much later than those of the first.
LATER_SECONDS = 0.5
# A list request and a fetch, with those before it.
REQUEST_SECONDS = 1.0
JOB_SECONDS = (15.0, 60.0)
# By then every job was polled once; the second poll is due at an age of 5 s.
FIRST_SECONDS = 4.0


Share = Callable[[int], bool]


@dataclass
class Run:
    """Waits on several replicas.

    Attributes:
        shares: for each replica, whether its callers wait for the job of a number.
        ends: when each job ends.
        replicas: the replicas.
        late: by replica and job, how long after its end the wait for it ended.
    """

    shares: Sequence[Share]
    ends: dict[str, float]
    replicas: list[VirtualReplica] = field(default_factory=list)
    late: dict[tuple[int, str], float] = field(default_factory=dict)

    def list_jobs(self, index: int) -> list[str]:
        """Return the jobs that a replica waits for."""
        return [job_id for number, job_id in enumerate(self.ends) if self.shares[index](number)]


def play(num_jobs: int, shares: Sequence[Share], kill_at: float | None = None, fetch_seconds: float = 0.0) -> Run:
    """Wait for jobs until all have ended.

    Args:
        num_jobs: how many jobs there are.
        shares: for each replica, whether its callers wait for the job of a number.
        kill_at: when the first replica is killed.
        fetch_seconds: how much longer it takes the first replica to fetch a job.
    """
    generator = random.Random(7)
    run = Run(shares, {f"ext-{number}": generator.uniform(*JOB_SECONDS) for number in range(num_jobs)})

    async def main() -> None:
        service = Service(VirtualClock())
        for job_id, end in run.ends.items():
            service.add(job_id, end)
        redis = VirtualRedis() if len(shares) > 1 else None
        async with anyio.create_task_group() as group:
            for index in range(len(shares)):
                await group.start(run_replica, run, index, service, redis)
            run.replicas[0].door.fetch_seconds = fetch_seconds
            if kill_at is not None:
                await anyio.sleep(kill_at - service.clock.monotonic())
                run.replicas[0].kill()
        service.close()

    run_virtual(main)
    return run


async def run_replica(
    run: Run, index: int, service: Service, redis: VirtualRedis | None, *, task_status: TaskStatus[None]
) -> None:
    """Wait on one replica."""
    async with virtual_replica(service, redis) as replica:
        run.replicas.append(replica)
        task_status.started()
        await anyio.sleep(1 + LATER_SECONDS * bool(index))
        async with anyio.create_task_group() as waits:
            for job_id in run.list_jobs(index):
                waits.start_soon(wait, run, index, job_id)


async def wait(run: Run, index: int, job_id: str) -> None:
    """Wait for one job on one replica."""
    progress = await run.replicas[index].reader.wait_many([job_id], timeout_seconds=600)
    assert progress.num_ended == 1
    run.late[index, job_id] = anyio.current_time() - run.ends[job_id]


def count_lists(replica: VirtualReplica) -> int:
    """Return the number of list requests after the first polls."""
    return sum(at >= FIRST_SECONDS for at, _ in replica.door.lists)


def all_jobs(_: int) -> bool:
    """Wait for every job."""
    return True


def third(index: int) -> Share:
    """Wait for every third job."""
    return lambda number: number % 3 == index


APART, TOGETHER = [third(index) for index in range(3)], [all_jobs] * 3


@pytest.mark.parametrize("shares", [APART, TOGETHER])
def test_first_replica_polls_as_often_as_one_process_would(shares: list[Share]) -> None:
    alone, run = play(300, [all_jobs]), play(300, shares)
    # All jobs are polled once at first, and then at the same ages.
    first = [job_id for at, ids in run.replicas[0].door.lists for job_id in ids if at < FIRST_SECONDS]
    assert sorted(first) == sorted(run.ends)
    assert count_lists(run.replicas[0]) == count_lists(alone.replicas[0])
    assert [len(replica.door.lists) for replica in run.replicas[1:]] == [0, 0]


@pytest.mark.parametrize("shares", [APART, TOGETHER])
def test_each_replica_fetches_once_what_its_callers_wait_for(shares: list[Share]) -> None:
    run = play(100, shares)
    for index, replica in enumerate(run.replicas):
        assert sorted(replica.door.fetches) == sorted(run.list_jobs(index))


@virtual
async def test_replica_that_is_late_to_take_jobs_does_not_fetch_them() -> None:
    service, redis = Service(VirtualClock()), VirtualRedis()
    service.add("ext-own", 600)
    ids = [service.add(f"ext-{number}", 2) for number in range(10)]
    async with (
        virtual_replica(service, redis) as first,
        virtual_replica(service, redis) as second,
        anyio.create_task_group() as group,
    ):
        group.start_soon(wait_for, first.reader, ["ext-own"])
        await anyio.sleep(1)
        assert first.client is not None
        assert second.client is not None
        # The second replica polls by itself, and tells of the ends before the first one has polled.
        first.client.delay_seconds = FIRST_POLL_SECONDS
        second.client.delay_seconds = 0.5
        await wait_for(second.reader, ids)
        await anyio.sleep(LEASE_SECONDS)
        group.cancel_scope.cancel()
    service.close()
    assert sorted(second.door.fetches) == sorted(ids)
    assert set(first.door.fetches) == {"ext-own"}


@pytest.mark.parametrize("kill_at", [20.6, 24.3, 31.6, 38.1])
@pytest.mark.parametrize("shares", [APART, TOGETHER])
def test_news_come_within_lease_and_interval_when_the_replica_that_polls_dies(
    shares: list[Share], kill_at: float
) -> None:
    run = play(200, shares, kill_at)
    late = {key: seconds for key, seconds in run.late.items() if key[0] > 0}
    assert sorted(late) == [(index, job_id) for index in (1, 2) for job_id in sorted(run.list_jobs(index))]
    assert max(late.values()) <= LEASE_SECONDS + INTERVAL_SECONDS + CLAIM_SECONDS + REQUEST_SECONDS


def test_end_that_a_dying_replica_saw_is_known_before_its_lease_expires() -> None:
    # Its own fetches are slow. The others do not wait for them.
    run = play(200, TOGETHER, kill_at=21.0, fetch_seconds=5.0)
    seen = {job_id: end for job_id, end in run.ends.items() if end < 20.5}
    assert len(seen) > 20
    for job_id, end in seen.items():
        assert max(run.late[index, job_id] for index in (1, 2)) <= 20.5 - end + REQUEST_SECONDS
