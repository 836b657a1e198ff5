"""The check of `Host` and `Origin`, on every address.

A page of the web can make its own host name point to this server (DNS rebinding). The browser then sends that name.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from llx_mcp.serving.refusals import Refusal, RefusedError

_DEFAULT_PORTS = {"http": 80, "https": 443}
# As long as the name of a host can be, with its port.
_MAX_SHOWN_CHARS = 260
_ADVICE = "The operator can add it to LLX_MCP_HTTP_ALLOWED_HOSTS."


class HostCheck:
    """Accepts requests to known hosts, from pages of these hosts or from no page."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """Accept these hosts. An entry without a port accepts every port."""
        self._hosts = frozenset(_split_host(host) for host in hosts)

    def check(self, headers: Headers) -> None:
        """Check the headers of a request.

        Raises:
            RefusedError: the host or the origin is not accepted.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._accepts(*_split_host(hosts[0])):
            given = f"the host {_show(hosts[0])}" if len(hosts) == 1 else f"a request with {len(hosts)} headers Host"
            message = f"This server does not answer for {given}. {_ADVICE} A proxy must pass on the Host of the client."
            raise RefusedError(Refusal(421, "unknown_host", message))
        for origin in headers.getlist("origin"):
            if not self._accepts_origin(origin):
                message = f"Pages of the origin {_show(origin)} are not accepted. {_ADVICE}"
                raise RefusedError(Refusal(403, "unknown_origin", message))

    def _accepts(self, name: str, port: str, default_port: int = 80) -> bool:
        return (name, "") in self._hosts or (name, port or str(default_port)) in self._hosts

    def _accepts_origin(self, origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        return scheme in _DEFAULT_PORTS and self._accepts(*_split_host(host), _DEFAULT_PORTS[scheme])


def _show(text: str) -> str:
    """Return what a client sent, for the answer to this client."""
    return f'"{text[:_MAX_SHOWN_CHARS]}"'


def _split_host(host: str) -> tuple[str, str]:
    """Return the name and the port of a host; no name for one that is not valid."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return "", ""
    if parts.username is not None or parts.path or parts.query or parts.fragment or not parts.hostname:
        return "", ""
    return parts.hostname.lower(), "" if port is None else str(port)
