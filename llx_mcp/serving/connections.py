"""Connections: how many there are, how slow a client may be, and how answers are sent.

A client over a limit is cut off.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

_BUSY_BODY = b'{"error": "too_many_connections", "error_description": "Too many connections. Try again later."}'
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BUSY_BODY), _BUSY_BODY)
)
# For the last bytes to a client that reads; one that does not is cut off.
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on connections.

    Attributes:
        max_connections: most connections at once.
        header_seconds: time for the headers of a request to arrive, from its first byte or the start of a connection.
        write_seconds: how long a client may stop reading while an answer waits to be sent.
        count_cut: called with the reason when a connection is refused or cut off.
    """

    max_connections: int
    header_seconds: float
    write_seconds: float
    count_cut: Callable[[str], None]


class JoinedWrites:
    """A transport that sends what is written in one step of the event loop at once: headers with their body.

    Each system call costs more than the rest of the sending.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send data with what else is written in this step."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what is written, and close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 with limits. It aborts connections, because closing one waits for the client to read."""

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._is_refused = False
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Start the time for the first headers, or refuse the connection."""
        if len(self.connections) >= self._limits.max_connections:
            self._is_refused = True
            self.transport = transport
            self._limits.count_cut("too_many_connections")
            transport.write(_BUSY)
            self._close_soon()
            return
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        self._header_timer = self._cut_after(self._limits.header_seconds, "slow_headers")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        _stop(self._header_timer)
        _stop(self._write_timer)
        if not self._is_refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read data. Outside of a request, it is the next request, or the rest of a body that was not read."""
        if self._is_refused:
            return
        if not self._is_answering:
            self._start_header_timer()
        super().data_received(data)

    def handle_events(self) -> None:
        """Handle what was read. Once the headers are complete, the time for them ends."""
        super().handle_events()
        if self._is_answering:
            _stop(self._header_timer)
            self._header_timer = None

    def on_response_complete(self) -> None:
        """Go on with the next request. Its first bytes may have come while the last one was answered."""
        super().on_response_complete()
        if self.conn.trailing_data[0] and not self._is_answering:
            self._start_header_timer()

    def pause_writing(self) -> None:
        """Start the time that the client has to read on."""
        super().pause_writing()
        self._write_timer = self._cut_after(self._limits.write_seconds, "slow_reader")

    def resume_writing(self) -> None:
        """Stop the time that the client has to read on."""
        super().resume_writing()
        _stop(self._write_timer)

    def shutdown(self) -> None:
        """End the connection when the server stops."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that had no request for some time."""
        self._close_soon()

    @property
    def _is_answering(self) -> bool:
        # The cycle is that of the latest request; it is None before the first.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _close_soon(self) -> None:
        self.transport.close()
        self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _start_header_timer(self) -> None:
        if self._header_timer is None:
            self._header_timer = self._cut_after(self._limits.header_seconds, "slow_headers")

    def _cut_after(self, seconds: float, reason: str) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self._cut, reason)

    def _cut(self, reason: str) -> None:
        self._limits.count_cut(reason)
        self.transport.abort()


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
