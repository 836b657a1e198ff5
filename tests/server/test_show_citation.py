"""`show_citation` over the samples: images as blocks of their own, and all that is known of them in both forms."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import BlobResourceContents, CallToolResult
from PIL import Image

from llx_mcp.local.samples import SAMPLES
from llx_mcp.pdf.pictures import MAX_BYTES
from llx_mcp.server.app import build_server
from tests.clients import call, structured, text_of
from tests.jobs.cited_documents import PDF
from tests.kept_open import IN_ONE_LOOP
from tests.sources import Bodies, open_bodies

pytestmark = IN_ONE_LOOP

INVOICE, STATEMENT, LAB_REPORT, LOAN = (sample.job_id for sample in SAMPLES[:4])
RUNNING = next(sample.job_id for sample in SAMPLES if sample.name == "cancelled")


def images_of(result: CallToolResult) -> list[Image.Image]:
    """Return the pictures of an answer."""
    blocks: list[Any] = [block for block in result.content if block.type == "image"]
    for block in blocks:
        assert block.mime_type in ("image/png", "image/webp")
        assert len(base64.b64decode(block.data)) <= MAX_BYTES
    return [Image.open(io.BytesIO(base64.b64decode(block.data))) for block in blocks]


async def test_picture_is_an_image_block_and_never_structured_content(each_client: Client) -> None:
    result = await call(each_client, "show_citation", job_id=INVOICE, path="totals.gross")
    (image,) = images_of(result)
    assert 800 < image.width <= 1_000
    assert [block.type for block in result.content] == ["text", "image"]
    assert len(json.dumps(structured(result))) < 2_000
    assert structured(result)["citations"]["rows"] == [
        [1, "totals.gross", 51487.48, 0.963, 2, "Total due 51,487.48", "verified", "as cited"]
    ]
    assert '1 | 0.963 | p. 2 | totals.gross = 51487.48 | "Total due 51,487.48" | verified' in text_of(result)


@pytest.mark.parametrize("path", ["purchase_order, totals.gross", ["purchase_order", "totals.gross"]])
async def test_several_values_are_a_list_or_a_text_with_commas(client: Client, path: Any) -> None:
    result = await call(client, "show_citation", job_id=INVOICE, path=path)
    assert [picture["page"] for picture in structured(result)["pictures"]] == [1, 2]
    assert [picture["numbers"] for picture in structured(result)["pictures"]] == [[1], [2]]
    assert len(images_of(result)) == 2


async def test_picture_is_a_resource_too(client: Client) -> None:
    result = structured(await call(client, "show_citation", job_id=LAB_REPORT, path="results[10:13].value"))
    (picture,) = result["pictures"]
    (contents,) = (await client.read_resource(picture["resource"])).contents
    assert isinstance(contents, BlobResourceContents)
    assert contents.mime_type == "image/png"
    assert Image.open(io.BytesIO(base64.b64decode(contents.blob))).format == "PNG"


async def test_each_page_of_several_has_a_resource_of_its_own(client: Client) -> None:
    result = structured(await call(client, "show_citation", job_id=INVOICE, path="purchase_order,totals.gross"))
    uris = [picture["resource"] for picture in result["pictures"]]
    blobs = [(await client.read_resource(uri)).contents[0] for uri in uris]
    uri = f"llx://jobs/{INVOICE}/citations/purchase_order%2Ctotals.gross"
    assert uris == [f"{uri}?page=1", f"{uri}?page=2"]
    assert all(isinstance(blob, BlobResourceContents) for blob in blobs)


async def test_picture_may_be_reused_once_it_is_final(client: Client) -> None:
    final = await client.read_resource(f"llx://jobs/{INVOICE}/citations/totals.gross")
    citation = {"page": 1, "matching_text": "absent"}
    job = {
        "id": "ext-1",
        "status": "COMPLETED",
        "file_input": "dfl-1",
        "extract_result": {"total": 12},
        "extract_metadata": {"field_metadata": {"document_metadata": {"total": {"citation": [citation]}}}},
    }
    source = Bodies(lambda _: json.dumps(job).encode())
    source.documents.files["dfl-1"] = PDF
    async with Client(build_server(open_bodies(source))) as other:
        unmarked = await other.read_resource("llx://jobs/ext-1/citations/total")
    assert (final.ttl_ms, unmarked.ttl_ms) == (3_600_000, 0)


@pytest.mark.parametrize(
    ("page", "words"),
    [("7", "no value is shown on page 7"), ("two", "two.* is no page number"), ("9" * 5_000, "is no")],
)
async def test_page_without_a_value_is_not_found(client: Client, page: str, words: str) -> None:
    with pytest.raises(MCPError, match=words):
        await client.read_resource(f"llx://jobs/{INVOICE}/citations/totals.gross?page={page}")


@pytest.mark.parametrize("path", ["no_such_field", "items["])
async def test_resource_of_an_unknown_path_is_not_found(client: Client, path: str) -> None:
    with pytest.raises(MCPError, match=r"no_such_field|items\["):
        await client.read_resource(f"llx://jobs/{INVOICE}/citations/{path.replace('[', '%5B')}")


async def test_resource_of_a_job_without_a_result_is_not_found(client: Client) -> None:
    with pytest.raises(MCPError, match="no result"):
        await client.read_resource(f"llx://jobs/{RUNNING}/citations/total")


async def test_whole_page_and_width_are_as_asked_for(client: Client) -> None:
    result = await call(client, "show_citation", job_id=INVOICE, path="totals.gross", max_width=500, whole_page=True)
    (image,) = images_of(result)
    assert image.size == (500, 708)


@pytest.mark.parametrize("width", [100, 5_000])
async def test_width_has_bounds(client: Client, width: int) -> None:
    result = await client.call_tool("show_citation", {"job_id": INVOICE, "path": "totals", "max_width": width})
    assert result.is_error
    assert "max_width (given: " in text_of(result)
    assert "from 200 to 2,000" in text_of(result)


@pytest.mark.parametrize(("path", "words"), [("no_such_field", "no_such_field"), ("", "path"), ([], "path")])
async def test_path_that_names_nothing_is_an_error(client: Client, path: Any, words: str) -> None:
    result = await client.call_tool("show_citation", {"job_id": INVOICE, "path": path})
    assert result.is_error
    assert words in text_of(result)


async def test_document_that_is_gone_is_an_answer() -> None:
    job = {
        "id": "ext-1",
        "status": "COMPLETED",
        "file_input": "dfl-gone",
        "extract_result": {"total": 12},
        "extract_metadata": {
            "field_metadata": {"document_metadata": {"total": {"citation": [{"page": 3, "matching_text": "total 12"}]}}}
        },
    }
    async with Client(build_server(open_bodies(Bodies(lambda _: json.dumps(job).encode())))) as client:
        result = await call(client, "show_citation", job_id="ext-1", path="total")
    assert images_of(result) == []
    assert structured(result)["citations"]["rows"][0][4:6] == [3, "total 12"]
    assert "There is no such document." in structured(result)["not_shown"][0]
    assert "Not shown: value 1, page 3: There is no such document." in text_of(result)


async def test_definition_is_short(client: Client) -> None:
    """Tokens are four characters and more in English; the whole definition of the other tools is about as long."""
    tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "show_citation")
    properties: dict[str, Any] = tool.input_schema["properties"]
    texts = [tool.description or "", *(argument["description"] for argument in properties.values())]
    assert len(" ".join(texts)) <= 4 * 80


async def test_corpus_job_is_shown_from_its_document(corpus: Path) -> None:
    name = "ma-2023-sw-m-table1"
    job = json.loads((corpus / f"{name}.job.json").read_bytes())
    source = Bodies(lambda _: json.dumps(job | {"file_input": "dfl-1"}).encode())
    source.documents.files["dfl-1"] = (corpus / f"{name}.pdf").read_bytes()
    async with Client(build_server(open_bodies(source))) as client:
        result = await call(client, "show_citation", job_id="ext-1", path="$")
    rows = structured(result)["citations"]["rows"]
    assert {row[6] for row in rows if row[7] is not None} == {"verified"}
    assert len(images_of(result)) == len(structured(result)["pictures"])
    assert structured(result)["omitted"][0]["total"] > 100
