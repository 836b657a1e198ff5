"""`delete_extract_job`: deletes a job and its result."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field

from llx_mcp.answers.creation_outputs import DeleteOutput
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import JobId, OrganizationId, ProjectId, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "Delete an extract job"
DESCRIPTION = (
    "Use this to delete a LlamaExtract job with its result for good, only if the user asks. A job that runs is refused."
)
SEARCH_HINT = "delete an extraction job and its result"
EFFECTS = ToolAnnotations(
    title=TITLE, read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)


async def delete_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    cancel_first: Annotated[bool, Field(description="Cancel a job that runs, then delete it.")] = False,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, DeleteOutput]:
    """Delete a job."""
    from llx_mcp.jobs.creation_answers import build_deleted_answer

    scope = build_scope(project_id, organization_id)
    canceller = ctx.request_context.lifespan_context.writer.canceller
    return tool_result(build_deleted_answer(await canceller.delete(job_id, scope, cancel_first=cancel_first)))
