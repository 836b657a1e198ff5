"""Middleware that injects faults into the responses of an application."""

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.local.faults import Fault, FaultInjector


class FaultMiddleware:
    """Injects the faults that an injector selects for each request."""

    def __init__(self, app: ASGIApp, injector: FaultInjector) -> None:
        self._app = app
        self._injector = injector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with the fault that is due."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        broken_body: str | None = None
        for fault in self._injector.select_faults(scope["method"], scope["path"]):
            if fault.kind == "slow":
                await self._injector.sleep(fault.seconds)
            elif fault.kind in ("disconnect", "truncated"):
                broken_body = fault.kind
            else:
                await _build_response(fault)(scope, receive, send)
                return
        if broken_body is None:
            await self._app(scope, receive, send)
        else:
            await _send_half(self._app, scope, receive, send, disconnects=broken_body == "disconnect")


def _build_response(fault: Fault) -> Response:
    if fault.kind in ("rate-limited", "rate-limit"):
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return JSONResponse({"detail": "Rate limit exceeded"}, 429, headers)
    if fault.kind == "wrong-region":
        return JSONResponse({"detail": "Invalid API Key. Please check your region and try again."}, 401)
    if fault.kind == "out-of-credits":
        return JSONResponse({"detail": "You have run out of credits. Please upgrade your plan."}, 402)
    if fault.kind == "not-json":
        return HTMLResponse("<!doctype html><title>Just a moment...</title><p>Checking your browser.")
    return JSONResponse({"detail": "The service is temporarily unavailable"}, fault.status)


async def _send_half(app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, disconnects: bool) -> None:
    """Send half of the body. With the full Content-Length, the server closes the connection after it."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    half = bytes(body[: len(body) // 2])
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    length = len(body) if disconnects else len(half)
    await send({**start, "headers": [*headers, (b"content-length", str(length).encode())]})
    await send({"type": "http.response.body", "body": half, "more_body": disconnects})
