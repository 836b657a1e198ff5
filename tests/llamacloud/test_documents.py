"""A document is downloaded from the signed URL of the service, without the key."""

import json
import logging

import httpx
import pytest

from llx_mcp.errors import ArgumentError, BadResponseError, NotFoundError
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.documents import DownloadedFile
from tests.llamacloud.service import BASE_URL, KEY, Handler, assert_no_key, settings_with

STORAGE = "https://storage.example.com/a/b.pdf?signature=abc123"
PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"


def service(url: object = STORAGE, file: object = None, seen: list[httpx.Request] | None = None) -> Handler:
    """LlamaCloud with one file, and the storage that its URL points to."""
    described = {"id": "dfl-1", "name": "b.pdf", "project_id": PROJECT} if file is None else file

    def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if request.url.host == "storage.example.com":
            return httpx.Response(200, content=b"%PDF-1")
        answer = (
            {"url": url, "expires_at": "2026-01-05T09:00:00Z"} if request.url.path.endswith("/content") else described
        )
        return httpx.Response(200, content=json.dumps(answer).encode())

    return handle


async def fetch(handler: Handler, file_id: str = "dfl-1") -> DownloadedFile:
    """Fetch a document from a service in memory."""
    async with open_client(settings_with(project_id=PROJECT), transport=httpx.MockTransport(handler)) as client:
        return await client.documents.fetch_document(file_id)


async def test_document_is_fetched_without_sending_the_key_to_storage(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[httpx.Request] = []
    with caplog.at_level(logging.DEBUG, "llx_mcp"):
        assert await fetch(service(seen=seen)) == DownloadedFile("b.pdf", PROJECT, b"%PDF-1")
    file = f"{BASE_URL}/api/v1/beta/files/dfl-1"
    query = f"?project_id={PROJECT}"
    assert [str(request.url) for request in seen] == [f"{file}{query}", f"{file}/content{query}", STORAGE]
    assert [request.headers.get("authorization") for request in seen] == [f"Bearer {KEY}", f"Bearer {KEY}", None]
    assert "storage.example.com/a/b.pdf" in caplog.text
    assert "abc123" not in caplog.text


@pytest.mark.parametrize(
    "url",
    ["http://storage.example.com/b.pdf", "file:///etc/passwd", "//storage.example.com/", "http://[::1/", "", None, 7],
)
async def test_download_url_that_is_not_https_is_refused(url: object) -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(BadResponseError, match="no https URL to download the document from") as caught:
        await fetch(service(url, seen=seen))
    assert_no_key(caught.value)
    assert len(seen) == 2


@pytest.mark.parametrize("file_id", ["..", "a/b", "?", "a\r\nb"])
async def test_file_id_stays_within_its_segment(file_id: str) -> None:
    seen: list[httpx.Request] = []
    await fetch(service(file={"id": file_id}, seen=seen), file_id)
    assert [request.url.raw_path.count(b"/") for request in seen[:2]] == [5, 6]


@pytest.mark.parametrize("file", [{"id": "1", "name": "b.pdf"}, {"name": "b.pdf"}])
async def test_id_of_a_file_may_come_without_its_prefix(file: object) -> None:
    assert (await fetch(service(file=file))).name == "b.pdf"


async def test_file_with_another_id_is_an_error() -> None:
    with pytest.raises(BadResponseError, match="sent another file than the one that was requested"):
        await fetch(service(file={"id": "dfl-2", "name": "b.pdf"}))


async def test_invalid_file_is_an_error() -> None:
    with pytest.raises(BadResponseError, match="not a JSON object"):
        await fetch(service(file=[]))
    with pytest.raises(NotFoundError):
        await fetch(lambda _: httpx.Response(404, content=b'{"detail":"no"}'))
    for file_id in ("", " ", "\ud800"):
        with pytest.raises(ArgumentError):
            await fetch(service(), file_id)
