"""Runs the server over streamable HTTP until a signal stops it."""

import errno
import gc
import logging
import signal
import socket
import sys
import time
from functools import partial
from types import FrameType
from typing import Any, cast

import anyio

from llx_mcp.errors import ConfigurationError
from llx_mcp.redaction import RedactingFilter
from llx_mcp.serving.app import HttpApp, HttpOptions
from llx_mcp.serving.logs import hide_documents
from llx_mcp.serving.metrics_server import open_metrics_listener, serve_metrics
from llx_mcp.serving.modes import check_exposure
from llx_mcp.serving.settings import HttpSettings, bracket_host

# For connections that are still open once all calls have been answered.
_CLOSE_SECONDS = 3
_BACKLOG = 2048
# A signal is often sent twice at once: to all processes of a terminal, and by the one that started this one.
_SAME_SIGNAL_SECONDS = 1.0

_log = logging.getLogger("llx_mcp.serving")


def serve_http(settings: HttpSettings, options: HttpOptions) -> None:
    """Serve any number of clients over streamable HTTP, until a signal stops the server.

    The transport is stateless and answers with event streams: a JSON response would drop progress.

    Raises:
        ConfigurationError: a setting is missing, or the address would be open to anyone.
        OSError: the port cannot be used.
    """
    check_exposure(settings)
    # Before anything is said: the port may be in use.
    with (
        open_listener(settings.host, settings.port) as listener,
        open_metrics_listener(settings) as metrics_listener,
    ):
        port = listener.getsockname()[1]
        app = HttpApp(settings, options, port)
        hide_documents()
        for handler in logging.getLogger().handlers:
            handler.addFilter(RedactingFilter(app.redactor))
        announce = _log_always if options.service.log_format == "json" else _print
        url = f"http://{bracket_host(settings.host)}:{port}{settings.path}"
        announce(f"MCP over streamable HTTP at {url} ({_describe_access(settings)})")
        if metrics_listener is not None:
            metrics_port = metrics_listener.getsockname()[1]
            announce(f"metrics at http://{bracket_host(settings.metrics_host)}:{metrics_port}/metrics")
        # Objects of the start-up are never freed.
        gc.freeze()
        gc.enable()
        stop_signal = anyio.run(run_server, app, listener, settings, options.log_level.lower(), metrics_listener)
    if stop_signal is not None:
        # The exit status says which signal it was.
        signal.raise_signal(stop_signal)


def open_listener(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        ConfigurationError: it is no address of this machine.
        OSError: the port is in use, or needs more rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Inherited by each connection. asyncio sets it only on sockets that it made itself, and without it an answer
        # in several parts can wait until the client has confirmed the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener  # noqa: TRY300 - the except clause returns no value
    except OSError as exc:
        if exc.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        reason = exc.strerror
    raise ConfigurationError(
        f"--host {host}: the server cannot listen there ({reason}). Give an address of this machine, or 127.0.0.1."
    )


async def run_server(
    app: HttpApp,
    listener: socket.socket,
    settings: HttpSettings,
    log_level: str,
    metrics_listener: socket.socket | None = None,
) -> int | None:
    """Serve on a socket until a signal, then answer what is open; return the signal. A second one ends it at once."""
    import uvicorn

    from llx_mcp.serving.connections import ConnectionLimits, LimitedProtocol

    stop_requested = anyio.Event()
    stop_signal: int | None = None
    stopped_at = 0.0

    class Server(uvicorn.Server):
        """Goes on answering after the first signal, until the open calls are answered."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            nonlocal stop_signal, stopped_at
            if stop_signal is None:
                stop_signal, stopped_at = sig, time.monotonic()
                stop_requested.set()
            elif time.monotonic() - stopped_at > _SAME_SIGNAL_SECONDS:
                self.should_exit = self.force_exit = True

    limits = ConnectionLimits(
        settings.max_connections, settings.header_seconds, settings.write_seconds, app.refusals.count
    )
    protocol = cast("type[LimitedProtocol]", partial(LimitedProtocol, limits))
    server = Server(uvicorn.Config(app, http=protocol, log_level=log_level, **_list_options(settings)))

    async def stop() -> None:
        await stop_requested.wait()
        await app.stop()
        server.should_exit = True

    async with app.run(), anyio.create_task_group() as group:
        group.start_soon(stop)
        if app.metrics is not None and metrics_listener is not None:
            group.start_soon(serve_metrics, app.metrics, metrics_listener)
        await server.serve(sockets=[listener])
        group.cancel_scope.cancel()
    return stop_signal


def _print(text: str) -> None:
    sys.stderr.write(f"llx-mcp: {text}\n")


def _log_always(text: str) -> None:
    """Log a text at the level INFO, whatever the level of the log is."""
    _log.handle(_log.makeRecord(_log.name, logging.INFO, __file__, 0, text, (), None))


def _list_options(settings: HttpSettings) -> dict[str, Any]:
    """Return the options of uvicorn."""
    return {
        "ws": "none",
        # The application runs around the server, so that its errors are raised.
        "lifespan": "off",
        # Without handlers of its own, uvicorn logs through those of the command, which redact.
        "log_config": None,
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": list(settings.trusted_proxies),
        "h11_max_incomplete_event_size": settings.max_header_bytes,
        "timeout_keep_alive": settings.keep_alive_seconds,
        "timeout_graceful_shutdown": _CLOSE_SECONDS,
        # No request inherits the context of another.
        "reset_contextvars": True,
    }


def _describe_access(settings: HttpSettings) -> str:
    if settings.auth is not None:
        return f"authentication: {settings.auth}"
    return "this machine only, without authentication: every program on it can use the server"
