"""The client sends what the service documents, and every failure comes out as one of our errors."""

import asyncio
import gzip
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import stamina
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from llx_mcp import __version__
from llx_mcp.errors import (
    ArgumentError,
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnreachableError,
    UpstreamError,
)
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.client import MAX_TRIES, encode_segment
from llx_mcp.llamacloud.failures import Origin, fault_of_exception
from llx_mcp.llamacloud.retries import AttemptFailed, backoff_of, retry_after_seconds
from llx_mcp.models import Job
from llx_mcp.settings import Settings, load_settings

KEY = "llx-SecretSecretSecret"
JOB = {"id": "ext-1", "status": "RUNNING"}
ORIGIN = Origin("ext-1", "na", "https://api.cloud.llamaindex.ai", KEY)

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_waiting_between_tries() -> Iterator[None]:
    stamina.set_testing(True, attempts=MAX_TRIES)
    yield
    stamina.set_testing(False)


def settings_with(**overrides: Any) -> Settings:
    """Settings with a key."""
    return load_settings(api_key=KEY, **overrides)


async def fetch(handler: Handler, job_id: str = "ext-1", settings: Settings | None = None, **arguments: Any) -> Job:
    """Fetch a job from a service that answers as the handler does."""
    async with open_client(settings or settings_with(), transport=httpx.MockTransport(handler)) as client:
        return await client.fetch_job(job_id, **arguments)


async def failure(handler: Handler, job_id: str = "ext-1", settings: Settings | None = None) -> LlxError:
    """The error that fetching a job from such a service gives."""
    with pytest.raises(LlxError) as caught:
        await fetch(handler, job_id, settings)
    assert_no_key(caught.value)
    return caught.value


