"""Fetches a job and answers a question about it, within the time of one call."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Question, SummaryQuestion
from llx_mcp.answers.header import Header, build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.evidence import EvidenceFinder
from llx_mcp.jobs.executor import AnswerExecutor
from llx_mcp.jobs.fetcher import JobFetcher


@dataclass(frozen=True, slots=True)
class SummaryBasis:
    """What the summary of a finished job is made from.

    Attributes:
        key: where the job is cached.
        job: the job.
        text_name: name of the text of its document; "" as long as that is not known.
    """

    key: JobKey
    job: CachedJob
    text_name: str


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

    def find_summary_basis(self, request: JobRequest) -> SummaryBasis | None:
        """Return what the summary of a job is made from; None if the job has not ended or is not cached."""
        found = self._fetcher.find_job(request)
        if found is None:
            return None
        key, cached = found
        text = self._evidence.texts.peek(key)
        return SummaryBasis(key, cached, "" if text is None else text.name)

    def turn_if_shared(self, key: JobKey) -> AbstractAsyncContextManager[None]:
        """Take a turn if other credentials have open requests. This is for work that takes no longer than a turn."""
        return self._turn(key) if self._executor.workers.num_busy > 1 else nullcontext()

    @asynccontextmanager
    async def _turn(self, key: JobKey) -> AsyncIterator[None]:
        with limit_call(self._call_seconds):
            async with self._executor.workers.turn_here(key):
                yield

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
