"""Workers are reused between requests, killed when they exceed a time limit, and never left behind."""

import os
import signal
import sys
from typing import Any

import anyio
import pytest

from llx_mcp.answers.dispatch import LoadJob, LoadSource, SourceTextQuestion, Step
from llx_mcp.answers.requests import JobRequest, SourceOptions
from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.pages import SourcePage, SourceText, encode_source
from llx_mcp.workers.pool import SourceLoad, WorkerPool
from llx_mcp.workers.worker import OutOfTimeError, SourceError, UnreadableError, WorkerDiedError
from tests.jobs.virtual_time import virtual
from tests.platforms import HAS_SIGNALS
from tests.waiting import until
from tests.workers.pools import open_pool
from tests.workers.steps import ENDLESS, ENOUGH_SECONDS, HEADING, body_of, first_cell, steps_of


async def test_job_is_sent_once_for_many_requests() -> None:
    fetch = body_of(7)
    async with open_pool() as pool:
        assert [await first_cell(pool, "a", fetch) for _ in range(3)] == [7, 7, 7]
        assert (fetch.count, pool.num_workers) == (1, 1)  # type: ignore[attr-defined]


async def test_many_jobs_share_two_workers_and_are_never_mixed_up() -> None:
    found: dict[str, list[Any]] = {}

    async def ask(pool: WorkerPool, number: int) -> None:
        key = f"job-{number % 5}"
        found.setdefault(key, []).append(await first_cell(pool, key, body_of(number % 5)))

    async with open_pool() as pool:
        async with anyio.create_task_group() as asking:
            for number in range(20):
                asking.start_soon(ask, pool, number)
        assert pool.num_workers == 2
    assert found == {f"job-{number}": [number] * 4 for number in range(5)}


async def test_worker_that_exceeds_its_time_limit_is_killed_and_replaced() -> None:
    async with open_pool() as pool:
        with pytest.raises(OutOfTimeError) as caught:
            await pool.answer("a", "a", body_of(1), steps_of(ENDLESS, seconds=0.2))
        assert caught.value.seconds == 0.2
        assert caught.value.message == steps_of(ENDLESS)[-1].message
        assert pool.num_workers == 0
        assert await first_cell(pool, "a", body_of(1)) == 1


@HAS_SIGNALS
@pytest.mark.parametrize("name", ["held", "other"])
async def test_stopped_worker_is_killed_and_replaced(name: str) -> None:
    async with open_pool() as pool:
        assert [await first_cell(pool, held, body_of(1)) for held in ("held", "second")] == [1, 1]
        workers = set(pool._workers)
        for worker in workers:
            os.kill(worker.process.pid, signal.SIGSTOP)
        # A body of this size fills the pipe, so that writing it blocks too.
        steps = [Step(step.message, 0.2) for step in steps_of("SELECT 1")]
        with pytest.raises(OutOfTimeError, match=r"no reply within 0\.2 s"), anyio.fail_after(ENOUGH_SECONDS):
            await pool.answer("held", name, body_of("x" * 1_000_000), steps)
        (killed,) = workers - pool._workers
        assert killed.process.returncode == -signal.SIGKILL
        assert await first_cell(pool, "held", body_of(2)) == 2


