"""The whole loop over a pipe or a port, with the official client as a second witness, and servers that are killed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_cloud import LlamaCloud
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.backends import open_cloud_backend
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local.embedded import EmbeddedApi, run_embedded
from llx_mcp.server.app import build_server
from llx_mcp.settings import load_settings
from tests.clients import call, structured, text_of
from tests.jobs.creating import INVOICE, SCHEMA, copy_invoice
from tests.server.raw_stdio import INITIALIZE, running_server
from tests.server.serving import serving_http
from tests.waiting import block_until

TOOLS_OF_LOCAL = {"create_extract_job", "suggest_extract_schema", "cancel_extract_job"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the invoice."""
    copy_invoice(tmp_path)
    return tmp_path


@pytest.fixture
def api() -> Iterator[EmbeddedApi]:
    """The embedded API on a port, with the samples."""
    with run_embedded(with_samples=True) as served:
        yield served


def open_stdio(folder: Path, *flags: str, **environment: str) -> Any:
    """Start a server in a folder, with its own process."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "llx_mcp", "serve", *flags],
        env={**os.environ, **environment},
        cwd=folder,
    )
    return stdio_client(parameters)


async def test_loop_on_the_embedded_api_needs_no_flag(tmp_path: Path) -> None:
    name = copy_invoice(tmp_path, "invoice--instant.pdf").name
    async with Client(open_stdio(tmp_path, "--local")) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names >= TOOLS_OF_LOCAL
        assert "delete_extract_job" not in names
        created = structured(await call(client, "create_extract_job", file=name, like_job=INVOICE))
        waited = await call(client, "wait_for_extract_job", job_id=created["job_id"])
        found = await call(client, "find_in_extract_result", job_id=created["job_id"], text="invoice number")
    assert structured(waited)["status"] == "COMPLETED"
    assert "NL-2026-0417" in text_of(found)


async def test_server_over_http_reads_no_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with serving_http("--local") as served:
        async with Client(served.url) as client:
            (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "create_extract_job"]
            assert "file" not in tool.input_schema["properties"]
            result = await client.call_tool("create_extract_job", {"file": "invoice.pdf", "data_schema": SCHEMA})
            assert result.is_error
            assert "it has no argument file" in text_of(result)


async def test_official_client_sees_the_job_that_was_created(folder: Path, api: EmbeddedApi) -> None:
    environment = {"LLAMA_CLOUD_API_KEY": api.api_key, "LLAMA_CLOUD_BASE_URL": api.base_url, "LLX_MCP_ALLOW": "create"}
    schema = {"type": "object", "properties": {"invoice_number": {"type": "string"}}}
    async with Client(open_stdio(folder, **environment)) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert "cancel_extract_job" not in names
        created = structured(
            await call(client, "create_extract_job", file="invoice.pdf", data_schema=schema, tier="agentic",
                       target_pages="1", instructions="Read it.")
        )  # fmt: skip
    with LlamaCloud(api_key=api.api_key, base_url=api.base_url) as official:
        job = official.extract.get(created["job_id"], expand=["configuration"])
        assert job.configuration is not None
        options = job.configuration.model_dump(exclude_none=True)
        assert options | {"version": "latest"} == options | {
            "data_schema": schema, "tier": "agentic", "target_pages": "1", "system_prompt": "Read it.",
            "cite_sources": True, "confidence_scores": True, "extraction_target": "per_doc", "version": "latest",
        }  # fmt: skip
        (file,) = official.files.list(file_ids=[job.file_input])
        assert (file.name, file.purpose) == ("invoice.pdf", "extract")
        listed = [each.id for each in official.extract.list(file_input=job.file_input)]
    assert listed == [created["job_id"]]


async def test_server_without_permission_does_not_create(folder: Path, api: EmbeddedApi) -> None:
    environment = {"LLAMA_CLOUD_API_KEY": api.api_key, "LLAMA_CLOUD_BASE_URL": api.base_url, "LLX_MCP_ALLOW": ""}
    async with Client(open_stdio(folder, **environment)) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert not names & {"create_extract_job", "suggest_extract_schema", "cancel_extract_job", "delete_extract_job"}
        result = await client.call_tool("create_extract_job", {"file": "invoice.pdf", "data_schema": SCHEMA})
        assert result.is_error
    assert not any(request.method == "POST" for request in api.requests)


@pytest.mark.parametrize("path", ["/schema/validation", "/beta/files", "/extract"])
@pytest.mark.parametrize("fault", ["disconnect", "truncated", "not-json", "unavailable"])
async def test_broken_answers_over_a_socket_make_one_job(folder: Path, api: EmbeddedApi, path: str, fault: str) -> None:
    settings = load_settings(api_key=api.api_key, base_url_override=api.base_url)
    options = ReaderOptions(creation=CreationOptions(frozenset({"create"}), (folder,)))
    api.set_faults(f"{fault}:method=POST,path={path},times=1")
    before = len(api._store.list_jobs())
    async with Client(build_server(open_cloud_backend(settings), options=options)) as client:
        first = await client.call_tool("create_extract_job", {"file": "invoice.pdf", "data_schema": SCHEMA})
        api.set_faults()
        second = structured(await call(client, "create_extract_job", file="invoice.pdf", data_schema=SCHEMA))
    assert len(api._store.list_jobs()) == before + 1
    if not first.is_error:
        assert structured(first)["job_id"] == second["job_id"]


@pytest.mark.parametrize("path", ["/beta/files", "/api/v2/extract"])
def test_server_that_is_killed_leaves_one_job(folder: Path, path: str) -> None:
    """The answer to one request never comes, and the server is killed while it waits for it.

    The tests of `jobs` end it at every request, without a process.
    """
    with run_embedded(with_samples=True) as api:
        before = len(api._store.list_jobs())
        api.set_faults(f"slow:seconds=600,method=POST,path={path},times=1")
        flags = ("--base-url", api.base_url, "--allow", "create", "--files", str(folder))
        arguments = {"name": "create_extract_job", "arguments": {"file": "invoice.pdf", "data_schema": SCHEMA}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LLAMA_CLOUD_API_KEY", api.api_key)
            with running_server(*flags) as server:
                _initialize(server)
                server.send({"id": 1, "method": "tools/call", "params": arguments})
                block_until(lambda: api._injector.get_faults() and api._injector._active[0]._num_injected)
                server.process.kill()
            api.set_faults()
            with running_server(*flags) as server:
                _initialize(server)
                server.send({"id": 1, "method": "tools/call", "params": arguments})
                result = server.read_until(1)[-1]["result"]
        assert not result.get("isError"), result
        assert len(api._store.list_jobs()) == before + 1


def _initialize(server: Any) -> None:
    server.send(INITIALIZE)
    server.read_until("initialize")
    server.send({"method": "notifications/initialized"})
