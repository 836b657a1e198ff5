"""Messages over HTTP: none is accepted and then dropped, and text that is not valid Unicode is repaired."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from llx_mcp.backends import local_settings, share_local_backend
from llx_mcp.serving.app import HttpApp, HttpOptions
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import read_settings

URL = "http://127.0.0.1:8000/mcp"
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
PING = b'{"jsonrpc":"2.0","id":%s,"method":"ping"}'
FIND = b'{"name":"find_in_extract_result","arguments":{"job_id":"ext-sample0invoice00000000000000","text":"%s"}}'
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + FIND + b"}"


@asynccontextmanager
async def open_http() -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of the server's ASGI application."""
    options = HttpOptions(share_local_backend(None), local_settings())
    app = HttpApp(read_settings(HttpSettings), options, 8000)
    async with app.run(), httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=HEADERS) as client:
        yield client


async def post(body: bytes) -> tuple[int, Any]:
    """Send a message, and return the status and the answer."""
    async with open_http() as http:
        response = await http.post(URL, content=body)
    text = response.text
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        text = next(line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
    return response.status_code, json.loads(text) if text else None


@pytest.mark.parametrize("request_id", [b"null", b"1.5", b"true", b"{}", b"[]"])
async def test_request_without_a_valid_id_gets_an_error(request_id: bytes) -> None:
    status, answer = await post(PING % request_id)
    assert (status, answer["id"], answer["error"]["code"]) == (400, None, -32600)


async def test_invalid_request_gets_an_error_with_its_id() -> None:
    status, answer = await post(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}')
    assert (status, answer["id"], answer["error"]["code"]) == (400, 1, -32600)


async def test_batch_gets_a_list_of_errors() -> None:
    status, answers = await post(b"[" + PING % b"1" + b"," + PING % b"2" + b"]")
    assert (status, [answer["id"] for answer in answers]) == (400, [1, 2])


@pytest.mark.parametrize("text", [rb"a\ud800b", b"a\xffb", rb"a\udc00"])
async def test_text_that_is_not_valid_unicode_is_answered(text: bytes) -> None:
    status, answer = await post(CALL % text)
    assert (status, answer["id"], answer["result"]["isError"]) == (200, 1, False)


async def test_byte_order_mark_is_ignored() -> None:
    assert await post(b"\xef\xbb\xbf" + PING % b"1") == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})


@pytest.mark.parametrize("body", [b"", b"hello", b"{"])
async def test_body_that_is_not_json_is_an_error(body: bytes) -> None:
    status, answer = await post(body)
    assert (status, answer["id"], answer["error"]["code"]) == (400, None, -32700)


async def test_notification_is_accepted() -> None:
    assert await post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}') == (202, None)


async def test_large_body_is_refused() -> None:
    async with open_http() as http:
        response = await http.post(URL, content=PING % b"1" + b" " * 5_000_000)
    assert response.status_code == 413


async def test_large_body_of_unknown_size_is_refused() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 100_000

    async with open_http() as http:
        response = await http.post(URL, content=chunks())
    assert (response.status_code, response.json()["error"]) == (413, "body_too_large")


async def test_body_of_many_values_is_refused_before_it_is_decoded() -> None:
    async with open_http() as http:
        for value in (b"[]", b"{}", b"0", b'"a"'):
            body = PING % b"1" + b",".join([value] * 60_000)
            response = await http.post(URL, content=body)
            assert (response.status_code, response.json()["error"]) == (413, "too_many_values")
        assert (await http.post(URL, content=PING % (b'"' + b"x" * 1_000_000 + b'"'))).status_code != 413
