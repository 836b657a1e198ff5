"""`find_in_extract_result`: what a result says about a few words."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.answers.requests import DEFAULT_HITS, MAX_HITS, JobsRequest
from llx_mcp.answers.search_outputs import SearchOutput
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    JobId,
    JobIds,
    MaxChars,
    OrganizationId,
    ProjectId,
    build_jobs_request,
    build_scope,
)
from llx_mcp.server.tools.results import tool_result

TITLE = "Find values in an extract result"
DESCRIPTION = (
    "Use this first for one fact of a LlamaExtract result. Give all words that tell it apart, such as "
    '"north america operating income q2 2025", or a name, number or date: it searches values, names and descriptions '
    "of fields, and returns the objects that fit best, each value as [value, page, confidence]. A field that is there "
    "and empty is shown as null."
)
SEARCH_HINT = "find value page confidence in extracted document"


async def find_in_extract_result(
    ctx: Context[JobReader, Any],
    text: Annotated[str, Field(min_length=1, max_length=500, description="Words to search for.")],
    job_id: JobId | None = None,
    job_ids: JobIds | None = None,
    limit: Annotated[int, Field(ge=1, le=MAX_HITS, description="Most matches to show.")] = DEFAULT_HITS,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, SearchOutput]:
    """Return what a result says about some words, best match first."""
    reader = ctx.request_context.lifespan_context
    scope = build_scope(project_id, organization_id)
    request = build_jobs_request("find_in_extract_result", job_id, job_ids, max_chars, scope)
    if isinstance(request, JobsRequest):
        return tool_result(await reader.joined.find(request, text, limit))
    return tool_result(await reader.find(request, text, limit))
