"""Serves the metrics on an address of their own, where no caller comes."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llx_mcp.errors import ConfigurationError, MissingExtraError
from llx_mcp.serving.settings import HttpSettings

if TYPE_CHECKING:
    from llx_mcp.serving.metrics import Metrics

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BACKLOG = 16


def build_metrics(settings: HttpSettings) -> "Metrics | None":
    """Return what counts, if the settings ask for metrics.

    Raises:
        MissingExtraError: the library is not installed.
    """
    if settings.metrics_port is None:
        return None
    try:
        from llx_mcp.serving.metrics import Metrics
    except ImportError:
        raise MissingExtraError("--metrics-port", "metrics") from None
    return Metrics()


@contextmanager
def open_metrics_listener(settings: HttpSettings) -> Iterator[socket.socket | None]:
    """Listen on the address of the metrics; yields None if the settings ask for none.

    Raises:
        ConfigurationError: the address cannot be used.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if port is None:
        yield None
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        flag = f"--metrics-port {port}" if exc.errno in (errno.EADDRINUSE, errno.EACCES) else f"--metrics-host {host}"
        reason = exc.strerror
    else:
        with listener:
            yield listener
        return
    raise ConfigurationError(f"{flag}: metrics cannot be served there ({reason}). Choose another.")


async def serve_metrics(metrics: "Metrics", listener: socket.socket) -> None:
    """Serve `/metrics` on a socket, and measure the delay of the event loop, until cancelled."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Quiet(H11Protocol):
        """Does not log requests: they come every few seconds."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.access_log = False

    class Server(uvicorn.Server):
        """Leaves the signals to the server of the callers."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    async def answer(_: Request) -> Response:
        return Response(metrics.render(), headers={"content-type": _CONTENT_TYPE, "cache-control": "no-store"})

    app = Starlette(routes=[Route("/metrics", answer)])
    options = uvicorn.Config(app, http=Quiet, log_config=None, lifespan="off", server_header=False, ws="none")
    async with anyio.create_task_group() as group:
        group.start_soon(metrics.measure_loop_delay)
        await Server(options).serve(sockets=[listener])
