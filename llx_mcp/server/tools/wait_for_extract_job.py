"""`wait_for_extract_job`: waits until jobs have ended, then returns them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.limits import DEFAULT_CHARS, Section
from llx_mcp.answers.outputs import WaitOutput
from llx_mcp.answers.requests import Until, WaitRequest
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.job_ids import MAX_JOBS
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    DEFAULT_SECTIONS,
    Expand,
    JobId,
    MaxChars,
    OrganizationId,
    ProjectId,
    as_list,
    as_words,
    build_scope,
    order_sections,
)
from llx_mcp.server.tools.results import tool_result

if TYPE_CHECKING:
    from llx_mcp.jobs.progress import WaitProgress

TITLE = "Wait for extract jobs"
DESCRIPTION = (
    "Use this while LlamaExtract jobs may still run (20 s to 10 min). Waits until a job has ended, then returns what "
    "get_extract_job returns; for job_ids a table, and what the finished jobs say. A job that still runs at "
    "timeout_seconds is a normal answer: call again. Waiting never changes a job."
)
SEARCH_HINT = "wait until extraction jobs finish"
MAX_TIMEOUT_SECONDS = 3_600
_MIN_STEP = 0.001

JobIds = Annotated[
    list[str], BeforeValidator(as_list), Field(max_length=MAX_JOBS, description="Several jobs, up to 100.")
]
TimeoutSeconds = Annotated[
    float, Field(ge=0, le=MAX_TIMEOUT_SECONDS, description="0 does not wait. Many clients cut a call at 60 s.")
]


async def wait_for_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId | None = None,
    job_ids: JobIds | None = None,
    until: Annotated[Until, BeforeValidator(as_words), Field(description="How many must end.")] = "all",
    timeout_seconds: TimeoutSeconds = 45,
    expand: Annotated[Expand, Field(description="As in get_extract_job.")] = DEFAULT_SECTIONS,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, WaitOutput]:
    """Return jobs once they have ended, or as they are at the timeout."""
    reader = ctx.request_context.lifespan_context
    request = build_wait_request(job_id, job_ids, until, expand, max_chars, project_id, organization_id)
    reported = -_MIN_STEP

    async def report(progress: "WaitProgress") -> None:
        from llx_mcp.jobs.progress import describe_progress, measure_progress

        nonlocal reported
        value, total = measure_progress(progress, timeout_seconds, until)
        # MCP requires progress to increase with every notification.
        reported = max(value, reported + _MIN_STEP)
        await ctx.report_progress(reported, total, describe_progress(progress))

    return tool_result(await reader.wait(request, timeout_seconds, report))


def build_wait_request(
    job_id: str | None,
    job_ids: Sequence[str] | None,
    until: Until,
    expand: Sequence[Section],
    max_chars: int,
    project_id: str | None,
    organization_id: str | None,
) -> WaitRequest:
    """Build the request to wait for jobs.

    Raises:
        ArgumentError: no job is named.
    """
    given = [job_id, *(job_ids or [])]
    ids = tuple(one.strip() for one in given if one and one.strip())
    if not ids:
        raise ArgumentError(
            "wait_for_extract_job: no job is named. Give job_id, or job_ids for many; list_extract_jobs shows what "
            "this key can see."
        )
    scope = build_scope(project_id, organization_id)
    return WaitRequest(ids, until, order_sections(expand), max_chars, scope, is_many=job_ids is not None)
