"""The tools through a client, over the embedded API in the same process."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp_types import INVALID_PARAMS, TextResourceContents

from llx_mcp.backends import open_cloud_backend
from llx_mcp.llamacloud import open_client
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.server.app import build_server
from llx_mcp.settings import load_settings
from tests.clients import ERAS, ProgressLog, call, connect, connect_with_clock, size_of, structured, text_of
from tests.conftest import Snapshot
from tests.fake_clock import FakeClock, StandingClock
from tests.kept_open import IN_ONE_LOOP
from tests.structured import next_steps, result_of

pytestmark = IN_ONE_LOOP

SNAPSHOTS = Path(__file__).parent / "snapshots"
# The required arguments of a tool besides the job's id.
REQUIRED: dict[str, dict[str, Any]] = {
    "find_in_extract_result": {"text": "x"},
    "query_extract_result": {"sql": "SELECT 1"},
    "show_citation": {"path": "$"},
}
INVOICE, STATEMENT, LAB_REPORT, LOAN = (sample.job_id for sample in SAMPLES[:4])
TOOLS = (
    "get_extract_job",
    "wait_for_extract_job",
    "read_extract_result",
    "read_source_text",
    "show_citation",
    "find_in_extract_result",
    "query_extract_result",
    "review_extract_job",
    "list_extract_jobs",
)
# The tools that take a job's id.
JOB_TOOLS = TOOLS[:-1]


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
async def test_server_speaks_both_protocol_versions(mode: str, version: str) -> None:
    async with connect(mode) as client:
        assert client.protocol_version == version
        assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
async def test_tool_definition_is_as_committed(client: Client, name: str, snapshot: Snapshot) -> None:
    tool = next(tool for tool in (await client.list_tools()).tools if tool.name == name)
    definition = tool.model_dump(by_alias=True, exclude_none=True, mode="json")
    snapshot.check(SNAPSHOTS / f"{name}.json", json.dumps(definition, indent=2, ensure_ascii=False) + "\n")


async def test_no_argument_is_repeated_in_a_header(client: Client) -> None:
    # A tool with such an argument needs the comparison with its schema that `ExtractServer` turns off.
    assert "x-mcp-header" not in str([tool.input_schema for tool in (await client.list_tools()).tools])


async def test_schemas_have_no_references_or_titles_and_describe_every_property(client: Client) -> None:
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

    for tool in (await client.list_tools()).tools:
        walk(tool.input_schema, f"{tool.name}.input")
        walk(tool.output_schema, f"{tool.name}.output")
        assert tool.description
        assert len(tool.description) <= 1_024


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
@pytest.mark.parametrize("max_chars", [1_000, 8_000, 100_000])
async def test_answer_fits_its_schema_and_its_budget(each_client: Client, sample: Any, max_chars: int) -> None:
    expand = ["extract_metadata", "configuration", "usage", "metadata"]
    result = await call(each_client, "get_extract_job", job_id=sample.job_id, max_chars=max_chars, expand=expand)
    assert size_of(result) <= max_chars


async def test_client_refuses_an_answer_that_does_not_fit_its_schema(client: Client) -> None:
    """All tests rely on this, and check no schema themselves."""
    result = await call(client, "get_extract_job", job_id=INVOICE)
    structured(result)["status"] = 5
    with pytest.raises(RuntimeError, match="Invalid structured content"):
        await client.session.validate_tool_result("get_extract_job", result)


@ERAS
async def test_wait_for_running_job_reports_progress_and_then_returns_the_result(mode: str) -> None:
    progress = ProgressLog()
    async with connect_with_clock(FakeClock(), mode) as client:
        result = await call(client, "wait_for_extract_job", progress=progress, job_id=SAMPLE_RUNNING_ID)
    answer = structured(result)
    assert answer["status"] == "COMPLETED"
    assert result_of(answer)["invoice_number"] == "NL-2026-0417"
    seconds = [report[0] for report in progress.reports]
    assert seconds == sorted(set(seconds))
    assert [total for _, total, _ in progress.reports] == [45] * len(progress.reports)
    assert progress.reports[0][2] == "PENDING for 0 s; next poll in 2 s"
    assert progress.reports[-1][2] == "COMPLETED"


async def test_wait_that_times_out_names_the_call_to_repeat() -> None:
    async with connect_with_clock(FakeClock()) as client:
        result = await call(client, "wait_for_extract_job", job_id=SAMPLE_RUNNING_ID, timeout_seconds=3)
    answer = structured(result)
    assert (answer["status"], answer["facts"]["waited_seconds"]) == ("RUNNING", 3.0)
    next_call = f'wait_for_extract_job(job_id="{SAMPLE_RUNNING_ID}")'
    assert next_call in next_steps(answer)
    assert next_call in text_of(result)


async def test_cancelled_wait_ends_and_leaves_the_job_unchanged() -> None:
    clock = StandingClock()
    async with connect_with_clock(clock) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "wait_for_extract_job", {"job_id": SAMPLE_RUNNING_ID})
            await clock.sleep_started.wait()
            group.cancel_scope.cancel()
        await clock.sleep_cancelled.wait()
        result = await call(client, "get_extract_job", job_id=SAMPLE_RUNNING_ID)
    assert structured(result)["status"] == "PENDING"


# `show_citation` has no budget: it shows a fixed number of values.
@pytest.mark.parametrize("name", [name for name in JOB_TOOLS if name != "show_citation"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": ""}, "job_id (given: '')"),
        ({"job_id": "   "}, "job_id (given: ' '): a text that is not empty"),
        ({"job_id": "ext-1", "max_chars": 999}, "max_chars (given: 999): a whole number from 1,000 to 400,000"),
        ({"job_id": "ext-1", "max_chars": "many"}, "max_chars (given: 'many')"),
        ({"job_id": ["ext-1"]}, "job_id (given: a list, not one value): a text"),
    ],
)
async def test_invalid_argument_is_named_with_its_allowed_values(
    client: Client, name: str, arguments: Any, words: str
) -> None:
    result = await client.call_tool(name, arguments)
    assert result.is_error
    assert words in text_of(result)
    assert "pydantic" not in text_of(result)
    assert "Error executing" not in text_of(result)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("get_extract_job", {"job_id": None}, "job_id (given: None): a text"),
        ("get_extract_job", {"expand": ["result"]}, "expand (given: 'result'): a list of job, configuration"),
        ("wait_for_extract_job", {"expand": ["result"]}, "expand (given: 'result'): a list of job, configuration"),
        ("show_citation", {"path": []}, "path (given: an empty list): a list of texts, at least 1. Path of a value"),
        ("read_extract_result", {"include": ["pages"]}, "include (given: 'pages'): a list of provenance, quotes"),
        ("find_in_extract_result", {}, "text is missing"),
        (
            "find_in_extract_result",
            {"text": "a", "limit": 0},
            "limit (given: 0): a whole number from 1 to 200",
        ),
        ("query_extract_result", {}, "sql is missing"),
        ("review_extract_job", {"threshold": 2}, "threshold (given: 2)"),
        ("read_extract_result", {"expand": ["usage"]}, "it has no argument expand. It takes job_id, path, cursor"),
        ("get_extract_job", {"path": "a", "id": 1}, "it has no argument path, id. It takes job_id, expand"),
    ],
)
async def test_invalid_argument_of_one_tool_is_named(client: Client, name: str, arguments: Any, words: str) -> None:
    result = await client.call_tool(name, {"job_id": "ext-1"} | arguments)
    assert result.is_error
    assert words in text_of(result)


@pytest.mark.parametrize("seconds", [-1, 3_601, "soon"])
async def test_timeout_out_of_range_is_refused_with_the_range(client: Client, seconds: Any) -> None:
    result = await client.call_tool("wait_for_extract_job", {"job_id": "ext-1", "timeout_seconds": seconds})
    assert result.is_error
    assert "timeout_seconds" in text_of(result)
    assert "from 0 to 3,600" in text_of(result)


async def test_case_of_a_word_does_not_matter(client: Client) -> None:
    shown = structured(await call(client, "get_extract_job", job_id=INVOICE, expand=["Usage"]))
    waited = await call(client, "wait_for_extract_job", job_id=INVOICE, until="ANY")
    read = structured(await call(client, "read_extract_result", job_id=INVOICE, include=["Quotes"]))
    assert "usage" in shown["sections"]
    assert structured(waited)["status"] == "COMPLETED"
    assert read["values"][0]["cells"] == "[value, page, confidence, quote]"


async def test_sections_can_be_one_comma_separated_string(client: Client) -> None:
    answer = structured(await call(client, "get_extract_job", job_id=INVOICE, expand="usage, metadata"))
    assert answer["sections"]["usage"] == {"credits": 50.0, "extract_credits": 30.0, "parse_credits": 20.0}
    assert "lowest_confidence" not in answer


@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("ext-nowhere", 'No job "ext-nowhere" can be seen with this key. Check the id, the project and the store'),
        ("pjb-1", "the id of a parse job"),
        ("dfl-1", "the id of a file"),
        ("cfg-1", "the id of a configuration"),
        ("0b2f4e6a-1111-4222-8333-444455556666", "older API v1"),
    ],
)
async def test_unknown_job_is_an_error_with_advice(client: Client, job_id: str, words: str) -> None:
    result = await client.call_tool("get_extract_job", {"job_id": job_id})
    assert result.is_error
    assert result.structured_content is None
    assert text_of(result).startswith("No job")
    assert words in text_of(result)


@pytest.mark.parametrize(
    "name", [name for name in JOB_TOOLS if name not in ("wait_for_extract_job", "read_source_text")]
)
@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ("running", "wait_for_extract_job"),
        ("failed_reason", "A result needs a new job"),
        ("cancelled", "cancelled before it ended"),
        ("null_result", "found no value"),
    ],
)
async def test_job_without_a_result_has_a_next_step_in_every_tool(
    client: Client, name: str, sample: str, words: str
) -> None:
    job_id = next(known.job_id for known in SAMPLES if known.name == sample)
    result = await call(client, name, job_id=job_id, **REQUIRED.get(name, {}))
    assert words in next_steps(structured(result))
    assert words in text_of(result)


async def test_server_without_a_key_starts_and_every_call_explains_how_to_set_one() -> None:
    async with Client(build_server(open_cloud_backend(load_settings()))) as client:
        assert len((await client.list_tools()).tools) == len(TOOLS)
        for name in TOOLS:
            arguments = {"job_id": "ext-1"} if name in JOB_TOOLS else {}
            result = await client.call_tool(name, arguments | REQUIRED.get(name, {}))
            assert result.is_error, name
            assert "LLAMA_CLOUD_API_KEY" in text_of(result)
            assert "--local" in text_of(result)


async def test_unreadable_result_is_an_error_answer() -> None:
    body = b'{"id":"ext-1","status":"COMPLETED","extract_result":{"a":tru}}'
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    server = build_server(lambda: open_client(load_settings(api_key="llx-k"), transport=transport))
    async with Client(server) as client:
        result = await client.call_tool("get_extract_job", {"job_id": "ext-1"})
    assert result.is_error
    assert "JSON" in text_of(result)


async def test_resources_hold_the_whole_job(each_client: Client) -> None:
    templates = (await each_client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == [
        "llx://jobs/{job_id}",
        "llx://jobs/{job_id}/result",
        "llx://jobs/{job_id}/metadata",
        "llx://jobs/{job_id}/configuration",
        "llx://jobs/{job_id}/tables/{table}",
        "llx://jobs/{job_id}/citations/{path}{?page}",
    ]
    names = {"job_id": STATEMENT, "table": "transactions", "path": "$", "?page": ""}
    uris = [template.uri_template.format(**names) for template in templates]
    read = [await each_client.read_resource(uri) for uri in uris[:4]]
    (table,) = (await each_client.read_resource(uris[4])).contents
    contents: list[Any] = [resource.contents[0] for resource in read]
    job, result, metadata, configuration = (json.loads(content.text) for content in contents)
    assert {content.mime_type for content in contents} == {"application/json"}
    assert len(result["transactions"]) == 1_200
    assert (job["extract_result"], job["extract_metadata"], job["configuration"]) == (result, metadata, configuration)
    assert isinstance(table, TextResourceContents)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert table.mime_type == "text/csv"
    assert [float(row["amount"]) for row in rows] == [row["amount"] for row in result["transactions"]]


async def test_answer_is_text_alone_and_the_whole_result_is_a_resource(each_client: Client) -> None:
    result = await call(each_client, "get_extract_job", job_id=STATEMENT)
    whole: Any = (await each_client.read_resource(f"llx://jobs/{STATEMENT}/result")).contents[0]
    # Some clients reject an answer that has a link to a resource.
    assert [block.type for block in result.content] == ["text"]
    assert len(json.loads(whole.text)["transactions"]) == 1_200


async def test_tools_say_what_they_do_to_their_surroundings(client: Client) -> None:
    tools = (await client.list_tools()).tools
    for tool in tools:
        assert tool.annotations is not None
        assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (True, False)
        assert (tool.annotations.idempotent_hint, tool.annotations.open_world_hint) == (True, True)
        assert tool.annotations.title == tool.title
        assert tool.meta is not None
        assert tool.meta["anthropic/maxResultSizeChars"] == 400_000
        assert 10 < len(tool.meta["anthropic/searchHint"]) < 80


async def test_unknown_table_is_refused_with_the_known_tables(client: Client) -> None:
    with pytest.raises(MCPError, match=r"No table nothing in this job\. It has: document, transactions"):
        await client.read_resource(f"llx://jobs/{STATEMENT}/tables/nothing")


async def test_unknown_resource_is_invalid_params(each_client: Client) -> None:
    with pytest.raises(MCPError) as caught:
        await each_client.read_resource("llx://jobs/ext-nowhere/result")
    assert caught.value.code == -32602


async def test_cursor_of_a_definition_list_is_refused(client: Client) -> None:
    for method in (client.list_tools, client.list_prompts, client.list_resources, client.list_resource_templates):
        with pytest.raises(MCPError) as caught:
            await method(cursor="abc")
        assert caught.value.code == -32602


@pytest.mark.parametrize("threshold", ["foo", "2", "-0.1", "nan", "0.5 or so"])
async def test_prompt_refuses_a_threshold_that_is_none(client: Client, threshold: str) -> None:
    with pytest.raises(MCPError, match="The argument threshold is a number from 0 to 1") as caught:
        await client.get_prompt("review_doubtful_values", {"job_id": "ext-1", "threshold": threshold})
    assert caught.value.code == INVALID_PARAMS


@pytest.mark.parametrize("given", [{}, {"threshold": ""}, {"threshold": "0"}, {"threshold": " 0.75 "}])
async def test_prompt_takes_a_threshold_or_none(client: Client, given: dict[str, str]) -> None:
    prompt = await client.get_prompt("review_doubtful_values", {"job_id": "ext-1", **given})
    assert f"the threshold: {given.get('threshold', '').strip()} (0.8 where" in str(prompt.messages[0].content)
