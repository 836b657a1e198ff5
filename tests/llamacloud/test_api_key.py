"""The API key is checked at the call, sent in one header, and never shown."""

import logging
import traceback
from collections.abc import Iterator

import httpx
import pytest

from llx_mcp.errors import ConfigurationError
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.redaction import RedactingFilter, Redactor
from llx_mcp.settings import load_settings
from tests.llamacloud.service import BASE_URL, CONTEXT, JOB, KEY, answer, failure, failure_over_socket, fetch, send

STATUSES = [200, 204, 302, 400, 401, 402, 403, 404, 408, 409, 418, 422, 429, 500, 503]
BODIES = [
    f"<html>your key is {KEY}</html>".encode(),
    f'{{"detail": "bad key {KEY}"}}'.encode(),
    f'{{"detail": [{{"loc": ["header", "{KEY}"], "msg": "{KEY}", "input": "{KEY}"}}]}}'.encode(),
    f'{{"{KEY}": "{KEY}'.encode(),
    KEY.encode() * 500,
    b"<" + b"x" * 1_990 + b">" + KEY.encode(),
]


@pytest.fixture
def redacted_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture every record through the filter that the command puts on its handler."""
    caplog.set_level(logging.DEBUG)
    redacting = RedactingFilter(Redactor(KEY))
    caplog.handler.addFilter(redacting)
    yield caplog
    caplog.handler.removeFilter(redacting)


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_call_without_a_key_says_how_to_set_one(key: str | None) -> None:
    async with open_client(load_settings(api_key=key)) as client:
        for call in (client.fetch_job("ext-1"), client.check()):
            with pytest.raises(ConfigurationError, match=r"LLAMA_CLOUD_API_KEY.*--local"):
                await call


@pytest.mark.parametrize("key", ["llx-a b", "llx-a\nb", "llx-é", "llx-\0"])
async def test_error_about_an_invalid_key_does_not_quote_it(key: str) -> None:
    error = await failure(answer(200, JOB), settings=load_settings(api_key=key))
    assert isinstance(error, ConfigurationError)
    assert key not in str(error)
    assert "Copy it again" in str(error)


async def test_whitespace_around_a_key_is_not_sent() -> None:
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(200, json=JOB)

    await fetch(handler, settings=load_settings(api_key=f" {KEY}\n"))
    assert sent == [f"Bearer {KEY}"]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("status", STATUSES)
async def test_key_repeated_by_the_service_reaches_no_error_and_no_log(
    status: int, body: bytes, redacted_log: pytest.LogCaptureFixture
) -> None:
    repeated = {"location": f"https://host/{KEY}", "retry-after": KEY, "x-request-id": KEY, "content-type": KEY}
    # `failure` asserts that the error and its causes are clean.
    reason = {"reason_phrase": f"Bad key {KEY}".encode()}
    error = await failure(lambda _: httpx.Response(status, content=body, headers=repeated, extensions=reason))
    # A traceback with variables, as error trackers write it. The body itself is one of the variables.
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert KEY not in shown.replace(repr(body), "")
    assert_clean(redacted_log)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 404 Bad key %s\r\nX-Key: x" % KEY.encode(),
        b"HTTP/1.1 404 Not Found\r\nX-Key: %s" % KEY.encode(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\nX-Key: %s" % KEY.encode(),
        b"%s" % KEY.encode(),
    ],
    ids=["reason", "status", "cut off", "not HTTP"],
)
async def test_real_connection_logs_no_key(head: bytes, redacted_log: pytest.LogCaptureFixture) -> None:
    await failure_over_socket(send(head, b"{"))
    assert {"httpcore.http11", "httpcore.connection"} <= {record.name for record in redacted_log.records}
    assert_clean(redacted_log)


@pytest.mark.parametrize("body", [f"<p>{KEY[:9]}<b>{KEY[9:]}</b>", f"{KEY[:9]}\n{KEY[9:]}", f"{'x' * 140}{KEY}"])
async def test_error_holds_no_key_with_markup_or_white_space_inside(body: str) -> None:
    error = await failure(answer(500, body.encode()))
    assert "[key]" in str(error)
    assert KEY[9:] not in str(error)


async def test_traceback_with_variables_shows_no_key() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError) as caught:
        await fetch(handler)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "fetch_once" in shown
    assert KEY not in shown


async def test_requests_and_retries_are_logged_at_debug_level_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers: Iterator[httpx.Response | Exception] = iter(
        [httpx.Response(503), httpx.ReadTimeout("x"), httpx.Response(200, json=JOB)]
    )

    def handler(_: httpx.Request) -> httpx.Response:
        result = next(answers)
        if isinstance(result, httpx.Response):
            return result
        raise result

    await fetch(handler)
    ours = [record for record in caplog.records if record.name not in {"httpx", "asyncio"}]
    assert {(record.name, record.levelname) for record in ours} == {("llx_mcp.llamacloud", "DEBUG")}
    assert [record.getMessage() for record in ours] == [
        f"GET {BASE_URL}/api/v2/extract/ext-1: HTTP 503 (try 1)",
        "Try 1 gave UnavailableError; next in 0.0 s",
        f"GET {BASE_URL}/api/v2/extract/ext-1: READ_TIMEOUT (try 2)",
        "Try 2 gave UnreachableError; next in 0.0 s",
        f"GET {BASE_URL}/api/v2/extract/ext-1: HTTP 200 (try 3)",
    ]


def test_repr_of_key_and_context_hides_the_key() -> None:
    assert KEY not in repr(ApiKey(KEY))
    assert KEY not in repr(CONTEXT)


def assert_clean(caplog: pytest.LogCaptureFixture) -> None:
    """Assert that no log record holds the key, in its text or its attributes."""
    assert caplog.records
    for record in caplog.records:
        assert KEY not in record.getMessage()
        assert KEY not in repr(vars(record))
