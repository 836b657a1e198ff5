"""`suggest_extract_schema`: a schema for a document, from a prompt."""

from typing import Annotated, Any

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from llx_mcp.answers.creation_outputs import SuggestOutput
from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.jobs.creation_plan import CreationRequest, SuggestionPlan
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import DocumentId, File, MaxChars, OrganizationId, ProjectId, Url, build_scope
from llx_mcp.server.tools.create_extract_job import can_ask
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


class UploadConfirmation(BaseModel):
    """What a person answers before a document is uploaded."""

    upload: bool = Field(default=True, title="Upload the document", description="Whether to upload the document.")


async def plan_suggestion(
    ctx: Context[JobReader, Any],
    prompt: str,
    file: str | None,
    url: str | None,
    document_id: str | None,
    project_id: str | None,
    organization_id: str | None,
) -> SuggestionPlan:
    """Find the document of the arguments. Nothing is uploaded."""
    request = CreationRequest(file, url, document_id, scope=build_scope(project_id, organization_id))
    return await ctx.request_context.lifespan_context.writer.suggester.plan(request, prompt)


async def ask_person(
    ctx: Context[JobReader, Any], plan: Annotated[SuggestionPlan, Resolve(plan_suggestion)]
) -> UploadConfirmation | Elicit[UploadConfirmation]:
    """Ask the person to confirm an upload, where the client can ask."""
    if not plan.uploads or not can_ask(ctx):
        return UploadConfirmation()
    from llx_mcp.jobs.creation_answers import describe_upload

    return Elicit(describe_upload(plan.request, plan.found), UploadConfirmation)


async def suggest_extract_schema(
    ctx: Context[JobReader, Any],
    plan: Annotated[SuggestionPlan, Resolve(plan_suggestion)],
    confirmation: Annotated[ElicitationResult[UploadConfirmation], Resolve(ask_person)],
    prompt: Annotated[str, Field(min_length=1, description="What to extract, in words.")],
    file: File = None,
    url: Url = None,
    document_id: DocumentId = None,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, SuggestOutput]:
    """Return a schema for the planned document, unless the person does not agree to its upload."""
    if confirmation.action != "accept" or not confirmation.data.upload:
        from llx_mcp.jobs.schema_suggestion import build_declined_suggestion

        return tool_result(build_declined_suggestion(plan))
    return tool_result(await ctx.request_context.lifespan_context.writer.suggester.suggest(plan, max_chars))
