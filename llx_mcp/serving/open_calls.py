"""Ends the calls that are still open when the time to stop is over. Each is answered with an error that says so."""

import json

import anyio
from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.serving.refusals import RefusedError, refuse_for_now

_STOPPED = "This server has stopped before the call ended. Call again; another answers."


class OpenCalls:
    """The calls that the endpoint answers now."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()

    def end(self) -> None:
        """End all calls that are open."""
        for scope in self._scopes:
            scope.cancel()

    async def run(self, endpoint: ASGIApp, message: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Let an endpoint answer a message.

        Raises:
            RefusedError: the call was ended before its answer began.
        """
        answer = _Answer(send)
        with anyio.CancelScope() as call:
            self._scopes.add(call)
            try:
                await endpoint(scope, receive, answer.send)
            finally:
                self._scopes.discard(call)
        if call.cancel_called and not answer.is_complete:
            await answer.end(message)


class _Answer:
    """Notes how far an answer has been sent.

    Attributes:
        is_complete: whether all of it was sent.
    """

    def __init__(self, send: Send) -> None:
        self.is_complete = False
        self._start: Message | None = None
        self._send = send

    async def send(self, event: Message) -> None:
        """Send a part of the answer."""
        if event["type"] == "http.response.start":
            self._start = event
        else:
            self.is_complete = not event.get("more_body", False)
        await self._send(event)

    async def end(self, message: bytes) -> None:
        """End the answer to a message: a stream of events with an error, and anything else as it is.

        Raises:
            RefusedError: the answer has not begun.
        """
        if self._start is None:
            raise RefusedError(refuse_for_now(503, "stopping", _STOPPED))
        is_stream = Headers(raw=self._start["headers"]).get("content-type", "").startswith("text/event-stream")
        await self._send({"type": "http.response.body", "body": _build_event(message) if is_stream else b""})


def _build_event(message: bytes) -> bytes:
    """Return the event that answers a request with an error; nothing for a message that has no answer."""
    request_id = json.loads(message).get("id")
    if request_id is None:
        return b""
    error = JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=INTERNAL_ERROR, message=_STOPPED))
    return f"event: message\r\ndata: {error.model_dump_json(by_alias=True, exclude_unset=True)}\r\n\r\n".encode()
