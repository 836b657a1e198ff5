"""Sends one request over HTTP, reads a bounded response and names each failure."""

import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, BinaryIO

import anyio
import httpx

from llx_mcp import __version__
from llx_mcp.errors import ConfigurationError
from llx_mcp.llamacloud.error_mapping import (
    TransportFailure,
    map_large_body,
    map_status,
    map_transport_failure,
)
from llx_mcp.llamacloud.request_context import RequestContext
from llx_mcp.llamacloud.retries import AttemptFailed, parse_clock_offset
from llx_mcp.observation import observe

USER_AGENT = f"llx-mcp/{__version__}"
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
# At once: for one key, and for all keys of a server.
MAX_CONNECTIONS = 100
SHARED_CONNECTIONS = 1_000
# For a whole attempt: a server that sends a byte a minute would never exceed the read timeout.
ATTEMPT_SECONDS = 300.0

_ERROR_BODY_BYTES = 64 * 1024
_OK = 200
# What a request that changes something is answered with: the service creates a file with 201 and deletes with 204.
_DONE = frozenset({200, 201, 204})
# Decompression must be bounded before it happens. One of these codings expands a chunk at most some 1,000 times.
# Stacked codings have no bound, and neither has Brotli, which httpx decodes where its library is installed.
_ALLOWED_CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")

# The first match counts, so subclasses precede their base class.
_FAILURES: tuple[tuple[type[Exception], TransportFailure], ...] = (
    (httpx.ConnectTimeout, TransportFailure.CONNECT_TIMEOUT),
    (httpx.ReadTimeout, TransportFailure.READ_TIMEOUT),
    (httpx.WriteTimeout, TransportFailure.WRITE_TIMEOUT),
    (httpx.PoolTimeout, TransportFailure.POOL_TIMEOUT),
    (httpx.TimeoutException, TransportFailure.READ_TIMEOUT),
    (TimeoutError, TransportFailure.ATTEMPT_TIMEOUT),
    (httpx.ConnectError, TransportFailure.CONNECT_ERROR),
    (httpx.WriteError, TransportFailure.WRITE_ERROR),
    (httpx.NetworkError, TransportFailure.READ_ERROR),
    (httpx.RemoteProtocolError, TransportFailure.PROTOCOL_ERROR),
    (httpx.ProxyError, TransportFailure.PROXY_ERROR),
    (httpx.DecodingError, TransportFailure.DECODING_ERROR),
    (httpx.InvalidURL, TransportFailure.INVALID_URL),
    (httpx.UnsupportedProtocol, TransportFailure.INVALID_URL),
)

_log = logging.getLogger("llx_mcp.llamacloud")


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a request.

    Attributes:
        json: a JSON body; None for a form or for no body.
        fields: the text fields of a form.
        file: the file of a form, which is read from its start in chunks.
        file_name: the name of the file.
    """

    json: bytes | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    file: BinaryIO | None = None
    file_name: str = ""


_NO_PAYLOAD = Payload()


class Connection:
    """Sends requests through one pool of connections, which its opener closes.

    Attributes:
        web_transport: a transport for documents of the web, instead of the network.
    """

    def __init__(
        self, http: httpx.AsyncClient, max_body_bytes: int, web_transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.web_transport = web_transport
        self._http = http
        self._max_body_bytes = max_body_bytes
        self._clock_offset_seconds = 0.0

    @property
    def clock_offset_seconds(self) -> float:
        """Seconds that the service's clock is ahead of this machine's, from its latest `Date` header; else 0."""
        return self._clock_offset_seconds

    async def fetch_once(
        self,
        url: str,
        context: RequestContext,
        attempt: int,
        *,
        with_key: bool = True,
        max_bytes: int | None = None,
    ) -> bytes:
        """Send a GET once and return the body of a 200.

        Args:
            url: the whole address.
            context: what the request is about, and the key to send.
            attempt: the number of this attempt, from 1.
            with_key: whether to send the key. A signed URL needs none and may lead to another host.
            max_bytes: the size limit of the body, where it is below that of the connection.

        Raises:
            AttemptFailed: there is no such body; the exception says why, and whether to try again.
        """
        return await self.send_once("GET", url, context, attempt, with_key=with_key, max_bytes=max_bytes)

    async def send_once(
        self,
        method: str,
        url: str,
        context: RequestContext,
        attempt: int,
        *,
        payload: Payload = _NO_PAYLOAD,
        with_key: bool = True,
        max_bytes: int | None = None,
    ) -> bytes:
        """Send a request once and return the body of a successful response.

        Args:
            method: the HTTP method.
            url: the whole address.
            context: what the request is about, and the key to send.
            attempt: the number of this attempt, from 1.
            payload: the body of the request.
            with_key: whether to send the key. A signed URL needs none and may lead to another host.
            max_bytes: the size limit of the body of the response, where it is below that of the connection.

        Raises:
            AttemptFailed: there is no such body; the exception says why, and whether to try again.
        """
        # httpx.Headers hides the credential in its repr, for tracebacks that show variables.
        headers = httpx.Headers({"Authorization": f"Bearer {context.key.value}"} if with_key else {})
        if payload.json is not None:
            headers["Content-Type"] = "application/json"
        log_url = url if with_key else url.partition("?")[0]
        failed: AttemptFailed
        try:
            with anyio.fail_after(ATTEMPT_SECONDS):
                async with self._http.stream(method, url, headers=headers, **_build_body(payload)) as response:
                    _log.debug("%s %s: HTTP %d (try %d)", method, log_url, response.status_code, attempt)
                    return await self._read_response(response, context, attempt, max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as exc:
            failure = name_transport_failure(exc)
            _log.debug("%s %s: %s (try %d)", method, log_url, failure.name, attempt)
            failed = map_transport_failure(failure, context, attempt)
        # Raised outside of the handler, so that it has no context: the exception of httpx holds the request.
        raise failed

    async def _read_response(
        self, response: httpx.Response, context: RequestContext, attempt: int, max_bytes: int | None
    ) -> bytes:
        self._update_clock_offset(response)
        _check_coding(response, context, attempt)
        is_get = response.request.method == "GET"
        if response.status_code == _OK or (not is_get and response.status_code in _DONE):
            return await self._read_body(
                response, context, min(max_bytes or self._max_body_bytes, self._max_body_bytes)
            )
        body = await _read_error_body(response)
        raise map_status(response.status_code, response.headers, body, context, attempt)

    def _update_clock_offset(self, response: httpx.Response) -> None:
        offset = parse_clock_offset(response.headers, datetime.now(UTC))
        if offset is not None:
            self._clock_offset_seconds = offset

    async def _read_body(self, response: httpx.Response, context: RequestContext, max_bytes: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > max_bytes:
                raise AttemptFailed(map_large_body(max_bytes, context), is_retryable=False)
            chunks.append(chunk)
        return b"".join(chunks)


def _build_body(payload: Payload) -> dict[str, Any]:
    if payload.file is not None:
        return {"data": dict(payload.fields), "files": {"file": (payload.file_name, payload.file)}}
    return {} if payload.json is None else {"content": payload.json}


class _ObservedClient(httpx.AsyncClient):
    """Reports each request to the observers, until the headers of its response are there."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        with observe("upstream_request", method=request.method) as step:
            try:
                response = await super().send(request, **options)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
                step.outcome = name_transport_failure(exc).name.lower()
                raise
            step.outcome = str(response.status_code)
            return response


