"""`query_extract_result`: SQL over the tables of a result."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.answers.outputs import QueryOutput
from llx_mcp.answers.requests import JobsRequest
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import (
    JobId,
    JobIds,
    MaxChars,
    OrganizationId,
    ProjectId,
    build_jobs_request,
    build_scope,
)
from llx_mcp.server.tools.results import tool_result

TITLE = "Query an extract result with SQL"
DESCRIPTION = (
    "Use this to count, sum, filter, sort, list or compare values of a LlamaExtract result: one SELECT (SQLite, with "
    "median(), and plain() for text without case and accents). Each list is a table named by its path: orders[*].items "
    "is orders_items, or items if no other ends so; a list at the root is rows; a list of scalars has the column "
    "value. document has the single values. Rows repeat the fields of what contains them. Each column c has c_page, "
    "c_confidence, c_quote, c_number (of a text: 1,234 or 12 % or 1:03.28) and c_date (ISO); name them to see them. "
    "fields has every value present: path, name, value, number, type, confidence, page, quote. With job_ids the tables "
    "have the rows of all jobs, and the column job_id."
)
SEARCH_HINT = "sql count sum filter sort rows of extracted document"


async def query_extract_result(
    ctx: Context[JobReader, Any],
    sql: Annotated[str, Field(min_length=1, max_length=20_000, description="One SELECT.")],
    job_id: JobId | None = None,
    job_ids: JobIds | None = None,
    max_chars: MaxChars = DEFAULT_CHARS,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, QueryOutput]:
    """Return the rows of a query."""
    reader = ctx.request_context.lifespan_context
    scope = build_scope(project_id, organization_id)
    request = build_jobs_request("query_extract_result", job_id, job_ids, max_chars, scope)
    if isinstance(request, JobsRequest):
        return tool_result(await reader.joined.query(request, sql))
    return tool_result(await reader.query(request, sql))
