"""`show_citation`: the page of the document, with the cited words marked."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.citation_outputs import CitationOutput
from llx_mcp.answers.limits import DEFAULT_CHARS, DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH
from llx_mcp.answers.requests import CitationOptions
from llx_mcp.jobs.reader import JobReader
from llx_mcp.result.paths import split_paths
from llx_mcp.server.tools.arguments import JobId, OrganizationId, ProjectId, build_request, build_scope
from llx_mcp.server.tools.results import picture_result

TITLE = "Show a citation in the document"
DESCRIPTION = (
    "Use this to see where a value stands: a picture of the page with the cited words outlined, with value, quote and "
    "check."
)
SEARCH_HINT = "show page picture of cited value"

Paths = Annotated[
    list[str],
    BeforeValidator(lambda value: split_paths(value) if isinstance(value, str) else value),
    Field(min_length=1, description="Path of a value, or several."),
]
Width = Annotated[int, Field(ge=MIN_WIDTH, le=MAX_WIDTH, description="In pixels.")]


async def show_citation(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    path: Paths,
    *,
    max_width: Width = DEFAULT_WIDTH,
    whole_page: Annotated[bool, Field(description="Not only around the words.")] = False,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, CitationOutput]:
    """Return pictures of the pages that a value is cited from."""
    reader = ctx.request_context.lifespan_context
    request = build_request(job_id, DEFAULT_CHARS, build_scope(project_id, organization_id))
    options = CitationOptions(tuple(path), max_width, whole_page=whole_page)
    shown = await reader.citations.show(request, options)
    return picture_result(shown.build_answer(request), [page.picture for page in shown.pages])
