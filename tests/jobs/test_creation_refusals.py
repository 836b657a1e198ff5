"""Bad input is refused before anything is made, and a document is uploaded as it was planned."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, OutOfCreditsError, RateLimitedError
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.local_documents import LocalDocument
from llx_mcp.jobs.page_count import PageCount
from tests.jobs.creating import CREATE_PATH, FILES_PATH, SCHEMA, Workshop, copy_invoice, run, save_configuration


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "No document is given. Give exactly one of file, url .* and document_id"),
        ({"file": "a", "document_id": "b"}, "More than one document is given"),
        ({"url": "https://127.0.0.1/a.pdf", "data_schema": SCHEMA}, 'url: "127.0.0.1" belongs to a private network'),
        ({"url": "http://example.com/a.pdf", "data_schema": SCHEMA}, "url: this is no https address"),
        ({"document_id": "ext-1", "like_job": "x"}, "document_id: .* is not the id of a document"),
        ({"file": "invoice.pdf"}, "Nothing says what to extract. Give exactly one of data_schema, configuration_id"),
        ({"file": "invoice.pdf", "data_schema": SCHEMA, "like_job": "x"}, "More than one argument says what to"),
        ({"file": "invoice.pdf", "data_schema": {}}, "data_schema is empty"),
        ({"file": "invoice.pdf", "data_schema": {"type": "array"}}, 'data_schema: the type of the root must be "obj'),
        ({"file": "invoice.pdf", "data_schema": {"type": "object", "properties": {"a": {"type": "text"}}}},
         r"data_schema is not accepted.*data_schema\.properties\.a\.type"),
        ({"file": "invoice.pdf", "data_schema": SCHEMA, "options": {"target_pages": "0-2"}}, "target_pages: .* Write"),
        ({"file": "invoice.pdf", "data_schema": SCHEMA, "options": {"target_pages": "one"}}, "target_pages: .* Write"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_with_the_argument(workshop: Workshop, request_: dict[str, Any], words: str) -> None:
    line = workshop.line()
    async with workshop.open(line) as reader:
        with pytest.raises(ArgumentError, match=words):
            await reader.writer.creator.plan(CreationRequest(**request_))
    assert workshop.new_jobs == []
    assert ("POST", FILES_PATH) not in line.sent


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"document_id": "dfl-none"}, 'document_id: file "dfl-none" cannot be seen with this key'),
        ({"configuration_id": "cfg-none"}, 'configuration_id: configuration "cfg-none" cannot be seen'),
        ({"like_job": "ext-none"}, 'No job "ext-none" can be seen'),
    ],
)
async def test_unknown_id_is_named(workshop: Workshop, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(NotFoundError, match=words):
        await workshop.create(**request_)
    assert workshop.num_new_files == 0


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (
            402,
            OutOfCreditsError,
            "out of credits. It cannot create jobs, so nothing was done: check the account's billing page",
        ),
        (429, RateLimitedError, "rate limit is reached. Wait a minute"),
        (422, LlxError, r"configuration\.tier \(body\): bad tier"),
    ],
)
async def test_refusal_of_the_service_is_explained_and_creates_nothing(
    workshop: Workshop, status: int, error: type[LlxError], words: str
) -> None:
    detail = [{"loc": ["body", "configuration", "tier"], "msg": "bad tier", "type": "x", "input": "secret"}]

    def refuse(request: httpx.Request, _: int) -> httpx.Response | None:
        is_create = (request.method, request.url.path) == ("POST", CREATE_PATH)
        return httpx.Response(status, json={"detail": detail if status == 422 else "no"}) if is_create else None

    line = workshop.line(on_request=refuse)
    with pytest.raises(error, match=words) as caught:
        await workshop.create(line)
    assert "secret" not in str(caught.value)
    assert workshop.new_jobs == []
    # What was done so far is said, and used by the next call.
    (uploaded,) = [file.file_id for file in workshop.store.files.list_files() if file.external_file_id]
    assert f"The document is uploaded as {uploaded}, and the same call uses it again." in str(caught.value)
    assert (await workshop.create()).job.file_input == uploaded


async def count_seven(_: LocalDocument) -> PageCount:
    """Return the pages of a document with seven."""
    return PageCount(7)


@pytest.mark.parametrize("options", [{"max_pages": 3}, {"target_pages": "1-4"}])
async def test_job_with_more_pages_than_allowed_is_refused_before_the_upload(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    copy_invoice(tmp_path)
    workshop = Workshop(tmp_path, max_pages=2)
    line = workshop.line()
    async with workshop.open(line) as reader:
        reader.writer.creator._count_pages = count_seven
        with pytest.raises(ArgumentError, match=r"the limit is 2 pages \(--max-pages\), so nothing was uploaded"):
            await run(reader.writer.creator, options=options)
        assert (await run(reader.writer.creator, options={"target_pages": "2,4"})).plan.estimate.pages == 2
    assert workshop.num_new_files == 1


async def test_pages_that_are_not_known_are_bounded_by_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    workshop = Workshop(tmp_path, max_pages=2)
    created = await workshop.create(file="a.txt")
    assert created.plan.is_capped
    assert (created.plan.options["max_pages"], created.plan.estimate.most_pages) == (2, 2)
    configuration_id = save_configuration(workshop.store, workshop)
    capped = await workshop.create(file="a.txt", configuration_id=configuration_id, again=True)
    assert capped.job.configuration_id is None


async def test_page_that_the_document_does_not_have_is_refused(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        reader.writer.creator._count_pages = count_seven
        with pytest.raises(ArgumentError, match="the document has 7 pages, and no page 9"):
            await run(reader.writer.creator, options={"target_pages": "1,9"})


async def test_file_that_changes_after_the_plan_creates_nothing(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        plan = await reader.writer.creator.plan(CreationRequest(file="invoice.pdf", data_schema=SCHEMA))
        (workshop.folder / "invoice.pdf").write_bytes(b"%PDF-1.7 other")
        with pytest.raises(ArgumentError, match=r'"invoice\.pdf" has changed since it was read'):
            await reader.writer.creator.create(plan)
    assert workshop.new_jobs == []
    assert workshop.num_new_files == 0


@pytest.mark.parametrize("new", [b"BBBB two\n" * 9_000, b"AAAA one\n" * 8_999, b"AAAA one\n" * 9_001])
async def test_file_that_changes_during_its_upload_is_not_stored_under_the_old_digest(
    workshop: Workshop, new: bytes
) -> None:
    path, old = workshop.folder / "a.txt", b"AAAA one\n" * 9_000
    path.write_bytes(old)

    def change(request: httpx.Request, _: int) -> None:
        if (request.method, request.url.path) == ("POST", FILES_PATH):
            path.write_bytes(new)

    with pytest.raises(ArgumentError, match="has changed since it was read, so no job was created"):
        await workshop.create(workshop.line(on_request=change), file="a.txt")
    assert workshop.new_jobs == []
    assert workshop.num_new_files == 0
    path.write_bytes(old)
    created = await workshop.create(file="a.txt")
    (stored,) = [file for file in workshop.store.files.list_files() if file.external_file_id]
    assert workshop.store.files.get_content(stored) == old
    assert created.job.file_input == stored.file_id


async def test_document_of_the_web_is_uploaded_once(workshop: Workshop) -> None:
    content = (workshop.folder / "invoice.pdf").read_bytes()

    def serve(request: httpx.Request, _: int) -> httpx.Response | None:
        assert "authorization" not in request.headers or request.url.host == "127.0.0.1"
        return httpx.Response(200, content=content) if request.url.host == "93.184.216.34" else None

    for is_new in (True, False):
        line = workshop.line(on_request=serve)
        created = await workshop.create(line, url="https://93.184.216.34/files/web.pdf?key=1")
        assert created.is_new is is_new
        assert line.sent.count(("GET", "/files/web.pdf")) == 1
    assert (created.plan.found.name, created.plan.estimate.pages) == ("web.pdf", 2)
    # The same content under another name is the same document.
    assert not (await workshop.create()).is_new
    assert len(workshop.new_jobs) == workshop.num_new_files == 1


async def test_page_of_the_web_that_is_no_document_is_refused(workshop: Workshop) -> None:
    line = workshop.line(on_request=lambda request, _: httpx.Response(200, content=b"<html>")
                         if request.url.host == "93.184.216.34" else None)  # fmt: skip
    with pytest.raises(ArgumentError, match=r'url: "web\.pdf" is named \.pdf, but its content is something else'):
        await workshop.create(line, url="https://93.184.216.34/files/web.pdf")
    assert workshop.num_new_files == 0
