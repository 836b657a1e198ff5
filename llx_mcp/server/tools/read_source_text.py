"""`read_source_text`: what the document itself says."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.answers.requests import SOURCE_CHARS, SourceOptions
from llx_mcp.answers.source_outputs import SourceTextOutput
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import JobId, MaxChars, OrganizationId, ProjectId, build_request, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "Read the text of a document"
DESCRIPTION = (
    "Use this for what the document says besides the extracted values: its lines around a value (path), on pages, or "
    "where words stand (text)."
)
SEARCH_HINT = "read source document text page around value"


async def read_source_text(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    path: Annotated[str | None, Field(description="Path of a value.")] = None,
    pages: Annotated[str | None, Field(description="Such as 3-5,9.")] = None,
    text: Annotated[str | None, Field(max_length=500, description="Words to look for.")] = None,
    cursor: Annotated[str | None, Field(description="From the previous page.")] = None,
    max_chars: MaxChars = SOURCE_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, SourceTextOutput]:
    """Return lines of the document."""
    reader = ctx.request_context.lifespan_context
    request = build_request(job_id, max_chars, build_scope(project_id, organization_id))
    # Some clients send every argument, empty where there is no value.
    given = [value if value and value.strip() else None for value in (path, pages, text, cursor)]
    return tool_result(await reader.read_source_text(request, SourceOptions(*given)))
