"""Several jobs are read in one call: each error is reported with its job, and the others are answered."""

import json
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.requests import JobsRequest
from llx_mcp.errors import ArgumentError, AuthenticationError, NotFoundError
from llx_mcp.jobs import executor
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.executor import WORKER_BYTES
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.workers.pool import WorkerPool
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.platforms import LIMITS_MEMORY
from tests.sources import Bodies, open_bodies
from tests.structured import next_steps, omissions
from tests.workers.steps import ENDLESS, ENOUGH_SECONDS, HUGE

COUNT = "SELECT job_id, count(*), sum(n) FROM rows GROUP BY job_id"
IDS = ("ext-1", "ext-2", "ext-3")


def body_of(job_id: str, rows: int = 3, **keys: Any) -> bytes:
    """Make the body of a job whose rows count from the last digit of its id."""
    first = int(job_id[-1])
    result = {"rows": [{"n": first + index, "text": f"word {job_id}"} for index in range(rows)]}
    return json.dumps({"id": job_id, "status": "COMPLETED", "extract_result": result} | keys).encode()


def failing(error: Exception, bad: str = "ext-2") -> Callable[[str], bytes]:
    """Return a function that makes bodies, and fails for one job."""

    def make(job_id: str) -> bytes:
        if job_id == bad:
            raise error
        return body_of(job_id)

    return make


@asynccontextmanager
async def reading(body_of: Callable[[str], bytes], call_seconds: float = 50) -> AsyncIterator[JobReader]:
    """Open a reader of these bodies."""
    options = ReaderOptions(call_seconds=call_seconds)
    async with open_reader(open_bodies(Bodies(body_of)), SystemClock(), options) as reader:
        yield reader


async def query(reader: JobReader, sql: str = COUNT, ids: tuple[str, ...] = IDS, max_chars: int = 4_000) -> Any:
    """Return the structured answer to a query over jobs."""
    return (await reader.joined.query(JobsRequest(ids, max_chars), sql)).structured


async def find(reader: JobReader, text: str = "word", ids: tuple[str, ...] = IDS, max_chars: int = 4_000) -> Any:
    """Return the structured answer to a search of jobs."""
    return (await reader.joined.find(JobsRequest(ids, max_chars), text, 4)).structured


async def test_one_query_reads_all_jobs_and_names_them() -> None:
    async with reading(body_of) as reader:
        answer = await query(reader)
    assert answer["jobs"] == {"columns": ["job_id", "status"], "rows": [[job_id, "COMPLETED"] for job_id in IDS]}
    assert answer["rows"]["rows"] == [["ext-1", 3, 6], ["ext-2", 3, 9], ["ext-3", 3, 12]]
    assert "job_id" not in answer


async def test_long_ids_that_start_alike_stay_apart() -> None:
    ids = ("ext-" + "a" * 70 + "1", "ext-" + "a" * 70 + "2", "ext-3")
    async with reading(body_of) as reader:
        answer, found = await query(reader, "SELECT DISTINCT job_id FROM rows", ids), await find(reader, ids=ids)
    shown = [row[0] for row in answer["rows"]["rows"]]
    assert len(set(shown)) == len(ids)
    assert max(map(len, shown)) <= 64
    assert shown[2] == "ext-3"
    assert [row[0] for row in answer["jobs"]["rows"]] == shown
    assert [search["job_id"] for search in found["searches"]] == shown


async def test_large_jobs_are_joined_as_small_ones_are() -> None:
    rows = 8_000
    assert len(body_of("ext-1", rows)) > WORKER_BYTES
    async with reading(lambda job_id: body_of(job_id, rows)) as reader:
        assert (await query(reader))["rows"]["rows"] == [
            [job_id, rows, sum(range(n, n + rows))] for n, job_id in enumerate(IDS, 1)
        ]


