"""The tools as clients meet them, over the embedded API in the same process."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import jsonschema
import pytest
from mcp import Client, MCPError
from mcp_types import TextResourceContents

from llx_mcp.backends import local_settings, open_cloud_backend, open_local_backend
from llx_mcp.jobs.source import JobSource
from llx_mcp.llamacloud import open_client
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES, create_app, open_store
from llx_mcp.server.app import INSTRUCTIONS, build_server
from llx_mcp.settings import load_settings
from tests.structured import next_steps

SNAPSHOTS = Path(__file__).parent / "snapshots"
# What a tool needs beside the id of a job.
NEEDED: dict[str, dict[str, str]] = {
    "find_in_extract_result": {"text": "x"},
    "query_extract_result": {"sql": "SELECT 1"},
}
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
INVOICE, STATEMENT, LAB_REPORT, LOAN = (sample.job_id for sample in SAMPLES[:4])
TOOLS = (
    "get_extract_job",
    "wait_for_extract_job",
    "read_extract_result",
    "find_in_extract_result",
    "query_extract_result",
    "review_extract_job",
    "list_extract_jobs",
)
# Those that are about the one job that their argument names.
ABOUT_A_JOB = TOOLS[:-1]


def connect(mode: str = "auto") -> Client:
    """A client of a server over the embedded API; open it inside the test."""
    return Client(build_server(open_local_backend(None)), mode=mode)


def text_of(result: Any) -> str:
    """The text form of an answer."""
    (block,) = [block for block in result.content if block.type == "text"]
    return str(block.text)


@ERAS
async def test_both_eras_are_spoken(mode: str) -> None:
    async with connect(mode) as client:
        assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
        assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
async def test_the_definition_of_a_tool_is_as_committed(name: str) -> None:
    async with connect() as client:
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == name)
    shown = json.dumps(tool.model_dump(by_alias=True, exclude_none=True, mode="json"), indent=2, ensure_ascii=False)
    path = SNAPSHOTS / f"{name}.json"
    if not path.exists():
        path.write_text(f"{shown}\n")
        pytest.fail(f"{path.name} was not there and is written now: look at it, commit it")
    assert f"{shown}\n" == path.read_text(), f"if the change is meant, delete {path.name} and run the tests again"


async def test_schemas_have_no_references_no_titles_and_no_undescribed_property() -> None:
    def walk(schema: Any, place: str) -> None:
        if isinstance(schema, list):
            for index, item in enumerate(schema):
                walk(item, f"{place}[{index}]")
        elif isinstance(schema, dict):
            assert not {"$ref", "$defs", "title"} & schema.keys(), place
            assert not isinstance(schema.get("type"), list), place
            for name, child in schema.get("properties", {}).items():
                assert child.get("description"), f"{place}.{name} is not described"
            for name, child in schema.items():
                walk(list(child.values()) if name == "properties" else child, f"{place}.{name}")

    async with connect() as client:
        for tool in (await client.list_tools()).tools:
            walk(tool.input_schema, f"{tool.name}.input")
            walk(tool.output_schema, f"{tool.name}.output")
            assert tool.description
            assert len(tool.description) <= 1_024


@ERAS
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
@pytest.mark.parametrize("max_chars", [1_000, 8_000, 100_000])
async def test_structured_content_conforms_to_the_schema_and_both_forms_to_the_budget(
    mode: str, sample: Any, max_chars: int
) -> None:
    async with connect(mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        expand = ["extract_metadata", "configuration", "usage", "metadata"]
        result = await client.call_tool(
            "get_extract_job", {"job_id": sample.job_id, "max_chars": max_chars, "expand": expand}
        )
    assert not result.is_error
    jsonschema.validate(result.structured_content, tools["get_extract_job"].output_schema or {})
    structured = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
    assert max(len(structured), len(text_of(result))) <= max_chars


@ERAS
async def test_waiting_for_a_running_job_tells_progress_and_then_answers(mode: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    clock = SkippingClock()
    async with Client(build_server(frozen_source(clock), clock=clock), mode=mode) as client:
        result = await client.call_tool("wait_for_extract_job", {"job_id": SAMPLE_RUNNING_ID}, progress_callback=note)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "COMPLETED"
    assert result.structured_content["result"]["invoice_number"] == "NL-2026-0417"
    assert [progress for progress, _, _ in told] == sorted({progress for progress, _, _ in told})
    assert [total for _, total, _ in told] == [45] * len(told)
    assert told[0][2] == "PENDING for 0 s; next poll in 2 s"
    assert told[-1][2] == "COMPLETED"


async def test_still_running_at_the_deadline_is_an_answer_that_says_what_to_call() -> None:
    clock = SkippingClock()
    async with Client(build_server(frozen_source(clock), clock=clock)) as client:
        arguments = {"job_id": SAMPLE_RUNNING_ID, "timeout_seconds": 3}
        result = await client.call_tool("wait_for_extract_job", arguments)
    assert not result.is_error
    assert result.structured_content is not None
    assert (result.structured_content["status"], result.structured_content["facts"]["waited_seconds"]) == (
        "RUNNING",
        3.0,
    )
    call = f'wait_for_extract_job(job_id="{SAMPLE_RUNNING_ID}")'
    assert call in next_steps(result.structured_content)
    assert call in text_of(result)


async def test_cancelling_a_wait_ends_it_and_leaves_the_job_alone() -> None:
    clock = StandingClock()
    async with Client(build_server(frozen_source(clock), clock=clock)) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "wait_for_extract_job", {"job_id": SAMPLE_RUNNING_ID})
            await clock.is_waiting.wait()
            group.cancel_scope.cancel()
        await clock.was_cancelled.wait()
        result = await client.call_tool("get_extract_job", {"job_id": SAMPLE_RUNNING_ID})
    assert result.structured_content is not None
    assert result.structured_content["status"] == "PENDING"


@pytest.mark.parametrize("name", ABOUT_A_JOB)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": ""}, "job_id (given: '')"),
        ({"job_id": "   "}, "job_id (given: ' '): a text that is not empty"),
        ({"job_id": "ext-1", "max_chars": 999}, "max_chars (given: 999): a whole number from 1,000 to 400,000"),
        ({"job_id": "ext-1", "max_chars": "many"}, "max_chars (given: 'many')"),
        ({"job_id": ["ext-1"]}, "job_id: a text"),
    ],
)
async def test_a_bad_argument_is_named_with_what_is_allowed(name: str, arguments: Any, words: str) -> None:
    async with connect() as client:
        result = await client.call_tool(name, arguments)
    assert result.is_error
    assert words in text_of(result)
    assert "pydantic" not in text_of(result)
    assert "Error executing" not in text_of(result)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("get_extract_job", {"job_id": None}, "job_id (given: None): a text"),
        ("get_extract_job", {"expand": ["result"]}, "expand (given: 'result'): a list of configuration"),
        ("wait_for_extract_job", {"expand": ["result"]}, "expand (given: 'result'): a list of configuration"),
        ("read_extract_result", {"include": ["pages"]}, "include (given: 'pages'): a list of confidence, citations"),
        ("find_in_extract_result", {}, "text is missing"),
        ("find_in_extract_result", {"text": "a", "where": ["all"]}, "where (given: 'all'): a list of values, names"),
        ("query_extract_result", {}, "sql is missing"),
        ("review_extract_job", {"threshold": 2}, "threshold (given: 2)"),
        ("read_extract_result", {"expand": ["usage"]}, "it has no argument expand. It takes job_id, path, cursor"),
        ("get_extract_job", {"path": "a", "id": 1}, "it has no argument path, id. It takes job_id, expand"),
    ],
)
async def test_an_argument_of_one_tool_is_checked_like_those_of_all(name: str, arguments: Any, words: str) -> None:
    async with connect() as client:
        result = await client.call_tool(name, {"job_id": "ext-1"} | arguments)
    assert result.is_error
    assert words in text_of(result)


@pytest.mark.parametrize("seconds", [-1, 3_601, "soon"])
async def test_a_timeout_out_of_range_says_what_is_allowed(seconds: Any) -> None:
    async with connect() as client:
        result = await client.call_tool("wait_for_extract_job", {"job_id": "ext-1", "timeout_seconds": seconds})
    assert result.is_error
    assert "timeout_seconds" in text_of(result)
    assert "from 0 to 3,600" in text_of(result)


async def test_sections_may_come_as_one_text() -> None:
    async with connect() as client:
        result = await client.call_tool("get_extract_job", {"job_id": INVOICE, "expand": "usage, metadata"})
    assert result.structured_content is not None
    assert result.structured_content["sections"]["usage"] == {
        "credits": 50.0,
        "extract_credits": 30.0,
        "parse_credits": 20.0,
    }
    assert "lowest_confidence" not in result.structured_content


@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("ext-nowhere", 'No job "ext-nowhere" can be seen with this key. Check the id, the project and the region'),
        ("pjb-1", "the id of a parse job"),
        ("dfl-1", "the id of a file"),
        ("cfg-1", "the id of a configuration"),
        ("0b2f4e6a-1111-4222-8333-444455556666", "older API v1"),
    ],
)
async def test_an_unknown_job_is_an_error_that_says_what_to_check(job_id: str, words: str) -> None:
    async with connect() as client:
        result = await client.call_tool("get_extract_job", {"job_id": job_id})
    assert result.is_error
    assert result.structured_content is None
    assert text_of(result).startswith("No job")
    assert words in text_of(result)


@pytest.mark.parametrize("name", [name for name in ABOUT_A_JOB if not name.startswith("wait")])
@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ("running", "wait_for_extract_job"),
        ("failed_reason", "create a new job"),
        ("cancelled", "cancelled before it ended"),
        ("null_result", "found no value"),
    ],
)
async def test_a_job_without_a_result_says_what_to_do_next_in_every_tool(name: str, sample: str, words: str) -> None:
    job_id = next(known.job_id for known in SAMPLES if known.name == sample)
    clock = StandingClock()
    async with Client(build_server(frozen_source(clock), clock=clock)) as client:
        result = await client.call_tool(name, {"job_id": job_id} | NEEDED.get(name, {}))
    assert not result.is_error, result
    assert result.structured_content is not None
    assert words in next_steps(result.structured_content)
    assert words in text_of(result)


@pytest.mark.parametrize("name", TOOLS)
async def test_without_a_key_the_server_starts_and_every_call_says_how_to_set_one(name: str) -> None:
    async with Client(build_server(open_cloud_backend(load_settings()))) as client:
        assert len((await client.list_tools()).tools) == len(TOOLS)
        named = {"job_id": "ext-1"} if name in ABOUT_A_JOB else {}
        result = await client.call_tool(name, named | NEEDED.get(name, {}))
    assert result.is_error
    assert "LLAMA_CLOUD_API_KEY" in text_of(result)
    assert "--local" in text_of(result)


async def test_a_result_that_cannot_be_read_is_an_error_and_not_a_crash() -> None:
    body = b'{"id":"ext-1","status":"COMPLETED","extract_result":{"a":tru}}'

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
        async with open_client(load_settings(api_key="llx-k"), transport=transport) as client:
            yield client

    async with Client(build_server(open_source)) as client:
        result = await client.call_tool("get_extract_job", {"job_id": "ext-1"})
    assert result.is_error
    assert "JSON" in text_of(result)


@ERAS
async def test_resources_are_whole(mode: str) -> None:
    async with connect(mode) as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == [
            "llx://jobs/{job_id}",
            "llx://jobs/{job_id}/result",
            "llx://jobs/{job_id}/metadata",
            "llx://jobs/{job_id}/configuration",
            "llx://jobs/{job_id}/tables/{table}",
        ]
        uris = [template.uri_template.format(job_id=STATEMENT, table="transactions") for template in templates]
        read = [await client.read_resource(uri) for uri in uris[:4]]
        (table,) = (await client.read_resource(uris[4])).contents
        contents: list[Any] = [resource.contents[0] for resource in read]
    job, result, metadata, configuration = (json.loads(content.text) for content in contents)
    assert {content.mime_type for content in contents} == {"application/json"}
    assert len(result["transactions"]) == 1_200
    assert (job["extract_result"], job["extract_metadata"], job["configuration"]) == (result, metadata, configuration)
    assert isinstance(table, TextResourceContents)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert table.mime_type == "text/csv"
    assert [float(row["amount"]) for row in rows] == [row["amount"] for row in result["transactions"]]


@ERAS
async def test_what_leaves_something_out_links_to_the_whole(mode: str) -> None:
    async with connect(mode) as client:
        result = await client.call_tool("get_extract_job", {"job_id": STATEMENT})
        (link,) = [block for block in result.content if block.type == "resource_link"]
        whole: Any = (await client.read_resource(str(link.uri))).contents[0]
        small = await client.call_tool("get_extract_job", {"job_id": INVOICE, "max_chars": 100_000})
    assert len(json.loads(whole.text)["transactions"]) == 1_200
    assert [block.type for block in small.content] == ["text"]


async def test_a_table_that_is_not_there_says_which_are() -> None:
    async with connect() as client:
        with pytest.raises(MCPError, match=r"No table nothing in this job\. It has: document, transactions"):
            await client.read_resource(f"llx://jobs/{STATEMENT}/tables/nothing")


@ERAS
async def test_a_resource_that_is_not_there_is_invalid_params(mode: str) -> None:
    async with connect(mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("llx://jobs/ext-nowhere/result")
    assert caught.value.code == -32602


async def test_a_cursor_is_refused() -> None:
    async with connect() as client:
        for call in (client.list_tools, client.list_prompts, client.list_resources, client.list_resource_templates):
            with pytest.raises(MCPError) as caught:
                await call(cursor="abc")
            assert caught.value.code == -32602


def test_the_instructions_are_short() -> None:
    assert len(INSTRUCTIONS.split()) <= 150


class SkippingClock:
    """Time that passes only in sleep, and then at once."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(1_767_225_600 + self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.seconds += seconds


class StandingClock(SkippingClock):
    """Time that never passes: who sleeps, sleeps until cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waiting = anyio.Event()
        self.was_cancelled = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.is_waiting.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.was_cancelled.set()


def frozen_source(clock: SkippingClock) -> Any:
    """The embedded API, living by the same clock as the wait."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        store = open_store(None)
        try:
            async with open_client(local_settings(), app=create_app(store, clock=clock.now)) as client:
                yield client
        finally:
            store.close()

    return open_source
