"""Limits on a request: the size of its headers, the time for its body, and how many a caller may have open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from llx_mcp.serving.refusals import Refusal, RefusedError, refuse_for_now

# Decoding so many values takes some tens of milliseconds.
_MAX_VALUES = 50_000


def check_headers(headers: Headers, max_bytes: int) -> None:
    """Check the size of the headers. The protocol limits them while they arrive; all in one packet pass it.

    Raises:
        RefusedError: they are too large.
    """
    if sum(len(name) + len(value) + 4 for name, value in headers.raw) > max_bytes:
        message = f"The headers are larger than {max_bytes:,} bytes."
        raise RefusedError(Refusal(431, "headers_too_large", message))


def check_body(headers: Headers, max_bytes: int) -> None:
    """Check the size that the headers declare for the body.

    Raises:
        RefusedError: it is too large.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal():
        _check_size(int(declared[:20]), max_bytes)


async def read_body(receive: Receive, max_bytes: int, seconds: float) -> bytes:
    """Read the body of a request, which may say nothing of its size.

    Raises:
        RefusedError: it is too large, does not arrive in time, or takes too long to decode.
        ClientDisconnect: the client left before it had sent everything.
    """
    body = bytearray()
    more = True
    try:
        with anyio.fail_after(seconds):
            while more:
                event = await receive()
                if event["type"] != "http.request":
                    raise ClientDisconnect
                body += event.get("body", b"")
                more = event.get("more_body", False)
                _check_size(len(body), max_bytes)
    except TimeoutError:
        message = f"The body did not arrive within {seconds:g} s. Send the request again."
        raise RefusedError(Refusal(408, "slow_body", message, {"connection": "close"})) from None
    # Decoding holds up all other callers.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > _MAX_VALUES:
        message = f"The body has more than {_MAX_VALUES:,} commas and opening brackets. Send fewer values."
        raise RefusedError(Refusal(413, "too_many_values", message))
    return bytes(body)


class CallLimit:
    """Limits how many requests each caller has open at once."""

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._num_open: Counter[str] = Counter()
        self._is_idle = anyio.Event()

    @property
    def num_open(self) -> int:
        """How many requests are open."""
        return self._num_open.total()

    async def wait_idle(self) -> None:
        """Wait until no request is open."""
        while self._num_open:
            self._is_idle = anyio.Event()
            await self._is_idle.wait()

    @contextmanager
    def count(self, name: str) -> Iterator[None]:
        """Count one request of a caller as open.

        Raises:
            RefusedError: the caller has too many already.
        """
        if self._num_open[name] >= self._max_calls:
            message = f"{self._max_calls} calls of this caller are open. Wait until one ends, then call again."
            raise RefusedError(refuse_for_now(429, "too_many_calls", message))
        self._num_open[name] += 1
        try:
            yield
        finally:
            self._num_open[name] -= 1
            if not self._num_open[name]:
                del self._num_open[name]
            if not self._num_open:
                self._is_idle.set()


def _check_size(num_bytes: int, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise RefusedError(Refusal(413, "body_too_large", f"The body is larger than {max_bytes:,} bytes."))
