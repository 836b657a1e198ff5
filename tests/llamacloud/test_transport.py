"""Broken, wrong and endless responses on real sockets, and every exception of httpx."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import zlib
from pathlib import Path

import anyio
import httpx
import pytest

from llx_mcp.errors import BadResponseError, ConfigurationError, NotFoundError, UnreachableError
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.error_mapping import TransportFailure
from llx_mcp.llamacloud.transport import name_transport_failure
from tests.jobs.virtual_time import virtual
from tests.llamacloud.service import (
    JOB_BODY,
    KEY,
    answer,
    failure,
    failure_over_socket,
    fetch,
    loopback,
    send,
    send_job,
    settings_with,
)

MIB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\n"


def all_subclasses(kind: type[Exception]) -> list[type[Exception]]:
    """A class and all its subclasses."""
    return [kind, *(below for child in kind.__subclasses__() for below in all_subclasses(child))]


def build_exception(kind: type[Exception]) -> Exception:
    """An exception of httpx whose request holds the key."""
    request = httpx.Request("GET", "https://host/", headers={"Authorization": f"Bearer {KEY}"})
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError(KEY, request=request, response=httpx.Response(500, request=request))
    if issubclass(kind, httpx.RequestError):
        return kind(KEY, request=request)
    has_own_words = kind in (httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead)
    return kind() if has_own_words else kind(KEY)


FOREIGN = [*all_subclasses(httpx.HTTPError), httpx.InvalidURL, *all_subclasses(httpx.StreamError), TimeoutError]


@pytest.mark.parametrize("kind", FOREIGN)
async def test_each_httpx_exception_is_mapped(kind: type[Exception]) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise build_exception(kind)

    error = await failure(handler)
    assert isinstance(error, UnreachableError | BadResponseError | ConfigurationError)
    assert "api.cloud.llamaindex.ai" in str(error)


@pytest.mark.parametrize("kind", FOREIGN)
async def test_each_httpx_exception_while_reading_a_body_is_mapped(kind: type[Exception]) -> None:
    class Breaking(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield b"{"
            raise build_exception(kind)

    error = await failure(lambda _: httpx.Response(200, stream=Breaking()))
    assert isinstance(error, UnreachableError | BadResponseError | ConfigurationError)


@pytest.mark.parametrize(
    ("kind", "failure_name"),
    [
        (httpx.ConnectTimeout, TransportFailure.CONNECT_TIMEOUT),
        (httpx.ReadTimeout, TransportFailure.READ_TIMEOUT),
        (httpx.WriteTimeout, TransportFailure.WRITE_TIMEOUT),
        (httpx.PoolTimeout, TransportFailure.POOL_TIMEOUT),
        (TimeoutError, TransportFailure.ATTEMPT_TIMEOUT),
        (httpx.ConnectError, TransportFailure.CONNECT_ERROR),
        (httpx.ReadError, TransportFailure.READ_ERROR),
        (httpx.CloseError, TransportFailure.READ_ERROR),
        (httpx.WriteError, TransportFailure.WRITE_ERROR),
        (httpx.RemoteProtocolError, TransportFailure.PROTOCOL_ERROR),
        (httpx.LocalProtocolError, TransportFailure.REQUEST_ERROR),
        (httpx.ProxyError, TransportFailure.PROXY_ERROR),
        (httpx.DecodingError, TransportFailure.DECODING_ERROR),
        (httpx.InvalidURL, TransportFailure.INVALID_URL),
        (httpx.UnsupportedProtocol, TransportFailure.INVALID_URL),
        (httpx.StreamClosed, TransportFailure.REQUEST_ERROR),
    ],
)
def test_httpx_exception_has_a_failure_name(kind: type[Exception], failure_name: TransportFailure) -> None:
    assert name_transport_failure(build_exception(kind)) is failure_name


@pytest.mark.parametrize(
    ("cause", "failure_name"),
    [
        (ssl.SSLCertVerificationError("certificate verify failed"), TransportFailure.TLS_ERROR),
        (socket.gaierror(-2, "Name or service not known"), TransportFailure.NAME_NOT_RESOLVED),
        (ConnectionRefusedError(111, "refused"), TransportFailure.CONNECTION_REFUSED),
        (
            ExceptionGroup("both", [OSError(101, "unreachable"), ConnectionRefusedError(111, "refused")]),
            TransportFailure.CONNECTION_REFUSED,
        ),
        (OSError(101, "unreachable"), TransportFailure.CONNECT_ERROR),
    ],
)
def test_cause_of_a_connect_error_is_found(cause: Exception, failure_name: TransportFailure) -> None:
    exc, between = httpx.ConnectError("x"), OSError("All connection attempts failed")
    exc.__cause__, between.__cause__ = between, cause
    assert name_transport_failure(exc) is failure_name


async def test_closed_port_is_reported_as_refused() -> None:
    async with loopback(send_job()) as url:
        pass
    async with open_client(settings_with(base_url_override=url)) as client:
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:\d+.*refused the connection.*Tried 6 times"):
            await client.fetch_job("ext-1")


async def test_unresolved_host_name_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    async with open_client(settings_with(base_url_override="https://nowhere.invalid")) as client:
        with pytest.raises(UnreachableError, match=r"The host name nowhere\.invalid cannot be resolved\. .* Check"):
            await client.fetch_job("ext-1")


async def test_tls_failure_is_reported_and_not_retried() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    error = await failure_over_socket(serve, scheme="https")
    assert isinstance(error, UnreachableError)
    assert "TLS" in str(error)
    assert "certificate" in str(error)
    assert not error.is_transient
    assert connections == 1


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (send(OK + b"Content-Length: 9000", JOB_BODY), "closed the connection before its response was complete"),
        (
            send(OK + b"Transfer-Encoding: chunked", b"20\r\n{"),
            "closed the connection before its response was complete",
        ),
        (send(OK + b"Transfer-Encoding: chunked", b"zz\r\n{"), "its response is not HTTP"),
        (send(b"", b"SSH-2.0-OpenSSH_9.6\r\n"), "its response is not HTTP"),
        (send(b"", b""), "closed the connection"),
        (send(OK + b"X: %s" % (b"x" * 200_000)), "its response is not HTTP"),
    ],
    ids=["length too long", "chunk cut", "no chunk", "not HTTP", "nothing", "endless header"],
)
async def test_broken_response_is_reported(serve: object, words: str) -> None:
    error = await failure_over_socket(serve)  # type: ignore[arg-type]
    assert isinstance(error, UnreachableError)
    assert words in str(error)
    assert "Tried 6 times. Try again later." in str(error)
    assert error.is_transient


async def test_content_length_that_is_too_short_is_reported_as_cut_off() -> None:
    error = await failure_over_socket(send(OK + b"Content-Length: 10", JOB_BODY))
    assert isinstance(error, BadResponseError)
    assert "was cut off after 10 bytes" in str(error)


async def test_status_counts_when_an_error_body_breaks_off() -> None:
    error = await failure_over_socket(send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9000", b"Not F"))
    assert isinstance(error, NotFoundError)
    assert str(error).endswith('The service says: "Not F"')


async def test_huge_error_body_is_read_only_at_its_beginning() -> None:
    num_chunks = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            nonlocal num_chunks
            while num_chunks < 1_000:
                num_chunks += 1
                yield b"no such job here" * 64

    error = await failure(lambda _: httpx.Response(404, stream=Endless()))
    assert isinstance(error, NotFoundError)
    assert 'The service says: "no such job here' in str(error)
    assert len(str(error)) < 500
    # 64 KiB.
    assert num_chunks == 64


async def test_undecodable_body_is_fetched_again() -> None:
    bodies = iter([b"not gzip", b"not gzip", gzip.compress(JOB_BODY)])

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Bytes(next(bodies)), headers={"content-encoding": "gzip"})

    assert (await fetch(handler)).id == "ext-1"
    assert next(bodies, None) is None


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_size_limit_applies_to_the_decompressed_stream(framing: str) -> None:
    head = b"Content-Length: 999999999" if framing == "length" else b"Transfer-Encoding: chunked"
    blanks = b" " * (256 * 1024)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Encoding: gzip\r\n%s\r\n\r\n" % head)
        compressor = zlib.compressobj(wbits=31)
        # The response never ends: the client must close the connection.
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                piece = compressor.compress(blanks) + compressor.flush(zlib.Z_SYNC_FLUSH)
                writer.write(piece if framing == "length" else b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    error = await failure_over_socket(serve, max_body_bytes=2 * MIB)
    assert isinstance(error, BadResponseError)
    assert str(error) == (
        'Job "ext-1" is larger than 2.0 MiB, the limit of this server. Retrying does not help. To read it, raise '
        "LLX_MCP_MAX_BODY_BYTES."
    )
    assert not error.is_transient


async def test_size_limit_is_exact() -> None:
    body = JOB_BODY + b" " * (2_048 - len(JOB_BODY))
    assert (await fetch(answer(200, body), settings=settings_with(max_body_bytes=2_048))).id == "ext-1"
    error = await failure(answer(200, body + b" "), settings=settings_with(max_body_bytes=2_048))
    assert "is larger than" in str(error)


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "compress"])
@pytest.mark.parametrize("status", [200, 500])
async def test_stacked_and_unknown_codings_are_refused(status: int, coding: str) -> None:
    bomb = gzip.compress(gzip.compress(b" " * MIB))
    error = await failure(lambda _: httpx.Response(status, stream=Bytes(bomb), headers={"content-encoding": coding}))
    assert isinstance(error, BadResponseError)
    assert "could not be decompressed" in str(error)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(JOB_BODY)),
        ("GZIP", gzip.compress(JOB_BODY)),
        ("deflate", zlib.compress(JOB_BODY)),
        ("identity", JOB_BODY),
    ],
    # The bytes of gzip hold the time, which must not be part of a test's id.
    ids=["gzip", "upper case", "deflate", "identity"],
)
async def test_accepted_codings_are_decoded(coding: str, body: bytes) -> None:
    job = await fetch(lambda _: httpx.Response(200, stream=Bytes(body), headers={"content-encoding": coding}))
    assert job.id == "ext-1"


async def test_invalid_gzip_is_reported() -> None:
    error = await failure_over_socket(send(OK + b"Content-Encoding: gzip\r\nContent-Length: 5", b"hello"))
    assert isinstance(error, BadResponseError)
    assert "could not be decompressed" in str(error)


async def test_redirect_is_not_followed() -> None:
    hosts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    await failure(handler)
    assert hosts == ["api.cloud.llamaindex.ai"]


async def test_proxy_from_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []
    async with loopback(send_job(lines=heads)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with open_client(settings_with(base_url_override="http://127.0.0.1:9")) as client:
            assert (await client.fetch_job("ext-1")).id == "ext-1"
    assert heads[0].startswith(b"GET http://127.0.0.1:9/api/v2/extract/ext-1 HTTP/1.1\r\n")


async def test_netrc_credentials_are_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / ".netrc"
    path.write_text("machine 127.0.0.1 login someone password else\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    heads: list[bytes] = []
    async with loopback(send_job(lines=heads)) as url, open_client(settings_with(base_url_override=url)) as client:
        await client.fetch_job("ext-1")
    sent = [line for line in heads[0].split(b"\r\n") if line.lower().startswith(b"authorization:")]
    assert sent == [b"Authorization: Bearer " + KEY.encode()]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "ftp://someone:secret@proxy"),
        ("ALL_PROXY", "https://someone:secret@proxy:abc"),
        ("SSL_CERT_FILE", "/nowhere/secret.pem"),
    ],
)
async def test_invalid_proxy_or_certificate_setting_is_a_configuration_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        async with open_client(settings_with()):
            raise AssertionError("it opened")
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_cancelled_call_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        requested.set()
        await reader.read()
        writer.close()
        closed.set()

    requested = anyio.Event()
    async with loopback(serve) as url, open_client(settings_with(base_url_override=url)) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.fetch_job, "ext-1")
            await requested.wait()
            group.cancel_scope.cancel()
        await closed.wait()


@virtual
async def test_attempt_ends_after_five_minutes_however_slowly_the_body_comes() -> None:
    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                await anyio.sleep(50)
                yield b" "

    service = httpx.MockTransport(lambda _: httpx.Response(200, stream=Slow()))
    async with open_client(settings_with(), transport=service) as client:
        with pytest.raises(UnreachableError, match="sent its response too slowly"):
            await client.fetch_job("ext-1", max_tries=1)
    assert anyio.current_time() == 300.0


async def test_clock_of_the_service_is_ours_before_its_first_response() -> None:
    async with open_client(settings_with()) as client:
        assert client.clock_offset_seconds == 0.0


class Bytes(httpx.AsyncByteStream):
    """A body that httpx has not decoded yet."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield self._body
