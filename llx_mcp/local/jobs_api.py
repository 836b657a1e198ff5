"""`/api/v2/extract`: jobs are created, read, listed, cancelled and deleted."""

import base64
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

from llx_mcp.local.endpoints import Service, is_in_project, route
from llx_mcp.local.job_creation import build_job
from llx_mcp.local.job_queries import JobFilter
from llx_mcp.local.job_store import StoredJob
from llx_mcp.local.request_models import (
    DeleteQuery,
    GetQuery,
    JobCreate,
    JobQuery,
    SchemaValidate,
    ScopeQuery,
    invalid,
    read_body,
    read_query,
)
from llx_mcp.local.scenarios import SCENARIO_HEADER, UnknownScenarioError
from llx_mcp.local.schemas import find_fault
from llx_mcp.models import EXPANDABLE_SECTIONS
from llx_mcp.raw_json import join_json

JOBS_PATH = "/api/v2/extract"
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

_NULL = msgspec.Raw(b"null")
# A conflict stays one: the official clients would try five times otherwise.
_FINAL = {"x-should-retry": "false"}
_PREFIXES = {"file_id": "dfl-", "parse_job_id": "pjb-"}


def job_routes(service: Service) -> list[Route]:
    """The routes of jobs."""
    api = _JobsApi(service)
    # An id may hold an encoded slash; it is one segment on the wire all the same.
    one = f"{JOBS_PATH}/{{job_id:path}}"
    return [
        route("POST", f"{JOBS_PATH}/schema/validation", api.validate_schema),
        route("POST", JOBS_PATH, api.create),
        route("GET", JOBS_PATH, api.list),
        route("POST", f"{one}/cancel", api.cancel),
        route("GET", one, api.get),
        route("DELETE", one, api.delete),
    ]


class _JobsApi:
    def __init__(self, service: Service) -> None:
        self._store = service.store
        self._clock = service.clock

    async def create(self, request: Request) -> Response:
        scope = read_query(request, ScopeQuery)
        asked = await read_body(request, JobCreate)
        try:
            return await run_in_threadpool(self._create, asked, scope, request.headers.get(SCENARIO_HEADER))
        except UnknownScenarioError as exc:
            name = request.headers[SCENARIO_HEADER]
            raise invalid("value_error", ["header", SCENARIO_HEADER.lower()], str(exc), name) from None

    def _create(self, asked: JobCreate, scope: ScopeQuery, scenario_name: str | None) -> Response:
        now = self._clock()
        project_id = str(scope.project_id) if scope.project_id else None
        new = build_job(self._store, asked, project_id=project_id, scenario_name=scenario_name, now=now)
        job = self._find(self._store.create_job(new, now), now)
        return _answer(_expanded(job.sections, ()))

    async def get(self, request: Request) -> Response:
        query = read_query(request, GetQuery)
        job = await run_in_threadpool(self._find, request.path_params["job_id"], self._clock(), query.project_id)
        return _answer(_expanded(job.sections, query.expand))

    async def list(self, request: Request) -> Response:
        query = read_query(request, JobQuery)
        return await run_in_threadpool(self._list, query)

    def _list(self, query: JobQuery) -> Response:
        now = self._clock()
        wanted = _filter(query)
        rows = self._store.query_jobs(wanted, now)
        page = rows[: wanted.limit - 1]
        # Who names jobs asks for them; who lists what there is does not.
        is_named = query.job_ids is not None
        held = [self._store.get_job(row.job_id, now, is_asked_for=is_named) for row in page]
        # One may be gone since.
        items = [join_json(_expanded(job.sections, query.expand)) for job in held if job is not None]
        token = _token(page[-1].place) if len(rows) > len(page) else None
        return _answer({
            "items": msgspec.Raw(b"[" + b",".join(items) + b"]"),
            "next_page_token": msgspec.Raw(msgspec.json.encode(token)),
            "total_size": _NULL,
        })  # fmt: skip

    async def cancel(self, request: Request) -> Response:
        scope = read_query(request, ScopeQuery)
        return await run_in_threadpool(self._cancel, request.path_params["job_id"], scope)

    def _cancel(self, job_id: str, scope: ScopeQuery) -> Response:
        now = self._clock()
        job = self._find(job_id, now, scope.project_id)
        if not self._store.cancel_job(job_id, now):
            status = msgspec.json.decode(job.sections["status"])
            raise HTTPException(409, f"Extract job {job_id!r} is {status} and cannot be cancelled", _FINAL)
        return _answer(_expanded(self._find(job_id, now).sections, ()))

    async def delete(self, request: Request) -> Response:
        query = read_query(request, DeleteQuery)
        return await run_in_threadpool(self._delete, request.path_params["job_id"], query)

    def _delete(self, job_id: str, query: DeleteQuery) -> Response:
        now = self._clock()
        job = self._find(job_id, now, query.project_id)
        if self._store.delete_job(job_id, None if query.force else now) is False:
            status = msgspec.json.decode(job.sections["status"])
            detail = f"Extract job {job_id!r} is {status}: cancel it first, or delete it with force=true"
            raise HTTPException(409, detail, _FINAL)
        return JSONResponse(None)

    async def validate_schema(self, request: Request) -> Response:
        asked = await read_body(request, SchemaValidate)
        fault = find_fault(asked.data_schema)
        if fault is not None:
            raise invalid("value_error", ["body", "data_schema", *fault.path], fault.message, None)
        return _answer({"data_schema": msgspec.Raw(msgspec.json.encode(asked.data_schema))})

    def _find(self, job_id: str, now: datetime, project_id: UUID | None = None) -> StoredJob:
        job = self._store.get_job(job_id, now)
        if job is None or not is_in_project(job.project_id, project_id):
            raise HTTPException(404, f"Extract job {job_id!r} not found")
        return job


def _filter(query: JobQuery) -> JobFilter:
    size = DEFAULT_PAGE_SIZE if query.page_size is None else min(max(query.page_size, 1), MAX_PAGE_SIZE)
    kind = query.document_input_type
    return JobFilter(
        # One more than is shown says whether there is another page.
        limit=size + 1,
        after=_read_token(query.page_token) if query.page_token else None,
        project_id=str(query.project_id) if query.project_id else None,
        statuses=tuple(query.status),
        file_input=query.file_input or query.document_input_value,
        configuration_id=query.configuration_id,
        job_ids=None if query.job_ids is None else tuple(query.job_ids),
        created_on_or_after=_aware(query.created_at_on_or_after),
        created_on_or_before=_aware(query.created_at_on_or_before),
        # Another type is that of no job.
        document_prefix=_PREFIXES.get(kind, "\0") if kind else None,
    )


def _token(place: tuple[float, int]) -> str:
    return base64.urlsafe_b64encode(f"{place[0]!r} {place[1]}".encode()).decode()


def _read_token(token: str) -> tuple[float, int]:
    try:
        created, position = base64.urlsafe_b64decode(token.encode()).decode().split(" ")
        place = float(created), int(position)
    except ValueError:
        place = math.nan, 0
    if not math.isfinite(place[0]) or abs(place[1]) >= 2**63:
        raise invalid("value_error", ["query", "page_token"], "Value error, not a token of this list", token)
    return place


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _expanded(sections: Mapping[str, msgspec.Raw], expand: Sequence[str]) -> Mapping[str, msgspec.Raw]:
    hidden = {name: _NULL for name in EXPANDABLE_SECTIONS if name not in expand and name in sections}
    return {**sections, **hidden}


def _answer(sections: Mapping[str, msgspec.Raw]) -> Response:
    return Response(join_json(sections), media_type="application/json")
