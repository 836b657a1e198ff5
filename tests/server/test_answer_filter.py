"""Nothing that leaves the server repeats the key, or holds text that UTF-8 cannot hold."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
import stamina
from mcp import Client
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from pydantic import TypeAdapter

from llx_mcp.jobs.source import OpenSource
from llx_mcp.llamacloud import open_client
from llx_mcp.redaction import Redactor
from llx_mcp.server.app import ExtractServer, build_server
from llx_mcp.settings import load_settings
from tests.clients import ERAS, ProgressLog
from tests.fake_clock import StandingClock
from tests.server.echo_service import FORMS, KEY, find_key, respond
from tests.server.task_client import Tasks, send_task_request

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_extract_job", {"job_id": "ext-1", "expand": ["extract_metadata", "configuration", "usage", "metadata"]}),
    ("get_extract_job", {"job_id": "ext-1", "max_chars": 1_000}),
    ("get_extract_job", {"job_id": "ext-1", "max_chars": 100_000}),
    ("wait_for_extract_job", {"job_id": "ext-1", "timeout_seconds": 1}),
    ("wait_for_extract_job", {"job_ids": ["ext-1", "ext-missing"], "timeout_seconds": 1}),
    ("read_extract_result", {"job_id": "ext-1", "path": "rows", "include": ["citations", "boxes"]}),
    ("read_extract_result", {"job_id": "ext-1", "path": "long"}),
    ("find_in_extract_result", {"job_id": "ext-1", "text": "aB3dE6gH"}),
    ("find_in_extract_result", {"job_id": "ext-1", "text": KEY}),
    ("read_source_text", {"job_id": "ext-1"}),
    ("read_source_text", {"job_id": "ext-1", "text": KEY}),
    ("show_citation", {"job_id": "ext-1", "path": "rows"}),
    ("show_citation", {"job_id": "ext-1", "path": KEY}),
    ("query_extract_result", {"job_id": "ext-1", "sql": "SELECT path, name, value, quote FROM fields"}),
    ("query_extract_result", {"job_id": "ext-1", "sql": "SELECT * FROM rows"}),
    ("query_extract_result", {"job_id": "ext-1", "sql": f'SELECT "{KEY}" FROM'}),
    ("review_extract_job", {"job_id": "ext-1"}),
    ("list_extract_jobs", {}),
    ("get_extract_job", {"job_id": "ext-missing"}),
    ("get_extract_job", {"job_id": "ext-html"}),
    ("get_extract_job", {"job_id": KEY}),
    ("get_extract_job", {KEY: "x"}),
    ("list_extract_jobs", {"status": KEY}),
    (KEY, {}),
]
SECTIONS = ("", "/result", "/metadata", "/configuration", "/tables/rows", f"/tables/{KEY}")
SURROGATE = "half a character: \ud83d"


def open_echo(form: str, status: str = "COMPLETED") -> OpenSource:
    """Return a function that opens a client of a service that repeats the key."""
    transport = httpx.MockTransport(partial(respond, form, status=status))
    return lambda: open_client(load_settings(api_key=KEY), transport=transport)


def build_echo_server(form: str, status: str = "COMPLETED") -> ExtractServer:
    """Build a server over that service, which redacts."""
    return build_server(open_echo(form, status), redactor=Redactor(KEY))


@pytest.fixture(autouse=True)
def _no_waiting_between_tries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@ERAS
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
async def test_answers_and_errors_of_tools_hold_no_key(form: str, mode: str) -> None:
    num_marks = 0
    async with Client(build_echo_server(form), mode=mode) as client:
        for tool, arguments in CALLS:
            result = await client.call_tool(tool, arguments)
            answer = result.model_dump_json()
            assert find_key(answer) is None, (tool, arguments)
            num_marks += "[key]" in answer
    assert num_marks > len(CALLS) // 2


@ERAS
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
async def test_resources_and_their_errors_hold_no_key(form: str, mode: str) -> None:
    async with Client(build_echo_server(form), mode=mode) as client:
        for section in SECTIONS[:-1]:
            contents = await client.read_resource(f"llx://jobs/ext-1{section}")
            assert find_key(contents.model_dump_json()) is None, section
        for uri in (f"llx://jobs/ext-1{SECTIONS[-1]}", "llx://jobs/ext-missing", "llx://jobs/ext-html"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert find_key(str(caught.value.error)) is None, uri


@ERAS
async def test_prompts_hold_no_key(mode: str) -> None:
    async with Client(build_echo_server(KEY), mode=mode) as client:
        prompt = await client.get_prompt("summarize_job", {"job_id": KEY})
        assert "[key]" in prompt.model_dump_json()
        assert find_key(prompt.model_dump_json()) is None
        with pytest.raises(MCPError) as caught:
            await client.get_prompt(KEY)
        assert find_key(str(caught.value.error)) is None


@ERAS
async def test_progress_holds_no_key(mode: str) -> None:
    log = ProgressLog()
    async with Client(build_echo_server(KEY, status=f"RUNNING {KEY}"), mode=mode) as client:
        await client.call_tool(
            "wait_for_extract_job", {"job_id": "ext-1", "timeout_seconds": 0.1}, progress_callback=log
        )
    messages = " ".join(message or "" for _, _, message in log.reports)
    assert "[key]" in messages
    assert find_key(messages) is None


async def refuse_parameters(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Find the parameters of every prompt invalid. This is a middleware."""
    if ctx.method == "prompts/get":
        TypeAdapter(int).validate_python(KEY)
    return await call_next(ctx)


