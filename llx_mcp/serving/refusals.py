"""Requests that are refused: each has a status, a reason for the metrics, and a message that says what to do."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Scope, Send

# What is left of a body of this size is read and dropped.
_SMALL_BODY_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a refused request.

    Attributes:
        status: HTTP status.
        reason: one word for metrics and clients, such as `invalid_token`.
        message: what is wrong and what to do.
        headers: further headers.
    """

    status: int
    reason: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The request is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Refusals:
    """Sends refusals and counts them.

    Attributes:
        counts: how many requests were refused, by reason.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        """Count a refusal that was sent elsewhere."""
        self.counts[reason] += 1

    async def send(self, scope: Scope, send: Send, refusal: Refusal) -> None:
        """Answer a request with a refusal. Its connection is closed unless the rest of the body is small."""
        self.count(refusal.reason)
        body = json.dumps({"error": refusal.reason, "error_description": refusal.message}).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "cache-control": "no-store",
            **({} if _has_small_body(scope) else {"connection": "close"}),
            **refusal.headers,
        }
        raw = [(name.encode(), value.encode("ascii", "replace")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


def refuse_for_now(status: int, reason: str, message: str, seconds: float = 1.0) -> Refusal:
    """Return the refusal of a request that may be sent again after some seconds."""
    return Refusal(status, reason, message, {"retry-after": str(max(math.ceil(seconds), 1))})


def _has_small_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0" if "transfer-encoding" not in headers else "")
    return length.isdecimal() and int(length[:20]) <= _SMALL_BODY_BYTES
