"""The server on its transports, and its end: whoever waits is answered before it exits."""

import gc
import os
import signal
import sys
from types import FrameType

import anyio

from llx_mcp.jobs.reader import ReaderOptions
from llx_mcp.jobs.source import OpenSource
from llx_mcp.server import ExtractServer, LogLevel, build_server

_HOST = "127.0.0.1"
# What is left after the waits were answered: streams that are open for as long as their client likes.
_GRACE_SECONDS = 3
# From the answer of a tool until it has gone out over the pipe.
_PIPE_SECONDS = 0.3
_STOPPED = "llx-mcp: stopped; jobs are left as they are.\n"


def serve_stdio(source: OpenSource, *, options: ReaderOptions | None = None, log_level: LogLevel) -> None:
    """Serve one client over standard input and output, until it hangs up or the process is told to end."""
    anyio.run(_serve_stdio, _build(source, options, log_level))


def serve_http(source: OpenSource, *, port: int, options: ReaderOptions | None = None, log_level: LogLevel) -> None:
    """Serve any number of clients over streamable HTTP on this machine, until interrupted.

    Stateless, and as event streams: a JSON response would drop progress.
    """
    server = _build(source, options, log_level)
    sys.stderr.write(f"llx-mcp: MCP over streamable HTTP at http://{_HOST}:{port}/mcp (this machine only)\n")
    anyio.run(_serve_http, server, port, log_level)


def _build(source: OpenSource, options: ReaderOptions | None, log_level: LogLevel) -> ExtractServer:
    server = build_server(source, options=options, log_level=log_level)
    # What is there by now is there for good, and need not be looked through for what can go.
    gc.freeze()
    gc.enable()
    return server


async def _serve_stdio(server: ExtractServer) -> None:
    async with anyio.create_task_group() as group:
        if sys.platform != "win32":
            group.start_soon(_end_when_told, server)
        await server.run_stdio_async()
        group.cancel_scope.cancel()


async def _end_when_told(server: ExtractServer) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            await server.answer_waits()
            await anyio.sleep(_PIPE_SECONDS)
            sys.stderr.write(_STOPPED)
            sys.stderr.flush()
            # The thread that reads standard input sits in a read that nothing ends but the client.
            os._exit(128 + number)


async def _serve_http(server: ExtractServer, port: int, log_level: LogLevel) -> None:
    import uvicorn

    is_told = anyio.Event()

    class Server(uvicorn.Server):
        """Lets the waits be answered while it waits for the connections to close."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            is_told.set()

    app = server.streamable_http_app(stateless_http=True, host=_HOST)
    config = uvicorn.Config(
        app, _HOST, port, log_level=log_level.lower(), timeout_graceful_shutdown=_GRACE_SECONDS, server_header=False
    )

    async def answer_waits() -> None:
        await is_told.wait()
        await server.answer_waits()

    async with anyio.create_task_group() as group:
        group.start_soon(answer_waits)
        await Server(config).serve()
        group.cancel_scope.cancel()
