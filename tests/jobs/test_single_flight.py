"""Callers that want the same at the same time share one call, and each gets its outcome."""

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.jobs.single_flight import SingleFlight
from tests.jobs.virtual_time import virtual


class Calls:
    """Calls that take ten seconds each. The result of each is its number, from 1.

    Attributes:
        num_started: how many have begun.
        num_ended: how many were not cancelled.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.num_started = 0
        self.num_ended = 0
        self.error = error

    async def call(self) -> int:
        """Take ten seconds."""
        self.num_started += 1
        number = self.num_started
        await anyio.sleep(10)
        self.num_ended += 1
        if self.error is not None:
            raise self.error
        return number


@virtual
async def test_callers_of_one_key_share_a_call_and_those_of_others_do_not() -> None:
    calls, results = Calls(), []
    async with anyio.create_task_group() as group:
        flights: SingleFlight[int] = SingleFlight(group)

        async def run(key: str) -> None:
            results.append((key, await flights.run(key, calls.call)))

        for key in ("a", "b", "a", "a"):
            group.start_soon(run, key)
    assert sorted(results) == [("a", 1), ("a", 1), ("a", 1), ("b", 2)]


@virtual
async def test_call_that_has_ended_is_not_shared() -> None:
    calls = Calls()
    async with anyio.create_task_group() as group:
        flights: SingleFlight[int] = SingleFlight(group)
        assert [await flights.run("a", calls.call) for _ in range(2)] == [1, 2]
        assert flights._calls == {}


@virtual
async def test_call_that_is_kept_goes_on_without_callers_for_those_that_come_later() -> None:
    calls = Calls()
    async with anyio.create_task_group() as group:
        flights: SingleFlight[int] = SingleFlight(group)
        for is_kept in (False, True):
            with anyio.move_on_after(5):
                async with anyio.create_task_group() as callers:
                    callers.start_soon(flights.run, "a", calls.call)
                    await anyio.sleep(1)
                    if is_kept:
                        flights.keep("a")
                        flights.keep("none")
        assert await flights.run("a", calls.call) == 2
        assert (calls.num_started, calls.num_ended) == (2, 1)
        assert flights._calls == {}


@virtual
async def test_result_may_be_none() -> None:
    async def call() -> None:
        await anyio.sleep(1)

    async with anyio.create_task_group() as group:
        flights: SingleFlight[None] = SingleFlight(group)
        await flights.run("a", call)


@virtual
async def test_error_reaches_each_caller_and_the_next_call_begins_anew() -> None:
    calls = Calls(KeyError("mine"))
    caught = []
    async with anyio.create_task_group() as group:
        flights: SingleFlight[int] = SingleFlight(group)

        async def run() -> None:
            with pytest.raises(KeyError, match="mine") as error:
                await flights.run("a", calls.call)
            caught.append(error.value)

        async with anyio.create_task_group() as callers:
            for _ in range(3):
                callers.start_soon(run)
        calls.error = None
        assert await flights.run("a", calls.call) == 2
    assert caught == [caught[0]] * 3


@virtual
async def test_call_ends_with_its_last_caller_only() -> None:
    calls, results = Calls(), []
    async with anyio.create_task_group() as group:
        flights: SingleFlight[int] = SingleFlight(group)

        async def run(patience_seconds: float) -> None:
            with anyio.move_on_after(patience_seconds):
                results.append(await flights.run("a", calls.call))

        for patience_seconds in (1, 5, 20):
            group.start_soon(run, patience_seconds)
        await anyio.sleep(20)
        assert (results, calls.num_started, calls.num_ended) == ([1], 1, 1)
        for patience_seconds in (1, 5):
            group.start_soon(run, patience_seconds)
        await anyio.sleep(20)
    assert (results, calls.num_started, calls.num_ended) == ([1], 2, 1)


@virtual
async def test_caller_that_comes_while_a_call_is_being_cancelled_begins_another() -> None:
    calls, results = Calls(), []
    async with anyio.create_task_group() as group:
        flights: SingleFlight[int] = SingleFlight(group)

        async def run() -> None:
            results.append(await flights.run("a", calls.call))

        with anyio.move_on_after(1):
            await flights.run("a", calls.call)
        group.start_soon(run)
        # By now the cancelled call has ended, and must not have taken the new one with it.
        await anyio.sleep(1)
        group.start_soon(run)
    assert (results, calls.num_started) == ([2, 2], 2)
