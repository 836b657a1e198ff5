"""All requests about a finished job share one fetch, whether the job is large or small."""

import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.answers.dispatch import (
    BuildTables,
    DecodeJob,
    LoadJob,
    QueryQuestion,
    Question,
    ReadQuestion,
    ReviewQuestion,
    SearchQuestion,
    SourceTextQuestion,
    Step,
    SummaryQuestion,
)
from llx_mcp.answers.header import Header
from llx_mcp.answers.requests import JobRequest, ReadOptions, SourceOptions
from llx_mcp.errors import ArgumentError, BadResponseError, LlxError
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
from llx_mcp.jobs.cached_source import CachedSource, build_missing, cache_source
from llx_mcp.jobs.clock import Clock, SystemClock
from llx_mcp.jobs.executor import WORKER_BYTES, AnswerExecutor
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.shared import SharedWorkers
from llx_mcp.models import Job
from llx_mcp.scope import DEFAULT_SCOPE, Scope
from llx_mcp.workers.pool import WorkerPool
from llx_mcp.workers.worker import OutOfMemoryError, OutOfTimeError, UnreadableError, WorkerDiedError
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.platforms import HAS_SIGNALS, LIMITS_MEMORY
from tests.sources import Bodies, open_bodies
from tests.workers.steps import ENDLESS, ENOUGH_SECONDS, HUGE


def body_of(status: str = "COMPLETED", billed: float | None = 5, rows: int = 3, job_id: str = "ext-1") -> bytes:
    """Make the body of a job with this many rows."""
    job = {
        "id": job_id,
        "status": status,
        "usage": {"credits": billed},
        "extract_result": {"rows": [{"n": index, "text": "word " * 20} for index in range(rows)]},
    }
    return json.dumps(job).encode()


@asynccontextmanager
async def reading(source: Bodies, clock: Clock | None = None) -> AsyncIterator[JobReader]:
    """Open a reader of the source."""
    async with open_reader(open_bodies(source), clock or SystemClock()) as reader:
        yield reader


def constant(body: bytes) -> Bodies:
    """Make a source that returns one body for every id."""
    return Bodies(lambda _: body)


async def test_finished_job_is_fetched_once_for_all_requests() -> None:
    source = constant(body_of())
    async with reading(source) as reader:
        await reader.get(JobRequest("ext-1"))
        await reader.get(JobRequest("ext-1", max_chars=2_000))
        await reader.read(JobRequest("ext-1"), "rows[0].n", None, ())
        await reader.find(JobRequest("ext-1"), "word", 5)
        await reader.query(JobRequest("ext-1"), "SELECT count(*) FROM rows")
        await reader.review(JobRequest("ext-1"), 0.8)
        assert (await reader.fetch(JobRequest("ext-1"))).dump() == Job.parse(body_of()).dump()
    assert source.num_fetches == 1


async def test_concurrent_requests_share_one_fetch() -> None:
    source = constant(body_of())
    async with reading(source) as reader, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(reader.get, JobRequest("ext-1"))
    assert source.num_fetches == 1


async def test_same_id_in_another_project_is_another_job() -> None:
    source = constant(body_of())
    async with reading(source) as reader:
        for project in (None, "p", "q", "p"):
            await reader.get(JobRequest("ext-1", scope=Scope(project)))
    assert source.num_fetches == 3


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "SOMETHING_NEW"])
async def test_unfinished_job_is_fetched_each_time(status: str) -> None:
    source = constant(body_of(status))
    async with reading(source) as reader:
        await reader.get(JobRequest("ext-1"))
        source.body_of = lambda _: body_of()
        assert (await reader.get(JobRequest("ext-1"))).structured["status"] == "COMPLETED"
    assert source.num_fetches == 2


@virtual
async def test_job_without_billed_usage_is_fetched_again_for_its_credits() -> None:
    source, clock = constant(body_of(billed=None)), VirtualClock()
    async with reading(source, clock) as reader:
        assert "credits" not in (await reader.get(JobRequest("ext-1"))).structured.get("facts", {})
        source.body_of = lambda _: body_of(billed=7)
        await clock.sleep(61)
        assert (await reader.get(JobRequest("ext-1"))).structured["facts"]["credits"] == 7
        await clock.sleep(10_000)
        await reader.get(JobRequest("ext-1"))
    assert source.num_fetches == 2


