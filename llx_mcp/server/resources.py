"""Resources: jobs and their sections as JSON, their tables as CSV, citations as pictures."""

import io
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from llx_mcp.answers.header import Header, build_header, describe_no_result
from llx_mcp.answers.markdown import format_next_step
from llx_mcp.answers.requests import CitationOptions, JobRequest
from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, excerpt
from llx_mcp.jobs.reader import JobReader
from llx_mcp.result.paths import split_paths

if TYPE_CHECKING:
    from llx_mcp.models import Job
    from llx_mcp.result.sections import JobSections

_MAX_TABLES_NAMED = 30
# What a job that has ended holds is final, except for the usage, which may be billed later.
_FINAL_TTL_MS = 3_600_000
_UNBILLED_TTL_MS = 60_000
# How long a client may reuse what the current request has read.
_ttls_ms: ContextVar[list[int]] = ContextVar("_ttls_ms")
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
        job = await _fetch(job_id, ctx)
        if not job.has_billed_usage:
            _ttls_ms.get([]).append(_UNBILLED_TTL_MS)
        return job.dump().decode()

    for name, (key, description) in _SECTIONS.items():
        _add_section(server, name, key, description)

    @server.resource(
        "llx://jobs/{job_id}/tables/{table}",
        name="extract_job_table",
        title="Extract job table",
        description="One table of an extract job, as query_extract_result names it, as CSV with pages and confidences.",
        mime_type="text/csv",
    )
    async def read_table(job_id: str, table: str, ctx: Context[JobReader, Any]) -> str:
        from llx_mcp.result.sections import JobSections

        job = await _fetch(job_id, ctx)
        _check_result(job)
        return await anyio.to_thread.run_sync(_write_table, JobSections(job.sections), table)

    @server.resource(
        "llx://jobs/{job_id}/citations/{path}{?page}",
        name="extract_job_citation",
        title="Citation in the document",
        description="The page that a value is cited from, with the cited words outlined. The first page where values "
        "stand on several, or the one with the number `page`.",
        mime_type="image/png",
    )
    async def read_citation(job_id: str, path: str, ctx: Context[JobReader, Any], page: str | None = None) -> bytes:
        return await _draw_citation(job_id, path, page, ctx)


async def hint_freshness(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Say how long a client may reuse a resource: an hour once it is final, not at all before.

    This is a middleware. The SDK's own hints are one for each method, whatever the result.
    """
    if ctx.method != "resources/read":
        return await call_next(ctx)
    ttls_ms: list[int] = []
    token = _ttls_ms.set(ttls_ms)
    try:
        result = await call_next(ctx)
    finally:
        _ttls_ms.reset(token)
    # Only results of protocol 2026-07-28 have this field.
    if isinstance(result, dict) and "ttlMs" in result and ttls_ms:
        return {**result, "ttlMs": min(ttls_ms), "cacheScope": "private"}
    return result


async def _draw_citation(job_id: str, path: str, page: str | None, ctx: Context[JobReader, Any]) -> bytes:
    options = CitationOptions(tuple(split_paths(path)), png_only=True, max_pictures=1, page=_parse_page(page))
    try:
        shown = await ctx.request_context.lifespan_context.citations.show(JobRequest(job_id), options)
    except (ArgumentError, NotFoundError) as exc:
        raise ResourceNotFoundError(str(exc)) from None
    except LlxError as exc:
        raise ResourceError(str(exc)) from None
    if not shown.pages and not shown.reasons:
        raise _no_result(shown.header)
    if not shown.pages:
        raise ResourceNotFoundError("; ".join(shown.reasons))
    _ttls_ms.get([]).append(_FINAL_TTL_MS if shown.is_final else 0)
    return shown.pages[0].picture.content


def _parse_page(page: str | None) -> int | None:
    if page is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", page):
        raise ResourceNotFoundError(f"page: {excerpt(page, 20)} is no page number. Give one such as ?page=2.")
    return int(page)


def _write_table(sections: "JobSections", name: str) -> str:
    from llx_mcp.result.records import write_csv
    from llx_mcp.result.table_records import find_table_records, list_table_names

    records = find_table_records(sections.document, name)
    if records is None:
        known = ", ".join(list_table_names(sections.document)[:_MAX_TABLES_NAMED])
        raise ResourceNotFoundError(f"No table {excerpt(name, 60)} in this job. It has: {known}.")
    target = io.BytesIO()
    write_csv(records, target)
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
        job = await _fetch(job_id, ctx)
        raw = job.raw(key)
        if key == "extract_result" or (key == "extract_metadata" and raw is None):
            _check_result(job)
        return "null" if raw is None else bytes(raw).decode(errors="replace")


def _check_result(job: "Job") -> None:
    """Raise an error for a job that runs, failed or was cancelled. The result of a completed job may be null."""
    if not job.is_success and not job.has_result:
        raise _no_result(build_header(job, JobRequest(job.id), now=datetime.now(UTC)))


def _no_result(header: Header) -> ResourceError:
    return ResourceError(describe_no_result(header, format_next_step))


async def _fetch(job_id: str, ctx: Context[JobReader, Any]) -> "Job":
    try:
        job = await ctx.request_context.lifespan_context.fetch(JobRequest(job_id))
    except NotFoundError as exc:
        raise ResourceNotFoundError(str(exc)) from None
    except LlxError as exc:
        raise ResourceError(str(exc)) from None
    _ttls_ms.get([]).append(_FINAL_TTL_MS if job.is_terminal else 0)
    return job