ERRORS = [NotFoundError("No job ext-2."), AuthenticationError("The key was refused.")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_error_of_one_job_is_reported_with_its_id_and_the_others_are_answered(error: Exception) -> None:
    async with reading(failing(error)) as reader:
        rows, found = await query(reader), await find(reader)
    assert rows["jobs"]["rows"] == [
        ["ext-1", "COMPLETED", None],
        ["ext-2", "ERROR", str(error)],
        ["ext-3", "COMPLETED", None],
    ]
    assert [row[0] for row in rows["rows"]["rows"]] == ["ext-1", "ext-3"]
    assert found["jobs"]["rows"] == [["ext-2", "ERROR", str(error)]]
    assert [search["job_id"] for search in found["searches"]] == ["ext-1", "ext-3"]


async def test_job_that_is_not_valid_json_is_reported_and_the_others_are_answered() -> None:
    broken = b'{"id": "ext-2", "status": "COMPLETED", "extract_result": {"a": "\xff"}}'
    async with reading(lambda job_id: broken if job_id == "ext-2" else body_of(job_id)) as reader:
        rows, found = await query(reader), await find(reader)
    assert rows["jobs"]["rows"][1] == ["ext-2", "COMPLETED", "its result or its metadata is not valid UTF-8"]
    assert [row[0] for row in rows["rows"]["rows"]] == ["ext-1", "ext-3"]
    (omission,) = omissions(found)
    assert omission.startswith(
        "search of ext-2; The job was fetched, but its result or its metadata is not valid UTF-8"
    )
    assert [search["job_id"] for search in found["searches"]] == ["ext-1", "ext-3"]


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"status": "RUNNING"}, None),
        ({"status": "FAILED", "error_message": "no pages"}, "no pages"),
        ({"status": "COMPLETED"}, "it found no value"),
    ],
)
async def test_job_without_a_result_has_a_note_or_a_next_step(keys: dict[str, Any], note: str | None) -> None:
    empty = body_of("ext-2", extract_result=None, **keys)
    async with reading(lambda job_id: empty if job_id == "ext-2" else body_of(job_id)) as reader:
        answer, alone = await query(reader), await query(reader, ids=("ext-2",))
        found = await find(reader)
    assert answer["jobs"]["rows"][1] == ["ext-2", keys["status"], *([note] if note else [])]
    assert [row[0] for row in answer["rows"]["rows"]] == ["ext-1", "ext-3"]
    assert "rows" not in alone
    waits = keys["status"] == "RUNNING"
    assert ('wait_for_extract_job(job_ids=["ext-2"])' in next_steps(answer)) == waits
    assert next_steps(answer) == next_steps(alone)
    assert [search["status"] for search in found["searches"]] == ["COMPLETED", keys["status"], "COMPLETED"]
    assert found["searches"][1]["next_steps"]


async def test_error_that_all_jobs_share_is_raised_as_it_is() -> None:
    def refuse(_: str) -> bytes:
        raise AuthenticationError("The key was refused.")

    async with reading(refuse) as reader:
        for ask in (query, find):
            with pytest.raises(AuthenticationError, match=r"^The key was refused\.$"):
                await ask(reader)


async def test_unknown_ids_are_all_named_where_no_job_can_be_read() -> None:
    def refuse(job_id: str) -> bytes:
        raise NotFoundError(f"No job {job_id}.")

    async with reading(refuse) as reader:
        with pytest.raises(NotFoundError) as caught:
            await query(reader, ids=("ext-1", "ext-2"))
    assert str(caught.value) == "None of these jobs can be read. ext-1: No job ext-1.; ext-2: No job ext-2."


async def test_bad_query_and_bad_words_are_errors_of_the_call() -> None:
    async with reading(body_of) as reader:
        with pytest.raises(ArgumentError, match=r"^sql: no column m\b"):
            await query(reader, "SELECT m FROM rows")
        with pytest.raises(ArgumentError, match="there is nothing to search for"):
            await find(reader, "?")
        assert len((await query(reader))["rows"]["rows"]) == 3


async def test_jobs_that_are_too_large_together_are_refused_with_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"ext-1": 10, "ext-2": 40_000, "ext-3": 10}
    monkeypatch.setattr(executor, "MAX_JOINED_BYTES", 900_000)
    async with reading(lambda job_id: body_of(job_id, sizes[job_id])) as reader:
        with pytest.raises(ArgumentError) as caught:
            await query(reader)
        assert len((await query(reader, ids=("ext-1", "ext-3")))["rows"]["rows"]) == 2
    assert str(caught.value) == (
        "job_ids: these jobs have 1 MB together, and one query reads at most 1 MB. Query fewer at once; the largest is "
        "ext-2 with 1 MB."
    )


