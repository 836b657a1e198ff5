"""`list_extract_jobs`: the jobs that the key sees, newest first."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.answers.outputs import JobListOutput
from llx_mcp.answers.requests import JobListRequest
from llx_mcp.jobs.reader import JobReader
from llx_mcp.scope import KnownStatus
from llx_mcp.server.tools.arguments import MaxChars, OrganizationId, ProjectId, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "List extract jobs"
DESCRIPTION = (
    "Use this to find the id of a LlamaExtract job, such as that of the invoice from this morning: those that the "
    "key sees, newest first, with status, time, document and file name."
)
SEARCH_HINT = "list recent extraction jobs by status or file name"


def _in_capitals(value: object) -> object:
    return value.strip().upper() or None if isinstance(value, str) else value


async def list_extract_jobs(
    ctx: Context[JobReader, Any],
    status: Annotated[
        KnownStatus | None, BeforeValidator(_in_capitals), Field(description="Filters by status.")
    ] = None,
    document: Annotated[str | None, Field(description="Filters by file id, or part of the file's name.")] = None,
    configuration_id: Annotated[str | None, Field(description="Filters by saved configuration (cfg-…).")] = None,
    created_since: Annotated[str | None, Field(description="First time, ISO 8601; UTC by default.")] = None,
    created_until: Annotated[str | None, Field(description="Last time, inclusive.")] = None,
    cursor: Annotated[str | None, Field(description="Cursor from the previous page.")] = None,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, JobListOutput]:
    """Return the jobs that pass every filter."""
    request = JobListRequest(
        status,
        document=_given(document),
        configuration_id=_given(configuration_id),
        created_since=_given(created_since),
        created_until=_given(created_until),
        max_chars=max_chars,
        scope=build_scope(project_id, organization_id),
    )
    return tool_result(await ctx.request_context.lifespan_context.list(request, cursor or None))


def _given(text: str | None) -> str | None:
    # Some clients send every argument, empty where there is no value.
    return (text or "").strip() or None
