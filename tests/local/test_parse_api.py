"""The parse job of a stored document answers with the text of its pages."""

import json
from typing import Any

import anyio
import httpx
import pytest

from llx_mcp.local import SAMPLES, JobStore, create_app
from llx_mcp.local.document_texts import DocumentTexts
from llx_mcp.local.faults import FaultInjector, parse_fault
from llx_mcp.local.samples import read_document, read_sample
from llx_mcp.local.scenarios import SCENARIO_HEADER
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.pdf import processes
from llx_mcp.pdf.processes import PdfError
from tests.fake_clock import FakeClock
from tests.local.clients import Clock, connect
from tests.pdf_files import build_text_pdf, write_lines
from tests.platforms import HAS_PROC
from tests.processes import list_children
from tests.waiting import until

SAMPLE = json.loads(read_sample(SAMPLES[0]))
PARSE_JOB = SAMPLE["extract_metadata"]["parse_job_id"]
OTHER_PROJECT = "00000000-0000-4000-8000-000000000001"
SECTIONS = ("text", "markdown", "items", "metadata", "text_full", "markdown_full")
MY_JOB: dict[str, Any] = {
    "id": "ext-mine", "status": "COMPLETED", "project_id": PROJECT_ID, "file_input": "dfl-mine", "extract_result": {},
    "created_at": "2026-07-01T10:00:00Z", "updated_at": "2026-07-01T10:01:00Z",
    "extract_metadata": {"field_metadata": {}, "parse_job_id": "pjb-mine", "parse_tier": "fast"},
    "usage": {"credits": 8.0, "extract_credits": 5.0, "parse_credits": 3.0},
}  # fmt: skip


def add_job(store: JobStore, document: bytes | None, **changes: Any) -> None:
    """Import a job, and store its document if there is one."""
    if document is not None:
        store.files.put_file(document, "mine.pdf", Clock().now, project_id=PROJECT_ID, file_id="dfl-mine")
    store.import_job(json.dumps(MY_JOB | changes).encode())


async def get(store: JobStore, parse_job_id: str = "pjb-mine", *expand: str, **query: str) -> httpx.Response:
    """Send one request for a parse job."""
    async with connect(create_app(store)) as client:
        return await client.get(f"/api/v2/parse/{parse_job_id}", params={"expand": expand, **query})


async def test_job_comes_without_sections_unless_expand_names_them(store: JobStore) -> None:
    answer = (await get(store, PARSE_JOB)).json()
    job = answer.pop("job")
    assert (job["id"], job["project_id"], job["status"], job["tier"]) == (PARSE_JOB, PROJECT_ID, "COMPLETED", "agentic")
    assert (job["name"], job["error_message"], job["usage"]) == ("invoice.pdf", None, None)
    assert (job["created_at"], job["updated_at"]) == (SAMPLE["created_at"], SAMPLE["updated_at"])
    assert set(answer) > set(SECTIONS)
    assert set(answer.values()) == {None}


@pytest.mark.parametrize("name", SECTIONS)
async def test_expand_returns_requested_section_alone(store: JobStore, name: str) -> None:
    answer = (await get(store, PARSE_JOB, name, "unknown")).json()
    assert [key for key, value in answer.items() if value is not None] == ["job", name]


async def test_pages_have_text_markdown_items_and_metadata(store: JobStore) -> None:
    document = build_text_pdf(
        write_lines("Total *due* 119.00", "- paid"),
        b"0 0 100 100 re f",
        catalog=b"/PageLabels<</Nums[0<</S/r>>1<</S/D/St 2>>]>>",
    )
    add_job(store, document)
    answer = (await get(store, "pjb-mine", *SECTIONS, "usage")).json()
    assert answer["text"] == {
        "pages": [{"page_number": 1, "text": "Total *due* 119.00\n- paid"}, {"page_number": 2, "text": ""}]
    }
    first, second = answer["markdown"]["pages"]
    markdown = "Total \\*due\\* 119.00\n\\- paid"
    assert first == {"page_number": 1, "success": True, "markdown": markdown, "header": None, "footer": None}
    assert (second["success"], second["markdown"]) == (True, "")
    first, second = answer["items"]["pages"]
    assert (first["page_number"], first["page_width"], first["page_height"]) == (1, 600, 800)
    assert first["items"][0] == {
        "type": "text", "md": "Total \\*due\\* 119.00", "value": "Total *due* 119.00",
        "bbox": [{"x": 100, "y": 88.66, "w": 99.4, "h": 14.03}],
    }  # fmt: skip
    assert [item["value"] for item in first["items"]] == ["Total *due* 119.00", "- paid"]
    assert (second["page_width"], second["items"]) == (600, [])
    assert [page["printed_page_number"] for page in answer["metadata"]["pages"]] == ["i", None]
    assert answer["text_full"] == "Total *due* 119.00\n- paid\n\n"
    assert answer["markdown_full"].startswith(f"{markdown}\n\n---")
    assert answer["job"]["usage"] == {"credits": 3.0}