async def test_large_job_gets_the_same_answers_as_a_small_one() -> None:
    rows = 12_000
    async with reading(constant(body_of(rows=rows))) as reader:
        counted = await reader.query(JobRequest("ext-1"), "SELECT count(*), max(n) FROM rows")
        page = await reader.read(JobRequest("ext-1"), "rows[-1].n", None, ())
        answer = await reader.get(JobRequest("ext-1"))
    assert counted.structured["rows"]["rows"] == [[rows, rows - 1]]
    assert page.structured["value"] == {"path": f"rows[{rows - 1}].n", "value": rows - 1}
    assert answer.structured["counts"]["values"] == 2 * rows


async def test_error_inside_a_reader_is_raised_unchanged() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with reading(constant(body_of())):
            raise KeyError("mine")


async def test_compressed_body_is_returned_in_the_same_bytes() -> None:
    body = body_of(rows=5_000)
    job = CachedJob(Job.parse(body))
    before = job.num_cached_bytes
    await job.compress()
    assert await job.body() == body
    assert job.is_compressed
    assert job.num_cached_bytes < before / 4


REQUEST = JobRequest("ext-1")
HEADER = Header("ext-1", "COMPLETED")
QUESTIONS: dict[str, Question] = {
    "summary": SummaryQuestion(REQUEST, HEADER),
    "read": ReadQuestion(REQUEST, HEADER, ReadOptions("rows", None, ())),
    "search": SearchQuestion(REQUEST, HEADER, "word"),
    "source_text": SourceTextQuestion(REQUEST, HEADER, SourceOptions()),
    "review": ReviewQuestion(REQUEST, HEADER, 0.8),
    "query": QueryQuestion(REQUEST, HEADER, "SELECT 1", 2.0),
}


class FailingPool(WorkerPool):
    """A pool that fails as a test says, and remembers the steps."""

    def __init__(self, tasks: anyio.abc.TaskGroup, error: Callable[[], Exception]) -> None:
        super().__init__(tasks)
        self.error = error
        self.steps: list[Step] = []
        self.jobs: list[object] = []

    async def answer(self, job: object, name: str, fetch_body: object, steps: Any, source: object = None) -> Any:
        """Remember the steps and fail."""
        self.jobs.append(job)
        self.steps = list(steps)
        raise self.error()


async def ask_failing(question: Question, error: Exception, rows: int = 5_000) -> tuple[Exception, FailingPool]:
    """Ask an executor whose pool fails; return what it raises and its pool."""
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        executor = AnswerExecutor(JobCache(SystemClock()), SharedWorkers(group, stack), group)
        executor.workers._pool = pool = FailingPool(group, lambda: error)
        cached = CachedJob(Job.parse(body_of(rows=rows)))
        try:
            await executor.answer(JobKey("key", DEFAULT_SCOPE, "ext-1"), cached, question)
        except LlxError as exc:
            return exc, pool
    raise AssertionError("no error")


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_question_that_takes_too_long_is_stopped_with_a_hint(kind: str) -> None:
    error, _ = await ask_failing(QUESTIONS[kind], OutOfTimeError(QUESTIONS[kind], 2.25))
    assert type(error) is ArgumentError
    assert str(error).startswith(f"{kind}: stopped after 2.25 s. ")
    assert len(str(error)) > len(f"{kind}: stopped after 2.25 s. ") + 20


async def test_step_before_the_question_has_a_hint_of_its_own() -> None:
    error, _ = await ask_failing(QUESTIONS["query"], OutOfTimeError(BuildTables("x"), 10.0))
    assert str(error) == "query: stopped after 10 s. Query fewer tables at once."
    for message in (LoadJob(), DecodeJob()):
        error, _ = await ask_failing(QUESTIONS["review"], OutOfTimeError(message, 10.0))
        assert str(error) == (
            "review: stopped after 10 s. Reading the job took too long. Call again; if it is stopped again, the "
            f"resource {REQUEST.resource()} returns the job as the service sent it."
        )


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_question_that_takes_too_much_memory_says_so(kind: str) -> None:
    error, _ = await ask_failing(QUESTIONS[kind], OutOfMemoryError("out of memory"))
    assert type(error) is ArgumentError
    assert str(error).startswith(f"{kind}: needed more memory than one question may use, and was stopped. ")


async def test_worker_that_died_says_how_and_to_call_again() -> None:
    error, _ = await ask_failing(QUESTIONS["query"], WorkerDiedError("signal SIGKILL"))
    assert type(error) is LlxError
    assert str(error) == (
        "query: the process that reads the job ended before it answered (signal SIGKILL). Call again; another process "
        "takes over. If this happens again, the machine may have too little memory."
    )


