"""Services with prepared responses, in memory or on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from llx_mcp.errors import LlxError
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.llamacloud.request_context import RequestContext
from llx_mcp.models import Job
from llx_mcp.scope import Scope
from llx_mcp.settings import Settings, load_settings

KEY = "llx-SecretSecretSecret"
JOB = {"id": "ext-1", "status": "RUNNING"}
JOB_BODY = json.dumps(JOB).encode()
BASE_URL = "https://api.cloud.llamaindex.ai"
CONTEXT = RequestContext("ext-1", "na", BASE_URL, ApiKey(KEY))

Handler = Callable[[httpx.Request], httpx.Response]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def settings_with(**overrides: Any) -> Settings:
    """Settings with a key."""
    return load_settings(**{"api_key": KEY, **overrides})


def answer(status: int, body: Any = None, **headers: str) -> Handler:
    """A service with one fixed response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, content=content, headers=sent)


async def fetch(handler: Handler, job_id: str = "ext-1", settings: Settings | None = None, **arguments: Any) -> Job:
    """Fetch a job from a service in memory."""
    async with open_client(settings or settings_with(), transport=httpx.MockTransport(handler)) as client:
        scope = Scope(arguments.pop("project_id", None), arguments.pop("organization_id", None))
        return await client.fetch_job(job_id, scope=scope, **arguments)


async def failure(
    handler: Handler, job_id: str = "ext-1", settings: Settings | None = None, **arguments: Any
) -> LlxError:
    """Fetch a job and return the error."""
    with pytest.raises(LlxError) as caught:
        await fetch(handler, job_id, settings, **arguments)
    assert_no_key(caught.value)
    return caught.value


async def failure_over_socket(serve: Serve, scheme: str = "http", **overrides: Any) -> LlxError:
    """Fetch a job over a real socket and return the error."""
    async with loopback(serve) as url:
        settings = settings_with(base_url_override=url.replace("http", scheme, 1), **overrides)
        async with open_client(settings) as client:
            with pytest.raises(LlxError) as caught:
                await client.fetch_job("ext-1")
    assert_no_key(caught.value)
    return caught.value


def assert_no_key(error: BaseException) -> None:
    """Assert that neither the error nor its causes hold the key."""
    pending: list[BaseException | None] = [error]
    while pending:
        exc = pending.pop()
        if exc is None:
            continue
        assert KEY not in str(exc)
        assert KEY not in repr(exc)
        assert KEY not in repr(vars(exc))
        assert not isinstance(exc, httpx.HTTPError), "its request holds the key"
        pending += [exc.__cause__, exc.__context__]


def send(head: bytes, body: bytes = b"", *, lines: list[bytes] | None = None) -> Serve:
    """Build a socket handler that sends a response and closes; it appends each request to `lines`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if lines is not None:
            lines.append(request)
        writer.write(head + b"\r\nConnection: close\r\n\r\n" + body if head else body)
        await writer.drain()
        writer.close()

    return serve


def send_job(job_id: str = "ext-1", *, lines: list[bytes] | None = None) -> Serve:
    """Build a socket handler that sends a job."""
    body = json.dumps({**JOB, "id": job_id}).encode()
    return send(b"HTTP/1.1 200 OK\r\nContent-Length: %d" % len(body), body, lines=lines)


@asynccontextmanager
async def loopback(serve: Serve) -> AsyncIterator[str]:
    """Run a server on this machine with a handler; yields its URL."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
