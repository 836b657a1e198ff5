"""Downloads a document from the web, and from nowhere else: no address of a private network can be reached.

A model chooses the address, and what it has read may have misled it. So each host is resolved here, every one of its
addresses must be public, and the connection goes to that very address, with the certificate of the host. The same holds
for each redirect. No proxy of the environment is used, because it would resolve the host again.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin

import anyio
import httpx

from llx_mcp.errors import ArgumentError, UnreachableError, excerpt
from llx_mcp.llamacloud.transport import USER_AGENT

# Below the time for one call.
TOTAL_SECONDS = 40.0

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0
_MAX_REDIRECTS = 3
_MAX_URL_CHARS = 2_000
_HTTPS_PORT = 443
_OK = 200
# All of the public internet. The prefixes of mapped, translated (NAT64), site-local and local addresses are outside.
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            # Teredo and 6to4, which hide an IPv4 address; the relays of 6to4.
            "2001::/32", "2002::/16", "192.88.99.0/24",
            # For documentation, which not every version of Python knows.
            "3fff::/20",
            # Services of Azure for its own machines.
            "168.63.129.16/32",
        ),
    )
)  # fmt: skip

Resolve = Callable[[str], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class WebDocument:
    """A document of the web.

    Attributes:
        name: the last part of the path of its address.
        media_type: what its host says that it is, such as `application/pdf`; empty where it says nothing.
        content: its bytes.
    """

    name: str
    media_type: str
    content: bytes


async def resolve_host(host: str) -> list[str]:
    """Return all addresses of a host.

    Raises:
        OSError: it has none.
    """
    found = await anyio.getaddrinfo(host, _HTTPS_PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def download_document(
    url: str,
    max_bytes: int,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    resolve: Resolve = resolve_host,
) -> WebDocument:
    """Download a document.

    Args:
        url: an https address.
        max_bytes: the size limit of the document.
        transport: a transport to use instead of the network.
        resolve: returns the addresses of a host.

    Raises:
        ArgumentError: the address is not allowed, or leads to no document.
        UnreachableError: the host does not answer.
    """
    try:
        with anyio.fail_after(TOTAL_SECONDS):
            for _ in range(_MAX_REDIRECTS + 1):
                found = await _fetch(url, max_bytes, transport, resolve)
                if isinstance(found, WebDocument):
                    return found
                url = found
    except (httpx.HTTPError, httpx.StreamError, TimeoutError) as exc:
        reason = type(exc).__name__
    else:
        raise ArgumentError(f"url: the address is redirected more than {_MAX_REDIRECTS} times. Give the last address.")
    # Raised outside of the handler, so that it has no context: the exception of httpx holds the request.
    raise UnreachableError(
        f"url: the document cannot be downloaded ({reason}). Check the address and try again, or give document_id."
    )


async def _fetch(
    url: str, max_bytes: int, transport: httpx.AsyncBaseTransport | None, resolve: Resolve
) -> WebDocument | str:
    """Return the document at an address, or the address that it is redirected to."""
    parsed = _parse(url)
    address = await _find_public_address(parsed, resolve)
    async with (
        httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept": "*/*"},
        ) as http,
        http.stream(
            "GET",
            parsed.copy_with(host=address),
            headers={"Host": parsed.raw_host.decode("ascii")},
            extensions={"sni_hostname": parsed.raw_host.decode("ascii")},
        ) as response,
    ):
        location = response.headers.get("location")
        if response.is_redirect and location:
            return str(urljoin(url, location))
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        name = PurePosixPath(unquote(parsed.path)).name or "document"
        return WebDocument(name, media_type, await _read(response, max_bytes))


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url) if len(url) <= _MAX_URL_CHARS and url.isprintable() else None
    except (httpx.InvalidURL, ValueError):
        parsed = None
    if parsed is None or parsed.scheme != "https" or not parsed.host:
        raise ArgumentError("url: this is no https address of at most 2,000 characters. Give one that begins https://.")
    if parsed.userinfo or parsed.port not in (None, _HTTPS_PORT):
        raise ArgumentError("url: the address must have no user name, no password and no port.")
    return parsed


async def _find_public_address(url: httpx.URL, resolve: Resolve) -> str:
    host = url.raw_host.decode("ascii").strip("[]")
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        try:
            addresses = await resolve(host)
        except (OSError, UnicodeError):
            addresses = []
    if not addresses:
        raise ArgumentError(f'url: the host "{excerpt(host, 80)}" cannot be found. Check the address.')
    if not all(map(is_public, addresses)):
        raise ArgumentError(
            f'url: "{excerpt(host, 80)}" belongs to a private network, and this server opens only public addresses. '
            "Give document_id."
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet, and hides no other address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        # An address with a zone, which is always local.
        return False
    if ip.version == 6 and ip not in _GLOBAL_IPV6:
        return False
    if any(ip in network for network in _NOT_PUBLIC):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    if response.status_code != _OK:
        raise ArgumentError(
            f"url: the address answers with HTTP {response.status_code}. Check that it leads to the document itself, "
            "without a login."
        )
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ArgumentError("url: the host sends a compressed answer that was not asked for. Give document_id.")
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise ArgumentError(f"url: the document has more than {max_bytes / 1e6:g} MB. Split it.")
        chunks.append(chunk)
    if not size:
        raise ArgumentError("url: the document is empty. Check the address.")
    return b"".join(chunks)
