"""`read_extract_result`: the values at a path, with provenance."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.outputs import ReadView
from llx_mcp.jobs.reader import JobReader
from llx_mcp.server.tools.arguments import JobId, MaxChars, OrganizationId, ProjectId, as_list, build_request
from llx_mcp.server.tools.results import tool_result

TITLE = "Read values of an extract result"
DESCRIPTION = (
    "Use this to read part of a LlamaExtract result: the values at a path, exact, each with confidence, page and "
    "quote. Paths are JSONPath: line_items[3].amount, line_items[*].amount, line_items[10:20]. What does not fit "
    "follows with the cursor. To filter, sum or sort use query_extract_result."
)

Include = Literal["confidence", "citations", "boxes"]
DEFAULT_INCLUDE: list[Include] = ["confidence", "citations"]


async def read_extract_result(
    ctx: Context[JobReader, Any],
    job_id: JobId,
    path: Annotated[str, Field(description="$ is everything.")] = "$",
    cursor: Annotated[str | None, Field(description="From the page before.")] = None,
    include: Annotated[
        list[Include], BeforeValidator(as_list), Field(description="Beside values; [] is densest.")
    ] = DEFAULT_INCLUDE,
    max_chars: MaxChars = 8_000,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, ReadView]:
    """Answer with the values at a path, a page of them."""
    reader = ctx.request_context.lifespan_context
    shown = [name for name in ("confidence", "citations", "boxes") if name in include]
    ask = build_request(job_id, max_chars, project_id, organization_id)
    return tool_result(await reader.read(ask, path, cursor or None, shown), ask)
