"""`query_extract_result`: SQL over the tables of a result."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.answers.outputs import QueryOutput
from llx_mcp.answers.requests import DEFAULT_CHARS
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import JobId, MaxChars, OrganizationId, ProjectId, build_request, build_scope
from llx_mcp.server.tools.results import tool_result

TITLE = "Query an extract result with SQL"
DESCRIPTION = (
    "Use this to count, sum, filter, sort or join values of a LlamaExtract result, instead of reading rows and adding "
    "them up: one SELECT (SQLite, with median(), and plain() for text without case and accents). Each list of objects "
    "is a table named by its path (orders[*].items is orders_items), with _path, _row, _parent, _confidence, _page; "
    "document has the single values; fields has every value: path, name, value, number, type, confidence, page, "
    "quote. get_extract_job and errors list tables and columns."
)


async def query_extract_result(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    sql: Annotated[str, Field(min_length=1, max_length=20_000, description="SELECT …; select _path for provenance.")],
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, QueryOutput]:
    """Return the rows of a query."""
    reader = ctx.request_context.lifespan_context
    request = build_request(job_id, max_chars, build_scope(project_id, organization_id))
    return tool_result(await reader.query(request, sql), request)
