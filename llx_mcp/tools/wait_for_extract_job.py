"""`wait_for_extract_job`: a job once it has ended."""

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.jobs.reader import JobReader
from llx_mcp.tools.arguments import (
    DEFAULT_SECTIONS,
    Expand,
    JobId,
    MaxChars,
    OrganizationId,
    ProjectId,
    build_ask,
)
from llx_mcp.tools.results import tool_result
from llx_mcp.tools.views import ExtractJobView

if TYPE_CHECKING:
    from llx_mcp.jobs.sights import Progress

TITLE = "Wait for an extract job"
DESCRIPTION = (
    "Use this when a LlamaExtract job may still be running: waits until it has ended, then answers as get_extract_job "
    "does. Still running when timeout_seconds is over is a normal answer: call again to go on waiting (jobs take from "
    "20 s to 10 min). Waiting and giving up leave the job as it is. For a job that has ended use get_extract_job."
)

TimeoutSeconds = Annotated[
    float, Field(ge=0, le=3_600, description="Longest wait; 0 looks once. Many clients cut a call at 60 s.")
]


async def wait_for_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    timeout_seconds: TimeoutSeconds = 45,
    expand: Expand = DEFAULT_SECTIONS,
    max_chars: MaxChars = 8_000,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, ExtractJobView]:
    """Answer about a job once it has ended, or as it is when the time is up."""
    reader = ctx.request_context.lifespan_context

    # Imported with the first wait, as everything of the waiting is.
    from llx_mcp.jobs.sights import describe_progress

    async def report(progress: "Progress") -> None:
        await ctx.report_progress(progress.waited_seconds, timeout_seconds or None, describe_progress(progress))

    ask = build_ask(job_id, max_chars, project_id, organization_id, expand)
    answer = await reader.wait(ask, timeout_seconds, report)
    return tool_result(answer, ask)
