"""The stdio transport of the SDK, with an answer to every request.

This module adds three things. Messages that the SDK would drop are answered. Requests that the client sent before it
closed standard input are answered before the server ends. A client that reads no more ends the server.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, TypeAlias, cast

import anyio
import anyio.to_thread
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse, RequestId

from llx_mcp.server.messages import read_message

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

Streams: TypeAlias = "tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]"


@asynccontextmanager
async def open_stdio(end_calls: Callable[[], Awaitable[None]], *, close_seconds: float) -> AsyncIterator[Streams]:
    """Open standard input and output as streams of messages.

    Args:
        end_calls: ends long calls with what they know so far; called when the client closes standard input.
        close_seconds: the longest time for all open requests to be answered after that.
    """
    # The SDK takes over standard output, so that a stray print does not reach the client. Standard input needs no such
    # care: nothing else reads it, and worker processes have pipes of their own.
    lines = _Lines(sys.stdin.buffer, end_calls, close_seconds)
    async with stdio_server(stdin=cast("anyio.AsyncFile[str]", lines)) as (read_stream, write_stream):
        output = _Output(write_stream)
        lines.start(output)
        yield read_stream, cast("WriteStream[SessionMessage]", output)


class _Output:
    """The stream of messages to the client. It remembers which requests are not answered yet."""

    def __init__(self, stream: "WriteStream[SessionMessage]") -> None:
        self._stream = stream
        # As texts: a client may cancel the request 7 as "7".
        self._open_ids: list[str] = []
        self._changed = anyio.Event()

    def expect(self, request_id: RequestId) -> None:
        """Remember a request until it is answered or cancelled."""
        self._open_ids.append(str(request_id))

    def forget(self, request_id: RequestId) -> None:
        """Forget a request that needs no answer any more."""
        if str(request_id) in self._open_ids:
            self._open_ids.remove(str(request_id))
            self._changed.set()

    async def wait_until_answered(self) -> None:
        """Wait until no request is open."""
        while self._open_ids:
            self._changed = anyio.Event()
            await self._changed.wait()

    async def send(self, item: SessionMessage, /) -> None:
        """Send a message."""
        await self._stream.send(item)
        if isinstance(item.message, JSONRPCResponse | JSONRPCError) and item.message.id is not None:
            self.forget(item.message.id)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _Lines:
    """The lines of standard input that the SDK can read. Others are answered here."""

    def __init__(self, source: BinaryIO, end_calls: Callable[[], Awaitable[None]], close_seconds: float) -> None:
        self._source = source
        self._end_calls = end_calls
        self._close_seconds = close_seconds
        self._output: _Output | None = None
        self._started = anyio.Event()

    def start(self, output: _Output) -> None:
        """Start to read; answers go to this output."""
        self._output = output
        self._started.set()

    async def __aiter__(self) -> AsyncIterator[str]:
        await self._started.wait()
        output = cast("_Output", self._output)
        # The read ends with the client; a server that is done does not wait for it.
        read_line = partial(anyio.to_thread.run_sync, self._source.readline, abandon_on_cancel=True)
        while line := await read_line():
            message = read_message(line)
            for answer in message.answers:
                await output.send(SessionMessage(answer))
            if message.cancelled_id is not None:
                output.forget(message.cancelled_id)
            if message.request_id is not None:
                output.expect(message.request_id)
            if message.text is not None:
                yield message.text
        with anyio.move_on_after(self._close_seconds):
            await self._end_calls()
            await output.wait_until_answered()
