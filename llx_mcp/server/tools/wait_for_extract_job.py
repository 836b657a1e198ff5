"""`wait_for_extract_job`: jobs once they have ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from llx_mcp.answers.outputs import WaitView
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.reader import MAX_JOBS, JobReader
from llx_mcp.server.tools.arguments import (
    DEFAULT_SECTIONS,
    Expand,
    JobId,
    MaxChars,
    OrganizationId,
    ProjectId,
    Section,
    Until,
    as_list,
    build_request,
)
from llx_mcp.server.tools.results import many_result, tool_result

if TYPE_CHECKING:
    from llx_mcp.answers.wait_report import WaitRequest
    from llx_mcp.jobs.progress import WaitProgress

TITLE = "Wait for extract jobs"
DESCRIPTION = (
    "Use this while LlamaExtract jobs may still run (20 s to 10 min): waits until a job has ended, then answers as "
    "get_extract_job does; for job_ids with a table and what the finished ones say. Still running at timeout_seconds "
    "is a normal answer: call again. Waiting and giving up leave jobs as they are."
)
MAX_TIMEOUT_SECONDS = 3_600
_LEAST_STEP = 0.001

JobIds = Annotated[list[str], BeforeValidator(as_list), Field(max_length=MAX_JOBS, description="Or up to 100.")]
TimeoutSeconds = Annotated[
    float, Field(ge=0, le=MAX_TIMEOUT_SECONDS, description="0 looks once. Many clients cut a call at 60 s.")
]


async def wait_for_extract_job(
    ctx: Context[JobReader, Any],
    job_id: JobId | None = None,
    job_ids: JobIds | None = None,
    until: Annotated[Until, Field(description="How many must end.")] = "all",
    timeout_seconds: TimeoutSeconds = 45,
    expand: Expand = DEFAULT_SECTIONS,
    max_chars: MaxChars = 8_000,
    project_id: ProjectId = None,
    organization_id: OrganizationId = None,
) -> Annotated[CallToolResult, WaitView]:
    """Answer about jobs once they have ended, or as they are when the time is up."""
    reader = ctx.request_context.lifespan_context
    asks = build_wait_request(job_id, job_ids, until, expand, max_chars, project_id, organization_id)

    told = -_LEAST_STEP

    async def report(progress: "WaitProgress") -> None:
        from llx_mcp.jobs.progress import describe_progress, measure_progress

        nonlocal told
        value, total = measure_progress(progress, timeout_seconds, until)
        # The protocol has it rise with each message, however soon one follows the other.
        told = max(value, told + _LEAST_STEP)
        await ctx.report_progress(told, total, describe_progress(progress))

    answer = await reader.wait(asks, timeout_seconds, report)
    return many_result(answer) if asks.is_many else tool_result(answer, asks.ask(asks.job_ids[0]))


def build_wait_request(
    job_id: str | None,
    job_ids: Sequence[str] | None,
    until: Until,
    expand: Sequence[Section],
    max_chars: int,
    project_id: str | None,
    organization_id: str | None,
) -> "WaitRequest":
    """The arguments as the waiting takes them.

    Raises:
        ArgumentError: no job is named.
    """
    # Imported with the first wait, as everything of the waiting is.
    from llx_mcp.answers.wait_report import WaitRequest

    given = [job_id, *(job_ids or [])]
    ids = [one.strip() for one in given if one and one.strip()]
    if not ids:
        raise ArgumentError(
            "wait_for_extract_job: no job is named. Give job_id, or job_ids for many; list_extract_jobs shows what "
            "this key can see."
        )
    ask = build_request(ids[0], max_chars, project_id, organization_id, expand)
    return WaitRequest(tuple(ids), until, ask.expand, max_chars, ask.scope, is_many=job_ids is not None)
