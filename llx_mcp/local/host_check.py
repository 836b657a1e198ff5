"""The checks of a request before its route is found: `Host`, `Origin` and the query.

They keep the pages of the web from reaching the embedded API through a browser.
A page can make its own host name point to 127.0.0.1 (DNS rebinding). The browser then sends that name as `Host`.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORT = 80


def list_loopback_hosts(port: int) -> list[str]:
    """Return the values of `Host` that clients on this machine send to a port."""
    hosts = [f"{name}:{port}" for name in _LOOPBACK_NAMES]
    return hosts + list(_LOOPBACK_NAMES) if port == _DEFAULT_PORT else hosts


class HostCheckMiddleware:
    """Refuses requests whose `Host` or `Origin` is not allowed, or whose query is not percent-encoded.

    The statuses are those of the MCP endpoint: 421 for the host, 403 for the origin.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] | None) -> None:
        """Wrap an application.

        Args:
            app: The application.
            allowed_hosts: The allowed values of `Host`, each with its port. Pages of these hosts are allowed as
                `Origin`. None allows all.
        """
        self._app = app
        self._hosts = None if allowed_hosts is None else frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refusal = None
        if scope["type"] == "http":
            refusal = self._check(Headers(scope=scope))
            # Redirects and routes decode the query, and would fail.
            if refusal is None and not scope["query_string"].isascii():
                refusal = JSONResponse({"detail": "The query is not percent-encoded"}, 400)
        await (refusal or self._app)(scope, receive, send)

    def _check(self, headers: Headers) -> Response | None:
        if self._hosts is None:
            return None
        hosts = {host.lower() for host in headers.getlist("host")}
        if not hosts or not hosts <= self._hosts:
            detail = "This host is not allowed: use 127.0.0.1, or start the server with --allowed-host NAME:PORT"
            return JSONResponse({"detail": detail}, 421)
        origins = {origin.partition("://")[2].lower() for origin in headers.getlist("origin")}
        if not origins <= self._hosts:
            detail = "Pages of this origin are not allowed: start the server with --allowed-host NAME:PORT"
            return JSONResponse({"detail": detail}, 403)
        return None
