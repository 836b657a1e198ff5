"""Each request has an id, which its answer and its records in the log show."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

from llx_mcp.observation import set_request_id
from llx_mcp.redaction import Redactor

_HEADER = "x-request-id"
# The first characters of every key of LlamaCloud.
_KEY_PREFIX = "llx-"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def name_request(scope: Scope, send: Send, redactor: Redactor) -> Send:
    """Give a request its id, and return a function that sends its answer with it.

    Args:
        scope: the request. Its own `X-Request-Id` is taken if it is well formed and holds no secret.
        send: sends the answer.
        redactor: knows the secrets of the server.
    """
    request_id = _choose_id(Headers(scope=scope), redactor)
    set_request_id(request_id)

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[_HEADER] = request_id
        await send(message)

    return send_with_id


def _choose_id(headers: Headers, redactor: Redactor) -> str:
    given = headers.get(_HEADER, "")
    if _WELL_FORMED.fullmatch(given):
        own = Redactor(headers.get("authorization", "").partition(" ")[2])
        if _KEY_PREFIX not in given and not own.is_in(given) and not redactor.is_in(given):
            return given
    return secrets.token_hex(16)