async def test_query_over_jobs_that_takes_too_long_is_stopped_and_the_next_is_answered() -> None:
    async with reading(body_of) as reader:
        with pytest.raises(ArgumentError, match=r"^sql: stopped after 0\.2 s"):
            await reader.joined.query(JobsRequest(IDS), ENDLESS, deadline_seconds=0.2)
        assert len((await query(reader))["rows"]["rows"]) == 3


@LIMITS_MEMORY
async def test_query_over_jobs_that_needs_too_much_memory_says_so() -> None:
    async with reading(body_of) as reader:
        with pytest.raises(ArgumentError, match=r"^query: needed more memory than one question may use"):
            await reader.joined.query(JobsRequest(IDS), HUGE, deadline_seconds=ENOUGH_SECONDS)
        assert len((await query(reader))["rows"]["rows"]) == 3


class RecordingPool(WorkerPool):
    """A pool that remembers whose turn each question takes."""

    def __init__(self, tasks: TaskGroup) -> None:
        super().__init__(tasks)
        self.turns: list[object] = []

    async def answer(self, job: Hashable, *arguments: Any) -> Answer:
        """Remember the turn, and answer."""
        self.turns.append(job)
        return await super().answer(job, *arguments)


async def test_same_jobs_in_any_order_take_turns_and_share_a_worker() -> None:
    async with reading(body_of) as reader, anyio.create_task_group() as tasks:
        reader._executor.workers._pool = pool = RecordingPool(tasks)
        for _ in range(2):
            await query(reader)
        assert pool.num_workers == 1
        await query(reader, ids=IDS[::-1])
        await query(reader, ids=IDS[:2])
        assert len(set(pool.turns[:3])) == 1
        assert len(set(pool.turns)) == 2
        pool.close()


async def test_cancelled_query_over_jobs_leaves_its_jobs_to_others() -> None:
    async with reading(body_of) as reader:
        with anyio.move_on_after(0.3) as scope:
            await reader.joined.query(JobsRequest(IDS), ENDLESS, deadline_seconds=ENOUGH_SECONDS)
        assert scope.cancelled_caught
        assert (await query(reader))["num_rows"] == 3
        assert (await query(reader, ids=("ext-2", "ext-9")))["rows"]["rows"] == [["ext-2", 3, 9], ["ext-9", 3, 30]]


class Slow(Bodies):
    """A source that never returns one of the jobs."""

    async def fetch_job(self, job_id: str, *arguments: Any, **keys: Any) -> Any:
        """Return a job, or wait for ever."""
        if job_id == "ext-2":
            await anyio.sleep_forever()
        return await super().fetch_job(job_id, *arguments, **keys)


@virtual
async def test_job_that_does_not_arrive_in_time_does_not_hold_up_the_others() -> None:
    clock = VirtualClock()
    async with open_reader(open_bodies(Slow(body_of)), clock, ReaderOptions(call_seconds=20)) as reader:
        found = await find(reader)
    assert found["jobs"]["rows"] == [["ext-2", "ERROR", "The service did not answer in time. Call again later."]]
    assert [search["job_id"] for search in found["searches"]] == ["ext-1", "ext-3"]


async def test_each_job_is_searched_within_its_share() -> None:
    ids = tuple(f"ext-{number}" for number in range(10))
    async with reading(lambda job_id: body_of(job_id, 50)) as reader:
        small, large = await find(reader, ids=ids), await find(reader, ids=ids, max_chars=20_000)
    assert [search["job_id"] for search in large["searches"]] == list(ids)
    assert all(search["hits"]["rows"] for search in (*small["searches"], *large["searches"]))
    num_shown = len(small["searches"])
    assert 3 <= num_shown < 10
    rest = json.dumps(list(ids[num_shown:]), separators=(",", ":"))
    assert omissions(small) == [
        f'{10 - num_shown} jobs that were not searched: find_in_extract_result(job_ids={rest}, text="word")'
    ]
