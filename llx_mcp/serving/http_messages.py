"""Messages over HTTP: those that the SDK would accept and then drop are answered before it reads them."""

from collections.abc import Sequence

from mcp_types import JSONRPCError
from starlette.types import Message, Receive, Send

from llx_mcp.server.messages import read_message


def repair_message(body: bytes) -> bytes | Sequence[JSONRPCError]:
    """Return a message as the SDK can read it, or the errors that answer it."""
    message = read_message(body)
    if message.answers:
        return message.answers
    return body if message.text is None else message.text.encode()


async def send_errors(answers: Sequence[JSONRPCError], send: Send) -> None:
    """Answer a message with errors, and HTTP 400."""
    texts = [answer.model_dump_json(by_alias=True, exclude_unset=True) for answer in answers]
    # Only a batch has several answers, and the answer to a batch is a list.
    body = (texts[0] if len(texts) == 1 else f"[{','.join(texts)}]").encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives a body that was read, and then what follows it."""
    events: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return events.pop() if events else await receive()

    return replay
