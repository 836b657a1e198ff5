"""Fetches a job and answers a question about it, within the time of one call."""

from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Question, SummaryQuestion
from llx_mcp.answers.header import Header, build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.evidence import EvidenceFinder
from llx_mcp.jobs.executor import AnswerExecutor
from llx_mcp.jobs.fetcher import JobFetcher


class JobAnswers:
    """Answers questions about one job each."""

    def __init__(
        self, fetcher: JobFetcher, executor: AnswerExecutor, evidence: EvidenceFinder, call_seconds: float
    ) -> None:
        self._fetcher = fetcher
        self._executor = executor
        self._evidence = evidence
        self._call_seconds = call_seconds

    async def answer(self, request: JobRequest, build: Callable[[Header], Question]) -> Answer:
        """Fetch a job and answer the question that `build` makes with the header of the answer.

        Raises:
            LlxError: the job cannot be read, or the question cannot be answered; the message says what to do next.
        """
        with limit_call(self._call_seconds) as call:
            cached = await self._fetcher.fetch_job(request)
            call.is_fetched = True
            header = build_header(cached.job, request, now=self._fetcher.service_now())
            return await self._answer(cached, build(header))

    def find_basis(self, request: JobRequest) -> tuple[JobKey, str] | None:
        """Return where a finished job is cached, and the name of what its summary is made from; None if it is not.

        That is its body and, once it is known, the text of its document.
        """
        found = self._fetcher.find_job(request)
        if found is None:
            return None
        key, cached = found
        text = self._evidence.texts.peek(key)
        return key, cached.name if text is None else f"{cached.name}\n{text.name}"

    def short_turn(self, key: Hashable) -> AbstractAsyncContextManager[None]:
        """Wait for a turn at what takes no longer than a turn, where other credentials have calls."""
        return self._executor.workers.short_turn(key)

    async def summarize(self, cached: CachedJob, request: JobRequest, waited_seconds: float | None = None) -> Answer:
        """Return the summary of a job that was waited for.

        Raises:
            LlxError: the job cannot be read.
        """
        now = self._fetcher.service_now()
        header = build_header(cached.job, request, now=now, waited_seconds=waited_seconds)
        return await self._answer(cached, SummaryQuestion(request, header))

    async def _answer(self, cached: CachedJob, question: Question) -> Answer:
        request = question.request
        key = await self._fetcher.build_key(request.job_id, request.scope)
        source = await self._evidence.find(key, cached, question)
        return await self._executor.answer(key, cached, question, source)
