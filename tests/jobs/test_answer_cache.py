"""The same question about the same finished job is answered from memory; every other question is answered anew."""

from datetime import UTC, datetime
from typing import Any

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import SearchQuestion, SummaryQuestion
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.answer_cache import AnswerCache
from llx_mcp.jobs.cache import CachedJob
from tests.example_jobs import build_job

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = JobRequest("ext-1")


def cached_job(status: str = "COMPLETED") -> CachedJob:
    return CachedJob(build_job({"total": 1}, status=status))


def summary_of(cached: CachedJob, **request: Any) -> SummaryQuestion:
    chosen = JobRequest("ext-1", **request)
    return SummaryQuestion(chosen, build_header(cached.job, chosen, now=NOW))


def answer(text: str = "Total 1 é") -> Answer:
    return Answer({"result": {"total": 1, "note": "é", "rate": 0.1, "none": None}}, text)


def test_same_question_has_the_same_answer_and_a_copy_of_its_own() -> None:
    cache, cached = AnswerCache(), cached_job()
    cache.put(cached, summary_of(cached), answer())
    found = cache.find(cached, summary_of(cached))
    assert found == answer()
    assert found is not None
    found.structured.clear()
    assert cache.find(cached, summary_of(cached)) == answer()


def test_other_question_or_other_body_has_none() -> None:
    cache, cached = AnswerCache(), cached_job()
    question = summary_of(cached)
    cache.put(cached, question, answer())
    assert cache.find(cached, summary_of(cached, max_chars=5_000)) is None
    assert cache.find(cached, SearchQuestion(REQUEST, question.header, "total", 5)) is None
    # The same job, fetched again or for another credential.
    assert cache.find(cached_job(), question) is None


def test_job_that_has_not_ended_has_none() -> None:
    cache, running = AnswerCache(), cached_job("RUNNING")
    cache.put(running, summary_of(running), answer())
    assert cache.find(running, summary_of(running)) is None


def test_question_that_is_not_valid_unicode_has_none() -> None:
    cache, cached = AnswerCache(), cached_job()
    question = SearchQuestion(REQUEST, summary_of(cached).header, "\ud800", 5)
    cache.put(cached, question, answer())
    assert cache.find(cached, question) is None


def test_least_recently_used_answers_are_evicted_within_the_budget() -> None:
    cache, cached = AnswerCache(40_000), cached_job()
    questions = [summary_of(cached, max_chars=2_000 + number) for number in range(4)]
    for question in questions[:3]:
        cache.put(cached, question, answer("x" * 11_000))
    assert cache.find(cached, questions[0]) is not None
    cache.put(cached, questions[3], answer("x" * 11_000))
    assert [cache.find(cached, question) is not None for question in questions] == [True, False, True, True]
    cache.put(cached, summary_of(cached, max_chars=9_000), answer("x" * 50_000))
    assert cache.find(cached, summary_of(cached, max_chars=9_000)) is None
