"""`create_extract_job`: starts a job from a document."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, BeforeValidator, Field

from llx_mcp.answers.creation_outputs import CreateOutput
from llx_mcp.jobs.creation_options import TargetName, TierName
from llx_mcp.jobs.creation_plan import CreationPlan, CreationRequest
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    DocumentId,
    File,
    OptionalText,
    OrganizationId,
    ProjectId,
    Url,
    as_object,
    as_words,
    build_scope,
)
from llx_mcp.server.tools.results import tool_result

if TYPE_CHECKING:
    from llx_mcp.jobs.creation_plan import CreatedJob

TITLE = "Create an extract job"
DESCRIPTION = (
    "Use this to extract data from a document with LlamaExtract. It costs credits: only if the user asks. Takes "
    "one document, and one of data_schema, configuration_id, like_job. Returns the job id and an estimate at once; "
    "then wait_for_extract_job. The same document and options within a day return the job that exists."
)
SEARCH_HINT = "create start extraction job from a file or document"
EFFECTS = ToolAnnotations(
    title=TITLE, read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)

Tier = Annotated[
    TierName | None,
    BeforeValidator(as_words),
    Field(description="Overrides the configuration; with data_schema: cost_effective."),
]
Target = Annotated[
    TargetName | None,
    BeforeValidator(as_words),
    Field(description="Overrides the configuration; with data_schema: per_doc."),
]
Switch = Annotated[bool | None, Field(description="Overrides the configuration; with data_schema: true.")]
DataSchema = Annotated[
    dict[str, Any] | None,
    BeforeValidator(as_object),
    Field(description="JSON Schema of an object; describe each field."),
]


class Confirmation(BaseModel):
    """What a person answers before a job is created."""

    create: bool = Field(default=True, title="Create the job", description="Whether to create the job.")


async def plan_creation(
    ctx: Context[JobReader, Any],
    file: str | None,
    url: str | None,
    document_id: str | None,
    data_schema: dict[str, Any] | None,
    configuration_id: str | None,
    like_job: str | None,
    tier: str | None,
    extraction_target: str | None,
    target_pages: str | None,
    cite_sources: bool | None,
    confidence_scores: bool | None,
    instructions: str | None,
    again: bool,
    project_id: str | None,
    organization_id: str | None,
) -> CreationPlan:
    """Plan what the arguments ask for. Nothing is uploaded or created."""
    options = {
        "tier": tier,
        "extraction_target": extraction_target,
        "target_pages": target_pages,
        "cite_sources": cite_sources,
        "confidence_scores": confidence_scores,
        "system_prompt": instructions,
    }
    request = CreationRequest(
        file,
        url,
        document_id,
        data_schema or None,
        configuration_id,
        like_job,
        options,
        again,
        build_scope(project_id, organization_id),
    )
    return await ctx.request_context.lifespan_context.writer.creator.plan(request)


async def ask_person(
    ctx: Context[JobReader, Any], plan: Annotated[CreationPlan, Resolve(plan_creation)]
) -> Confirmation | Elicit[Confirmation]:
    """Ask the person to confirm a new job with its estimate, where the client can ask.

    Raises:
        ArgumentError: the document is damaged, and nobody can be asked.
    """
    if plan.existing is not None:
        return Confirmation()
    if not can_ask(ctx):
        plan.refuse_damaged()
        return Confirmation()
    from llx_mcp.jobs.creation_answers import describe_plan

    is_billed = ctx.request_context.lifespan_context.writer.creator.options.is_billed
    return Elicit(describe_plan(plan, is_billed=is_billed), Confirmation)


async def create_extract_job(
    ctx: Context[JobReader, Any],
    plan: Annotated[CreationPlan, Resolve(plan_creation)],
    confirmation: Annotated[ElicitationResult[Confirmation], Resolve(ask_person)],
    file: File = None,
    url: Url = None,
    document_id: DocumentId = None,
    data_schema: DataSchema = None,
    configuration_id: Annotated[OptionalText, Field(description="A saved configuration (cfg-…).")] = None,
    like_job: Annotated[OptionalText, Field(description="A job (ext-…) whose configuration is repeated.")] = None,
    tier: Tier = None,
    extraction_target: Target = None,
    target_pages: Annotated[OptionalText, Field(description="Such as 1,3,5-7. Default: all.")] = None,
    cite_sources: Switch = None,
    confidence_scores: Switch = None,
    instructions: Annotated[OptionalText, Field(description="System prompt for the extraction.")] = None,
    again: Annotated[bool, Field(description="Create even if the same job exists.")] = False,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, CreateOutput]:
    """Create the planned job, unless the person does not agree."""
    from llx_mcp.jobs.creation_answers import build_created_answer, build_declined_answer

    if confirmation.action != "accept" or not confirmation.data.create:
        return tool_result(build_declined_answer(plan))
    created: CreatedJob = await ctx.request_context.lifespan_context.writer.creator.create(plan)
    return tool_result(build_created_answer(replace(created, plan=plan)))


def can_ask(ctx: Context[JobReader, Any]) -> bool:
    """Return whether the client can show a form to the person."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    # Before there were modes, the capability was empty and meant forms.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)