async def test_boxes_of_items_contain_those_of_citations(store: JobStore) -> None:
    pages = (await get(store, PARSE_JOB, "items")).json()["items"]["pages"]
    citations = SAMPLE["extract_metadata"]["field_metadata"]["document_metadata"]["invoice_number"]["citation"]
    (citation,) = citations
    (cited,) = citation["bounding_boxes"]
    items = pages[citation["page"] - 1]["items"]
    (box,) = next(item["bbox"] for item in items if SAMPLE["extract_result"]["invoice_number"] in item["value"])
    assert box["x"] - 1 <= cited["x"]
    assert cited["x"] + cited["w"] <= box["x"] + box["w"] + 1
    assert box["y"] - 1 <= cited["y"]
    assert cited["y"] + cited["h"] <= box["y"] + box["h"] + 1


async def test_page_that_cannot_be_read_has_failed(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.PdfProcesses.read_text, "__kwdefaults__", {
        "max_pages": 1, "page_seconds": 60, "total_seconds": 60,
    })  # fmt: skip
    add_job(store, build_text_pdf(*[write_lines("text")] * 2))
    answer = (await get(store, "pjb-mine", *SECTIONS)).json()
    failed = {"page_number": 2, "success": False, "error": "not read: only the first 1 pages are"}
    assert [page["success"] for page in answer["items"]["pages"]] == [True, False]
    assert answer["items"]["pages"][1] == answer["markdown"]["pages"][1] == failed
    assert answer["text"]["pages"] == [{"page_number": 1, "text": "text"}]
    assert answer["text_full"] == answer["markdown_full"] == "text"


@pytest.mark.parametrize(
    ("document", "reason"),
    [(b"plain text", "it is not a PDF"), (b"", "it is empty"), (b"%PDF-1.7\n", "it is damaged")],
)
async def test_document_that_cannot_be_read_fails_the_job(store: JobStore, document: bytes, reason: str) -> None:
    add_job(store, document)
    answer = (await get(store, "pjb-mine", *SECTIONS)).json()
    assert answer["job"]["status"] == "FAILED"
    assert answer["job"]["error_message"] == f"The document cannot be read: {reason}"
    assert [answer[name] for name in SECTIONS] == [None] * len(SECTIONS)


@pytest.mark.parametrize("parse_job_id", ["pjb-nowhere", "dfl-mine", "%00", "%ED%A0%80", "a%2Fb", "ext-mine"])
async def test_unknown_parse_job_is_not_found(store: JobStore, parse_job_id: str) -> None:
    add_job(store, build_text_pdf(write_lines("text")))
    response = await get(store, parse_job_id)
    assert response.status_code == 404
    assert "not found" in response.json()["detail"]


async def test_parse_job_without_its_document_is_not_found_as_if_it_had_expired(store: JobStore) -> None:
    add_job(store, None)
    assert (await get(store)).status_code == 404


async def test_parse_job_is_seen_from_its_project_alone(store: JobStore) -> None:
    add_job(store, build_text_pdf(write_lines("text")))
    assert (await get(store, project_id=PROJECT_ID.upper())).status_code == 200
    assert (await get(store, project_id=OTHER_PROJECT)).status_code == 404
    assert (await get(store, project_id="no-uuid")).status_code == 422
    add_job(store, None, project_id=None)
    assert (await get(store, project_id=OTHER_PROJECT)).status_code == 200


async def test_odd_facts_of_the_job_that_names_it_are_left_out(store: JobStore) -> None:
    odd = {"usage": {"parse_credits": 10**400}, "created_at": 10**30, "updated_at": []}
    metadata = {"parse_job_id": "pjb-mine", "parse_tier": 1}
    add_job(store, build_text_pdf(write_lines("text")), extract_metadata=metadata, **odd)
    job = (await get(store, "pjb-mine", "usage")).json()["job"]
    assert (job["tier"], job["created_at"], job["updated_at"], job["usage"]) == (None, None, None, {"credits": None})


