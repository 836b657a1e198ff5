"""Checks JSON-RPC messages before the SDK reads them, which leaves some of them without an answer.

Text that is not valid Unicode is read with U+FFFD in its place, and a byte order mark is ignored.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

# An escaped pair of surrogates, a lone surrogate, or any other escape.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Python refuses to read longer numbers.
_MAX_DIGITS = 4_000


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message of a client.

    Attributes:
        text: the message for the SDK; None where it is not to be handled.
        answers: error answers to send at once, for a message that the SDK would not answer.
        request_id: the id of a request that ends with an answer; a stream of events does not.
        cancelled_id: the id of the request that the message cancels.
    """

    text: str | None = None
    answers: tuple[JSONRPCError, ...] = ()
    request_id: RequestId | None = None
    cancelled_id: RequestId | None = None


def read_message(body: bytes) -> Inbound:
    """Read one message: a line of standard input, or the body of an HTTP request."""
    text = _repair_text(body)
    if not text.strip():
        return Inbound()
    try:
        message = jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError as exc:
        return _explain(text, exc)
    if isinstance(message, JSONRPCRequest):
        return Inbound(text, request_id=None if message.method == "subscriptions/listen" else message.id)
    if isinstance(message, JSONRPCNotification):
        # The model of a notification ignores an id that is not valid, and so a request would get no answer.
        if "id" in _decode(text):
            return _refuse("The id of a request must be a string or an integer.")
        if message.method == "notifications/cancelled":
            cancelled_id = (message.params or {}).get("requestId")
            return Inbound(text, cancelled_id=cancelled_id if _is_id(cancelled_id) else None)
    return Inbound(text)


def _repair_text(body: bytes) -> str:
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    if not _SURROGATE.search(text):
        return text
    return _ESCAPE.sub(lambda match: r"\ufffd" if match[1] else match[0], text)


def _decode(text: str) -> Any:
    """Decode JSON; numbers of very many digits become null, which is the id of no request."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= _MAX_DIGITS else None)


def _explain(text: str, error: ValidationError) -> Inbound:
    """Return the answers to a message that is not valid."""
    try:
        decoded = _decode(text)
    except (ValueError, RecursionError):
        return _refuse(
            "This is not JSON, or it is nested too deeply. Send one JSON-RPC message on one line.", PARSE_ERROR
        )
    if isinstance(decoded, list):
        ids = [item["id"] for item in decoded if isinstance(item, dict) and "method" in item and _is_id(item.get("id"))]
        return _refuse("Batches are not supported. Send each message by itself.", ids=ids)
    if not isinstance(decoded, dict):
        return _refuse("A JSON-RPC message must be an object.")
    if "method" not in decoded and ("result" in decoded or "error" in decoded):
        # Responses are never answered.
        return Inbound()
    if "id" not in decoded and isinstance(decoded.get("method"), str):
        # Notifications are never answered.
        return Inbound()
    request_id = decoded.get("id")
    return _refuse(_describe(decoded, error), ids=[request_id] if _is_id(request_id) else [])


def _describe(decoded: dict[str, Any], error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return f"The message cannot be read: {first['ctx']['error']}."
    if "id" in decoded and not _is_id(decoded["id"]):
        return "The id of a request must be a string or an integer."
    return 'A request needs "jsonrpc": "2.0", an id, a method that is a string, and params, if any, that are an object.'


def _refuse(message: str, code: int = INVALID_REQUEST, ids: Sequence[RequestId] = ()) -> Inbound:
    """Return error answers to the requests with these ids, or one without an id where there are none."""
    error = ErrorData(code=code, message=message)
    answered: Sequence[RequestId | None] = ids or [None]
    return Inbound(answers=tuple(JSONRPCError(jsonrpc="2.0", id=request_id, error=error) for request_id in answered))


def _is_id(value: object) -> TypeGuard[RequestId]:
    return isinstance(value, str | int) and not isinstance(value, bool)
