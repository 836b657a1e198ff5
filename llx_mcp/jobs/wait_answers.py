"""Answers to waits, from their last progress."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from llx_mcp.answers.requests import JobRequest, WaitRequest
from llx_mcp.errors import LlxError
from llx_mcp.jobs.cache import CachedJob
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.fetcher import JobFetcher

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.answers.wait_report import WaitReport
    from llx_mcp.jobs.progress import WaitProgress

Summarize = Callable[[CachedJob, JobRequest, float | None], Awaitable["Answer"]]


async def build_wait_answer(
    fetcher: JobFetcher, summarize: Summarize, call_seconds: float, request: WaitRequest, progress: "WaitProgress"
) -> "Answer":
    """Return the answer to a wait.

    Args:
        fetcher: fetches jobs that have ended.
        summarize: answers what a job says; its last argument is how long it was waited for.
        call_seconds: how long reading the jobs may take.
        request: the request.
        progress: the last progress of the wait.

    Raises:
        LlxError: the only job cannot be read, or none of several can for a reason that they share.
    """
    from llx_mcp.jobs.job_rows import build_waited_row, get_single_job, raise_common_error

    if not request.is_many:
        (snapshot,) = progress.snapshots
        single = request.job_request(snapshot.job_id)
        with limit_call(call_seconds) as call:
            cached = await fetcher.fetch_polled_job(single, get_single_job(snapshot))
            call.is_fetched = True
            return await summarize(cached, single, progress.waited_seconds)
    from llx_mcp.answers.wait_report import WaitReport

    raise_common_error(progress.snapshots)
    now = fetcher.service_now()
    rows = [build_waited_row(snapshot, now) for snapshot in progress.snapshots]
    report = WaitReport(rows, request, progress.waited_seconds)
    # When the time is up, the report names the jobs that have no summary.
    with anyio.move_on_after(call_seconds):
        await _add_summaries(report, fetcher, summarize, request, progress)
    return report.build()


async def _add_summaries(
    report: "WaitReport", fetcher: JobFetcher, summarize: Summarize, request: WaitRequest, progress: "WaitProgress"
) -> None:
    jobs = {snapshot.job_id: snapshot.job for snapshot in progress.snapshots if snapshot.job is not None}
    while (named := report.next_summary()) is not None:
        single = request.job_request(*named)
        try:
            cached = await fetcher.fetch_polled_job(single, jobs[single.job_id])
            report.add(await summarize(cached, single, None))
        except LlxError as exc:
            report.skip(str(exc))