async def test_argument_with_half_a_surrogate_pair_is_an_error_of_its_own() -> None:
    error, _ = await ask_failing(QUESTIONS["query"], UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"))
    assert type(error) is ArgumentError
    assert str(error) == "query: an argument holds half of a surrogate pair. Leave that character out."


async def test_job_that_a_worker_cannot_read_says_why() -> None:
    error, _ = await ask_failing(QUESTIONS["query"], UnreadableError("is not valid JSON"))
    assert type(error) is BadResponseError
    assert str(error) == (
        "The job was fetched, but its result or its metadata is not valid JSON. A retry seldom helps; the resource "
        f"{REQUEST.resource()} returns it as the service sent it."
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("summary", [10, 10]),
        ("read", [10, 10]),
        ("search", [10, 10]),
        ("review", [10, 10, 6]),
        ("query", [10, 10, 2.25]),
    ],
)
async def test_every_step_has_a_time_limit_that_grows_with_reading(kind: str, expected: list[float]) -> None:
    _, pool = await ask_failing(QUESTIONS[kind], WorkerDiedError(""), rows=5_000)
    size = len(body_of(rows=5_000))
    found = [
        step.seconds - (size * 0.5e-6 if limit == 10 else 0) for step, limit in zip(pool.steps, expected, strict=True)
    ]
    assert found == pytest.approx(expected)
    assert isinstance(pool.steps[0].message, LoadJob)
    assert pool.steps[-1].message == QUESTIONS[kind]
    assert [type(step.message) for step in pool.steps[1:-1]] == {"review": [DecodeJob], "query": [BuildTables]}.get(
        kind, []
    )


async def test_callers_take_turns_by_job_even_if_it_was_fetched_again() -> None:
    pools = [(await ask_failing(QUESTIONS["query"], WorkerDiedError("")))[1] for _ in range(2)]
    assert pools[0].jobs == pools[1].jobs == [JobKey("key", DEFAULT_SCOPE, "ext-1")]


@pytest.mark.parametrize("padding", [0, WORKER_BYTES], ids=["here", "worker"])
async def test_unreadable_job_has_the_same_error_here_and_in_a_worker(padding: int) -> None:
    body = b'{"id": "ext-1", "status": "COMPLETED", "extract_result": {"a": "\xff"}, "x": "' + b"x" * padding + b'"}'
    async with reading(constant(body)) as reader:
        with pytest.raises(BadResponseError, match=r"its result or its metadata is not valid UTF-8\. A retry"):
            await reader.get(REQUEST)


@HAS_SIGNALS
async def test_killed_worker_is_an_error_and_the_next_call_is_answered() -> None:
    async with reading(constant(body_of())) as reader:
        await reader.query(REQUEST, "SELECT 1")
        pool = reader._executor.workers._pool
        assert pool is not None
        (worker,) = pool._workers
        async with anyio.create_task_group() as tasks:

            async def kill() -> None:
                await anyio.sleep(0.3)
                os.kill(worker.process.pid, signal.SIGKILL)

            tasks.start_soon(kill)
            with pytest.raises(LlxError, match=r"^query: the process that reads the job ended .*signal SIGKILL"):
                await reader.query(REQUEST, ENDLESS, deadline_seconds=ENOUGH_SECONDS)
        assert (await reader.query(REQUEST, "SELECT 1")).structured["rows"]["rows"] == [[1]]


@LIMITS_MEMORY
async def test_query_that_needs_too_much_memory_says_so_and_the_next_is_answered() -> None:
    async with reading(constant(body_of())) as reader:
        with pytest.raises(ArgumentError, match=r"^query: needed more memory than one question may use"):
            await reader.query(REQUEST, HUGE, deadline_seconds=ENOUGH_SECONDS)
        assert (await reader.query(REQUEST, "SELECT 1")).structured["rows"]["rows"] == [[1]]


async def test_jobs_from_a_quarter_of_a_megabyte_are_read_in_a_worker() -> None:
    base = len(body_of(rows=0))
    for size, expected in ((WORKER_BYTES - 1, 0), (WORKER_BYTES, 1)):
        body = body_of(rows=0)[:-1] + b', "x": "' + b"x" * (size - base - 9) + b'"}'
        async with reading(constant(body.ljust(size))) as reader:
            await reader.get(REQUEST)
            pool = reader._executor.workers._pool
            assert (0 if pool is None else pool.num_workers) == expected


