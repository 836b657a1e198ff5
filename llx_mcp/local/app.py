"""The API itself, with the service's own behaviour: `expand` gates sections, errors are `{"detail": …}`."""

import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.local.endpoints import Service, route
from llx_mcp.local.faults import FaultError, FaultMiddleware, Faults, describe_faults, read_faults
from llx_mcp.local.files_api import file_routes
from llx_mcp.local.job_queries import JobFilter
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.jobs_api import job_routes
from llx_mcp.local.status_page import render_status_page

SERVER_NAME = "llx-mcp-local (not LlamaCloud)"
ADMIN_HEADER = "X-Llx-Admin-Token"
FAULTS_PATH = "/_admin/faults"

_SHOWN_JOBS = 200
_NO_SCRIPT = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


def create_app(
    store: JobStore,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    faults: Faults | None = None,
    admin_token: str | None = None,
    lifespan: Lifespan | None = None,
) -> Starlette:
    """The API over a store.

    Args:
        store: the jobs and files; whoever opened it closes it.
        clock: the time of day, aware; jobs with a timeline live by it.
        faults: what goes wrong on purpose; it may be switched while the application runs.
        admin_token: opens the admin endpoint, under the header X-Llx-Admin-Token; None leaves it out.
        lifespan: runs while the application does.
    """
    service = Service(store, clock)
    switchboard = faults or Faults()
    return Starlette(
        routes=[
            route("GET", "/", _index(service, switchboard), is_open=True),
            *(_admin_routes(switchboard, admin_token) if admin_token else ()),
            *file_routes(service, secrets.token_bytes(32)),
            *job_routes(service),
        ],
        exception_handlers={HTTPException: _answer_error, Exception: _answer_unexpected},
        middleware=[Middleware(_NameServer), Middleware(FaultMiddleware, faults=switchboard)],
        lifespan=lifespan,
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


def _index(service: Service, faults: Faults) -> Callable[[Request], Any]:
    async def index(_: Request) -> Response:
        now = service.clock()
        jobs = await run_in_threadpool(service.store.query_jobs, JobFilter(limit=_SHOWN_JOBS), now)
        count = await run_in_threadpool(service.store.count)
        words = [", ".join(f"{name} {value}" for name, value in fault.items()) for fault in describe_faults(faults)]
        return HTMLResponse(render_status_page(jobs, count, words), headers=_NO_SCRIPT)

    return index


def _admin_routes(faults: Faults, token: str) -> list[Route]:
    def check(request: Request) -> None:
        if not hmac.compare_digest(request.headers.get(ADMIN_HEADER, "").encode(), token.encode()):
            raise HTTPException(401, f"The admin endpoint needs the token of this server in {ADMIN_HEADER}")

    async def show(request: Request) -> Response:
        check(request)
        return JSONResponse(describe_faults(faults))

    async def put(request: Request) -> Response:
        check(request)
        try:
            faults.set(read_faults(await request.body()))
        except FaultError as exc:
            raise HTTPException(422, str(exc)) from None
        return JSONResponse(describe_faults(faults))

    async def clear(request: Request) -> Response:
        check(request)
        faults.clear()
        return JSONResponse([])

    return [
        route(method, FAULTS_PATH, endpoint, is_open=True)
        for method, endpoint in (("GET", show), ("PUT", put), ("DELETE", clear))
    ]


async def _answer_error(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101 - Starlette sends nothing else here
    return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=exc.headers)


async def _answer_unexpected(_: Request, __: Exception) -> Response:
    # Beyond the middleware that names the server, hence named here.
    return JSONResponse({"detail": "Internal Server Error"}, 500, {"Server": SERVER_NAME})
