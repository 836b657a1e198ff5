"""The server over standard input and output, from start to a clean end."""

import gc
import os
import signal
import sys
from typing import NoReturn

import anyio

from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import OpenSource
from llx_mcp.redaction import Redactor
from llx_mcp.server.app import ExtractServer, build_server
from llx_mcp.settings import LogLevel

# Time for the last answers to leave through the pipe.
_PIPE_SECONDS = 0.3
_STOPPED = "llx-mcp: stopped; jobs are left as they are.\n"


def serve_stdio(
    source: OpenSource, *, redactor: Redactor, options: ReaderOptions | None = None, log_level: LogLevel
) -> None:
    """Serve one client over standard input and output, until it hangs up or a signal ends the process."""
    anyio.run(_serve_stdio, build_frozen_server(source, redactor, options, log_level))


def build_frozen_server(
    source: OpenSource, redactor: Redactor, options: ReaderOptions | None, log_level: LogLevel
) -> ExtractServer:
    """Build a server and exempt all start-up objects from garbage collection."""
    server = build_server(source, redactor=redactor, options=options, log_level=log_level)
    gc.freeze()
    gc.enable()
    return server


async def _serve_stdio(server: ExtractServer) -> None:
    try:
        async with anyio.create_task_group() as group:
            if sys.platform != "win32":
                group.start_soon(_end_on_signal, server)
            await server.run_stdio_async()
            group.cancel_scope.cancel()
    except* (BrokenPipeError, ConnectionResetError):
        _exit(1, "llx-mcp: the client reads no more; jobs are left as they are.\n")


async def _end_on_signal(server: ExtractServer) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            await server.answer_waits()
            await anyio.sleep(_PIPE_SECONDS)
            _exit(128 + number, _STOPPED)


def _exit(status: int, message: str) -> NoReturn:
    """End the process at once: the thread that reads standard input blocks in a read that only the client can end."""
    sys.stderr.write(message)
    sys.stderr.flush()
    os._exit(status)
