"""The server over streamable HTTP on this machine."""

import socket
import sys
from dataclasses import replace
from types import FrameType

import anyio

from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import OpenSource
from llx_mcp.redaction import Redactor
from llx_mcp.server.app import ExtractServer
from llx_mcp.server.http_messages import RepairMessages
from llx_mcp.server.run import build_frozen_server
from llx_mcp.settings import LogLevel

_HOST = "127.0.0.1"
# For connections that are still open once all waits have been answered.
_GRACE_SECONDS = 3


def serve_http(
    source: OpenSource,
    *,
    redactor: Redactor,
    port: int,
    options: ReaderOptions | None = None,
    log_level: LogLevel,
) -> None:
    """Serve any number of clients over streamable HTTP on this machine, until interrupted.

    The transport is stateless and answers with event streams: a JSON response would drop progress.

    Raises:
        OSError: the port cannot be used.
    """
    # Before anything is said: the port may be in use.
    with socket.create_server((_HOST, port)) as listener:
        # A client over HTTP may be on another machine, whose files are others.
        read = options or ReaderOptions()
        without_files = replace(read, creation=replace(read.creation, folders=()))
        server = build_frozen_server(source, redactor, without_files, log_level)
        url = f"http://{_HOST}:{listener.getsockname()[1]}/mcp"
        sys.stderr.write(f"llx-mcp: MCP over streamable HTTP at {url} (this machine only)\n")
        anyio.run(_serve_http, server, listener, log_level)


async def _serve_http(server: ExtractServer, listener: socket.socket, log_level: LogLevel) -> None:
    import uvicorn

    stop_requested = anyio.Event()

    class Server(uvicorn.Server):
        """Answers the open waits while uvicorn waits for connections to close."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            stop_requested.set()

    config = uvicorn.Config(
        RepairMessages(server.streamable_http_app(stateless_http=True, host=_HOST)),
        # Without handlers of its own, uvicorn logs through those of the command, which redact.
        log_config=None,
        log_level=log_level.lower(),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        server_header=False,
    )

    async def answer_waits() -> None:
        await stop_requested.wait()
        await server.answer_waits()

    async with anyio.create_task_group() as group:
        group.start_soon(answer_waits)
        await Server(config).serve(sockets=[listener])
        group.cancel_scope.cancel()
