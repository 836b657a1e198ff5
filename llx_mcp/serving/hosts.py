"""The check of `Host` and `Origin`, on every address.

A page of the web can make its own host name point to this server (DNS rebinding). The browser then sends that name.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from llx_mcp.serving.refusals import Refusal, RefusedError

_DEFAULT_PORTS = {"http": 80, "https": 443}


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
            message = "This server does not answer for this host. Its operator can add it: LLX_MCP_HTTP_ALLOWED_HOSTS."
            raise RefusedError(Refusal(421, "unknown_host", message))
        if not all(self._accepts_origin(origin) for origin in headers.getlist("origin")):
            message = "Pages of this origin are not accepted. The operator can add it: LLX_MCP_HTTP_ALLOWED_HOSTS."
            raise RefusedError(Refusal(403, "unknown_origin", message))

    def _accepts(self, name: str, port: str, default_port: int = 80) -> bool:
        return (name, "") in self._hosts or (name, port or str(default_port)) in self._hosts

    def _accepts_origin(self, origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        return scheme in _DEFAULT_PORTS and self._accepts(*_split_host(host), _DEFAULT_PORTS[scheme])


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
