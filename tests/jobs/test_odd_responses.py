"""Responses that are empty, incomplete or partly unusable give clear answers, which hide nothing."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from llx_mcp.answers.requests import JobListRequest, JobRequest, WaitRequest
from llx_mcp.errors import BadResponseError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.llamacloud import open_client
from llx_mcp.settings import load_settings
from tests.structured import next_steps

ROWS = [{"n": index, "text": f"x{index}"} for index in range(4)]
METADATA = {
    "total": {"confidence": 0.5, "citation": [{"page": 1, "matching_text": "12"}]},
    "rows": [{"n": {"confidence": 0.9}}, {"text": {"confidence": 0.3}}, None],
}
JOB = {
    "id": "ext-1",
    "status": "COMPLETED",
    "extract_result": {"total": 12, "vendor": "ACME", "rows": ROWS},
    "extract_metadata": {"field_metadata": {"document_metadata": METADATA}},
}
REQUEST = JobRequest("ext-1")


@asynccontextmanager
async def reading(handler: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[JobReader]:
    """Open a reader of a service in memory."""
    settings = load_settings(api_key="llx-test-test")
    async with open_reader(
        lambda: open_client(settings, transport=httpx.MockTransport(handler)), SystemClock()
    ) as reader:
        yield reader


def answer_with(body: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Return a service with one response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: httpx.Response(200, content=content)


def pages(**by_token: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Return a service with one list page for each token; the first is `first`."""
    return lambda request: httpx.Response(200, json=by_token[request.url.params.get("page_token", "first")])


async def test_empty_page_does_not_end_a_list() -> None:
    service = pages(first={"items": [], "next_page_token": "a"}, a={"items": [{"id": "ext-1", "status": "RUNNING"}]})
    async with reading(service) as reader:
        answer = await reader.list(JobListRequest(), None)
    assert [row[0] for row in answer.structured["jobs"]["rows"]] == ["ext-1"]
    assert "cursor" not in answer.structured


async def test_list_of_empty_pages_ends_with_a_cursor_and_does_not_say_that_there_is_no_job() -> None:
    service = pages(first={"items": [], "next_page_token": "a"}, a={"items": [], "next_page_token": "a"})
    async with reading(service) as reader:
        answer = await reader.list(JobListRequest(), None)
    assert answer.structured["listed"]["jobs"] == 0
    assert answer.structured["cursor"]
    assert next_steps(answer.structured) == "No job so far. Older jobs may follow: go on with the cursor."


async def test_list_without_a_job_says_so() -> None:
    async with reading(answer_with({"items": [], "next_page_token": None})) as reader:
        answer = await reader.list(JobListRequest(), None)
    assert (answer.structured["listed"]["jobs"], "cursor" in answer.structured) == (0, False)
    assert next_steps(answer.structured).startswith("This key sees no job here.")


async def test_row_that_is_no_job_is_counted_and_does_not_hide_the_others() -> None:
    odd = [{"id": "ext-2"}, 7, None, {"status": "RUNNING"}, "x", []]
    rows = [{"id": "ext-1", "status": "RUNNING"}, *odd, {"id": "ext-3", "status": "FAILED", "usage": "free"}]
    async with reading(answer_with({"items": rows})) as reader:
        for max_chars in (1_000, 8_000):
            answer = await reader.list(JobListRequest(max_chars=max_chars), None)
            assert [row[0] for row in answer.structured["jobs"]["rows"]] == ["ext-1", "ext-3"]
            (omission,) = answer.structured["omitted"]
            assert (omission["what"], omission["count"]) == ("jobs that cannot be read", 6)
            assert "Left out: 6 jobs that cannot be read" in answer.text


async def test_row_that_is_no_job_does_not_end_a_wait_for_the_others() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        job_id = request.url.path.rpartition("/")[2]
        if job_id == "extract":
            return httpx.Response(200, json={"items": [{"id": "ext-2"}, {"id": "ext-1", "status": "RUNNING"}]})
        return httpx.Response(200, json={"id": job_id, "status": "FAILED"} if job_id == "ext-3" else {"id": job_id})

    async with reading(serve) as reader:
        answer = await reader.wait(WaitRequest(("ext-1", "ext-2", "ext-3"), is_many=True), 0)
    assert [row[:2] for row in answer.structured["jobs"]["rows"]] == [
        ["ext-1", "RUNNING"],
        ["ext-2", "ERROR"],
        ["ext-3", "FAILED"],
    ]
    assert "no usable status" in answer.text


@pytest.mark.parametrize("later", [b'{"items":[{"id":"ext-1","sta', b"<html>", b'{"items":[{}]}'])
async def test_list_ends_before_a_page_that_cannot_be_read(later: bytes) -> None:
    first = json.dumps({"items": [{"id": "ext-1", "status": "RUNNING"}], "next_page_token": "a"}).encode()

    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=later if "page_token" in request.url.params else first)

    async with reading(serve) as reader:
        answer = await reader.list(JobListRequest(), None)
        assert [row[0] for row in answer.structured["jobs"]["rows"]] == ["ext-1"]
        with pytest.raises(BadResponseError):
            await reader.list(JobListRequest(), answer.structured["cursor"])


@pytest.mark.parametrize("cut", [1, 30, 200, -40, -1])
async def test_job_that_is_cut_off_says_so_and_is_not_cached(cut: int) -> None:
    body = json.dumps(JOB).encode()
    bodies = iter([body[:cut], body])
    async with reading(lambda _: httpx.Response(200, content=next(bodies))) as reader:
        with pytest.raises(BadResponseError, match=r"was cut off after [\d,]+ bytes\. Retrying may help") as caught:
            await reader.get(REQUEST)
        assert caught.value.is_transient
        assert (await reader.get(REQUEST)).structured["result"] == JOB["extract_result"]


async def test_list_that_is_cut_off_says_so() -> None:
    async with reading(answer_with(b'{"items":[{"id":"ext-1","status":"COMPL')) as reader:
        with pytest.raises(BadResponseError, match="was cut off after 39 bytes"):
            await reader.list(JobListRequest(), None)


async def test_values_without_metadata_are_shown_and_counted() -> None:
    async with reading(answer_with(JOB)) as reader:
        answer = await reader.get(REQUEST)
        page = await reader.read(REQUEST, "rows", None, ("confidence",))
        review = await reader.review(REQUEST, 0.8)
    counts = answer.structured["counts"]
    assert answer.structured["result"] == JOB["extract_result"]
    assert (counts["values"], counts["without_confidence"], counts["without_citation"]) == (10, 7, 9)
    for row in ROWS:
        assert f'{row["n"]} | "{row["text"]}"' in page.text
    assert "metadata for the first 3 of 4 elements" in review.text


@pytest.mark.parametrize("metadata", [None, {}, {"field_metadata": None}, {"field_metadata": {"document_metadata": 3}}])
async def test_result_without_usable_metadata_is_shown_whole(metadata: Any) -> None:
    async with reading(answer_with({**JOB, "extract_metadata": metadata})) as reader:
        answer = await reader.get(REQUEST)
    assert answer.structured["result"] == JOB["extract_result"]