def assert_no_key(error: BaseException | None) -> None:
    """Neither the error nor anything that a traceback of it would show holds the key."""
    while error is not None:
        assert KEY not in str(error)
        assert KEY not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def answer(status: int, body: Any = None, **headers: str) -> Handler:
    """A service that always answers this."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, content=content, headers=sent)


async def test_a_request_is_as_the_service_documents_it() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=JOB)

    job = await fetch(handler, expand=["usage", "metadata"], project_id="p", organization_id="o")
    (request,) = seen
    assert (job.id, job.status) == ("ext-1", "RUNNING")
    assert request.method == "GET"
    assert str(request.url) == (
        "https://api.cloud.llamaindex.ai/api/v2/extract/ext-1?expand=usage&expand=metadata&project_id=p&organization_id=o"
    )
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"] == f"llx-mcp/{__version__}"
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 60.0}


async def test_project_and_organization_of_the_settings_are_sent_where_none_are_given() -> None:
    urls: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(request.url)
        return httpx.Response(200, json=JOB)

    await fetch(handler, settings=settings_with(region="eu", project_id="p"))
    assert str(urls[0]) == "https://api.cloud.eu.llamaindex.ai/api/v2/extract/ext-1?project_id=p"


ODD_IDS = ["../../v1/beta/files", "..", ".", "...", "%2e", "%2e%2e", "?", "#", "a?b=c#d", "\0", " x ", "a b", "/", "\\", "é日", "a;b", "[x]"]  # fmt: skip # noqa: E501


@pytest.mark.parametrize("job_id", ODD_IDS)
async def test_an_id_cannot_leave_its_path_segment_on_the_wire(job_id: str) -> None:
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        body = json.dumps(JOB).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async with loopback(serve) as url, open_client(settings_with(base_url_override=url)) as client:
        await client.fetch_job(job_id)
    method, target, _ = lines[0].decode("ascii").split(" ")
    prefix, _, segment = target.rpartition("/")
    assert (method, prefix) == ("GET", "/api/v2/extract")
    assert unquote(segment) == job_id
    assert segment.strip(".")


@given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
@hypothesis_settings(max_examples=300)
def test_any_id_is_one_segment_that_decodes_to_itself(job_id: str) -> None:
    url = httpx.URL(f"https://host/api/v2/extract/{encode_segment(job_id)}")
    raw = url.raw_path.decode("ascii")
    assert raw.startswith("/api/v2/extract/")
    segment = raw.removeprefix("/api/v2/extract/")
    assert not set(segment) & set("/?#\\")
    assert unquote(segment) == job_id


@pytest.mark.parametrize("job_id", ["", " ", "\n\t"])
async def test_a_blank_id_is_refused(job_id: str) -> None:
    assert isinstance(await failure(answer(200, JOB), job_id), ArgumentError)


async def test_half_a_character_is_refused() -> None:
    assert isinstance(await failure(answer(200, JOB), "ext-\ud800"), ArgumentError)


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_no_key_says_how_to_set_one(key: str | None) -> None:
    error = await failure(answer(200, JOB), settings=load_settings(api_key=key))
    assert isinstance(error, ConfigurationError)
    assert "LLAMA_CLOUD_API_KEY" in str(error)
    assert "--local" in str(error)


@pytest.mark.parametrize("key", ["llx-a b", "llx-a\nb", "llx-é"])
async def test_a_key_that_cannot_be_sent_is_not_repeated(key: str) -> None:
    error = await failure(answer(200, JOB), settings=load_settings(api_key=key))
    assert isinstance(error, ConfigurationError)
    assert key not in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, AuthenticationError, ["LLAMA_CLOUD_API_KEY", "LLAMA_CLOUD_REGION", "(na)", "belongs to one region"]),
        (402, OutOfCreditsError, ["out of credits"]),
        (403, NotFoundError, ['No job "ext-1"', "Check the id, the project and the region"]),
        (404, NotFoundError, ['No job "ext-1"', "Check the id, the project and the region"]),
        (408, UnavailableError, ["HTTP 408"]),
        (409, UnavailableError, ["HTTP 409"]),
        (418, RejectedError, ["HTTP 418"]),
        (429, RateLimitedError, ["20 requests a minute"]),
        (500, UnavailableError, ["HTTP 500"]),
        (503, UnavailableError, ["HTTP 503"]),
        (204, BadResponseError, ["HTTP 204"]),
        (302, BadResponseError, ["redirect", "LLAMA_CLOUD_BASE_URL"]),
    ],
)
async def test_each_status_is_one_of_our_errors(status: int, kind: type[UpstreamError], words: list[str]) -> None:
    error = await failure(answer(status, {"detail": "said so"}, location="https://elsewhere.example"))
    assert type(error) is kind
    assert error.status_code == status
    assert [word for word in words if word not in str(error)] == []


async def test_faults_of_a_422_are_one_readable_line_each_without_the_input() -> None:
    detail = [
        {"type": "uuid_parsing", "loc": ["query", "project_id"], "msg": "Input should be a valid UUID", "input": "zzz"},
        {
            "type": "missing",
            "loc": ["body", "configuration", 0, "tier"],
            "msg": "Field required",
            "input": {"a": "zzz"},
        },
        "zzz",
    ]
    error = await failure(answer(422, {"detail": detail}))
    assert isinstance(error, RejectedError)
    assert str(error) == (
        "LlamaCloud did not accept the request (HTTP 422). project_id (query): Input should be a valid UUID; "
        "configuration.0.tier (body): Field required."
    )


@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("pjb-1", "id of a parse job"),
        ("dfl-1", "id of a file"),
        ("cfg-1", "id of a configuration"),
        ("0b2f4e6a-1111-4222-8333-444455556666", "older API v1"),
        ("ext-" + "x" * 500, "x…"),
        ("ext-\u202e<b>evil</b>", "ext- evil"),
    ],
)
async def test_an_id_that_is_not_found_is_explained(job_id: str, words: str) -> None:
    error = await failure(answer(404, {"detail": "Not Found"}), job_id)
    assert words in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><html><body>Sign in</body></html>", "HTML page"),
        (b'{"id":"ext-1","status":"COMPLETED","extract_res', "cut off"),
        (b'{"message":"hello"}', "no usable id, status"),
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe\x00", "not a JSON object"),
    ],
)
async def test_what_is_no_job_says_what_it_is(body: bytes, words: str) -> None:
    error = await failure(answer(200, body))
    assert isinstance(error, BadResponseError)
    assert words in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize("status", [200, 401, 404, 422, 500])
async def test_a_body_that_carries_the_key_is_not_quoted(status: int) -> None:
    page = f"<html>your key is {KEY}</html>"
    await failure(answer(status, page.encode()))
    await failure(answer(status, {"detail": f"bad key {KEY}"}))
    await failure(answer(status, {"detail": [{"loc": ["header", KEY], "msg": KEY, "input": KEY}]}))


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 599])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    answers = iter([httpx.Response(status), httpx.Response(status), httpx.Response(200, json=JOB)])
    assert (await fetch(lambda _: next(answers))).id == "ext-1"


async def test_a_lost_connection_is_tried_again() -> None:
    tries = iter([httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])

    def handler(request: httpx.Request) -> httpx.Response:
        if (exc := next(tries, None)) is not None:
            raise exc
        return httpx.Response(200, json=JOB)

    assert (await fetch(handler)).id == "ext-1"


@pytest.mark.parametrize(
    ("status", "headers", "tries"),
    [
        (500, {}, MAX_TRIES),
        (429, {}, MAX_TRIES),
        (429, {"retry-after": "2"}, MAX_TRIES),
        (429, {"retry-after": "61"}, 1),
        (500, {"x-should-retry": "false"}, 1),
        (404, {"x-should-retry": "true"}, MAX_TRIES),
        (404, {}, 1),
        (401, {}, 1),
        (422, {}, 1),
        (302, {}, 1),
    ],
)
async def test_tries_are_bounded_and_the_service_has_the_last_word(
    status: int, headers: dict[str, str], tries: int
) -> None:
    seen = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal seen
        seen += 1
        return httpx.Response(status, headers=headers)

    await failure(handler)
    assert seen == tries


def test_a_retry_comes_when_the_service_said() -> None:
    error = UnavailableError("away")
    assert backoff_of(AttemptFailed(error, is_retryable=True, after_seconds=7.5)) == 7.5
    assert backoff_of(AttemptFailed(error, is_retryable=True)) is True
    assert backoff_of(AttemptFailed(error, is_retryable=True, after_seconds=61)) is False
    assert backoff_of(AttemptFailed(error, is_retryable=False)) is False
    assert backoff_of(ValueError()) is False


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-3", 0.0), ("", None), ("soon", None), ("nan", None), ("inf", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:00", 0.0)],
)  # fmt: skip
def test_retry_after_is_read_in_either_form(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": value}) == seconds


async def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = await failure(answer(429, {"detail": "slow down"}, retry_after="75"))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 75.0
    assert "Wait 75 s" in str(error)


def all_subclasses(kind: type[Exception]) -> list[type[Exception]]:
    """A class and everything below it."""
    return [kind, *(below for child in kind.__subclasses__() for below in all_subclasses(child))]


def make(kind: type[Exception]) -> Exception:
    """An exception of a class of httpx, its request holding the key."""
    request = httpx.Request("GET", "https://host/", headers={"Authorization": f"Bearer {KEY}"})
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError(KEY, request=request, response=httpx.Response(500, request=request))
    if issubclass(kind, httpx.RequestError):
        return kind(KEY, request=request)
    return kind() if kind in (httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead) else kind(KEY)  # fmt: skip # noqa: E501


@pytest.mark.parametrize(
    "kind", [*all_subclasses(httpx.HTTPError), httpx.InvalidURL, *all_subclasses(httpx.StreamError), TimeoutError]
)
async def test_each_class_of_failure_of_httpx_is_mapped(kind: type[Exception]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise make(kind)

    error = await failure(handler)
    assert isinstance(error, UnreachableError | BadResponseError)
    assert "api.cloud.llamaindex.ai" in str(error)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (httpx.ConnectTimeout, "did not take the connection in time"),
        (httpx.ReadTimeout, "did not answer in time"),
        (httpx.WriteTimeout, "did not take the request in time"),
        (httpx.PoolTimeout, "no connection came free"),
        (httpx.ConnectError, "refused, or the name is not known"),
        (httpx.ReadError, "broke before the answer was whole"),
        (httpx.ProxyError, "proxy"),
        (httpx.DecodingError, "decompressed"),
    ],
)
def test_a_failure_is_named(kind: type[Exception], words: str) -> None:
    assert words in str(fault_of_exception(make(kind), ORIGIN).error)


def test_a_tls_failure_is_told_from_a_refused_connection() -> None:
    exc = httpx.ConnectError("x")
    exc.__cause__ = ssl.SSLCertVerificationError("certificate verify failed")
    failed = fault_of_exception(exc, ORIGIN)
    assert not failed.is_retryable
    assert "TLS" in str(failed.error)


async def test_an_answer_is_bounded_while_it_streams_and_after_it_is_decompressed() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb))
        for start in range(0, len(bomb), 1_024):
            if writer.is_closing():
                break
            writer.write(bomb[start : start + 1_024])
            sent += 1_024
            await writer.drain()
        writer.close()

    assert len(bomb) < 100_000
    async with loopback(serve) as url:
        settings = settings_with(base_url_override=url, max_body_bytes=2 * 1024 * 1024)
        async with open_client(settings) as client:
            with pytest.raises(BadResponseError, match=r"larger than 2 MiB.*LLX_MCP_MAX_BODY_BYTES") as caught:
                await client.fetch_job("ext-1")
    assert not caught.value.passing


async def test_a_connection_that_breaks_within_the_body_is_named() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{"id":"ext-1","sta')
        writer.close()

    async with loopback(serve) as url:
        with pytest.raises(UnreachableError, match="broke before the answer was whole"):
            async with open_client(settings_with(base_url_override=url)) as client:
                await client.fetch_job("ext-1")


async def test_a_port_that_nothing_listens_on_is_named() -> None:
    async with loopback(lambda *_: asyncio.sleep(0)) as url:
        pass
    with pytest.raises(UnreachableError, match=r"No connection to 127\.0\.0\.1"):
        async with open_client(settings_with(base_url_override=url)) as client:
            await client.fetch_job("ext-1")


async def test_no_redirect_is_followed() -> None:
    hosts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    await failure(handler)
    assert hosts == ["api.cloud.llamaindex.ai"]


async def test_nothing_that_is_logged_holds_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await failure(answer(500, {"detail": KEY}))
    await fetch(answer(200, JOB))
    assert KEY not in caplog.text


@asynccontextmanager
async def loopback(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server on this machine that speaks as the function does; its URL."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
