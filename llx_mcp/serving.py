"""The server on its transports."""

import sys

import anyio

from llx_mcp.jobs.reader import ReaderOptions
from llx_mcp.jobs.source import OpenSource
from llx_mcp.server import LogLevel, build_server

_HOST = "127.0.0.1"


def serve_stdio(source: OpenSource, *, options: ReaderOptions | None = None, log_level: LogLevel) -> None:
    """Serve one client over standard input and output, until it hangs up."""
    build_server(source, options=options, log_level=log_level).run("stdio")


def serve_http(source: OpenSource, *, port: int, options: ReaderOptions | None = None, log_level: LogLevel) -> None:
    """Serve any number of clients over streamable HTTP on this machine, until interrupted.

    Stateless, and as event streams: a JSON response would drop progress.
    """
    server = build_server(source, options=options, log_level=log_level)
    sys.stderr.write(f"llx-mcp: MCP over streamable HTTP at http://{_HOST}:{port}/mcp (this machine only)\n")
    anyio.run(lambda: server.run_streamable_http_async(host=_HOST, port=port, stateless_http=True))
