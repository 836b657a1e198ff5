"""`find_in_extract_result`: where a text occurs."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.outputs import SearchOutput
from llx_mcp.answers.requests import DEFAULT_CHARS, WHERE, Where
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    JobId,
    MaxChars,
    OrganizationId,
    ProjectId,
    as_list,
    build_request,
    build_scope,
)
from llx_mcp.server.tools.results import tool_result

TITLE = "Find text in an extract result"
DESCRIPTION = (
    "Use this to find where a LlamaExtract result says something: a name, phrase, number or date, in values, field "
    "names and quotes. Case, accents, spacing and number format do not matter (1,234.50 finds 1234.5). Returns path, "
    "value, page and quote of each hit. To compare or count use query_extract_result."
)

EVERYWHERE: list[Where] = list(WHERE)


async def find_in_extract_result(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    text: Annotated[str, Field(min_length=1, max_length=500, description="Text to search for.")],
    where: Annotated[
        list[Where], BeforeValidator(as_list), Field(min_length=1, description="Where to search.")
    ] = EVERYWHERE,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, SearchOutput]:
    """Return every value and field that contains a text."""
    reader = ctx.request_context.lifespan_context
    request = build_request(job_id, max_chars, build_scope(project_id, organization_id))
    return tool_result(await reader.find(request, text, [name for name in WHERE if name in where]), request)