@HAS_SIGNALS
async def test_worker_that_died_while_idle_is_replaced_unnoticed() -> None:
    async with open_pool() as pool:
        assert await first_cell(pool, "a", body_of(1)) == 1
        (worker,) = pool._workers
        os.kill(worker.process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - it has been killed
        assert await first_cell(pool, "a", body_of(2)) == 2
        assert pool.num_workers == 1
        assert worker not in pool._workers


async def test_cancelled_request_kills_its_worker() -> None:
    async with open_pool() as pool:
        assert await first_cell(pool, "a", body_of(1)) == 1
        with anyio.move_on_after(0.1) as scope:
            await pool.answer("a", "a", body_of(1), steps_of(ENDLESS))
        assert scope.cancelled_caught
        assert pool.num_workers == 0
        assert await first_cell(pool, "a", body_of(2)) == 2


async def test_request_cancelled_before_it_is_sent_leaves_the_worker_alive() -> None:
    async def fetch() -> bytes:
        await anyio.sleep_forever()
        return b""

    async with open_pool() as pool:
        assert await first_cell(pool, "a", body_of(1)) == 1
        with anyio.move_on_after(0.05):
            async with anyio.create_task_group() as callers:
                callers.start_soon(first_cell, pool, "b", fetch)
                callers.start_soon(first_cell, pool, "c", fetch)
        assert pool.num_workers == 2
        assert await first_cell(pool, "a", body_of(2)) == 1


async def test_idle_worker_ends() -> None:
    async with open_pool(idle_seconds=0.05) as pool:
        for number in range(2):
            assert await first_cell(pool, "a", body_of(number)) == number
            await until(lambda: pool.num_workers == 0)


def num_reapers() -> int:
    """Return how many tasks end idle workers."""
    return sum("_end_idle_workers" in str(task.name) for task in anyio.get_running_tasks())


async def test_one_task_ends_all_idle_workers() -> None:
    async with open_pool(idle_seconds=0.1) as pool:
        for _ in range(2):
            async with anyio.create_task_group() as callers:
                for name in "ab":
                    callers.start_soon(first_cell, pool, name, body_of(name))
            assert num_reapers() == 1
            await until(lambda: num_reapers() == 0)
            assert pool.num_workers == 0


async def test_worker_with_a_caller_is_not_idle() -> None:
    async with open_pool(idle_seconds=0.05) as pool:
        with pytest.raises(OutOfTimeError):
            await pool.answer("a", "a", body_of(1), steps_of(ENDLESS, seconds=0.3))


@virtual
async def test_worker_is_kept_until_it_has_been_idle_for_a_minute() -> None:
    fetch = body_of(1)
    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks)
        for idle_seconds in (0, 50, 50, 59):
            await anyio.sleep(idle_seconds)
            await first_cell(pool, "a", fetch)
        assert fetch.count == 1  # type: ignore[attr-defined]
        await anyio.sleep(59)
        assert pool.num_workers == 1
        await anyio.sleep(7)
        assert pool.num_workers == 0
        pool.close()


async def test_errors_of_a_worker_keep_their_type() -> None:
    async def broken() -> bytes:
        return b'{"extract_result": {"a": 1e}}'

    async with open_pool() as pool:
        with pytest.raises(ArgumentError, match="no column _paht; did you mean _path"):
            await pool.answer("a", "a", body_of(1), steps_of("SELECT _paht FROM rows"))
        with pytest.raises(UnreadableError, match="is not valid JSON"):
            await pool.answer("b", "b", broken, steps_of("SELECT 1"))
        assert await first_cell(pool, "c", body_of(3)) == 3


async def test_worker_whose_new_job_is_unreadable_holds_no_job() -> None:
    async def broken() -> bytes:
        return b"{"

    async with open_pool() as pool:
        for name in "ab":
            await first_cell(pool, name, body_of(name))
        for _ in range(2):
            with pytest.raises(UnreadableError):
                await pool.answer("c", "c", broken, steps_of("SELECT 1"))
        assert [await first_cell(pool, name, body_of(name)) for name in "abc"] == ["a", "b", "c"]


async def test_error_of_fetching_the_body_is_raised_unchanged() -> None:
    async def fetch() -> bytes:
        raise KeyError("mine")

    async with open_pool() as pool:
        with pytest.raises(KeyError, match="mine"):
            await first_cell(pool, "a", fetch)
        assert await first_cell(pool, "a", body_of(2)) == 2


async def test_step_with_half_a_surrogate_pair_is_not_sent() -> None:
    async with open_pool() as pool:
        with pytest.raises(UnicodeEncodeError):
            await pool.answer("a", "a", body_of(1), steps_of("SELECT '\ud800'"))
        assert pool.num_workers == 0


async def test_steps_without_a_question_have_no_answer() -> None:
    async with open_pool() as pool:
        with pytest.raises(WorkerDiedError, match="gave no answer"):
            await pool.answer("a", "a", body_of(1), steps_of("SELECT 1")[:2])


