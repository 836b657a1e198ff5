"""Every caller of a pool gets its own outcome, whatever others do."""

import random
import sys
from collections.abc import Sequence

import anyio
import pytest

from llx_mcp.answers.dispatch import Step
from llx_mcp.errors import ArgumentError
from llx_mcp.workers.pool import MAX_WORKERS, WorkerPool
from llx_mcp.workers.worker import OutOfMemoryError, OutOfTimeError, WorkerError
from tests.processes import list_children
from tests.workers.pools import open_pool
from tests.workers.steps import ENDLESS, ENOUGH_SECONDS, HUGE, body_of, first_cell, steps_of


class Callers:
    """Callers of a pool, each with its own outcome. Only those who are cancelled or too slow get no answer."""

    def __init__(self, pool: WorkerPool, rng: random.Random) -> None:
        self.pool = pool
        self.rng = rng
        self.outcomes: list[tuple[str, object]] = []

    async def ask(self, kind: str) -> None:
        """Ask once and record what came of it."""
        await anyio.sleep(self.rng.random() * 0.2)
        number = self.rng.randrange(3)
        patience = {"cancelled": 0.3, "impatient": 0.02}.get(kind, 0) * self.rng.random() or 1_000
        with anyio.move_on_after(patience) as scope:
            self.outcomes.append((kind, await self._answer(kind, number)))
        if scope.cancelled_caught:
            self.outcomes.append((kind, None))

    async def _answer(self, kind: str, number: int) -> object:
        try:
            answer = await self.pool.answer(f"job-{number}", f"job-{number}", body_of(number), self._steps(kind))
        except (WorkerError, ArgumentError) as exc:
            return type(exc)
        return answer.structured["rows"]["rows"][0] == [number]

    def _steps(self, kind: str) -> Sequence[Step]:
        match kind:
            case "wrong":
                return steps_of("SELECT m FROM rows")
            case "huge":
                return steps_of(HUGE)
            case "late":
                return steps_of(ENDLESS, seconds=0.05)
            case "cancelled":
                return steps_of(ENDLESS)
            case _:
                # The limit makes each query a new one, and the hurried have about the time that it takes.
                sql = f"SELECT n FROM rows LIMIT {self.rng.randrange(1, 1_000)}"
                return steps_of(sql, seconds=self.rng.random() * 0.01 if kind == "hurried" else ENOUGH_SECONDS)


EXPECTED: dict[str, set[object]] = {
    "honest": {True},
    "wrong": {ArgumentError},
    "huge": {OutOfMemoryError},
    "late": {OutOfTimeError},
    "cancelled": {None},
    "hurried": {True, OutOfTimeError},
    "impatient": {True, None},
}
KINDS = [kind for kind in EXPECTED if kind != "huge" or sys.platform == "linux"]
WEIGHTS = {"honest": 6, "huge": 0.2, "hurried": 4, "impatient": 4}
NUM_CALLERS = 20


@pytest.mark.parametrize("seed", range(6))
async def test_every_caller_gets_its_own_outcome_whatever_others_do(seed: int) -> None:
    rng = random.Random(seed)
    before = list_children()
    most = 0

    async def count_workers() -> None:
        nonlocal most
        while True:
            most = max(most, len(list_children() - before))
            await anyio.sleep(0.002)

    async with open_pool() as pool, anyio.create_task_group() as counting:
        counting.start_soon(count_workers)
        callers = Callers(pool, rng)
        with anyio.fail_after(100):
            async with anyio.create_task_group() as tasks:
                for kind in rng.choices(KINDS, [WEIGHTS.get(kind, 1) for kind in KINDS], k=NUM_CALLERS):
                    tasks.start_soon(callers.ask, kind)
        assert (pool._turns.num_running, pool._turns.num_waiting) == (0, 0)
        assert await first_cell(pool, "last", body_of("last")) == "last"
        counting.cancel_scope.cancel()
    assert len(callers.outcomes) == NUM_CALLERS
    assert [(kind, outcome) for kind, outcome in callers.outcomes if outcome not in EXPECTED[kind]] == []
    assert most <= MAX_WORKERS


async def test_slow_queries_about_one_job_do_not_delay_another_job() -> None:
    async with open_pool() as pool, anyio.create_task_group() as callers:
        for _ in range(20):
            callers.start_soon(pool.answer, "slow", "slow", body_of(1), steps_of(ENDLESS))
        await anyio.sleep(0.05)
        with anyio.fail_after(ENOUGH_SECONDS):
            assert await first_cell(pool, "honest", body_of(2)) == 2
        callers.cancel_scope.cancel()