async def test_large_job_is_compressed_after_its_first_answer() -> None:
    async with reading(constant(body_of(rows=1_000))) as reader:
        await reader.get(REQUEST)
        cached = reader.fetcher.cache.find(await reader.fetcher.build_key("ext-1", DEFAULT_SCOPE))
        assert cached is not None
        with anyio.fail_after(ENOUGH_SECONDS):
            while not cached.is_compressed:
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("summary", "one path"),
        ("read", "smaller max_chars"),
        ("search", "fewer words"),
        ("review", "one kind of problem"),
        ("query", "fewer rows"),
    ],
)
async def test_hint_tells_how_to_ask_for_less(kind: str, words: str) -> None:
    for failure in (OutOfTimeError(QUESTIONS[kind], 2.25), OutOfMemoryError("out of memory")):
        error, _ = await ask_failing(QUESTIONS[kind], failure)
        assert words in str(error).partition("stopped")[2]


async def test_only_a_question_that_may_last_is_asked_in_a_worker_about_a_small_job() -> None:
    used = {}
    for kind, question in QUESTIONS.items():
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            executor = AnswerExecutor(JobCache(SystemClock()), SharedWorkers(group, stack), group)
            executor.workers._pool = pool = FailingPool(group, lambda: WorkerDiedError(""))
            cached = CachedJob(Job.parse(body_of()))
            with contextlib.suppress(LlxError):
                await executor.answer(JobKey("key", DEFAULT_SCOPE, "ext-1"), cached, question)
            used[kind] = bool(pool.jobs)
    assert {kind for kind, is_asked in used.items() if is_asked} == {"review", "query"}


async def test_question_about_a_job_without_a_result_needs_no_worker() -> None:
    async with reading(constant(b'{"id":"ext-1","status":"COMPLETED"}')) as reader:
        with contextlib.suppress(ArgumentError):
            await reader.review(REQUEST, 0.8)
        assert reader._executor.workers._pool is None


async def read_document(source: CachedSource | None, rows: int = 3) -> tuple[dict[str, Any], bool]:
    """Return the answer about the text of a document, and whether a worker gave it."""
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        executor = AnswerExecutor(JobCache(SystemClock()), SharedWorkers(group, stack), group)
        cached = CachedJob(Job.parse(body_of(rows=rows)))
        answer = await executor.answer(JobKey("key", DEFAULT_SCOPE, "ext-1"), cached, QUESTIONS["source_text"], source)
        has_worker = executor.workers._pool is not None
        await stack.aclose()
        group.cancel_scope.cancel()
    return answer.structured, has_worker


@pytest.mark.parametrize(
    ("num_words", "rows", "has_worker"), [(3, 3, False), (60_000, 3, True), (3, 5_000, True), (60_000, 5_000, True)]
)
async def test_long_text_is_read_in_a_worker_and_a_short_one_with_the_job(
    num_words: int, rows: int, has_worker: bool
) -> None:
    source = await cache_source(SourceText("document", [SourcePage(1, ["word"] * num_words, [0])]))
    answer, is_from_worker = await read_document(source, rows)
    assert answer["lines"]["rows"][0][2].startswith("word word word")
    assert is_from_worker == has_worker


async def test_reason_why_there_is_no_text_reaches_the_answer() -> None:
    for rows in (3, 5_000):
        answer, _ = await read_document(build_missing("the file is gone"), rows)
        assert answer["problem"] == "the file is gone"


async def test_job_is_answered_without_a_text_that_a_worker_cannot_load() -> None:
    broken = CachedSource(b"not a text".ljust(WORKER_BYTES))
    answer, _ = await read_document(broken)
    assert "takes too much time or memory" in answer["problem"]


async def test_question_that_is_not_about_the_text_is_answered_without_it() -> None:
    broken = CachedSource(b"not a text".ljust(WORKER_BYTES))
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        executor = AnswerExecutor(JobCache(SystemClock()), SharedWorkers(group, stack), group)
        cached = CachedJob(Job.parse(body_of()))
        key = JobKey("key", DEFAULT_SCOPE, "ext-1")
        answer = await executor.answer(key, cached, QUESTIONS["review"], broken)
        assert answer.structured["counts"]["values"] == 6
        await stack.aclose()
        group.cancel_scope.cancel()