async def test_two_new_jobs_beside_an_idle_worker_start_one_worker() -> None:
    async with open_pool() as pool:
        assert await first_cell(pool, "a", body_of(1)) == 1
        async with anyio.create_task_group() as callers:
            callers.start_soon(first_cell, pool, "b", body_of(2))
            callers.start_soon(first_cell, pool, "c", body_of(3))
        assert pool.num_workers == 2


async def test_job_that_was_used_longest_ago_makes_room() -> None:
    fetches = {name: body_of(name) for name in "abc"}
    async with open_pool() as pool:
        for name in "abacac":
            assert await first_cell(pool, name, fetches[name]) == name
    assert {name: fetch.count for name, fetch in fetches.items()} == {"a": 1, "b": 1, "c": 1}  # type: ignore[attr-defined]


async def test_closed_pool_starts_no_worker() -> None:
    async with open_pool() as pool:
        assert await first_cell(pool, "a", body_of(1)) == 1
        pool.close()
        with pytest.raises(WorkerDiedError, match="the server is stopping"):
            await first_cell(pool, "a", body_of(1))
        assert pool.num_workers == 0


async def test_pool_closed_during_a_request_ends_it() -> None:
    async with open_pool() as pool, anyio.create_task_group() as callers:

        async def ask() -> None:
            with pytest.raises(WorkerDiedError, match="exit" if sys.platform == "win32" else "signal"):
                await pool.answer("a", "a", body_of(1), steps_of(ENDLESS))

        callers.start_soon(ask)
        await until(lambda: pool.num_workers == 1)
        await anyio.sleep(0.1)
        pool.close()


class Sources:
    """Texts of documents of one word, with a log of those that were sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def load(self, word: str, seconds: float = ENOUGH_SECONDS) -> SourceLoad:
        """Return what loads a text whose name is its word."""

        async def fetch() -> bytes:
            self.sent.append(word)
            return encode_source(SourceText("document", [SourcePage(1, [word], [0])])) if word else b""

        return SourceLoad(word, fetch, Step(LoadSource(), seconds))


async def read_word(pool: WorkerPool, name: str, source: SourceLoad | None) -> Any:
    """Return the word of the document that a worker holds for a job; None where there is none."""
    question = SourceTextQuestion(JobRequest("ext-1"), HEADING, SourceOptions())
    steps = Step(LoadJob(), ENOUGH_SECONDS), Step(question, ENOUGH_SECONDS, with_source=source is not None)
    answer = await pool.answer(name, name, body_of(1), steps, source)
    return answer.structured["lines"]["rows"][0][2] if "lines" in answer.structured else None


async def test_text_of_a_document_is_sent_where_the_worker_does_not_hold_it() -> None:
    sources = Sources()
    async with open_pool() as pool:
        found = [await read_word(pool, "a", sources.load(word)) for word in ("x", "x", "y", "x")]
        assert (found, sources.sent) == (["x", "x", "y", "x"], ["x", "y", "x"])
        assert await read_word(pool, "a", None) is None
        assert await read_word(pool, "a", sources.load("x")) == "x"
        assert sources.sent == ["x", "y", "x"]


async def test_text_of_a_document_does_not_survive_another_job() -> None:
    sources = Sources()
    async with open_pool() as pool:
        for name in ("a", "b", "c"):
            assert await read_word(pool, name, sources.load("x")) == "x"
        assert await read_word(pool, "a", sources.load("x")) == "x"
    assert sources.sent == ["x"] * 4


@pytest.mark.parametrize(("word", "seconds"), [("", ENOUGH_SECONDS), ("x", 0.0)])
async def test_text_that_a_worker_cannot_load_is_an_error_of_its_own(word: str, seconds: float) -> None:
    sources = Sources()
    async with open_pool() as pool:
        with pytest.raises(SourceError):
            await read_word(pool, "a", sources.load(word, seconds))
        assert pool.num_workers == 0
        assert await read_word(pool, "a", sources.load("y")) == "y"
