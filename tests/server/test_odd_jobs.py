"""Every tool answers about a job whose envelope holds facts that nothing can be made of: they are unknown."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mcp import Client

from llx_mcp.llamacloud import open_client
from llx_mcp.server.app import ExtractServer, build_server
from tests.clients import call, structured, text_of
from tests.llamacloud.service import settings_with
from tests.structured import omissions

JOB = {"id": "ext-1", "status": "COMPLETED", "extract_result": {"total": 12}}
TOOLS: dict[str, dict[str, Any]] = {
    "get_extract_job": {"job_id": "ext-1"},
    "wait_for_extract_job": {"job_id": "ext-1", "timeout_seconds": 0},
    "read_extract_result": {"job_id": "ext-1", "path": "total"},
    "read_source_text": {"job_id": "ext-1"},
    "show_citation": {"job_id": "ext-1", "path": "total"},
    "find_in_extract_result": {"job_id": "ext-1", "text": "12"},
    "query_extract_result": {"job_id": "ext-1", "sql": "SELECT total FROM document"},
    "review_extract_job": {"job_id": "ext-1"},
    "list_extract_jobs": {},
}
MANY_DIGITS = "9" * 10_000


def encode(job: dict[str, Any]) -> str:
    """Encode a job; the text MANY_DIGITS becomes a number."""
    return json.dumps(job).replace(f'"{MANY_DIGITS}"', MANY_DIGITS)


def serve(body_of: Callable[[httpx.Request], str], headers: dict[str, str] | None = None) -> ExtractServer:
    """Return a server over a service that answers each request with a body."""

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body_of(request), headers=headers)

    return build_server(lambda: open_client(settings_with(), transport=httpx.MockTransport(respond)))


def body_of(job: dict[str, Any], *others: Any) -> Callable[[httpx.Request], str]:
    """Return a function that answers with the job, and to a list request also with other items."""

    def respond(request: httpx.Request) -> str:
        if "/files" in request.url.path:
            return "{}"
        is_list = request.url.path.endswith("/extract")
        return f'{{"items": [{", ".join(map(encode, (job, *others)))}]}}' if is_list else encode(job)

    return respond


@pytest.mark.parametrize(
    "facts",
    [
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"updated_at": "9999-12-31T23:59:59-12:00", "created_at": "2026-01-01T00:00:00Z"},
        {"created_at": "9999-12-31T23:59:59-12:00", "status": "RUNNING", "extract_result": None},
        {"created_at": 1e300, "updated_at": -(10**40)},
        {"usage": {"credits": MANY_DIGITS}},
        {"usage": {"credits": "1e999"}, "metadata": {"usage": {"num_pages_extracted": MANY_DIGITS}}},
        {"metadata": {"usage": {"num_pages_extracted": 10**400}}, "status": "RUNNING", "created_at": "2026-01-01"},
        {"usage": [MANY_DIGITS], "metadata": 3, "configuration": "x", "error_message": {"a": 1}, "file_input": [1]},
        {"configuration": {"tier": 3, "data_schema": [MANY_DIGITS], "cite_sources": "perhaps"}},
        {"file_input": "\ud800", "configuration": {"tier": "\udfff", "extraction_target": ["\ud800"]}},
    ],
)
async def test_fact_that_cannot_be_used_is_unknown_in_every_tool(facts: dict[str, Any]) -> None:
    async with Client(serve(body_of(JOB | facts))) as client:
        for tool, arguments in TOOLS.items():
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, f"{tool}: {text_of(result)}"


async def test_value_of_ten_thousand_digits_is_read_as_text() -> None:
    async with Client(serve(body_of(JOB | {"extract_result": {"total": MANY_DIGITS}}))) as client:
        for tool, arguments in TOOLS.items():
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, f"{tool}: {text_of(result)}"


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 01 Jan 1000 00:00:00 +1400", "nonsense"])
async def test_date_header_beyond_any_clock_is_ignored(date: str) -> None:
    job = JOB | {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:09Z"}
    async with Client(serve(body_of(job), {"date": date})) as client:
        for _ in range(2):
            for tool, arguments in TOOLS.items():
                result = await client.call_tool(tool, arguments)
                assert not result.is_error, f"{tool}: {text_of(result)}"


async def test_item_of_a_list_that_is_no_job_is_counted_and_the_others_are_shown() -> None:
    others = [{"id": "ext-2"}, 3, None, JOB | {"id": "ext-3", "created_at": "0001-01-01T00:00:00+14:00"}]
    async with Client(serve(body_of(JOB, *others))) as client:
        answer = structured(await call(client, "list_extract_jobs"))
    assert [row[0] for row in answer["jobs"]["rows"]] == ["ext-1", "ext-3"]
    assert omissions(answer) == ["3 items that are not jobs; the service sent them without an id or a status"]


async def test_list_without_any_job_does_not_say_that_the_key_sees_none() -> None:
    async with Client(serve(lambda _: '{"items": [{}, {}]}')) as client:
        text = text_of(await call(client, "list_extract_jobs"))
    assert "None of these items is a job." in text
    assert "This key sees no job" not in text


@pytest.mark.parametrize("tool", sorted({*TOOLS} - {"list_extract_jobs"}))
async def test_every_tool_gives_the_reason_of_a_failed_job(tool: str) -> None:
    reason = f"Page 2 is\u202e encrypted. {'x' * 5_000}"
    job = {"id": "ext-1", "status": "FAILED", "error_message": reason}
    async with Client(serve(body_of(job))) as client:
        result = await call(client, tool, **TOOLS[tool])
    answer = structured(result)
    assert answer["error"].startswith("Page 2 is\\u202e encrypted. xxx")
    assert len(answer["error"]) < 1_100
    assert f"Reason given by the service: {json.dumps(answer['error'], ensure_ascii=False)}" in text_of(result)
    (cut,) = [note for note in omissions(answer) if "characters of error" in note]
    assert cut.endswith("characters of error: resource llx://jobs/ext-1")


async def test_search_of_several_jobs_gives_the_reason_of_a_failed_one() -> None:
    job = {"id": "ext-1", "status": "FAILED", "error_message": "Page 2 is encrypted."}
    async with Client(serve(body_of(job))) as client:
        result = await call(client, "find_in_extract_result", job_ids=["ext-1"], text="12")
    assert structured(result)["searches"][0]["error"] == "Page 2 is encrypted."


async def test_reason_beside_a_result_is_in_the_summary_alone() -> None:
    job = {**JOB, "error_message": "half of it failed"}
    async with Client(serve(body_of(job))) as client:
        answers = {
            tool: structured(await call(client, tool, **arguments))
            for tool, arguments in TOOLS.items()
            if tool != "list_extract_jobs"
        }
    with_reason = {tool for tool, answer in answers.items() if "error" in answer}
    assert with_reason == {"get_extract_job", "wait_for_extract_job"}
