"""The ASGI application. It behaves like the service: `expand` gates sections, and errors are `{"detail": …}`."""

import errno
import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.local.body_limit import DEFAULT_UPLOAD_BYTES, BodyLimitMiddleware
from llx_mcp.local.configurations_api import build_configuration_routes
from llx_mcp.local.database import StoreProblem, StoreProblemError
from llx_mcp.local.document_texts import DocumentTexts
from llx_mcp.local.endpoints import DO_NOT_RETRY, ApiContext, Endpoint, build_route, has_api_key
from llx_mcp.local.extraction import ExtractionEngine
from llx_mcp.local.fault_middleware import FaultMiddleware
from llx_mcp.local.faults import FaultError, FaultInjector, describe_fault, parse_faults
from llx_mcp.local.files_api import FILES_PATH, build_file_routes
from llx_mcp.local.host_check import HostCheckMiddleware
from llx_mcp.local.job_queries import JobFilter, ListedJob
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.jobs_api import build_job_routes
from llx_mcp.local.parse_api import build_parse_routes
from llx_mcp.local.recorded_results import RecordedResults
from llx_mcp.local.screenshots import PageRenderer
from llx_mcp.local.status_page import render_status_page

SERVER_NAME = "llx-mcp-local (not LlamaCloud)"
ADMIN_HEADER = "X-Llx-Admin-Token"
FAULTS_PATH = "/_admin/faults"

_log = logging.getLogger("llx_mcp.local")
_MAX_STATUS_PAGE_JOBS = 200
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}

AppLifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create_app(
    store: JobStore,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    faults: FaultInjector | None = None,
    admin_token: str | None = None,
    page_token: str | None = None,
    allowed_hosts: Iterable[str] | None = None,
    max_upload_bytes: int = DEFAULT_UPLOAD_BYTES,
    engine: ExtractionEngine | None = None,
    lifespan: AppLifespan | None = None,
) -> Starlette:
    """Build the application over a store.

    Args:
        store: The jobs and files; the caller closes it.
        clock: Returns the current time, aware; the timelines of jobs follow it.
        faults: Injects faults; the caller may change its faults while the application runs.
        admin_token: The token of the admin endpoint, sent as X-Llx-Admin-Token; None leaves the endpoint out.
        page_token: The token with which the page at `/` shows jobs without an API key; None shows them to keys only.
        allowed_hosts: The allowed values of `Host` and the hosts of allowed origins. None allows all, which is safe
            only if no browser can reach the application.
        max_upload_bytes: The maximum size of an uploaded file.
        engine: Makes the results of created jobs; None takes those of recorded jobs.
        lifespan: Runs while the application does.
    """
    context = ApiContext(store, clock)
    injector = faults or FaultInjector()
    renderer, texts = PageRenderer(), DocumentTexts()
    return Starlette(
        routes=[
            build_route("GET", "/", _build_status_endpoint(context, injector, page_token), requires_key=False),
            *(_build_admin_routes(injector, admin_token) if admin_token else ()),
            *build_file_routes(context, renderer, secrets.token_bytes(32)),
            *build_configuration_routes(context),
            *build_job_routes(context, engine or RecordedResults(store)),
            *build_parse_routes(context, texts),
        ],
        exception_handlers={
            HTTPException: _render_http_error,
            StoreProblemError: _render_store_problem,
            OSError: _render_os_error,
            Exception: _render_internal_error,
        },
        middleware=[
            Middleware(_ServerHeaderMiddleware),
            Middleware(HostCheckMiddleware, allowed_hosts=allowed_hosts),
            Middleware(BodyLimitMiddleware, upload_path=FILES_PATH, max_upload_bytes=max_upload_bytes),
            Middleware(FaultMiddleware, injector=injector),
        ],
        lifespan=_close_at_end([renderer.close, texts.close], lifespan),
    )


def _close_at_end(closers: Sequence[Callable[[], Awaitable[None]]], lifespan: AppLifespan | None) -> AppLifespan:
    @asynccontextmanager
    async def run(app: Starlette) -> AsyncIterator[None]:
        try:
            async with lifespan(app) if lifespan else nullcontext():
                yield
        finally:
            for close in closers:
                await close()

    return run


class _ServerHeaderMiddleware:
    """Adds a `Server` header to every response, so that no one takes it for LlamaCloud's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"server", SERVER_NAME.encode())]
            await send(message)

        await self._app(scope, receive, send_with_header)


def _build_status_endpoint(context: ApiContext, injector: FaultInjector, token: str | None) -> Endpoint:
    def list_jobs(request: Request) -> list[ListedJob] | None:
        if not has_api_key(request) and not _is_token(request.query_params.get("token", ""), token):
            return None
        return context.store.query_jobs(JobFilter(limit=_MAX_STATUS_PAGE_JOBS), context.clock())

    async def show_status(request: Request) -> Response:
        jobs = await run_in_threadpool(list_jobs, request)
        count = await run_in_threadpool(context.store.count)
        faults = [
            ", ".join(f"{name} {value}" for name, value in describe_fault(fault).items())
            for fault in injector.get_faults()
        ]
        return HTMLResponse(render_status_page(jobs, count, faults), headers=_PAGE_HEADERS)

    return show_status


def _build_admin_routes(injector: FaultInjector, token: str) -> list[Route]:
    def check_token(request: Request) -> None:
        if not _is_token(request.headers.get(ADMIN_HEADER, ""), token):
            raise HTTPException(401, f"The admin endpoint needs the token of this server in {ADMIN_HEADER}")

    def render_faults() -> Response:
        return JSONResponse([describe_fault(fault) for fault in injector.get_faults()])

    async def get_faults(request: Request) -> Response:
        check_token(request)
        return render_faults()

    async def put_faults(request: Request) -> Response:
        check_token(request)
        try:
            injector.set_faults(parse_faults(await request.body()))
        except FaultError as exc:
            raise HTTPException(422, str(exc)) from None
        return render_faults()

    async def delete_faults(request: Request) -> Response:
        check_token(request)
        injector.set_faults(())
        return render_faults()

    return [
        build_route(method, FAULTS_PATH, endpoint, requires_key=False)
        for method, endpoint in (("GET", get_faults), ("PUT", put_faults), ("DELETE", delete_faults))
    ]


def _is_token(text: str, token: str | None) -> bool:
    """Compare a text with a token, in a time that does not depend on where they differ. None is no token."""
    return token is not None and hmac.compare_digest(text.encode(), token.encode())


async def _render_http_error(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for this class alone
    return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=exc.headers)


async def _render_store_problem(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, StoreProblemError)  # noqa: S101 - registered for this class alone
    _log.warning("%s (%s)", exc, exc.__cause__)
    status = {StoreProblem.LOCKED: 503, StoreProblem.FULL: 507}.get(exc.problem, 500)
    # Only a lock ends by itself.
    headers = {"Retry-After": "1"} if exc.problem is StoreProblem.LOCKED else DO_NOT_RETRY
    return JSONResponse({"detail": str(exc)}, status, headers)


async def _render_os_error(_: Request, exc: Exception) -> Response:
    # A large upload goes through a temporary file.
    if not isinstance(exc, OSError) or exc.errno != errno.ENOSPC:
        raise exc
    return JSONResponse({"detail": "The disk for temporary files is full"}, 507, DO_NOT_RETRY)


async def _render_internal_error(_: Request, __: Exception) -> Response:
    # Starlette runs this handler outside of the middleware, so the header is set here.
    return JSONResponse({"detail": "Internal Server Error"}, 500, {"Server": SERVER_NAME})
