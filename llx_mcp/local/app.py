"""The API itself, with the service's own behaviour: `expand` gates sections, errors are `{"detail": …}`."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.local.store import JobStore
from llx_mcp.models import EXPANDABLE_SECTIONS
from llx_mcp.wire import join_json

SERVER_NAME = "llx-mcp-local (not LlamaCloud)"

_KEY_PREFIX = "Bearer llx-"
_INVALID_KEY = "Invalid API Key. Please check your region and try again."
_NULL = msgspec.Raw(b"null")


def create_app(store: JobStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Starlette:
    """The API over a store.

    Args:
        store: the jobs; whoever opened it closes it.
        clock: the time of day, aware; jobs with a timeline live by it.
    """

    async def get_job(request: Request) -> Response:
        _check_key(request)
        _check_scope(request)
        job_id = request.path_params["job_id"]
        job = await run_in_threadpool(store.get_job, job_id, clock())
        wanted = request.query_params.get("project_id")
        if job is None or (wanted and job.project_id and not _is_same(wanted, job.project_id)):
            raise HTTPException(404, f"Extract job {job_id!r} not found")
        expand = request.query_params.getlist("expand")
        hidden = {name: _NULL for name in EXPANDABLE_SECTIONS if name not in expand and name in job.sections}
        return Response(join_json({**job.sections, **hidden}), media_type="application/json")

    async def index(_: Request) -> Response:
        held = await run_in_threadpool(store.list_jobs, clock())
        jobs = [{"id": job_id, "status": status} for job_id, status in held]
        return JSONResponse({
            "service": SERVER_NAME, "api": "/api/v2/extract/{job_id}", "num_jobs": len(jobs), "jobs": jobs,
        })  # fmt: skip

    return Starlette(
        routes=[
            Route("/", index, methods=["GET"]),
            # An id may hold an encoded slash; it is one segment on the wire all the same.
            Route("/api/v2/extract/{job_id:path}", get_job, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _answer_error},
        middleware=[Middleware(_NameServer)],
    )


class _NameServer:
    """Every answer says that it does not come from LlamaCloud."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"server", SERVER_NAME.encode())]
            await send(message)

        await self._app(scope, receive, send_named)


def _check_key(request: Request) -> None:
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith(_KEY_PREFIX) or len(authorization) == len(_KEY_PREFIX):
        raise HTTPException(401, _INVALID_KEY)


def _check_scope(request: Request) -> None:
    faults = []
    for name in ("project_id", "organization_id"):
        value = request.query_params.get(name)
        if value is not None and (reason := _not_uuid(value)):
            faults.append({
                "type": "uuid_parsing",
                "loc": ["query", name],
                "msg": f"Input should be a valid UUID, {reason}",
                "input": value,
                "ctx": {"error": reason},
            })  # fmt: skip
    if faults:
        raise HTTPException(422, faults)  # type: ignore[arg-type]  # FastAPI's own bodies hold a list here


def _not_uuid(value: str) -> str | None:
    try:
        UUID(value)
    except ValueError:
        return f"invalid length or character: found {len(value)} characters"
    return None


def _is_same(wanted: str, project_id: str) -> bool:
    try:
        return UUID(wanted) == UUID(project_id)
    except ValueError:
        return False


async def _answer_error(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101 - Starlette sends nothing else here
    return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=exc.headers)
