"""Each request of creating is sent once, as the service documents it, and its failures say what is certain."""

import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from llx_mcp.errors import (
    ArgumentError,
    BadResponseError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnclearOutcomeError,
    UnreachableError,
)
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.creation import CreationClient
from llx_mcp.models import CloudFile
from llx_mcp.scope import Scope
from tests.llamacloud.service import BASE_URL, KEY, Handler, answer, assert_no_key, settings_with

PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
SCHEMA = {"type": "object", "properties": {"é": {"type": "string"}}}
WANTED = {"file_input": "dfl-1", "configuration": {"data_schema": SCHEMA}}
JOB = {"id": "ext-1", "status": "PENDING"}
FILE = {"id": "dfl-1", "name": "a.pdf", "expires_at": "2026-01-03T00:00:00Z"}

Use = Callable[[CreationClient], Awaitable[Any]]


async def use(handler: Handler, call: Use) -> tuple[Any, list[httpx.Request]]:
    """Call the client of a service in memory; return the result and the requests."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return handler(request)

    async with open_client(settings_with(project_id=PROJECT), transport=httpx.MockTransport(handle)) as client:
        try:
            return await call(client.creation), requests
        except LlxError as exc:
            assert_no_key(exc)
            assert len(requests) <= 1
            return exc, requests


def create(client: CreationClient) -> Awaitable[Any]:
    """Create a job."""
    return client.create(WANTED)


@pytest.mark.parametrize(
    ("call", "response", "method", "path", "sent"),
    [
        (create, JOB, "POST", f"/api/v2/extract?project_id={PROJECT}", WANTED),
        (lambda client: client.create(WANTED, Scope("p", "o")), JOB, "POST",
         "/api/v2/extract?project_id=p&organization_id=o", WANTED),
        (lambda client: client.validate_schema(SCHEMA), {"data_schema": SCHEMA}, "POST",
         "/api/v2/extract/schema/validation", {"data_schema": SCHEMA}),
        (lambda client: client.generate_schema("all", "dfl-1"), {"parameters": {"data_schema": SCHEMA}}, "POST",
         f"/api/v2/extract/schema/generate?project_id={PROJECT}", {"prompt": "all", "file_id": "dfl-1"}),
        (lambda client: client.fetch_configuration("cfg/1"), {"parameters": {}}, "GET",
         f"/api/v1/beta/configurations/cfg%2F1?project_id={PROJECT}", None),
        (lambda client: client.fetch_file("dfl-1"), FILE, "GET",
         f"/api/v1/beta/files/dfl-1?project_id={PROJECT}", None),
        (lambda client: client.find_files("sha256-0.pdf"), {"items": [FILE]}, "GET",
         f"/api/v1/beta/files?external_file_id=sha256-0.pdf&page_size=100&project_id={PROJECT}", None),
        (lambda client: client.cancel("ext/1"), JOB, "POST",
         f"/api/v2/extract/ext%2F1/cancel?project_id={PROJECT}", None),
        (lambda client: client.delete("ext-1"), None, "DELETE", f"/api/v2/extract/ext-1?project_id={PROJECT}", None),
    ],
)  # fmt: skip
async def test_request_is_the_documented_one(call: Use, response: Any, method: str, path: str, sent: Any) -> None:
    result, (request,) = await use(answer(200, response), call)
    assert not isinstance(result, LlxError), result
    assert (request.method, str(request.url)) == (method, BASE_URL + path)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = request.read()
    if sent is None:
        assert body == b""
    else:
        assert request.headers["content-type"] == "application/json"
        assert json.loads(body) == sent


async def test_file_is_sent_as_a_form_and_read_in_chunks() -> None:
    reads: list[int] = []

    class Content(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            reads.append(-1 if size is None else size)
            return super().read(size)

    content = Content(b"%PDF-" + b"x" * 500_000)
    content.seek(100)
    file, (request,) = await use(
        answer(201, FILE), lambda client: client.upload(content, 'a"\r\nX-A: b.pdf', "sha256-0.pdf")
    )
    assert file == CloudFile("dfl-1", "a.pdf", datetime(2026, 1, 3, tzinfo=UTC))
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    body = await request.aread()
    assert int(request.headers["content-length"]) == len(body)
    assert b'name="purpose"\r\n\r\nextract\r\n' in body
    assert b'name="external_file_id"\r\n\r\nsha256-0.pdf\r\n' in body
    # The name can begin no header of its own.
    assert b"\r\nX-A" not in body
    assert b"\r\n\r\n%PDF-xxx" in body
    assert -1 not in reads
    assert max(reads) <= 1 << 20


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedError), (401, LlxError), (402, OutOfCreditsError), (403, NotFoundError), (404, NotFoundError),
        (422, RejectedError), (429, RateLimitedError),
    ],
)  # fmt: skip
async def test_refusal_is_certain(status: int, error: type[LlxError]) -> None:
    result, requests = await use(answer(status, {"detail": "no"}), create)
    assert isinstance(result, error)
    assert not isinstance(result, UnclearOutcomeError)
    assert len(requests) == 1


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 520, 522, 524])
@pytest.mark.parametrize("body", [{"detail": "busy"}, {"message": "of a gateway"}, "<html>"])
async def test_error_of_the_service_is_unclear(status: int, body: Any) -> None:
    result, requests = await use(answer(status, body), create)
    assert isinstance(result, UnclearOutcomeError)
    # Only the service itself knows that it has ended its work, and says so in JSON.
    assert result.has_ended is (status in (409, 500) and body == {"detail": "busy"})
    assert not result.is_transient
    assert len(requests) == 1
    # Other requests can be repeated.
    result, _ = await use(answer(status), lambda client: client.validate_schema(SCHEMA))
    assert isinstance(result, UnavailableError)
    assert result.is_transient


@pytest.mark.parametrize(
    ("failure", "is_certain"),
    [
        (httpx.ConnectError, True), (httpx.ConnectTimeout, True), (httpx.PoolTimeout, True), (httpx.ProxyError, True),
        (httpx.ReadTimeout, False), (httpx.WriteTimeout, False), (httpx.ReadError, False), (httpx.WriteError, False),
        (httpx.RemoteProtocolError, False), (TimeoutError, False),
    ],
)  # fmt: skip
async def test_lost_connection_is_certain_only_before_the_request_was_sent(
    failure: type[Exception], is_certain: bool
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure("broken")

    result, _ = await use(fail, create)
    assert isinstance(result, UnreachableError if is_certain else UnclearOutcomeError)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":"ext-1"}', b'{"id":"ext-1","status":'])
async def test_answer_that_is_no_job_is_unclear(body: bytes) -> None:
    result, _ = await use(answer(200, body), create)
    assert isinstance(result, UnclearOutcomeError)
    assert "html" not in str(result)


@pytest.mark.parametrize("status", [202, 204, 302, 303, 307])
async def test_answer_that_is_neither_a_job_nor_a_refusal_is_unclear(status: int) -> None:
    result, requests = await use(answer(status, {"detail": "elsewhere"}), create)
    assert isinstance(result, UnclearOutcomeError)
    assert not result.has_ended
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (create, "create jobs"),
        (lambda client: client.upload(io.BytesIO(b"x"), "a.pdf", "e"), "upload files"),
        (lambda client: client.find_files("e"), "list files"),
        (lambda client: client.validate_schema(SCHEMA), "check schemas"),
        (lambda client: client.generate_schema("x", "dfl-1"), "generate schemas"),
        (lambda client: client.cancel("ext-1"), "cancel jobs"),
        (lambda client: client.delete("ext-1"), "delete jobs"),
    ],
)
async def test_refusal_says_what_the_key_may_not_do(call: Use, action: str) -> None:
    result, _ = await use(answer(403, {"detail": "no"}), call)
    assert isinstance(result, NotFoundError)
    assert result.is_forbidden
    assert str(result).startswith(f"This key may not {action} (HTTP 403). Check what the key may do")
    result, _ = await use(answer(402, {"detail": "no"}), call)
    assert isinstance(result, OutOfCreditsError)
    assert f"out of credits. It cannot {action}, so nothing was done: check the account's billing page" in str(result)


async def test_address_that_does_not_exist_is_not_said_to_be_out_of_sight() -> None:
    result, _ = await use(answer(404), lambda client: client.upload(io.BytesIO(b"x"), "a.pdf", "e"))
    assert "has no address to upload files (HTTP 404). Check LLAMA_CLOUD_BASE_URL" in str(result)


async def test_service_can_say_that_a_request_must_not_be_repeated() -> None:
    result, _ = await use(answer(501, {"detail": "no model"}, x_should_retry="false"), lambda c: c.validate_schema({}))
    assert isinstance(result, UnavailableError)
    assert not result.is_transient


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (lambda client: client.validate_schema(SCHEMA), {"data_schema": None}),
        (lambda client: client.generate_schema("x", "dfl-1"), {"parameters": {"data_schema": []}}),
        (lambda client: client.generate_schema("x", "dfl-1"), {}),
        (lambda client: client.fetch_configuration("cfg-1"), {"parameters": []}),
        (lambda client: client.fetch_file("dfl-1"), {"id": 1}),
        (lambda client: client.upload(io.BytesIO(b"x"), "a.pdf", "e"), {}),
        (lambda client: client.find_files("e"), []),
    ],
)
async def test_answer_of_another_shape_is_an_error(call: Use, body: Any) -> None:
    result, _ = await use(answer(200, body), call)
    assert isinstance(result, BadResponseError)


async def test_item_that_is_no_file_is_left_out() -> None:
    files, _ = await use(answer(200, {"items": [None, {"id": ""}, {"id": "f", "expires_at": "x"}]}),
                         lambda client: client.find_files("e"))  # fmt: skip
    assert files == (CloudFile("f", "f"),)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.fetch_file(KEY),
        lambda client: client.find_files(KEY),
        lambda client: client.fetch_configuration(f"cfg-{KEY}"),
        lambda client: client.cancel(KEY),
        lambda client: client.create({"file_input": KEY}),
        lambda client: client.fetch_configuration(" "),
        lambda client: client.cancel("x" * 3_000),
    ],
)
async def test_argument_that_cannot_be_sent_is_refused(call: Use) -> None:
    result, requests = await use(answer(200, JOB), call)
    assert isinstance(result, ArgumentError)
    assert requests == []


async def test_schema_that_holds_the_key_leaks_it_nowhere() -> None:
    detail = [{"loc": ["body", "data_schema"], "msg": f"bad {KEY}", "type": "x"}]
    result, _ = await use(answer(422, {"detail": detail}), lambda client: client.validate_schema({"a": KEY}))
    assert isinstance(result, RejectedError)
    assert "[key]" in str(result)
