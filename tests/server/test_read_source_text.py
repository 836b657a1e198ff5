"""`read_source_text` over the samples, and over documents that are gone, slow, scanned or encrypted."""

import json
from typing import Any

import httpx
import pytest
from mcp import Client

from llx_mcp.jobs.source_texts import GONE
from llx_mcp.llamacloud import open_client
from llx_mcp.local.samples import SAMPLES
from llx_mcp.server.app import ExtractServer, build_server
from tests.clients import call, size_of, structured, text_of
from tests.kept_open import IN_ONE_LOOP
from tests.llamacloud.service import settings_with

pytestmark = IN_ONE_LOOP

INVOICE, STATEMENT = (sample.job_id for sample in SAMPLES[:2])
STORAGE = "https://storage.example.com/a.pdf"


async def test_words_around_a_value_of_a_sample_are_shown(each_client: Client) -> None:
    result = await call(each_client, "read_source_text", job_id=INVOICE, path="invoice_number")
    assert [row[:3] for row in structured(result)["places"]["rows"]] == [[1, 6, "cited"]]
    assert '1:6 | "Invoice no. NL-2026-0417"' in text_of(result)


@pytest.mark.parametrize("max_chars", [1_000, 2_000, 20_000])
@pytest.mark.parametrize("arguments", [{}, {"pages": "2-40"}, {"text": "balance"}, {"path": "transactions[7]"}])
async def test_answer_stays_within_its_budget(client: Client, arguments: dict[str, Any], max_chars: int) -> None:
    result = await call(client, "read_source_text", job_id=STATEMENT, max_chars=max_chars, **arguments)
    assert size_of(result) <= max_chars
    assert structured(result)["lines"]["rows"]


async def test_next_page_follows_with_the_call_that_is_shown(client: Client) -> None:
    first = structured(await call(client, "read_source_text", job_id=STATEMENT, pages="7"))
    (omission,) = first["omitted"]
    second = structured(await call(client, omission["call"]["tool"], **omission["call"]["arguments"]))
    last, after = first["lines"]["rows"][-1], second["lines"]["rows"][0]
    assert (after[0], after[1]) == (last[0], last[1] + 1)


async def test_empty_arguments_are_none(client: Client) -> None:
    result = await call(client, "read_source_text", job_id=INVOICE, path=" ", pages="", text="", cursor="")
    assert structured(result)["lines"]["rows"][0][:2] == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"path": "total", "pages": "1"}, "one of path, pages and text"),
        ({"pages": "one"}, "pages: give page numbers from 1"),
        ({"path": "no_such_field"}, "no_such_field"),
        ({"cursor": "x"}, "cursor"),
    ],
)
async def test_argument_that_cannot_be_used_is_an_error(client: Client, arguments: dict[str, Any], words: str) -> None:
    result = await client.call_tool("read_source_text", {"job_id": INVOICE, **arguments})
    assert result.is_error
    assert words in text_of(result)


def serve(parse: httpx.Response, content: httpx.Response, document: bytes = b"") -> ExtractServer:
    """Return a server over a service with one job, these responses about its document, and its bytes."""
    wire = {
        "id": "ext-1",
        "status": "COMPLETED",
        "file_input": "dfl-1",
        "extract_result": {"total": 12},
        "extract_metadata": {"parse_job_id": "pjb-1"},
    }

    def respond(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.startswith("/api/v2/extract"):
            return httpx.Response(200, json=wire)
        if request.url.host == "storage.example.com":
            return httpx.Response(200, content=document)
        found = parse if path.startswith("/api/v2/parse") else content
        return httpx.Response(found.status_code, content=found.content, headers=found.headers)

    return build_server(lambda: open_client(settings_with(), transport=httpx.MockTransport(respond)))


FILE_GONE = httpx.Response(404, json={"detail": "Source file not found in storage"})
STORED = httpx.Response(200, json={"url": STORAGE})
PARSED = httpx.Response(200, json={"text": {"pages": [{"page_number": 1, "text": "total 12"}]}})


async def ask(server: ExtractServer) -> dict[str, Any]:
    """Return the answer about the text of the job's document."""
    async with Client(server) as client:
        result = await call(client, "read_source_text", job_id="ext-1")
        checked = await call(client, "review_extract_job", job_id="ext-1")
    assert structured(checked)["counts"]["values"] == 1
    return structured(result)


async def test_text_comes_from_the_parse_job_where_the_file_is_gone() -> None:
    assert (await ask(serve(PARSED, FILE_GONE)))["lines"]["rows"] == [[1, 1, "total 12"]]


@pytest.mark.parametrize("status", [403, 404, 422, 402])
async def test_where_parse_job_and_file_are_gone_the_answer_says_so_and_the_review_goes_on(status: int) -> None:
    answer = await ask(serve(httpx.Response(status, json={"detail": "no"}), FILE_GONE))
    assert GONE in answer["problem"]
    assert ("the text of the parse job could not be fetched" in answer["problem"]) == (status in (422, 402))


async def test_refused_requests_are_said_to_be_refused() -> None:
    busy = httpx.Response(429, headers={"retry-after": "1"}, json={"detail": "slow down"})
    answer = await ask(serve(busy, busy))
    assert answer["problem"].count("rate limit is reached") == 2


@pytest.mark.parametrize(
    ("document", "words"),
    [(b"PK\x03\x04 a workbook", "PDF"), (b"", "it is empty"), (b"%PDF-1.7 damaged", "document cannot be read")],
)
async def test_document_that_is_no_pdf_is_said_to_be_none(document: bytes, words: str) -> None:
    answer = await ask(serve(FILE_GONE, STORED, document))
    assert words in answer["problem"]


async def test_odd_answer_of_the_parse_job_is_no_text() -> None:
    odd = json.dumps({"job": [], "text": {"pages": [{"page_number": "1", "text": {}}, 7]}, "items": "x"}).encode()
    answer = await ask(serve(httpx.Response(200, content=odd), FILE_GONE))
    assert "the parse job has no pages" in answer["problem"]