@asynccontextmanager
async def open_connection(
    max_body_bytes: int,
    *,
    app: Any,
    transport: httpx.AsyncBaseTransport | None,
    max_connections: int = MAX_CONNECTIONS,
) -> AsyncIterator[Connection]:
    """Open a pool of connections, and close it at the end.

    Args:
        max_body_bytes: the size limit of a response.
        app: an ASGI application to call instead of the network.
        transport: a transport to use instead of the network.
        max_connections: the most connections at once.

    Raises:
        ConfigurationError: a proxy or certificate setting in the environment is not valid.
    """
    async with _build_http(httpx.ASGITransport(app) if app is not None else transport, max_connections) as http:
        yield Connection(http, max_body_bytes, transport)


def _build_http(transport: httpx.AsyncBaseTransport | None, max_connections: int) -> httpx.AsyncClient:
    try:
        return _ObservedClient(
            transport=transport,
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections // 5),
            # No cookie is stored: one that came with the response to one key must not go out with another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": USER_AGENT,
            },
            # A redirect could carry the key elsewhere.
            follow_redirects=False,
            # Honours HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE, for users behind a company's proxy. httpx reads ~/.netrc
            # only for an explicit NetRCAuth, and each request sets its own Authorization header.
            trust_env=True,
        )
    except (ValueError, httpx.InvalidURL, OSError, ImportError) as exc:
        # The exception's text may hold the proxy's password, so it is not used.
        text = (
            f"The proxy or certificate settings of the environment are not valid ({type(exc).__name__}). Check "
            "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY (http:// or https:// addresses; SOCKS needs the package socksio), "
            "and SSL_CERT_FILE and SSL_CERT_DIR, which must name readable certificates."
        )
    raise ConfigurationError(text)


def name_transport_failure(exc: Exception) -> TransportFailure:
    """Return the failure that an exception stands for. Its text is never used, since it may hold the request."""
    failure = next((failure for kind, failure in _FAILURES if isinstance(exc, kind)), TransportFailure.REQUEST_ERROR)
    return _name_connect_failure(exc) if failure is TransportFailure.CONNECT_ERROR else failure


def _name_connect_failure(exc: BaseException) -> TransportFailure:
    for cause in _iterate_causes(exc):
        if isinstance(cause, ssl.SSLError):
            return TransportFailure.TLS_ERROR
        if isinstance(cause, socket.gaierror):
            return TransportFailure.NAME_NOT_RESOLVED
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return TransportFailure.CONNECTION_REFUSED
    return TransportFailure.CONNECT_ERROR


def _iterate_causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes. A failed connection is a group, with one member per address."""
    while exc is not None:
        yield exc
        if isinstance(exc, BaseExceptionGroup):
            for member in exc.exceptions:
                yield from _iterate_causes(member)
        exc = exc.__cause__ or exc.__context__


def _check_coding(response: httpx.Response, context: RequestContext, attempt: int) -> None:
    if response.headers.get("content-encoding", "").strip().lower() not in _ALLOWED_CODINGS:
        raise map_transport_failure(TransportFailure.DECODING_ERROR, context, attempt)


async def _read_error_body(response: httpx.Response) -> bytes:
    """Read the beginning of an error's body. If the body breaks off, the part that arrived is returned."""
    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk[:_ERROR_BODY_BYTES]
            if len(body) >= _ERROR_BODY_BYTES:
                break
    except (httpx.HTTPError, httpx.StreamError):
        pass
    return body
