"""Callers get turns: at most so many at once, one for each job, round robin over the jobs."""

import random
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.turns import Call, TurnQueue
from tests.jobs.virtual_time import run_virtual, virtual

MAX_TURNS = 2


@dataclass
class Log:
    """What the callers of a queue did, in order."""

    queue: TurnQueue = field(default_factory=lambda: TurnQueue(MAX_TURNS))
    events: list[tuple[str, str]] = field(default_factory=list)

    async def call(self, job: str, seconds: float) -> None:
        """Wait for a turn and take this long."""
        self.events.append(("waits", job))
        try:
            async with self.queue.turn(job):
                self.events.append(("starts", job))
                try:
                    await anyio.sleep(seconds)
                finally:
                    self.events.append(("ends", job))
        finally:
            self.events.append(("leaves", job))

    def started(self) -> list[str]:
        """Return the jobs in the order of their turns."""
        return [job for what, job in self.events if what == "starts"]


@virtual
async def test_other_job_waits_for_none_of_twenty_callers_about_one_job() -> None:
    log = Log()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(log.call, "slow", 2.0)
        await anyio.sleep(0.5)
        with anyio.fail_after(0.1):
            await log.call("honest", 0.0)
    assert log.started() == ["slow", "honest", *["slow"] * 19]


@virtual
async def test_third_job_waits_for_one_turn_at_most() -> None:
    log = Log()
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(log.call, "a", 2.0)
            tasks.start_soon(log.call, "b", 3.0)
        await anyio.sleep(0.5)
        with anyio.fail_after(2.0):
            await log.call("c", 0.0)
    assert log.started()[:4] == ["a", "b", "c", "a"]


@virtual
async def test_jobs_take_turns_in_the_order_in_which_they_came() -> None:
    log = Log()
    async with anyio.create_task_group() as tasks:
        for job in "aabbccdd":
            tasks.start_soon(log.call, job, 1.0)
            await anyio.lowlevel.checkpoint()
    assert log.started() == list("abcdabcd")


@virtual
async def test_callers_of_one_job_are_served_in_order() -> None:
    queue, served = TurnQueue(MAX_TURNS), []

    async def call(number: int) -> None:
        async with queue.turn("a"):
            served.append(number)
            await anyio.sleep(1)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(call, number)
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.5)
        assert (queue.num_running, queue.num_waiting) == (1, 4)
    assert served == [0, 1, 2, 3, 4]
    assert (queue.num_running, queue.num_waiting) == (0, 0)


@virtual
async def test_turn_granted_to_a_cancelled_caller_goes_to_the_next() -> None:
    queue = TurnQueue(1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        # The turn is free, and is granted before the caller notices that it is cancelled.
        async with queue.turn("a"):
            pytest.fail("a cancelled caller has a turn")
    assert (queue.num_running, queue.num_waiting) == (0, 0)
    with anyio.fail_after(1):
        async with queue.turn("b"):
            assert queue.num_running == 1


def check_log(events: list[tuple[str, str]]) -> None:
    """Check that turns are few, one for each job, and that no other job gets two while one waits."""
    running: list[str] = []
    # For each job that waits and has no turn, the turns of others since it began to wait.
    passed: dict[str, list[str]] = {}
    num_waiting: dict[str, int] = {}
    for what, job in events:
        if what == "waits":
            num_waiting[job] = num_waiting.get(job, 0) + 1
            if job not in running:
                passed.setdefault(job, [])
        elif what == "starts":
            assert job not in running
            running.append(job)
            assert len(running) <= MAX_TURNS
            passed.pop(job, None)
            for others in passed.values():
                assert job not in others
                others.append(job)
        elif what == "ends":
            running.remove(job)
        else:
            num_waiting[job] -= 1
            if not num_waiting[job]:
                passed.pop(job, None)
            elif job not in running and what == "leaves":
                passed.setdefault(job, [])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9), st.integers(2, 30))
def test_turns_are_few_and_fair_whatever_callers_do(seed: int, num_callers: int) -> None:
    rng, log = random.Random(seed), Log()

    async def call(job: str) -> None:
        await anyio.sleep(rng.random() * 5)
        with anyio.move_on_after(rng.choice([0, 1, 3, 1_000]) * rng.random()):
            await log.call(job, rng.random() * 3)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(num_callers):
                tasks.start_soon(call, rng.choice("aaabc"))
        assert (log.queue.num_running, log.queue.num_waiting) == (0, 0)

    run_virtual(main)
    check_log(log.events)


@dataclass(frozen=True)
class OwnedJob:
    """A job of a credential."""

    identity: str
    name: str

    def __str__(self) -> str:
        return self.name


@virtual
async def test_credential_with_one_job_waits_for_none_of_the_many_jobs_of_another() -> None:
    queue = TurnQueue(MAX_TURNS)
    started: list[str] = []

    async def call(*jobs: OwnedJob) -> None:
        async with queue.turn(frozenset(jobs) if len(jobs) > 1 else jobs[0]):
            started.append("+".join(sorted(map(str, jobs))))
            await anyio.sleep(2)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(call, OwnedJob("large", f"large-{number}"))
        await anyio.sleep(0.5)
        tasks.start_soon(call, OwnedJob("small", "small-0"))
        tasks.start_soon(call, OwnedJob("small", "small-1"), OwnedJob("small", "small-2"))
    assert started[:6] == ["large-0", "large-1", "small-0", "large-2", "small-1+small-2", "large-3"]
    assert len(started) == 22


@virtual
async def test_one_credential_has_no_more_than_its_share_of_the_turns() -> None:
    queue = TurnQueue(4, 2)
    running: list[str] = []

    async def call(identity: str) -> None:
        async with queue.turn(Call(identity)):
            running.append(identity)
            await anyio.sleep(2)
            running.remove(identity)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(call, "large")
        await anyio.sleep(0.5)
        assert running == ["large"] * 2
        for _ in range(2):
            tasks.start_soon(call, "small")
        await anyio.sleep(0.5)
        assert running == ["large"] * 2 + ["small"] * 2
        await anyio.sleep(4)
        assert running == ["large"] * 2
    assert (queue.num_running, queue.num_waiting) == (0, 0)


@virtual
async def test_calls_of_one_credential_have_turns_of_their_own() -> None:
    queue = TurnQueue(MAX_TURNS)
    async with queue.turn(Call("a")):
        with anyio.fail_after(1):
            async with queue.turn(Call("a")):
                assert queue.num_running == 2
