"""Resources: jobs and their sections as JSON, their tables as CSV."""

import io
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import LlxError, NotFoundError, excerpt
from llx_mcp.jobs.reader import JobReader

if TYPE_CHECKING:
    from llx_mcp.models import Job
    from llx_mcp.result.sections import JobSections

_MAX_TABLES_NAMED = 30
_MIME_TYPE = "application/json"
_SECTIONS = {
    "result": ("extract_result", "The whole result of an extract job, of any size."),
    "metadata": ("extract_metadata", "Confidence, citations and boxes of every value of an extract job."),
    "configuration": ("configuration", "What an extract job was asked to do: schema, tier, options."),
}


def add_resources(server: MCPServer[JobReader]) -> None:
    """Add `llx://jobs/{job_id}`, its sections and its tables to a server."""

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

    @server.resource(
        "llx://jobs/{job_id}/tables/{table}",
        name="extract_job_table",
        title="Extract job table",
        description="One table of the result of an extract job, as query_extract_result names it, as CSV.",
        mime_type="text/csv",
    )
    async def read_table(job_id: str, table: str, ctx: Context[JobReader, Any]) -> str:
        from llx_mcp.result.sections import JobSections

        job = await _fetch(job_id, ctx)
        return await anyio.to_thread.run_sync(_write_table, JobSections(job.sections), table)


def _write_table(sections: "JobSections", name: str) -> str:
    from llx_mcp.result.records import Records, write_csv
    from llx_mcp.result.sql_cells import CellCutter
    from llx_mcp.result.sql_tables import find_sql_tables, iter_rows

    sql_tables = {sql_table.name: sql_table for sql_table in find_sql_tables(sections.document)}
    if name not in sql_tables:
        known = ", ".join(list(sql_tables)[:_MAX_TABLES_NAMED])
        raise ResourceNotFoundError(f"No table {excerpt(name, 60)} in this job. It has: {known or 'none'}.")
    sql_table = sql_tables[name]
    target = io.BytesIO()
    write_csv(Records(sql_table.columns, iter_rows(sql_table, CellCutter(is_off=True))), target)
    return target.getvalue().decode()


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
        return "null" if raw is None else bytes(raw).decode(errors="replace")


async def _fetch(job_id: str, ctx: Context[JobReader, Any]) -> "Job":
    try:
        return await ctx.request_context.lifespan_context.fetch(JobRequest(job_id))
    except NotFoundError as exc:
        raise ResourceNotFoundError(str(exc)) from None
    except LlxError as exc:
        raise ResourceError(str(exc)) from None
