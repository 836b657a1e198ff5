"""Real processes on this machine: a slow or rude client is cut off, and the others are served."""

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from llx_mcp.serving.connections import JoinedWrites
from tests.server.serving import LLX, Served, import_stuck_job, serving_http
from tests.serving.replicas import LEGACY, MODERN, build_message, read_answer
from tests.waiting import block_until, until

KEY = "llx-key-of-one-caller"
AUTH = {"authorization": f"Bearer {KEY}"}
# Long enough for a slow machine to send a whole request in time.
SECONDS = "2"


@contextmanager
def connected(server: Served) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes or resets the connection; fails if it does neither."""
    received = b""
    try:
        while chunk := connection.recv(1 << 16):
            received += chunk
    except ConnectionError:
        pass
    return received


def is_closed_while_sending(connection: socket.socket) -> bool:
    """Send a byte; return whether the server has closed the connection."""
    try:
        connection.sendall(b" ")
    except ConnectionError:
        return True
    return False


def raw_request(body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["POST /mcp HTTP/1.1", *lines, "", ""]).encode() + body


def host_of(server: Served) -> dict[str, str]:
    return {"host": urlsplit(server.url).netloc}


def is_served(server: Served) -> bool:
    content, headers = build_message("ping", {}, LEGACY)
    try:
        return httpx.post(server.url, content=content, headers=headers | AUTH, timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


class RecordedTransport(asyncio.Transport):
    """Records what is sent, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes | None] = []

    def write(self, data: Any) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append(None)


async def test_headers_and_body_are_sent_at_once() -> None:
    transport = RecordedTransport()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    for part in (b"headers", b"body"):
        joined.write(part)
    assert transport.sent == []
    await asyncio.sleep(0)
    joined.write(b"more")
    await asyncio.sleep(0)
    assert transport.sent == [b"headersbody", b"more"]


async def test_what_is_written_before_the_end_is_sent() -> None:
    transport = RecordedTransport()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    joined.write(b"last")
    joined.close()
    await asyncio.sleep(0)
    assert transport.sent == [b"last", None]


def test_slow_headers_end_the_connection() -> None:
    with serving_http("--local", environment={"LLX_MCP_HTTP_HEADER_SECONDS": SECONDS}) as server:
        with connected(server) as silent, connected(server) as slow:
            slow.sendall(b"POST /mcp HTTP/1.1\r\nHost: x\r\n")
            assert read_all(silent) == b""
            assert read_all(slow) == b""
        with connected(server) as second:
            content, headers = build_message("ping", {}, LEGACY)
            request = raw_request(content, headers | host_of(server) | {"content-length": str(len(content))})
            second.sendall(request)
            assert second.recv(1 << 16).startswith(b"HTTP/1.1 200")
            # The next request of the same connection has its own time.
            second.sendall(b"POST /mcp HTTP/1.1\r\n")
            second.settimeout(60)
            assert b"HTTP/1.1 400" not in read_all(second)
        with connected(server) as early:
            # Its first bytes come before the answer to the request before it.
            early.sendall(request + b"POST /mcp HTTP/1.1\r\n")
            early.settimeout(60)
            received = read_all(early)
            assert received.startswith(b"HTTP/1.1 200")
            assert b"HTTP/1.1 400" not in received
        assert is_served(server)


def test_slow_body_gets_an_error_and_the_connection_ends() -> None:
    with serving_http(
        "--local", "--auth", "pass-through", environment={"LLX_MCP_HTTP_BODY_SECONDS": SECONDS}
    ) as server:
        with connected(server) as slow:
            _, headers = build_message("ping", {}, LEGACY)
            slow.sendall(raw_request(b"{", headers | AUTH | host_of(server) | {"content-length": "100"}))
            assert read_all(slow).startswith(b"HTTP/1.1 408")
        assert is_served(server)


def test_body_that_nobody_waits_for_ends_the_connection() -> None:
    environment = {"LLX_MCP_HTTP_HEADER_SECONDS": SECONDS}
    with serving_http("--local", "--auth", "pass-through", environment=environment) as server:
        with connected(server) as slow:
            slow.sendall(raw_request(b"{", host_of(server) | {"content-length": "1000"}))
            assert slow.recv(1 << 16).startswith(b"HTTP/1.1 401")
            block_until(lambda: is_closed_while_sending(slow))
        assert is_served(server)


