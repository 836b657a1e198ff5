"""The whole command, over both transports with all logs on, against a service that repeats the key everywhere."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.backends import open_cloud_backend
from llx_mcp.server.app import build_server
from llx_mcp.settings import load_settings
from tests.cli.terminal import run_on_terminal
from tests.llamacloud.service import loopback
from tests.server.echo_service import FORMS, KEY, find_key, respond
from tests.server.serving import LLX, serving_http

TOOLS = ("get_extract_job", "wait_for_extract_job", "review_extract_job")
ENVIRONMENT = {"LLAMA_CLOUD_API_KEY": KEY, "LLX_MCP_LOG_LEVEL": "DEBUG"}


@asynccontextmanager
async def echoing(form: str) -> AsyncIterator[str]:
    """Run the service on this machine; yields its URL."""

    async def serve(reader: Any, writer: Any) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        response = respond(form, httpx.Request("GET", f"http://host{head.split(b' ')[1].decode()}"))
        headers = b"".join(b"%s: %s\r\n" % header for header in response.headers.raw)
        reason = response.extensions["reason_phrase"]
        status = b"HTTP/1.1 %d %s\r\n" % (response.status_code, reason)
        writer.write(status + headers + b"Connection: close\r\n\r\n" + response.content)
        await writer.drain()
        writer.close()

    async with loopback(serve) as url:
        yield url


async def use(client: Client) -> list[str]:
    """Call tools and read resources; return everything that the client got."""
    seen: list[str] = []
    for job_id in ("ext-1", "ext-missing"):
        results = [await client.call_tool(tool, {"job_id": job_id}) for tool in TOOLS]
        seen += [result.model_dump_json() for result in results]
        try:
            seen.append((await client.read_resource(f"llx://jobs/{job_id}")).model_dump_json())
        except MCPError as exc:
            seen.append(str(exc.error))
    seen.append((await client.call_tool("list_extract_jobs", {})).model_dump_json())
    return seen


def assert_clean(seen: list[str], log: str) -> None:
    """Assert that neither what the client got nor the log repeats the key, and that both would have."""
    # A review does not show every value.
    assert sum("[key]" in text for text in seen) >= len(seen) - 1
    assert [find_key(text) for text in seen] == [None] * len(seen)
    for logger in ("httpx", "httpcore", "mcp", "llx_mcp"):
        assert f" {logger}" in log
    assert "[key]" in log
    assert find_key(log) is None


@pytest.mark.parametrize("form", FORMS[:2], ids=["whole", "with a line break"])
async def test_server_over_stdio_repeats_no_key(form: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with echoing(form) as url:
        environment = {**ENVIRONMENT, "LLAMA_CLOUD_BASE_URL": url}
        server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve"], env=environment)
        with log.open("w") as errlog:
            async with Client(stdio_client(server, errlog=errlog)) as client:
                seen = await use(client)
    assert_clean(seen, log.read_text())


async def test_server_over_http_repeats_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with echoing(KEY) as url:
        for name, value in {**ENVIRONMENT, "LLAMA_CLOUD_BASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        with serving_http(log=log) as server:
            async with Client(server.url) as client:
                seen = await use(client)
            async with httpx.AsyncClient() as http:
                await http.get(server.url.replace("/mcp", f"/{KEY}"))
    assert '"GET /[key] HTTP/1.1" 404' in log.read_text()
    assert " uvicorn" in log.read_text()
    assert_clean(seen, log.read_text())


async def test_server_over_the_cloud_backend_redacts_by_default() -> None:
    async with echoing(KEY) as url:
        server = build_server(open_cloud_backend(load_settings(api_key=KEY, base_url_override=url)))
        async with Client(server) as client:
            seen = await use(client)
    assert "[key]" in "".join(seen)
    assert [find_key(text) for text in seen] == [None] * len(seen)


@pytest.mark.parametrize(
    "command",
    [
        "get ext-1",
        "get ext-1 --json",
        "get ext-missing",
        "list --status completed",
        "list --status completed --json",
        f"list --nothing={KEY}",
        f"list --since {KEY}",
        "wait ext-1",
        "wait ext-1 --json",
        "wait ext-1 ext-2",
        "wait ext-1 ext-2 --json",
        "export ext-1 --path nowhere",
        f"local redact {KEY}",
    ],
)
async def test_command_prints_no_key(command: str) -> None:
    async with echoing(KEY) as url:
        run = await anyio.to_thread.run_sync(
            run_command, command.split(), {"LLAMA_CLOUD_API_KEY": KEY, "LLAMA_CLOUD_BASE_URL": url}
        )
    assert "[key]" in run.stdout + run.stderr
    assert find_key(run.stdout) is None
    assert find_key(run.stderr) is None


@pytest.mark.parametrize("columns", [40, 160])
@pytest.mark.parametrize("command", ["get ext-1", "list --status completed", "wait ext-1", "wait ext-1 ext-2"])
async def test_terminal_shows_no_key(command: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing(KEY) as url:
        for name, value in {"LLAMA_CLOUD_API_KEY": KEY, "LLAMA_CLOUD_BASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        run = await anyio.to_thread.run_sync(lambda: run_on_terminal(*command.split(), columns=columns))
    shown = "\n".join(run.lines)
    assert "[key]" in shown
    # A table wraps a long word, so any piece of the key counts.
    assert [KEY[index : index + 8] for index in range(len(KEY) - 7) if KEY[index : index + 8] in shown] == []


def run_command(command: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command of `llx-mcp`."""
    return subprocess.run([*LLX, *command], capture_output=True, text=True, env=dict(environment), check=False)
