"""Checks the messages that arrive over HTTP before the SDK reads them."""

from collections.abc import Sequence

from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp_types import JSONRPCError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.server.messages import read_message


class RepairMessages:
    """ASGI middleware that answers messages which the SDK would accept and then drop, with HTTP 400."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._limited = RequestBodyLimitMiddleware(self._repair, max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body of a POST; anything else is passed on."""
        is_message = scope["type"] == "http" and scope["method"] == "POST"
        await (self._limited if is_message else self._app)(scope, receive, send)

    async def _repair(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The limit has read the body, and passes it on as one event.
        event = await receive()
        if event["type"] == "http.request" and not event["more_body"]:
            message = read_message(event["body"])
            if message.answers:
                await _send_errors(message.answers, send)
                return
            if message.text is not None:
                event = {**event, "body": message.text.encode()}
        events = [event]

        async def replay() -> Message:
            return events.pop() if events else await receive()

        await self._app(scope, replay, send)


async def _send_errors(answers: Sequence[JSONRPCError], send: Send) -> None:
    texts = [answer.model_dump_json(by_alias=True, exclude_unset=True) for answer in answers]
    # Only a batch has several answers, and the answer to a batch is a list.
    body = (texts[0] if len(texts) == 1 else f"[{','.join(texts)}]").encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
