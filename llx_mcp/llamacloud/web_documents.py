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

from llx_mcp import __version__
from llx_mcp.errors import ArgumentError, UnreachableError, excerpt

MAX_BYTES = 100 * 1000 * 1000
# Below the time for one call.
TOTAL_SECONDS = 40.0

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0
_MAX_REDIRECTS = 3
_MAX_URL_CHARS = 2_000
_HTTPS_PORT = 443
_OK = 200
# Addresses that lead to others: an IPv4 address is hidden in them.
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
# What a name without an ending gets.
_ENDINGS = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/tiff": "tiff",
    "image/webp": "webp",
    "text/html": "html",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
}

Resolve = Callable[[str], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class WebDocument:
    """A document of the web.

    Attributes:
        name: a file name, from the address.
        content: its bytes.
    """

    name: str
    content: bytes


async def resolve_host(host: str) -> list[str]:
    """Return all addresses of a host.

    Raises:
        OSError: it has none.
    """
    found = await anyio.getaddrinfo(host, _HTTPS_PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def download_document(
    url: str, *, transport: httpx.AsyncBaseTransport | None = None, resolve: Resolve = resolve_host
) -> WebDocument:
    """Download a document.

    Args:
        url: an https address.
        transport: a transport to use instead of the network.
        resolve: returns the addresses of a host.

    Raises:
        ArgumentError: the address is not allowed, or leads to no document.
        UnreachableError: the host does not answer.
    """
    try:
        with anyio.fail_after(TOTAL_SECONDS):
            for _ in range(_MAX_REDIRECTS + 1):
                found = await _fetch(url, transport, resolve)
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


async def _fetch(url: str, transport: httpx.AsyncBaseTransport | None, resolve: Resolve) -> WebDocument | str:
    """Return the document at an address, or the address that it is redirected to."""
    parsed = _parse(url)
    address = await _find_public_address(parsed, resolve)
    async with (
        httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": f"llx-mcp/{__version__}", "Accept-Encoding": "identity", "Accept": "*/*"},
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
        return WebDocument(_choose_name(parsed, response), await _read(response))


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
    if isinstance(ip, ipaddress.IPv6Address) and (ip.ipv4_mapped or any(ip in network for network in _TRANSLATED)):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def _read(response: httpx.Response) -> bytes:
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
        if size > MAX_BYTES:
            raise ArgumentError(f"url: the document has more than {MAX_BYTES // 1_000_000} MB. Split it.")
        chunks.append(chunk)
    if not size:
        raise ArgumentError("url: the document is empty. Check the address.")
    return b"".join(chunks)


def _choose_name(url: httpx.URL, response: httpx.Response) -> str:
    name = PurePosixPath(unquote(url.path)).name or "document"
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    ending = _ENDINGS.get(kind)
    # An ending of the path such as .php says nothing of the document.
    return name if ending is None or name.lower().endswith(f".{ending}") else f"{name}.{ending}"
