"""The same question about the same finished job is answered from memory; every other question is answered anew."""

from datetime import UTC, datetime
from math import inf
from typing import Any

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import SearchQuestion, SummaryQuestion
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.answer_cache import AnswerCache
from llx_mcp.jobs.byte_cache import ByteCache
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.scope import DEFAULT_SCOPE
from tests.example_jobs import build_job

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = JobRequest("ext-1")
KEY, OTHER_KEY = (JobKey(name, DEFAULT_SCOPE, "ext-1") for name in ("one", "other"))


def cached_job(status: str = "COMPLETED") -> CachedJob:
    return CachedJob(build_job({"total": 1}, status=status))


def summary_of(cached: CachedJob, **request: Any) -> SummaryQuestion:
    chosen = JobRequest("ext-1", **request)
    return SummaryQuestion(chosen, build_header(cached.job, chosen, now=NOW))


def answer(text: str = "Total 1 é") -> Answer:
    return Answer({"result": {"total": 10**30, "note": "é", "rate": 0.1, "limit": inf, "none": None}}, text)


async def test_same_question_has_the_same_answer_and_a_copy_of_its_own() -> None:
    cache, cached = AnswerCache(ByteCache()), cached_job()
    await cache.put(KEY, cached, summary_of(cached), answer())
    found = cache.find(KEY, cached, summary_of(cached))
    assert found == answer()
    assert found is not None
    found.structured.clear()
    assert cache.find(KEY, cached, summary_of(cached)) == answer()


async def test_other_question_or_other_body_has_none() -> None:
    cache, cached = AnswerCache(ByteCache()), cached_job()
    question = summary_of(cached)
    await cache.put(KEY, cached, question, answer())
    assert cache.find(KEY, cached, summary_of(cached, max_chars=5_000)) is None
    assert cache.find(KEY, cached, SearchQuestion(REQUEST, question.header, "total", 5)) is None
    # The same job, fetched again or for another credential.
    assert cache.find(KEY, cached_job(), question) is None
    assert cache.find(OTHER_KEY, cached, question) is None


async def test_job_that_has_not_ended_has_none() -> None:
    cache, running = AnswerCache(ByteCache()), cached_job("RUNNING")
    await cache.put(KEY, running, summary_of(running), answer())
    assert cache.find(KEY, running, summary_of(running)) is None


async def test_question_that_is_not_valid_unicode_has_none() -> None:
    cache, cached = AnswerCache(ByteCache()), cached_job()
    question = SearchQuestion(REQUEST, summary_of(cached).header, "\ud800", 5)
    await cache.put(KEY, cached, question, answer())
    assert cache.find(KEY, cached, question) is None


async def test_least_recently_used_answers_are_evicted_within_the_budget() -> None:
    cache, cached = AnswerCache(ByteCache(40_000)), cached_job()
    questions = [summary_of(cached, max_chars=2_000 + number) for number in range(4)]
    for question in questions[:3]:
        await cache.put(KEY, cached, question, answer("x" * 11_000))
    assert cache.find(KEY, cached, questions[0]) is not None
    await cache.put(KEY, cached, questions[3], answer("x" * 11_000))
    assert [cache.find(KEY, cached, question) is not None for question in questions] == [True, False, True, True]
    await cache.put(KEY, cached, summary_of(cached, max_chars=9_000), answer("x" * 50_000))
    assert cache.find(KEY, cached, summary_of(cached, max_chars=9_000)) is None


async def test_credential_with_many_answers_evicts_its_own() -> None:
    cache, cached = AnswerCache(ByteCache(40_000)), cached_job()
    await cache.put(OTHER_KEY, cached, summary_of(cached), answer("x" * 11_000))
    for number in range(20):
        await cache.put(KEY, cached, summary_of(cached, max_chars=2_000 + number), answer("x" * 11_000))
    assert cache.find(OTHER_KEY, cached, summary_of(cached)) is not None


async def test_answers_are_forgotten_with_their_credential() -> None:
    entries, cached = ByteCache(), cached_job()
    cache = AnswerCache(entries)
    await cache.put(KEY, cached, summary_of(cached), answer())
    entries.drop_all(KEY.identity)
    assert cache.find(KEY, cached, summary_of(cached)) is None
    assert entries.num_bytes == 0


async def test_answer_that_is_not_valid_unicode_is_not_kept() -> None:
    cache, cached = AnswerCache(ByteCache()), cached_job()
    await cache.put(KEY, cached, summary_of(cached), Answer({"result": "\ud800"}, "text"))
    assert cache.find(KEY, cached, summary_of(cached)) is None


async def test_question_counts_as_memory() -> None:
    entries, cached = ByteCache(), cached_job()
    cache = AnswerCache(entries)
    for text in ("short", "x" * 10_000):
        await cache.put(KEY, cached, SearchQuestion(REQUEST, summary_of(cached).header, text, 5), answer())
    assert entries.num_bytes > 10_000