async def get_prompt_error(middleware: ServerMiddleware[Any], mode: str) -> MCPError:
    """Ask for a prompt, which the middleware fails, and return the error."""
    server = build_echo_server(KEY)
    server.middleware.append(middleware)
    async with Client(server, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("summarize_job", {"job_id": "x"})
    return caught.value


@ERAS
async def test_invalid_parameters_keep_their_code(mode: str) -> None:
    error = await get_prompt_error(refuse_parameters, mode)
    assert error.code == INVALID_PARAMS
    assert find_key(str(error.error)) is None


async def raise_error(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Fail every prompt with a bug. This is a middleware."""
    if ctx.method == "prompts/get":
        raise ValueError(f"a bug with {KEY}")
    return await call_next(ctx)


@ERAS
async def test_error_of_a_bug_holds_no_key(mode: str) -> None:
    error = await get_prompt_error(raise_error, mode)
    assert find_key(str(error.error)) is None


async def answer_surrogates(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Answer prompts with text that UTF-8 cannot hold. This is a middleware."""
    if ctx.method == "prompts/get":
        return {"messages": [{"role": "user", "content": {"type": "text", "text": f"{SURROGATE} {KEY}"}}]}
    return await call_next(ctx)


async def test_lone_surrogates_are_replaced() -> None:
    server = build_echo_server(KEY)
    server.middleware.append(answer_surrogates)
    async with Client(server, mode="legacy") as client:
        prompt = await client.get_prompt("summarize_job", {"job_id": "x"})
    assert prompt.messages[0].content.model_dump()["text"] == "half a character: \ufffd [key]"


async def test_task_and_its_result_hold_no_key() -> None:
    statuses = iter([f"RUNNING {KEY}", f"RUNNING {KEY}", *["FAILED"] * 9])
    transport = httpx.MockTransport(lambda request: respond(KEY, request, status=next(statuses)))
    tasks, clock = Tasks(), StandingClock()
    server = build_server(
        lambda: open_client(load_settings(api_key=KEY), transport=transport), redactor=Redactor(KEY), clock=clock
    )
    async with Client(server, extensions=[tasks]) as client:
        await client.call_tool("wait_for_extract_job", {"job_id": "ext-1"})
        (created,) = tasks.created
        answers = [created]
        while answers[-1]["status"] == "working":
            clock.seconds += 100
            answers.append(await send_task_request(client, "tasks/get", created["taskId"]))
    assert answers[-1]["result"]["structuredContent"]["status"] == "FAILED"
    for answer in answers:
        assert "[key]" in json.dumps(answer)
        assert find_key(json.dumps(answer)) is None
