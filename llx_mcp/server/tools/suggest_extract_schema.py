"""`suggest_extract_schema`: a schema for a document, from a wish in words."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field

from llx_mcp.answers.creation_outputs import SuggestOutput
from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import DocumentId, File, MaxChars, OrganizationId, ProjectId, Url, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "Suggest a schema"
DESCRIPTION = (
    "Use this before create_extract_job when there is no schema: LlamaExtract writes one for a document. Returns "
    "data_schema in full, validated, and its fields in words. Uploads a file; creates no job."
)
SEARCH_HINT = "suggest generate extraction schema for a document"
EFFECTS = ToolAnnotations(
    title=TITLE, read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)


async def suggest_extract_schema(
    ctx: Context[JobReader, Any],
    wish: Annotated[str, Field(min_length=1, description="What to extract, in words.")],
    file: File = None,
    url: Url = None,
    document_id: DocumentId = None,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, SuggestOutput]:
    """Return a schema for a document."""
    scope = build_scope(project_id, organization_id)
    request = CreationRequest(
        file or None, (url or "").strip() or None, (document_id or "").strip() or None, scope=scope
    )
    return tool_result(await ctx.request_context.lifespan_context.suggester.suggest(request, wish, max_chars))
