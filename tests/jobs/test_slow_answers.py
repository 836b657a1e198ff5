"""What takes long is not done in the process that all callers share."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from llx_mcp.answers.dispatch import Question, ReadQuestion, SummaryQuestion
from llx_mcp.answers.header import Header
from llx_mcp.answers.requests import DEFAULT_INCLUDE, JobRequest, ReadOptions
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.jobs import executor as module
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey
from llx_mcp.jobs.cached_source import CachedSource, cache_source
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.executor import AnswerExecutor
from llx_mcp.jobs.shared import SharedWorkers
from llx_mcp.models import Job
from llx_mcp.scope import DEFAULT_SCOPE

REQUEST = JobRequest("ext-1")
HEADER = Header("ext-1", "COMPLETED")
KEY = JobKey("key", DEFAULT_SCOPE, "ext-1")
SUMMARY = SummaryQuestion(REQUEST, HEADER)
READ = ReadQuestion(REQUEST, HEADER, ReadOptions("total", None, DEFAULT_INCLUDE))


@asynccontextmanager
async def running() -> AsyncIterator[AnswerExecutor]:
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        yield AnswerExecutor(JobCache(SystemClock()), SharedWorkers(group, stack), group)
        await stack.aclose()
        group.cancel_scope.cancel()


def cited_job() -> CachedJob:
    citation = {"citation": [{"page": 1, "matching_text": "Total 12"}], "confidence": 0.9}
    job = {
        "id": "ext-1",
        "status": "COMPLETED",
        "extract_result": {"total": 12, "name": "Acme"},
        "extract_metadata": {"field_metadata": {"document_metadata": {"total": citation}}},
    }
    return CachedJob(Job.parse(json.dumps(job).encode()))


async def text() -> CachedSource:
    return await cache_source(SourceText("document", [SourcePage(1, ["Acme", "Total", "12"], [0])]))


@pytest.mark.parametrize("question", [SUMMARY, READ])
async def test_checks_that_take_long_go_on_in_a_worker(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    source = await text()
    async with running() as executor:
        expected = await executor.answer(KEY, cited_job(), question, source)
        assert executor.workers.num_workers == 0
        monkeypatch.setattr(module, "_HERE_SECONDS", 0.0)
        cached = cited_job()
        assert await executor.answer(KEY, cached, question, source) == expected
        assert (executor.workers.num_workers, cached.is_slow) == (1, True)


async def test_job_whose_answer_took_long_is_read_in_a_worker_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as executor:
        fast, slow = cited_job(), cited_job()
        await executor.answer(KEY, fast, SUMMARY)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_HERE_SECONDS", 0.0)
            # Without a text there are no checks to give up.
            expected = await executor.answer(KEY, slow, SUMMARY)
        assert (fast.is_slow, slow.is_slow, executor.workers.num_workers) == (False, True, 0)
        assert await executor.answer(KEY, fast, SUMMARY) == expected
        assert executor.workers.num_workers == 0
        assert await executor.answer(KEY, slow, SUMMARY) == expected
        assert executor.workers.num_workers == 1