def test_client_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    job = {"id": "ext-large", "status": "COMPLETED", "extract_result": {"text": "x" * 30_000_000}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    store = tmp_path / "jobs.db"
    subprocess.run([*LLX, "local", "import", str(tmp_path / "job.json"), "--local-db", str(store)], check=True)
    environment = {"LLX_MCP_HTTP_WRITE_SECONDS": SECONDS}
    with serving_http("--local", "--local-db", str(store), environment=environment) as server:
        with connected(server) as rude:
            uri = {"uri": "llx://jobs/ext-large/result"}
            content, headers = build_message("resources/read", uri)
            rude.sendall(raw_request(content, headers | host_of(server) | {"content-length": str(len(content))}))
            assert rude.recv(100).startswith(b"HTTP/1.1 200")
            time.sleep(float(SECONDS) + 3)
            assert len(read_all(rude)) < 30_000_000
        assert is_served(server)


def test_connections_over_the_limit_are_told_to_come_again() -> None:
    with (
        serving_http("--local", environment={"LLX_MCP_HTTP_MAX_CONNECTIONS": "3"}) as server,
        connected(server) as first,
        connected(server),
        connected(server),
    ):
        with connected(server) as refused:
            answer = read_all(refused)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer
        first.close()
        block_until(lambda: is_served(server))


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize("wants_progress", [True, False])
async def test_call_of_a_caller_that_disconnects_ends(version: str, wants_progress: bool, tmp_path: Path) -> None:
    store = import_stuck_job(tmp_path)
    parameters: dict[str, object] = {
        "name": "wait_for_extract_job",
        "arguments": {"job_id": "ext-stuck", "timeout_seconds": 600},
    }
    if wants_progress:
        parameters["_meta"] = {"progressToken": 1}
    arguments = ("--local", "--local-db", str(store), "--auth", "pass-through")
    with serving_http(*arguments, environment={"LLX_MCP_HTTP_MAX_CALLS": "1"}) as server:
        content, headers = build_message("tools/call", parameters, version)
        async with httpx.AsyncClient(headers=AUTH, timeout=60) as http:
            with anyio.move_on_after(2):
                await http.post(server.url, content=content, headers=headers)
            ping, ping_headers = build_message("ping", {}, LEGACY)

            async def is_answered() -> bool:
                return (await http.post(server.url, content=ping, headers=ping_headers)).status_code == 200

            await until(is_answered)


@pytest.mark.parametrize(("proxies", "shown"), [("127.0.0.0/8", "203.0.113.9"), (None, "127.0.0.1")])
def test_forwarded_address_is_believed_from_trusted_proxies_alone(
    proxies: str | None, shown: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    arguments = ["--local", "--log-level", "info", *(["--trusted-proxies", proxies] if proxies else [])]
    with serving_http(*arguments, log=log) as server:
        content, headers = build_message("ping", {}, LEGACY)
        answer = httpx.post(server.url, content=content, headers=headers | {"x-forwarded-for": "203.0.113.9"})
        assert read_answer(answer).message["result"] == {}
    assert f"{shown}:" in log.read_text() or f"{shown} -" in log.read_text()
    assert ("203.0.113.9" in log.read_text()) == (proxies is not None)


def test_address_for_others_needs_a_mode(tmp_path: Path) -> None:
    run = subprocess.run([*LLX, "serve", "--http", "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "Set LLX_MCP_AUTH or --auth" in run.stderr
    run = subprocess.run([*LLX, "serve", "--host", "127.0.0.1"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "--host: only with --http" in run.stderr


def test_setting_that_cannot_be_used_is_one_line() -> None:
    command = [*LLX, "serve", "--http", "--port", "0"]
    environment = {**os.environ, "LLAMA_CLOUD_API_KEY": "llx-key", "HTTPS_PROXY": "socks://user:password@proxy.example"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert run.returncode == 2
    assert "The proxy or certificate settings of the environment are not valid" in run.stderr
    assert "Traceback" not in run.stderr
    assert "password" not in run.stderr
