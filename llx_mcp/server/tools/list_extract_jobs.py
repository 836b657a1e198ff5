"""`list_extract_jobs`: what the key can see, newest first."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.answers.outputs import ListView
from llx_mcp.jobs.reader import JobReader
from llx_mcp.scope import Scope
from llx_mcp.server.tools.arguments import MaxChars, OrganizationId, ProjectId
from llx_mcp.server.tools.results import many_result

TITLE = "List extract jobs"
DESCRIPTION = (
    "Use this to find the id of a LlamaExtract job, such as that of the invoice from this morning: the jobs that the "
    "key sees, newest first, a line each with status, time, document and its name."
)

Status = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


async def list_extract_jobs(
    ctx: Context[JobReader, Any],
    status: Annotated[Status | None, Field(description="In this state only.")] = None,
    document: Annotated[str | None, Field(description="Id, or part of its name.")] = None,
    configuration_id: Annotated[str | None, Field(description="A saved one (cfg-…).")] = None,
    created_since: Annotated[str | None, Field(description="ISO 8601; UTC by default.")] = None,
    created_until: Annotated[str | None, Field(description="Likewise, inclusive.")] = None,
    cursor: Annotated[str | None, Field(description="From the answer before.")] = None,
    max_chars: MaxChars = 8_000,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, ListView]:
    """Answer with the jobs that pass every filter given."""
    # Imported with the first list: a server that is only started does without it.
    from llx_mcp.answers.job_list import JobListRequest

    ask = JobListRequest(
        status,
        document=_given(document),
        configuration_id=_given(configuration_id),
        created_since=_given(created_since),
        created_until=_given(created_until),
        max_chars=max_chars,
        scope=Scope(project_id or None, organization_id or None),
    )
    return many_result(await ctx.request_context.lifespan_context.list(ask, cursor or None))


def _given(text: str | None) -> str | None:
    # Some clients send every argument, empty where there is none.
    return (text or "").strip() or None
