"""The embedded API behaves like the service."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES, JobStore, create_app
from llx_mcp.local.app import SERVER_NAME
from llx_mcp.local.samples import read_sample
from llx_mcp.models import EXPANDABLE_SECTIONS
from tests.fake_clock import FakeClock

KEY = {"Authorization": "Bearer llx-any"}
PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
INVOICE = SAMPLES[0]


@asynccontextmanager
async def api(store: JobStore, clock: FakeClock | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Open an HTTP client of the API over a store."""
    transport = httpx.ASGITransport(create_app(store, clock=(clock or FakeClock()).now))
    async with httpx.AsyncClient(transport=transport, base_url="http://local", headers=KEY) as client:
        yield client


async def get(store: JobStore, path: str, **options: Any) -> httpx.Response:
    """Send one GET."""
    async with api(store) as client:
        return await client.get(path, **options)


async def test_get_without_expand_returns_only_result(store: JobStore) -> None:
    job = (await get(store, f"/api/v2/extract/{INVOICE.job_id}")).json()
    assert {name: job[name] for name in EXPANDABLE_SECTIONS} == dict.fromkeys(EXPANDABLE_SECTIONS)
    assert job["extract_result"] == json.loads(read_sample(INVOICE))["extract_result"]


@pytest.mark.parametrize("name", EXPANDABLE_SECTIONS)
async def test_expand_returns_requested_section(store: JobStore, name: str) -> None:
    job = (await get(store, f"/api/v2/extract/{INVOICE.job_id}", params={"expand": name})).json()
    expected = json.loads(read_sample(INVOICE))
    assert {key: job[key] for key in EXPANDABLE_SECTIONS if job[key]} == {name: expected[name]}


async def test_expand_is_repeated_and_not_comma_separated(store: JobStore) -> None:
    path = f"/api/v2/extract/{INVOICE.job_id}"
    expected = json.loads(read_sample(INVOICE))
    assert (await get(store, path, params=[("expand", name) for name in EXPANDABLE_SECTIONS])).json() == expected
    commas = (await get(store, path, params={"expand": ",".join(EXPANDABLE_SECTIONS)})).json()
    assert commas["configuration"] is None


async def test_numbers_keep_their_imported_digits(store: JobStore) -> None:
    result = b'{"n":0.12345678901234567,"m":123456789012345678901234567890,"e":1e400}'
    store.import_job(b'{"id":"ext-1","status":"COMPLETED","extract_result":' + result + b',"future":{"a":1.50}}')
    response = await get(store, "/api/v2/extract/ext-1")
    assert response.content == (
        b'{"id":"ext-1","status":"COMPLETED","extract_result":' + result + b',"future":{"a":1.50}}'
    )


@pytest.mark.parametrize("header", [None, "", "llx-any", "Bearer", "Bearer other", "Bearer llx-", "Basic llx-any"])
async def test_missing_or_invalid_key_returns_401(store: JobStore, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(store)), base_url="http://local") as client:
        response = await client.get(f"/api/v2/extract/{INVOICE.job_id}", headers=headers)
    assert response.status_code == 401
    assert response.json()["detail"].startswith("Invalid API Key. Please check your region")


@pytest.mark.parametrize(
    "path", ["/api/v2/extract/ext-nowhere", "/api/v2/extract/", "/api/v2/extract/..%2F..%2Fv1", "/api/v2/extract/%00",
             "/api/v2/extract/a/b", "/api/v9", f"/api/v2/extract/{INVOICE.job_id}?project_id={PROJECT[:-1]}1"],
)  # fmt: skip
async def test_unknown_path_returns_404_with_detail(store: JobStore, path: str) -> None:
    response = await get(store, path)
    assert response.status_code == 404
    assert isinstance(response.json()["detail"], str)


async def test_invalid_scope_returns_422_with_one_entry_per_error(store: JobStore) -> None:
    response = await get(store, f"/api/v2/extract/{INVOICE.job_id}", params={"project_id": "x", "organization_id": "y"})
    assert response.status_code == 422
    assert [(entry["loc"], entry["type"], entry["input"]) for entry in response.json()["detail"]] == [
        (["query", "project_id"], "uuid_parsing", "x"),
        (["query", "organization_id"], "uuid_parsing", "y"),
    ]


async def test_project_id_is_case_insensitive(store: JobStore) -> None:
    response = await get(store, f"/api/v2/extract/{INVOICE.job_id}", params={"project_id": PROJECT.upper()})
    assert response.status_code == 200


