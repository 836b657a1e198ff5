"""Lists jobs: pages from the service, filtered and with file names, until the answer has no more room."""

from dataclasses import replace
from typing import TYPE_CHECKING

from llx_mcp.answers.job_list import JobListBuilder, ListPosition, decode_position, parse_time
from llx_mcp.answers.requests import JobListRequest
from llx_mcp.errors import BadResponseError
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.job_rows import build_listed_row
from llx_mcp.scope import JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.models import JobPage

PAGE_SIZE = 25
# The pages of a list carry the results of its jobs, so their number is bounded.
MAX_PAGES = 4

_SMALLER_PAGE_SIZES = (5, 1)
_PARSE_JOB_PREFIX = "pjb-"


async def list_jobs(fetcher: JobFetcher, request: JobListRequest, cursor: str | None) -> "Answer":
    """Return the jobs that pass the filters, newest first, as many as fit into the answer.

    Raises:
        LlxError: the service gives no list, or a filter or the cursor is invalid.
    """
    position = decode_position(cursor, request)
    wanted = JobFilter(
        statuses=(request.status,) if request.status else (),
        file_input=request.file_input,
        configuration_id=request.configuration_id,
        created_since=parse_time("created_since", request.created_since),
        created_until=parse_time("created_until", request.created_until, is_end=True),
    )
    token = position.page_token
    builder = JobListBuilder(request)
    for _ in range(MAX_PAGES):
        page = await _fetch_page(fetcher, replace(wanted, page_token=token), request.scope)
        now = fetcher.service_now()
        files = {job.document for job in page.items if job.document and not job.document.startswith(_PARSE_JOB_PREFIX)}
        names = await fetcher.fetch_file_names(sorted(files), request.scope)
        rows = [build_listed_row(job, names.get(job.document or ""), now) for job in page.items]
        builder.add(position.skip(rows), token, page.num_unreadable)
        position, token = ListPosition(token), page.next_page_token
        if token is None or not builder.has_room(PAGE_SIZE):
            break
    return builder.build(token, now)


async def _fetch_page(fetcher: JobFetcher, wanted: JobFilter, scope: Scope) -> "JobPage":
    for size in (PAGE_SIZE, *_SMALLER_PAGE_SIZES):
        try:
            return await fetcher.fetch_page(replace(wanted, page_size=size), scope)
        except BadResponseError:
            # A page of whole results can be larger than the largest response that is read.
            if size == _SMALLER_PAGE_SIZES[-1]:
                raise
    raise AssertionError("the last size either returns or raises")
