"""Documents are downloaded from the signed URL of the service, without the key; parse jobs and pictures are read."""

import json
import logging

import httpx
import pytest

from llx_mcp.errors import (
    ArgumentError,
    BadResponseError,
    LlxError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UpstreamError,
)
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.documents import MAX_SCREENSHOT_BYTES, DownloadedFile
from llx_mcp.scope import Scope
from tests.llamacloud.service import BASE_URL, KEY, Handler, answer, assert_no_key, settings_with

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


async def test_document_that_is_gone_or_that_the_key_may_not_read_is_said_to_be_so() -> None:
    gone = await document_failure(answer(404, {"detail": "Source file not found in storage"}))
    assert isinstance(gone, NotFoundError)
    assert "does not have the source file any more" in str(gone)
    assert "expire, most of them after 48 hours" in str(gone)
    assert '"Source file not found in storage"' in str(gone)
    assert "does not list jobs" not in str(gone)
    forbidden = await document_failure(answer(403, {"detail": "no"}))
    assert "This key may not read the source file (HTTP 403)" in str(forbidden)


async def document_failure(handler: Handler) -> LlxError:
    """Fetch a document and return the error."""
    async with open_client(settings_with(), transport=httpx.MockTransport(handler)) as client:
        with pytest.raises(LlxError) as caught:
            await client.documents.fetch_content("dfl-1")
    assert_no_key(caught.value)
    return caught.value


async def test_document_that_is_too_large_is_not_read() -> None:
    settings = settings_with(max_body_bytes=2_000)
    large = service()

    def handle(request: httpx.Request) -> httpx.Response:
        is_storage = request.url.host == "storage.example.com"
        return httpx.Response(200, content=b"x" * 2_001) if is_storage else large(request)

    async with open_client(settings, transport=httpx.MockTransport(handle)) as client:
        with pytest.raises(BadResponseError, match="The source file is larger than"):
            await client.documents.fetch_content("dfl-1")


PARSED = {
    "job": {"id": "pjb-1", "status": "COMPLETED"},
    "text": {"pages": [{"page_number": 1, "text": "Total due\n12.50"}, {"page_number": 2, "text": None}]},
}


async def fetch_pages(handler: Handler, parse_job_id: str = "pjb-1") -> SourceText:
    """Fetch the pages of a parse job from a service in memory."""
    async with open_client(settings_with(), transport=httpx.MockTransport(handler)) as client:
        return await client.documents.fetch_parse_pages(parse_job_id, Scope("p", "o"))


async def test_pages_of_a_parse_job_are_read() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=PARSED)

    empty = SourcePage(2, problem="the parse job has no text of this page: it may be empty or a picture")
    assert await fetch_pages(handle) == SourceText(
        "parse_job", [SourcePage(1, ["Total", "due", "12.50"], [0, 2]), empty], "block"
    )
    assert [str(request.url) for request in seen] == [
        f"{BASE_URL}/api/v2/parse/pjb-1?expand=text&expand=items&expand=metadata&project_id=p&organization_id=o"
    ]
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"


async def test_many_pages_are_read_in_their_order() -> None:
    pages = [{"page_number": number, "text": f"page {number}"} for number in range(1, 102)]
    source = await fetch_pages(answer(200, {"text": {"pages": pages}}))
    assert [page.words for page in source.pages] == [["page", str(number)] for number in range(1, 102)]


async def test_pages_after_a_great_many_words_are_not_read_and_say_so() -> None:
    text = "w " * 500_000
    pages = [{"page_number": number, "text": text} for number in range(1, 6)]
    # Pages are read in steps, and the limit is checked before each.
    pages += [{"page_number": number, "text": "w"} for number in range(6, 30)]
    source = await fetch_pages(answer(200, {"text": {"pages": pages}}))
    assert source.pages[19].words == ["w"]
    assert [page.words for page in source.pages[20:]] == [[]] * 9
    assert source.pages[20].problem == "not read: the pages before it have more than 2,000,000 words"


@pytest.mark.parametrize("job", [{"status": "RUNNING"}, {"status": "FAILED"}, {"status": "COMPLETED"}])
async def test_parse_job_without_a_text_says_why(job: dict[str, str]) -> None:
    source = await fetch_pages(answer(200, {"job": job, "text": {"pages": [{"page_number": 1, "text": ""}]}}))
    assert (source.origin, source.pages, bool(source.problem)) == ("none", [], True)


async def test_expand_values_that_the_service_does_not_know_are_left_out() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if "items" in request.url.params.get_list("expand"):
            detail = [{"loc": ["query", "expand", 1], "msg": "unknown", "type": "enum"}]
            return httpx.Response(422, json={"detail": detail})
        return httpx.Response(200, json=PARSED)

    assert (await fetch_pages(handle)).origin == "parse_job"


@pytest.mark.parametrize(
    ("handler", "error", "words"),
    [
        (answer(404, {"detail": "no"}), NotFoundError, "does not have the parse job of the document any more"),
        (answer(403, {"detail": "no"}), NotFoundError, "may not read the parse job of the document"),
        (answer(422, {"detail": "no"}), RejectedError, "rejected"),
        (answer(429, {"detail": "no"}), RateLimitedError, "rate limit"),
        (answer(200, b"<html>login</html>"), BadResponseError, "web page"),
        (answer(200, b"[1]"), BadResponseError, "cannot be used"),
        (answer(200, b'{"a":' * 5_000), BadResponseError, "cannot be used"),
        (answer(200, b""), BadResponseError, "empty"),
    ],
)
async def test_parse_job_that_cannot_be_read_is_an_error(
    handler: Handler, error: type[UpstreamError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        await fetch_pages(handler)
    assert_no_key(caught.value)


@pytest.mark.parametrize("name", ["..", "a/b", "?x=1"])
async def test_id_of_a_parse_job_stays_within_its_segment(name: str) -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=PARSED)

    await fetch_pages(handle, name)
    assert seen[0].url.raw_path.partition(b"?")[0].count(b"/") == 4


async def fetch_picture(handler: Handler) -> bytes | None:
    """Fetch the picture of the second page from a service in memory."""
    async with open_client(settings_with(), transport=httpx.MockTransport(handler)) as client:
        return await client.documents.fetch_screenshot("dfl-1", 1)


@pytest.mark.parametrize("image", [b"\x89PNG\r\n\x1a\nrest", b"\xff\xd8\xff\xe0rest", b"RIFF\x04\0\0\0WEBPrest"])
async def test_picture_of_a_page_is_fetched(image: bytes) -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(200, content=image)

    assert await fetch_picture(handle) == image
    assert seen == ["/api/v1/files/dfl-1/page_screenshots/1"]


async def test_page_without_a_picture_has_none() -> None:
    assert await fetch_picture(answer(404, {"detail": "no"})) is None


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"GIF89a", b'{"url": "https://e.com"}', b"RIFF0000WAVE"])
async def test_picture_of_another_kind_is_refused(content: bytes) -> None:
    with pytest.raises(BadResponseError, match="something else than a PNG, JPEG or WebP"):
        await fetch_picture(answer(200, content))


async def test_picture_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadResponseError, match="picture of the page is larger than 16"):
        await fetch_picture(answer(200, b"\x89PNG\r\n\x1a\n".ljust(MAX_SCREENSHOT_BYTES + 1)))
