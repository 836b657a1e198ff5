"""The endpoint of parse jobs: the text of stored documents."""

from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llx_mcp.local.document_texts import DocumentTexts
from llx_mcp.local.endpoints import ApiContext, build_route
from llx_mcp.local.parse_results import build_sections
from llx_mcp.local.parse_store import ParseJob
from llx_mcp.local.request_models import JobQuery, parse_query
from llx_mcp.pdf.processes import PdfError, SourceText

PARSE_PATH = "/api/v2/parse"

_SECTIONS = (
    "text", "markdown", "items", "metadata", "forms", "job_metadata", "text_full", "markdown_full",
    "images_content_metadata", "result_content_metadata", "raw_parameters",
)  # fmt: skip


def build_parse_routes(context: ApiContext, texts: DocumentTexts) -> list[Route]:
    """Build the routes of parse jobs.

    Args:
        context: The store and the clock.
        texts: Reads documents; the caller closes it.
    """
    api = _ParseApi(context, texts)
    # `path`, because an id may hold an encoded slash.
    return [build_route("GET", f"{PARSE_PATH}/{{job_id:path}}", api.get)]


class _ParseApi:
    def __init__(self, context: ApiContext, texts: DocumentTexts) -> None:
        self._store = context.store
        self._texts = texts

    async def get(self, request: Request) -> Response:
        query = parse_query(request, JobQuery)
        job_id = request.path_params["job_id"]
        job = await run_in_threadpool(self._store.parse_jobs.find, job_id, query.project_id)
        if job is None:
            raise HTTPException(404, f"Parse job {job_id!r} not found")
        try:
            text, error = await self._texts.read(job.file.sha256, lambda: self._read_content(job)), None
        except PdfError as exc:
            text, error = None, str(exc)
        body = await run_in_threadpool(_render, job, text, error, query.expand)
        return Response(body, media_type="application/json")

    async def _read_content(self, job: ParseJob) -> bytes:
        content = await run_in_threadpool(self._store.files.get_content, job.file)
        if content is None:
            raise HTTPException(404, f"Parse job {job.job_id!r} not found")
        return content


def _render(job: ParseJob, text: SourceText | None, error: str | None, expand: list[str]) -> bytes:
    sections: dict[str, Any] = dict.fromkeys(_SECTIONS)
    if text is not None:
        sections |= build_sections(text, expand)
    return msgspec.json.encode({"job": _describe(job, error, shows_usage="usage" in expand)} | sections)


def _describe(job: ParseJob, error: str | None, *, shows_usage: bool) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "project_id": job.project_id,
        "status": "COMPLETED" if error is None else "FAILED",
        "tier": job.tier,
        "error_message": error,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "name": job.file.name,
        "usage": {"credits": job.credits} if shows_usage else None,
        "user_metadata": None,
    }