async def test_unsupported_method_returns_405_with_detail(store: JobStore) -> None:
    async with api(store) as client:
        response = await client.put(f"/api/v2/extract/{INVOICE.job_id}")
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})


async def test_unexpected_error_returns_500_without_its_message(store: JobStore) -> None:
    def failing_clock() -> datetime:
        raise RuntimeError("llx-secret")

    transport = httpx.ASGITransport(create_app(store, clock=failing_clock), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://local", headers=KEY) as client:
        response = await client.get("/api/v2/extract")
    assert (response.status_code, response.json()) == (500, {"detail": "Internal Server Error"})
    assert response.headers["server"] == SERVER_NAME


async def test_every_response_has_own_server_header(store: JobStore) -> None:
    async with api(store) as client:
        for path in ("/", f"/api/v2/extract/{INVOICE.job_id}", "/nowhere"):
            assert (await client.get(path)).headers["server"] == SERVER_NAME


async def test_status_page_lists_jobs_and_escapes_html(store: JobStore) -> None:
    store.import_job(b'{"id":"<script>alert(1)</script>","status":"<b>","file_input":"\\"<i>"}')
    response = await get(store, "/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert f"{len(SAMPLES) + 1} jobs" in response.text
    assert f"<tr><td><code>{INVOICE.job_id}</code><td>COMPLETED<td>" in response.text
    assert f"<code>{SAMPLE_RUNNING_ID}</code><td>PENDING" in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.text
    assert [tag for tag in ("<script", "<b>", "<i>") if tag in response.text] == []


async def test_status_page_shows_jobs_only_to_a_key_or_its_token(store: JobStore) -> None:
    transport = httpx.ASGITransport(create_app(store, page_token="page-token"))
    async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
        for query, headers, shows in (
            ("", {}, False), ("?token=", {}, False), ("?token=other", {}, False), ("?token=%ff", {}, False),
            ("", {"Authorization": "Bearer other"}, False), ("", KEY, True), ("?token=page-token", {}, True),
        ):  # fmt: skip
            response = await client.get(f"/{query}", headers=headers)
            assert (response.status_code, INVOICE.job_id in response.text) == (200, shows)
            assert f"{len(SAMPLES)} jobs" in response.text
            assert response.headers["cache-control"] == "no-store"


async def test_status_page_without_its_own_token_needs_a_key(store: JobStore) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(store)), base_url="http://local") as client:
        for query in ("", "?token=", "?token=None"):
            assert INVOICE.job_id not in (await client.get(f"/{query}")).text


@pytest.mark.parametrize("job_id", ["a/b", "100%", "%2F", "ein Auftrag", "日本", "?expand=usage", "#1"])
async def test_job_id_is_one_path_segment_decoded_once(store: JobStore, job_id: str) -> None:
    store.import_job(json.dumps({"id": job_id, "status": "COMPLETED"}).encode())
    response = await get(store, f"/api/v2/extract/{quote(job_id, safe='')}")
    assert (response.status_code, response.json()) == (200, {"id": job_id, "status": "COMPLETED"})


def test_import_loads_no_server_and_reads_no_sample() -> None:
    code = (
        "import sys; opened = [];"
        "sys.addaudithook(lambda event, args: event == 'open' and opened.append(str(args[0])));"
        "import llx_mcp.local; print('uvicorn' in sys.modules, [name for name in opened if name.endswith('.gz')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False []"


async def test_timeline_starts_at_first_request(store: JobStore) -> None:
    clock = FakeClock()
    states = []
    async with api(store, clock) as client:
        for seconds in (100.0, 100.9, 101.0, 101.9, 102.0, 104.4, 104.5, 500.0):
            clock.seconds = seconds
            job = (await client.get(f"/api/v2/extract/{SAMPLE_RUNNING_ID}", params={"expand": "usage"})).json()
            assert job["created_at"] == "2026-01-01T00:01:40Z"
            has_ended = job["status"] == "COMPLETED"
            assert (job["extract_result"] is not None, job["usage"] is not None) == (has_ended, has_ended)
            states.append((job["status"], job["updated_at"][17:]))
    assert states == [
        ("PENDING", "40Z"),
        ("PENDING", "40Z"),
        ("THROTTLED", "41Z"),
        ("THROTTLED", "41Z"),
        ("RUNNING", "42Z"),
        ("RUNNING", "42Z"),
        ("COMPLETED", "44.500000Z"),
        ("COMPLETED", "44.500000Z"),
    ]
