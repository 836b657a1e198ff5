"""One request over HTTP: sent, read within its bounds, and each way to fail named. The only module that knows httpx."""

import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx

from llx_mcp import __version__
from llx_mcp.errors import ConfigurationError
from llx_mcp.llamacloud.error_mapping import (
    Origin,
    TransportFailure,
    failure_of_status,
    failure_of_transport,
    too_large,
)
from llx_mcp.llamacloud.retries import AttemptFailed, ahead_seconds

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
# One try altogether: a server that sends a byte a minute would never run into the read timeout.
ATTEMPT_SECONDS = 300.0

_ERROR_BODY_BYTES = 64 * 1024
_OK = 200
# What a chunk can grow to must be bounded before it has grown: some 1,000 times for one of these, without end for
# several on top of each other or for Brotli, which httpx would decode where its library happens to be installed.
_CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")

# The first that fits is meant: subclasses go before their base.
_LOSSES: tuple[tuple[type[Exception], TransportFailure], ...] = (
    (httpx.ConnectTimeout, TransportFailure.CONNECT_TIMEOUT),
    (httpx.ReadTimeout, TransportFailure.READ_TIMEOUT),
    (httpx.WriteTimeout, TransportFailure.WRITE_TIMEOUT),
    (httpx.PoolTimeout, TransportFailure.POOL_TIMEOUT),
    (httpx.TimeoutException, TransportFailure.READ_TIMEOUT),
    (TimeoutError, TransportFailure.TOO_SLOW),
    (httpx.ConnectError, TransportFailure.NO_CONNECTION),
    (httpx.WriteError, TransportFailure.BROKE_WRITING),
    (httpx.NetworkError, TransportFailure.BROKE_READING),
    (httpx.RemoteProtocolError, TransportFailure.NOT_HTTP),
    (httpx.ProxyError, TransportFailure.PROXY),
    (httpx.DecodingError, TransportFailure.NOT_DECODED),
    (httpx.InvalidURL, TransportFailure.ADDRESS),
    (httpx.UnsupportedProtocol, TransportFailure.ADDRESS),
)

# httpcore repeats the headers of an answer in its DEBUG log, and an answer may repeat the key.
logging.getLogger("httpcore").setLevel(logging.INFO)

_log = logging.getLogger("llx_mcp.llamacloud")


class Connection:
    """What carries requests: one pool of connections. Whoever opened it closes it."""

    def __init__(self, http: httpx.AsyncClient, max_body_bytes: int) -> None:
        self._http = http
        self._max_body_bytes = max_body_bytes
        self._clock_offset_seconds = 0.0

    @property
    def clock_offset_seconds(self) -> float:
        """How far the service's clock is ahead of this machine's, from the `Date` of its latest answer; 0 without."""
        return self._clock_offset_seconds

    async def try_get(self, url: str, origin: Origin, tries: int, *, with_key: bool = True) -> bytes:
        """The body of a 200, from one try.

        Args:
            url: the whole address.
            origin: what the request is about; its key is sent.
            tries: which try this is, from 1.
            with_key: send the key. A signed address needs none, and leads to another host.

        Raises:
            AttemptFailed: no such body came; it says why, and whether another try may help.
        """
        # Headers that hide the credential in their repr, for tracebacks that show variables.
        headers = httpx.Headers({"Authorization": f"Bearer {origin.key.value}"} if with_key else {})
        shown = origin.key.redact(url) if with_key else url.partition("?")[0]
        failed: AttemptFailed
        try:
            with anyio.fail_after(ATTEMPT_SECONDS):
                async with self._http.stream("GET", url, headers=headers) as response:
                    _log.debug("GET %s: HTTP %d (try %d)", shown, response.status_code, tries)
                    self._note_date(response)
                    _check_coding(response, origin, tries)
                    if response.status_code == _OK:
                        return await self._read_whole(response, origin)
                    body = await _read_start(response)
                    failed = failure_of_status(response.status_code, response.headers, body, origin, tries)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as exc:
            loss = name_transport_failure(exc)
            _log.debug("GET %s: %s (try %d)", shown, loss.name, tries)
            failed = failure_of_transport(loss, origin, tries)
        raise failed

    def _note_date(self, response: httpx.Response) -> None:
        offset = ahead_seconds(response.headers, datetime.now(UTC))
        if offset is not None:
            self._clock_offset_seconds = offset

    async def _read_whole(self, response: httpx.Response, origin: Origin) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self._max_body_bytes:
                raise AttemptFailed(too_large(self._max_body_bytes, origin), is_retryable=False)
            chunks.append(chunk)
        return b"".join(chunks)


@asynccontextmanager
async def open_connection(
    max_body_bytes: int, *, app: Any, transport: httpx.AsyncBaseTransport | None
) -> AsyncIterator[Connection]:
    """A pool of connections, closed at the end.

    Raises:
        ConfigurationError: a proxy or certificate setting of the environment cannot be used.
    """
    async with _build_http(httpx.ASGITransport(app) if app is not None else transport) as http:
        yield Connection(http, max_body_bytes)


def _build_http(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": f"llx-mcp/{__version__}",
            },
            # A redirect could carry the key elsewhere.
            follow_redirects=False,
            # HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are honoured, as people behind a company's proxy need. ~/.netrc is
            # not: httpx reads it only for an explicit NetRCAuth, and the Authorization of each request is set here.
            trust_env=True,
        )
    except (ValueError, httpx.InvalidURL, OSError, ImportError) as exc:
        # Its text may hold the proxy's password.
        words = f"A connection cannot be set up with the environment as it is ({type(exc).__name__}). "
        words += "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY (http:// or https:// addresses; SOCKS needs the package "
        words += "socksio), and SSL_CERT_FILE and SSL_CERT_DIR, which must name readable certificates."
    raise ConfigurationError(words)


def name_transport_failure(exc: Exception) -> TransportFailure:
    """Which way to fail an exception stands for. Its own text is never used: it may hold the request."""
    loss = next((loss for kind, loss in _LOSSES if isinstance(exc, kind)), TransportFailure.NOT_MADE)
    return _name_connect_loss(exc) if loss is TransportFailure.NO_CONNECTION else loss


def _name_connect_loss(exc: BaseException) -> TransportFailure:
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLError):
            return TransportFailure.TLS
        if isinstance(cause, socket.gaierror):
            return TransportFailure.NAME_UNKNOWN
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return TransportFailure.REFUSED
    return TransportFailure.NO_CONNECTION


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """An exception and all beneath it: a failed connection is a group, an address each."""
    while exc is not None:
        yield exc
        if isinstance(exc, BaseExceptionGroup):
            for member in exc.exceptions:
                yield from _causes(member)
        exc = exc.__cause__ or exc.__context__


def _check_coding(response: httpx.Response, origin: Origin, tries: int) -> None:
    if response.headers.get("content-encoding", "").strip().lower() not in _CODINGS:
        raise failure_of_transport(TransportFailure.NOT_DECODED, origin, tries)


async def _read_start(response: httpx.Response) -> bytes:
    """The beginning of an error's body; the status counts even where the body breaks off."""
    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk[:_ERROR_BODY_BYTES]
            if len(body) >= _ERROR_BODY_BYTES:
                break
    except (httpx.HTTPError, httpx.StreamError):
        pass
    return body
