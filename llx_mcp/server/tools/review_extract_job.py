"""`review_extract_job`: what a careful person would check."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.answers.limits import REVIEW_THRESHOLD
from llx_mcp.answers.outputs import ReviewOutput
from llx_mcp.answers.requests import REVIEW_CHARS
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import JobId, MaxChars, OrganizationId, ProjectId, build_request, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "Review an extract job"
DESCRIPTION = (
    "Use this before you rely on a LlamaExtract result: what a careful person would check, worst first, with counts. "
    "Values that break the schema, required fields left out, quotes that are not on their page or lack the value, "
    "sums and dates that do not agree, low confidence, repeated rows, missing citations."
)
SEARCH_HINT = "check extraction quality confidence schema citations"


async def review_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    threshold: Annotated[
        float, Field(ge=0, le=1, description="Flag values with a confidence below this; 0.8 is documented.")
    ] = REVIEW_THRESHOLD,
    check_citations: Annotated[bool, Field(description="Compare citations with the document.")] = True,
    max_chars: MaxChars = REVIEW_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, ReviewOutput]:
    """Return what to check in a result."""
    reader = ctx.request_context.lifespan_context
    request = build_request(job_id, max_chars, build_scope(project_id, organization_id))
    return tool_result(await reader.review(request, threshold, check_citations=check_citations))
