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
        late: list[Fault] = []
        for fault in self._injector.select_faults(scope["method"], scope["path"]):
            if fault.comes_after:
                late.append(fault)
            elif fault.kind == "slow":
                await self._injector.sleep(fault.seconds)
            elif fault.kind == "disconnect":
                await _CollectedResponse().send_half(send, disconnects=True)
                return
            else:
                await _build_response(fault)(scope, receive, send)
                return
        if late:
            await self._run_and_fail(late, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _run_and_fail(self, faults: list[Fault], scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out the request, then delay, replace or cut the response."""
        response = _CollectedResponse()
        await self._app(scope, receive, response.collect)
        for fault in faults:
            if fault.kind == "slow":
                await self._injector.sleep(fault.seconds)
            elif fault.kind in ("disconnect", "truncated"):
                await response.send_half(send, disconnects=fault.kind == "disconnect")
                return
            else:
                await _build_response(fault)(scope, receive, send)
                return
        await response.send(send)


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


class _CollectedResponse:
    """A response that is held back."""

    def __init__(self) -> None:
        self._start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        self._body = bytearray()

    async def collect(self, message: Message) -> None:
        """Take a message that the application sends."""
        if message["type"] == "http.response.start":
            self._start.update(message)
        else:
            self._body.extend(message.get("body", b""))

    async def send(self, send: Send) -> None:
        """Send the response as it is."""
        await send(self._start)
        await send({"type": "http.response.body", "body": bytes(self._body)})

    async def send_half(self, send: Send, *, disconnects: bool) -> None:
        """Send half of the body. If its length announces more, the server closes the connection after it."""
        half = bytes(self._body[: len(self._body) // 2])
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        # At least one byte is announced, so that an empty body is missing too.
        length = max(len(self._body), 1) if disconnects else len(half)
        await send({**self._start, "headers": [*headers, (b"content-length", str(length).encode())]})
        await send({"type": "http.response.body", "body": half, "more_body": disconnects})
