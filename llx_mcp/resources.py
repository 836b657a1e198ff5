"""Jobs as resources: whole JSON, in the bytes in which the service sent it."""

from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from llx_mcp.errors import LlxError, NotFoundError
from llx_mcp.jobs.reader import JobReader
from llx_mcp.reading.facts import Ask

if TYPE_CHECKING:
    from llx_mcp.models import Job

_MIME_TYPE = "application/json"
_SECTIONS = {
    "result": ("extract_result", "The whole result of an extract job, of any size."),
    "metadata": ("extract_metadata", "Confidence, citations and boxes of every value of an extract job."),
    "configuration": ("configuration", "What an extract job was asked to do: schema, tier, options."),
}


def add_resources(server: MCPServer[JobReader]) -> None:
    """Offer `llx://jobs/{job_id}` and its sections."""

    @server.resource(
        "llx://jobs/{job_id}",
        name="extract_job",
        title="Extract job",
        description="An extract job with all its sections.",
        mime_type=_MIME_TYPE,
    )
    async def read_job(job_id: str, ctx: Context[JobReader, Any]) -> str:
        return (await _fetch(job_id, ctx)).dump().decode()

    for name, (key, description) in _SECTIONS.items():
        _add_section(server, name, key, description)


def _add_section(server: MCPServer[JobReader], name: str, key: str, description: str) -> None:
    @server.resource(
        f"llx://jobs/{{job_id}}/{name}",
        name=f"extract_job_{name}",
        title=f"Extract job {name}",
        description=description,
        mime_type=_MIME_TYPE,
    )
    async def read_section(job_id: str, ctx: Context[JobReader, Any]) -> str:
        raw = (await _fetch(job_id, ctx)).raw(key)
        return "null" if raw is None else bytes(raw).decode()


async def _fetch(job_id: str, ctx: Context[JobReader, Any]) -> "Job":
    try:
        return await ctx.request_context.lifespan_context.fetch(Ask(job_id))
    except NotFoundError as exc:
        raise ResourceNotFoundError(str(exc)) from None
    except LlxError as exc:
        raise ResourceError(str(exc)) from None
