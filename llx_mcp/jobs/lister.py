"""Lists jobs: pages from the service, filtered and with file names, until the answer has no more room."""

from dataclasses import replace
from typing import TYPE_CHECKING

from llx_mcp.answers.job_list import JobListBuilder, ListPosition, decode_position, parse_period
from llx_mcp.answers.requests import JobListRequest
from llx_mcp.errors import BadResponseError, UpstreamError
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.job_rows import build_listed_row
from llx_mcp.models import PARSE_JOB_PREFIX
from llx_mcp.scope import JobFilter, Scope

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.models import JobPage

PAGE_SIZE = 25
# The pages of a list carry the results of its jobs, so their number is bounded.
MAX_PAGES = 4

_SMALLER_PAGE_SIZES = (5, 1)


async def list_jobs(fetcher: JobFetcher, request: JobListRequest, cursor: str | None, call_seconds: float) -> "Answer":
    """Return the jobs that pass the filters, newest first, as many as fit into the answer.

    If the service fails after the first page, or the time is up, the list ends there, with a cursor for the rest.

    Raises:
        LlxError: the service gives no list, or a filter or the cursor is invalid.
    """
    pages = _Pages(fetcher, replace(request, credential=await fetcher.identity()), cursor)
    try:
        with limit_call(call_seconds):
            while await pages.add_next():
                pass
    except UpstreamError:
        if not pages.num_added:
            raise
    return pages.build()


class _Pages:
    """The pages of a list that were read so far.

    Attributes:
        num_added: their number.
    """

    def __init__(self, fetcher: JobFetcher, request: JobListRequest, cursor: str | None) -> None:
        self.num_added = 0
        self._fetcher = fetcher
        self._scope = request.scope
        since, until = parse_period(request.created_since, request.created_until)
        self._wanted = JobFilter(
            statuses=(request.status,) if request.status else (),
            file_input=request.file_input,
            configuration_id=request.configuration_id,
            created_since=since,
            created_until=until,
        )
        self._position = decode_position(cursor, request)
        self._token = self._position.page_token
        self._builder = JobListBuilder(request)

    async def add_next(self) -> bool:
        """Add the next page; return whether there is another one that the answer has room for."""
        page = await _fetch_page(self._fetcher, replace(self._wanted, page_token=self._token), self._scope)
        files = {job.document for job in page.items if job.document and not job.document.startswith(PARSE_JOB_PREFIX)}
        names = await self._fetcher.fetch_file_names(sorted(files), self._scope)
        now = self._fetcher.service_now()
        rows = [build_listed_row(job, names.get(job.document or ""), now) for job in page.items]
        self._builder.add(self._position.skip(rows), self._token, page.num_unreadable)
        self._token = page.next_page_token
        self._position = ListPosition(self._token)
        self.num_added += 1
        return self._token is not None and self.num_added < MAX_PAGES and self._builder.has_room(PAGE_SIZE)

    def build(self) -> "Answer":
        """Build the answer."""
        return self._builder.build(self._token, self._fetcher.service_now())


async def _fetch_page(fetcher: JobFetcher, wanted: JobFilter, scope: Scope) -> "JobPage":
    for size in (PAGE_SIZE, *_SMALLER_PAGE_SIZES):
        try:
            return await fetcher.fetch_page(replace(wanted, page_size=size), scope)
        except BadResponseError:
            # A page of whole results can be larger than the largest response that is read.
            if size == _SMALLER_PAGE_SIZES[-1]:
                raise
    raise AssertionError("the last size either returns or raises")