async def test_job_made_from_a_parse_job_finds_the_document_by_its_content(store: JobStore) -> None:
    content = build_text_pdf(write_lines("text"))
    file = store.files.put_file(content, "a.pdf", Clock().now, project_id=PROJECT_ID)
    body = json.dumps(MY_JOB | {"file_input": "pjb-given", "extract_metadata": None}).encode()
    store.import_job(body, document_sha256=file.sha256)
    answer = (await get(store, "pjb-given", "text_full")).json()
    assert (answer["job"]["name"], answer["text_full"], answer["job"]["tier"]) == ("a.pdf", "text", None)


async def test_created_job_names_a_parse_job_of_its_own_project(store: JobStore) -> None:
    async with connect(create_app(store)) as client:
        scope = {"project_id": OTHER_PROJECT}
        upload = {"file": ("copy.pdf", read_document(SAMPLES[0]))}
        file = await client.post("/api/v1/beta/files", files=upload, data={"purpose": "extract"}, params=scope)
        body = {"file_input": file.json()["id"], "configuration": {"data_schema": {"type": "object"}}}
        headers = {SCENARIO_HEADER: "instant"}
        job = (await client.post("/api/v2/extract", json=body, params=scope, headers=headers)).json()
        path = f"/api/v2/extract/{job['id']}"
        metadata = (await client.get(path, params={"expand": "extract_metadata"})).json()["extract_metadata"]
        await client.delete(f"/api/v2/extract/{SAMPLE['id']}")
        answer = (await client.get(f"/api/v2/parse/{metadata['parse_job_id']}", params=scope)).json()
    assert (answer["job"]["project_id"], answer["job"]["name"]) == (OTHER_PROJECT, "copy.pdf")


async def test_replaced_document_is_not_taken_for_the_parsed_one(store: JobStore) -> None:
    parsed = store.files.put_file(b"%PDF-old", "old.pdf", Clock().now, project_id=PROJECT_ID, file_id="dfl-mine")
    store.import_job(json.dumps(MY_JOB).encode(), document_sha256=parsed.sha256)
    store.files.put_file(
        build_text_pdf(write_lines("new")), "new.pdf", Clock().now, project_id=PROJECT_ID, file_id="dfl-mine"
    )
    assert (await get(store)).status_code == 404


async def test_parse_job_needs_a_key_and_meets_faults(store: JobStore) -> None:
    app = create_app(store, faults=FaultInjector([parse_fault("unavailable:path=/parse,times=1")]))
    async with connect(app) as client:
        path = f"/api/v2/parse/{PARSE_JOB}"
        assert [(await client.get(path)).status_code for _ in range(2)] == [503, 200]
        assert (await client.get(path, headers={"Authorization": ""})).status_code == 401


@HAS_PROC
async def test_end_of_the_application_ends_reading(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_START_CODE", "import time; time.sleep(600)")
    app = create_app(store)
    with anyio.fail_after(60):
        async with connect(app) as client, anyio.create_task_group() as tasks:
            async with app.router.lifespan_context(app):
                tasks.start_soon(client.get, f"/api/v2/parse/{PARSE_JOB}")
                await until(lambda: bool(list_children()))
            assert not list_children()


async def test_text_is_read_once_for_all_who_ask() -> None:
    loaded: list[str] = []

    async def load() -> bytes:
        loaded.append("document")
        return read_document(SAMPLES[0])

    texts = DocumentTexts()
    first = await texts.read("sha", load)
    assert await texts.read("sha", load) is first
    assert loaded == ["document"]
    await texts.close()


async def test_failure_is_kept_for_a_minute() -> None:
    clock = FakeClock()
    loaded: list[str] = []

    async def load() -> bytes:
        loaded.append("document")
        return b"plain"

    texts = DocumentTexts(clock=clock.monotonic)
    for seconds, num_loaded in ((0.0, 1), (59.9, 1), (60.1, 2)):
        clock.seconds = seconds
        with pytest.raises(PdfError, match="it is not a PDF"):
            await texts.read("sha", load)
        assert len(loaded) == num_loaded


async def test_least_recently_used_texts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llx_mcp.local.document_texts._MAX_CACHED_WORDS", 4)
    loaded: list[str] = []
    texts = DocumentTexts()
    for name in ("a", "b", "a", "c", "a", "b"):

        async def load(name: str = name) -> bytes:
            loaded.append(name)
            return build_text_pdf(write_lines("two words"))

        await texts.read(name, load)
    assert loaded == ["a", "b", "c", "b"]
