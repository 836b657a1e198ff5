"""Questions about several jobs. An error of one job is reported for that job, and the others are answered."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import QUERY_SECONDS, JoinedQueryQuestion, SearchQuestion
from llx_mcp.answers.header import build_header
from llx_mcp.answers.joined import SearchReport
from llx_mcp.answers.requests import JobsRequest
from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, UnreachableError, excerpt
from llx_mcp.jobs.cache import CachedJob
from llx_mcp.jobs.cached_source import CachedSource
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.evidence import EvidenceFinder
from llx_mcp.jobs.executor import AnswerExecutor
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.job_rows import build_fetched_row
from llx_mcp.result.sanitize import sanitize_line

if TYPE_CHECKING:
    from llx_mcp.models import Job

# What is left of the time of a call is for the answer.
_FETCH_SHARE = 0.7
_ID_CHARS = 64

Outcomes = Mapping[str, CachedJob | LlxError]
Sources = Mapping[str, CachedSource | None]


class JoinedJobs:
    """Answers questions about several jobs.

    Args:
        fetcher: fetches and caches jobs.
        executor: answers questions about cached jobs.
        call_seconds: how long one call may take.
        evidence: finds the texts of the documents.
    """

    def __init__(
        self, fetcher: JobFetcher, executor: AnswerExecutor, call_seconds: float, evidence: EvidenceFinder
    ) -> None:
        self._fetcher = fetcher
        self._executor = executor
        self._call_seconds = call_seconds
        self._evidence = evidence

    async def query(self, request: JobsRequest, sql: str, deadline_seconds: float = QUERY_SECONDS) -> Answer:
        """Return the rows of one SELECT over the tables of all jobs.

        Raises:
            LlxError: no job can be read, or the query cannot be run.
        """
        with limit_call(self._call_seconds) as call:
            outcomes = await self._fetch_all(request)
            call.is_fetched = True
            now = self._fetcher.service_now()
            shown = _show_ids(outcomes)
            rows = tuple(build_fetched_row(shown[job_id], _job_of(found), now) for job_id, found in outcomes.items())
            question = JoinedQueryQuestion(request, rows, sql, deadline_seconds)
            readable = {
                shown[job_id]: (await self._fetcher.build_key(job_id, request.scope), found)
                for job_id, found in outcomes.items()
                if isinstance(found, CachedJob) and found.job.has_result
            }
            return await self._executor.answer_joined(readable, question)

    async def find(self, request: JobsRequest, text: str, limit: int) -> Answer:
        """Return what each job says about some words, best match first.

        Raises:
            LlxError: no job can be read, or the text has nothing to search for.
        """
        with limit_call(self._call_seconds) as call:
            outcomes = await self._fetch_all(request)
            call.is_fetched = True
            now = self._fetcher.service_now()
            rows = [build_fetched_row(job_id, _job_of(found), now) for job_id, found in outcomes.items()]
            report = SearchReport(rows, request, text, limit)
            sources = await self._find_sources(request, outcomes)
            await self._search_each(report, request, text, outcomes, sources)
        return report.build()

    async def _find_sources(self, request: JobsRequest, outcomes: Outcomes) -> Sources:
        """Return the text of the document of each job, all found at once."""
        sources: dict[str, CachedSource | None] = {}

        async def find(job_id: str, cached: CachedJob) -> None:
            key = await self._fetcher.build_key(job_id, request.scope)
            sources[job_id] = await self._evidence.find_for_checks(key, cached)

        async with anyio.create_task_group() as tasks:
            for job_id, found in outcomes.items():
                if isinstance(found, CachedJob):
                    tasks.start_soon(find, job_id, found)
        return sources

    async def _search_each(
        self, report: SearchReport, request: JobsRequest, text: str, outcomes: Outcomes, sources: Sources
    ) -> None:
        num_found, error = 0, None
        shown = _show_ids(outcomes)
        while (named := report.next_search()) is not None:
            job_id = named.job_id
            cached = outcomes[job_id]
            if isinstance(cached, LlxError):
                raise TypeError("a job that was not fetched cannot be searched")
            single = request.job_request(job_id, named.max_chars)
            header = build_header(cached.job, single, now=self._fetcher.service_now())
            # The id as it was given, as in a query.
            header = replace(header, job_id=shown[job_id])
            key = await self._fetcher.build_key(job_id, request.scope)
            try:
                question = SearchQuestion(single, header, text, named.limit)
                report.add(await self._executor.answer(key, cached, question, sources.get(job_id)))
                num_found += 1
            except LlxError as exc:
                error = exc
                report.skip(str(exc))
        if error is not None and not num_found:
            raise error

    async def _fetch_all(self, request: JobsRequest) -> Outcomes:
        """Fetch all jobs at once; return each, or the error that says why it is missing.

        Raises:
            LlxError: all of them are missing.
        """
        late = UnreachableError("The service did not answer in time. Call again later.")
        outcomes: dict[str, CachedJob | LlxError] = dict.fromkeys(request.job_ids, late)

        async def fetch(job_id: str) -> None:
            try:
                outcomes[job_id] = await self._fetcher.fetch_job(request.job_request(job_id))
            except LlxError as exc:
                outcomes[job_id] = exc

        with anyio.move_on_after(self._call_seconds * _FETCH_SHARE):
            async with anyio.create_task_group() as tasks:
                for job_id in request.job_ids:
                    tasks.start_soon(fetch, job_id)
        _raise_if_all_are_missing(outcomes)
        return outcomes


def _raise_if_all_are_missing(outcomes: Outcomes) -> None:
    errors = {job_id: found for job_id, found in outcomes.items() if isinstance(found, LlxError)}
    if len(errors) < len(outcomes):
        return
    first = next(iter(errors.values()))
    is_about_ids = any(isinstance(error, NotFoundError | ArgumentError) for error in errors.values())
    if len(errors) == 1 or not is_about_ids:
        raise first.with_traceback(None)
    reasons = "; ".join(f"{excerpt(job_id, _ID_CHARS)}: {excerpt(str(error), 160)}" for job_id, error in errors.items())
    raise NotFoundError(f"None of these jobs can be read. {reasons}")


def _job_of(found: CachedJob | LlxError) -> "Job | LlxError":
    return found.job if isinstance(found, CachedJob) else found


def _show_ids(job_ids: Iterable[str]) -> dict[str, str]:
    """Return what an answer shows for each id: the id on one short line, numbered where another id looks the same."""
    shown: dict[str, str] = {}
    # An id that is shown as it is needs no number.
    for job_id in sorted(job_ids, key=lambda job_id: sanitize_line(job_id, _ID_CHARS) != job_id):
        line, number = sanitize_line(job_id, _ID_CHARS), 1
        while line in shown.values():
            number += 1
            suffix = f" ({number})"
            line = sanitize_line(job_id, _ID_CHARS - len(suffix)) + suffix
        shown[job_id] = line
    return shown
