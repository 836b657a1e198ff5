"""`cancel_extract_job`: cancels a job that runs."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations

from llx_mcp.answers.creation_outputs import CancelOutput
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import JobId, OrganizationId, ProjectId, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "Cancel an extract job"
DESCRIPTION = (
    "Use this to stop a LlamaExtract job that runs, only if the user asks. Returns the state it ended in; a job that "
    "has ended stays as it is."
)
SEARCH_HINT = "cancel stop a running extraction job"
EFFECTS = ToolAnnotations(
    title=TITLE, read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)


async def cancel_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, CancelOutput]:
    """Cancel a job and say how it ended."""
    from llx_mcp.jobs.creation_answers import build_cancelled_answer

    scope = build_scope(project_id, organization_id)
    job, had_ended = await ctx.request_context.lifespan_context.writer.canceller.cancel(job_id, scope)
    return tool_result(build_cancelled_answer(job, scope, had_ended=had_ended))
