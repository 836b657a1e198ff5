"""The endpoints under `/api/v2/extract`: create, get, list, cancel and delete jobs, and validate schemas."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llx_mcp.local.endpoints import DO_NOT_RETRY, ApiContext, build_route, is_in_project
from llx_mcp.local.extraction import ExtractionEngine
from llx_mcp.local.job_creation import NotInStoreError, build_job_spec
from llx_mcp.local.job_queries import JobFilter, PageCursor
from llx_mcp.local.job_store import StoredJob
from llx_mcp.local.page_tokens import build_token_error, decode_token, encode_token
from llx_mcp.local.request_models import (
    DeleteJobQuery,
    JobCreate,
    JobListQuery,
    JobQuery,
    SchemaGeneration,
    SchemaValidation,
    ScopeQuery,
    parse_body,
    parse_query,
    validation_error,
)
from llx_mcp.local.scenarios import SCENARIO_HEADER, UnknownScenarioError
from llx_mcp.local.schema_generation import NoModelError, generate_configuration
from llx_mcp.local.schemas import check_schema
from llx_mcp.local.section_values import NULL, encode_value
from llx_mcp.models import EXPANDABLE_SECTIONS, FILE_PREFIX, PARSE_JOB_PREFIX
from llx_mcp.raw_json import decode_text, join_json

JOBS_PATH = "/api/v2/extract"
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

_DOCUMENT_PREFIXES = {"file_id": FILE_PREFIX, "parse_job_id": PARSE_JOB_PREFIX}
# No `file_input` begins with this, so an unknown document type matches no job.
_PREFIX_OF_NO_JOB = "\0"


def build_job_routes(context: ApiContext, engine: ExtractionEngine) -> list[Route]:
    """Build the routes of jobs.

    Args:
        context: The store and the clock.
        engine: Makes the results of created jobs.
    """
    api = _JobsApi(context, engine)
    # `path`, because an id may hold an encoded slash.
    job_path = f"{JOBS_PATH}/{{job_id:path}}"
    return [
        build_route("POST", f"{JOBS_PATH}/schema/validation", api.validate_schema),
        build_route("POST", f"{JOBS_PATH}/schema/generate", api.generate_schema),
        build_route("POST", JOBS_PATH, api.create),
        build_route("GET", JOBS_PATH, api.list),
        build_route("POST", f"{job_path}/cancel", api.cancel),
        build_route("GET", job_path, api.get),
        build_route("DELETE", job_path, api.delete),
    ]


class _JobsApi:
    """The endpoints. Methods with a leading underscore use the store and run in a worker thread."""

    def __init__(self, context: ApiContext, engine: ExtractionEngine) -> None:
        self._store = context.store
        self._engine = engine
        self._clock = context.clock

    async def create(self, request: Request) -> Response:
        scope = parse_query(request, ScopeQuery)
        body = await parse_body(request, JobCreate)
        try:
            return await run_in_threadpool(self._create, body, scope, request.headers.get(SCENARIO_HEADER))
        except UnknownScenarioError as exc:
            name = request.headers[SCENARIO_HEADER]
            raise validation_error("value_error", ["header", SCENARIO_HEADER.lower()], str(exc), name) from None

    def _create(self, body: JobCreate, scope: ScopeQuery, scenario_name: str | None) -> Response:
        if body.configuration is not None:
            check_schema(body.configuration.data_schema, ["body", "configuration", "data_schema"])
        now = self._clock()
        try:
            spec = build_job_spec(
                self._store,
                self._engine,
                body,
                project_id=scope.project_id,
                scenario_name=scenario_name,
                now=now,
            )
        except NotInStoreError as exc:
            raise HTTPException(404, str(exc)) from None
        job = self._find(self._store.create_job(spec, now), now)
        # The answer to a create request always shows the configuration, with the version that the job runs.
        return _json_response(_hide_sections(job.sections, ("configuration",)))

    async def get(self, request: Request) -> Response:
        query = parse_query(request, JobQuery)
        job = await run_in_threadpool(self._find, request.path_params["job_id"], self._clock(), query.project_id)
        return _json_response(_hide_sections(job.sections, query.expand))

    async def list(self, request: Request) -> Response:
        query = parse_query(request, JobListQuery)
        return await run_in_threadpool(self._list, query)

    def _list(self, query: JobListQuery) -> Response:
        now = self._clock()
        job_filter = _build_filter(query)
        listed = self._store.query_jobs(job_filter, now)
        page = listed[: job_filter.limit - 1]
        jobs = [self._store.get_job(each.job_id, now) for each in page]
        # A job is None if it was deleted since the query.
        items = [join_json(_hide_sections(job.sections, query.expand)) for job in jobs if job is not None]
        token = _encode_cursor(page[-1].cursor) if len(listed) > len(page) else None
        return _json_response({
            "items": msgspec.Raw(b"[" + b",".join(items) + b"]"),
            "next_page_token": encode_value(token),
            "total_size": NULL,
        })  # fmt: skip

    async def cancel(self, request: Request) -> Response:
        scope = parse_query(request, ScopeQuery)
        return await run_in_threadpool(self._cancel, request.path_params["job_id"], scope)

    def _cancel(self, job_id: str, scope: ScopeQuery) -> Response:
        now = self._clock()
        job = self._find(job_id, now, scope.project_id)
        if not self._store.cancel_job(job_id, now):
            status = decode_text(job.sections["status"])
            raise HTTPException(409, f"Extract job {job_id!r} is {status} and cannot be cancelled", DO_NOT_RETRY)
        return _json_response(_hide_sections(self._find(job_id, now).sections, ()))

    async def delete(self, request: Request) -> Response:
        query = parse_query(request, DeleteJobQuery)
        return await run_in_threadpool(self._delete, request.path_params["job_id"], query)

    def _delete(self, job_id: str, query: DeleteJobQuery) -> Response:
        now = self._clock()
        job = self._find(job_id, now, query.project_id)
        if self._store.delete_job(job_id, None if query.force else now) is False:
            status = decode_text(job.sections["status"])
            detail = f"Extract job {job_id!r} is {status}: cancel it first, or delete it with force=true"
            raise HTTPException(409, detail, DO_NOT_RETRY)
        return JSONResponse(None)

    async def validate_schema(self, request: Request) -> Response:
        body = await parse_body(request, SchemaValidation)
        await run_in_threadpool(check_schema, body.data_schema, ["body", "data_schema"])
        return _json_response({"data_schema": encode_value(body.data_schema)})

    async def generate_schema(self, request: Request) -> Response:
        scope = parse_query(request, ScopeQuery)
        body = await parse_body(request, SchemaGeneration)
        if body.data_schema is not None:
            await run_in_threadpool(check_schema, body.data_schema, ["body", "data_schema"])
        try:
            generated = await run_in_threadpool(generate_configuration, self._store, body, scope)
        except NotInStoreError as exc:
            raise HTTPException(404, str(exc)) from None
        except NoModelError as exc:
            raise HTTPException(501, str(exc), DO_NOT_RETRY) from None
        return Response(msgspec.json.encode(generated), media_type="application/json")

    def _find(self, job_id: str, now: datetime, project_id: UUID | None = None) -> StoredJob:
        job = self._store.get_job(job_id, now)
        if job is None or not is_in_project(job.project_id, project_id):
            raise HTTPException(404, f"Extract job {job_id!r} not found")
        return job


def _build_filter(query: JobListQuery) -> JobFilter:
    size = DEFAULT_PAGE_SIZE if query.page_size is None else min(max(query.page_size, 1), MAX_PAGE_SIZE)
    document_type = query.document_input_type
    return JobFilter(
        # One job more than the page shows whether there is another page.
        limit=size + 1,
        after=_decode_cursor(query.page_token) if query.page_token else None,
        project_id=str(query.project_id) if query.project_id else None,
        statuses=tuple(query.status),
        file_input=query.file_input or query.document_input_value,
        configuration_id=query.configuration_id,
        job_ids=None if query.job_ids is None else tuple(query.job_ids),
        created_on_or_after=_assume_utc(query.created_at_on_or_after),
        created_on_or_before=_assume_utc(query.created_at_on_or_before),
        document_prefix=_DOCUMENT_PREFIXES.get(document_type, _PREFIX_OF_NO_JOB) if document_type else None,
    )


def _encode_cursor(cursor: PageCursor) -> str:
    return encode_token(f"{cursor.created!r} {cursor.position}")


def _decode_cursor(token: str) -> PageCursor:
    try:
        created, position = decode_token(token).split(" ")
        cursor = PageCursor(float(created), int(position))
    except ValueError:
        cursor = PageCursor(math.nan, 0)
    if not math.isfinite(cursor.created) or abs(cursor.position) >= 2**63:
        raise build_token_error(token, ["query", "page_token"])
    return cursor


def _assume_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _hide_sections(sections: Mapping[str, msgspec.Raw], expand: Sequence[str]) -> Mapping[str, msgspec.Raw]:
    """Return the sections with null for those that only `expand` shows.

    A job of the older format gets the `file_input` that the current service answers for every job.
    """
    shown = {**sections, **{name: NULL for name in EXPANDABLE_SECTIONS if name not in expand and name in sections}}
    if "file_input" not in shown and "document_input_value" in shown:
        shown["file_input"] = shown["document_input_value"]
    return shown


def _json_response(sections: Mapping[str, msgspec.Raw]) -> Response:
    return Response(join_json(sections), media_type="application/json")
