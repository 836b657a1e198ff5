"""`get_extract_job`: a job as it is now."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult

from llx_mcp.answers.limits import DEFAULT_CHARS, Section
from llx_mcp.answers.outputs import JobOutput
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    DEFAULT_SECTIONS,
    Expand,
    JobId,
    MaxChars,
    OrganizationId,
    ProjectId,
    build_request,
    build_scope,
)
from llx_mcp.server.tools.results import tool_result

TITLE = "Get an extract job"
DESCRIPTION = (
    "Use this for an overview of a LlamaExtract job: status, facts and the result, whole with page and confidence of "
    "each value where it fits max_chars, else its shape with counts and examples, and what to doubt. For one fact use "
    "find_in_extract_result, to count query_extract_result. Does not wait: while a job runs use wait_for_extract_job."
)
SEARCH_HINT = "extraction job status result overview llamaextract"


async def get_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    expand: Expand = DEFAULT_SECTIONS,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, JobOutput]:
    """Return a job as it is now."""
    request = build_summary_request(job_id, expand, max_chars, project_id, organization_id)
    return tool_result(await ctx.request_context.lifespan_context.get(request))


def build_summary_request(
    job_id: str, expand: list[Section], max_chars: int, project_id: str | None, organization_id: str | None
) -> JobRequest:
    """Build the request that a call makes, from its arguments."""
    return build_request(job_id, max_chars, build_scope(project_id, organization_id), expand)
