"""Answers are cached for each credential, within one budget that no credential can take from another."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.answer_cache import MAX_ANSWER_BYTES, AnswerCache
from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from tests.sources import Bodies, open_bodies


def build_answer(size: int = 100) -> Answer:
    return Answer({"result": {"total": 1.5, "names": ["é", None]}}, "x" * size)


def test_answer_is_returned_as_it_was_and_cannot_be_changed_from_outside() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    found = cache.find("one", b"question")
    assert found == build_answer()
    found.structured["result"]["names"].append("more")
    assert cache.find("one", b"question") == build_answer()


def test_credential_and_question_must_be_the_same() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    assert cache.find("other", b"question") is None
    assert cache.find("one", b"other question") is None


def test_credential_that_holds_the_most_loses_its_least_recently_used() -> None:
    cache = AnswerCache(6_000)
    cache.put("small", b"first", build_answer())
    for number in range(3):
        cache.put("large", bytes([number]), build_answer(1_000))
    assert cache.find("large", bytes([0])) is not None
    cache.put("large", bytes([3]), build_answer(1_000))
    assert cache.num_bytes <= 6_000
    assert cache.find("small", b"first") is not None
    assert [cache.find("large", bytes([number])) is not None for number in range(4)] == [True, False, True, True]


def test_answer_that_is_put_again_counts_once() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    num_bytes = cache.num_bytes
    cache.put("one", b"question", build_answer())
    assert cache.num_bytes == num_bytes


def test_large_answer_is_not_cached() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer(MAX_ANSWER_BYTES))
    assert (cache.find("one", b"question"), cache.num_bytes) == (None, 0)


def test_forgotten_credential_leaves_nothing() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    cache.forget("one")
    assert (cache.find("one", b"question"), cache.num_bytes) == (None, 0)


class RecordingCache(AnswerCache):
    """Records whether answers were found."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[bool] = []

    def find(self, identity: str, question: bytes) -> Answer | None:
        answer = super().find(identity, question)
        self.found.append(answer is not None)
        return answer


@asynccontextmanager
async def reading(source: Bodies, answers: AnswerCache) -> AsyncIterator[JobReader]:
    clock = SystemClock()
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        shared = SharedResources(JobCache(clock), SharedWorkers(group, stack), answers)
        async with open_reader(open_bodies(source), clock, shared=shared) as reader:
            yield reader


def build_body(status: str = "COMPLETED", total: int = 1) -> bytes:
    job = {"id": "ext-1", "status": status, "usage": {"credits": 5}, "extract_result": {"total": total}}
    return json.dumps(job).encode()


async def test_question_that_was_asked_before_is_answered_from_the_cache() -> None:
    answers = RecordingCache()
    async with reading(Bodies(lambda _: build_body()), answers) as reader:
        first, second = [await reader.get(JobRequest("ext-1")) for _ in range(2)]
        await reader.get(JobRequest("ext-1", max_chars=2_000))
        await reader.find(JobRequest("ext-1"), "total", 5)
        await reader.find(JobRequest("ext-1"), "other", 5)
        await reader.find(JobRequest("ext-1"), "total", 5)
    assert first == second
    assert answers.found == [False, True, False, False, False, True]


async def test_answer_about_a_job_that_runs_is_not_cached() -> None:
    answers = RecordingCache()
    totals = iter([1, 2])
    async with reading(Bodies(lambda _: build_body("RUNNING", next(totals))), answers) as reader:
        for _ in range(2):
            await reader.get(JobRequest("ext-1"))
    assert (answers.found, answers.num_bytes) == ([], 0)


async def test_job_that_was_fetched_again_is_read_again() -> None:
    answers = RecordingCache()
    totals = iter([1, 2])
    async with reading(Bodies(lambda _: build_body(total=next(totals))), answers) as reader:
        first = await reader.get(JobRequest("ext-1"))
        reader.fetcher.cache.forget(await reader.fetcher.identity())
        second = await reader.get(JobRequest("ext-1"))
    assert [one.structured["result"]["total"] for one in (first, second)] == [1, 2]


async def test_half_of_a_surrogate_pair_is_answered_without_the_cache() -> None:
    answers = RecordingCache()
    async with reading(Bodies(lambda _: build_body()), answers) as reader:
        await reader.find(JobRequest("ext-1"), "total \ud800", 5)
    assert answers.found == []
