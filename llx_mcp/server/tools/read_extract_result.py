"""`read_extract_result`: the values at a path, with provenance."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.answers.read_outputs import ReadOutput
from llx_mcp.answers.requests import DEFAULT_INCLUDE, INCLUDE, Include
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    JobId,
    MaxChars,
    OrganizationId,
    ProjectId,
    as_list,
    as_words,
    build_request,
    build_scope,
)
from llx_mcp.server.tools.results import tool_result

TITLE = "Read values of an extract result"
DESCRIPTION = (
    "Use this to read part of a LlamaExtract result: the values at a path, exact, each as [value, page, confidence]; a "
    "single value with all its citations. Paths are JSONPath: line_items[3].amount, line_items[*].amount, "
    "line_items[10:20]."
)
SEARCH_HINT = "read values at a path with citations"

_DEFAULT_INCLUDE: list[Include] = list(DEFAULT_INCLUDE)


async def read_extract_result(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    path: Annotated[str, Field(description="Path of the values; $ is the whole result.")] = "$",
    cursor: Annotated[str | None, Field(description="Cursor from the previous page.")] = None,
    include: Annotated[
        list[Include],
        BeforeValidator(as_words),
        BeforeValidator(as_list),
        Field(description="Shown with values; [] is values alone."),
    ] = _DEFAULT_INCLUDE,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, ReadOutput]:
    """Return the values at a path, one page of them."""
    reader = ctx.request_context.lifespan_context
    shown = [name for name in INCLUDE if name in include]
    request = build_request(job_id, max_chars, build_scope(project_id, organization_id))
    return tool_result(await reader.read(request, path, cursor or None, shown))
