"""The unmodified official client uploads, lists, downloads and deletes files, and sees their pages."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import httpx
import llama_cloud
import pytest
from llama_cloud import LlamaCloud

from llx_mcp.local import SAMPLES, JobStore
from llx_mcp.local.samples import read_document
from tests.local.clients import KEY, Clock
from tests.pdf_files import build_pages, write_lines

BY_NAME = {sample.name: sample for sample in SAMPLES}
INVOICE_ID = "dfl-sample0invoice00000000000000"
OTHER_PROJECT = "00000000-0000-4000-8000-000000000000"


def test_file_is_uploaded_listed_downloaded_and_deleted(client: LlamaCloud) -> None:
    content = b"%PDF-1.7 \x00\xff"
    file = client.files.create(file=("Größe.PDF", content), purpose="extract", external_file_id="mine")
    assert (file.name, file.file_type, file.purpose, file.external_file_id) == ("Größe.PDF", "pdf", "extract", "mine")
    for files in (client.files.list(external_file_id="mine"), client.files.list(file_name="Größe.PDF"),
                   client.files.list(file_ids=[file.id])):  # fmt: skip
        assert [each.id for each in files] == [file.id]
    assert len(list(client.files.list(page_size=2))) == 5
    url_info = client.files.content(file.id)
    response = httpx.get(url_info.url)
    assert (response.status_code, response.content) == (200, content)
    assert httpx.get(url_info.url.replace("expires=", "expires=1")).status_code == 403
    expanded = next(iter(client.files.list(file_ids=[file.id], expand=["download_url"]))).download_url
    assert expanded is not None
    assert httpx.get(expanded.url).content == content
    client.files.delete(file.id)
    with pytest.raises(llama_cloud.NotFoundError):
        client.files.content(file.id)
    assert httpx.get(url_info.url).status_code == 404


def test_files_are_ordered_as_the_client_documents(client: LlamaCloud, clock: Clock) -> None:
    uploaded = []
    for name in ("b.pdf", "a.pdf"):
        clock.advance(1)
        uploaded.append(client.files.create(file=(name, b"%PDF"), purpose="extract").id)
    listed = {order: [each.id for each in client.files.list(order_by=order)] for order in ("name", "id", "created_at")}
    assert listed["created_at"][:2] == uploaded[::-1]
    assert listed["name"][:2] == uploaded[::-1]
    assert listed["id"] == sorted(listed["id"])
    assert [each.id for each in client.files.list()][:2] == uploaded[::-1]
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="order_by is 'name'"):
        client.files.list(order_by="created_at desc")


def test_files_are_queried_by_the_deprecated_call(client: LlamaCloud) -> None:
    with pytest.deprecated_call():
        first = client.files.query(order_by="name desc", page_size=3)
    with pytest.deprecated_call():
        rest = client.files.query(order_by="name desc", page_size=5_000, page_token=first.next_page_token)
    with pytest.deprecated_call():
        named = client.files.query(filter={"file_name": "invoice.pdf"})
    names = [each.name for each in (*first.items, *rest.items)]
    assert names == ["statement.pdf", "loan_agreement.pdf", "lab_report.pdf", "invoice.pdf"]
    assert [each.id for each in named.items] == [INVOICE_ID]
    assert (named.next_page_token, rest.next_page_token) == (None, None)
    bad_values: list[dict[str, Any]] = [{"page_token": "x"}, {"order_by": "size"}]
    for bad in bad_values:
        with pytest.deprecated_call(), pytest.raises(llama_cloud.UnprocessableEntityError, match=next(iter(bad))):
            client.files.query(**bad)


def test_content_url_expires(client: LlamaCloud, clock: Clock) -> None:
    url_info = client.files.content(INVOICE_ID, expires_at_seconds=60)
    assert url_info.expires_at == clock.now + timedelta(seconds=60)
    clock.advance(59)
    assert httpx.get(url_info.url).content == read_document(BY_NAME["invoice"])
    clock.advance(1)
    assert httpx.get(url_info.url).status_code == 403


def test_screenshots_are_rendered_from_stored_document(url: str, store: JobStore) -> None:
    file = store.files.get_file(INVOICE_ID)
    assert file is not None
    assert file.sha256 == hashlib.sha256(read_document(BY_NAME["invoice"])).hexdigest()
    path = f"/api/v1/files/{file.file_uuid}/page_screenshots"
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer llx-local"}) as client:
        pages = client.get(path).json()
        images = [client.get(f"{path}/{page['page_index']}") for page in pages]
        assert [client.get(f"{path}/{index}").status_code for index in (2, -1, "x")] == [404, 404, 422]
        assert client.post(f"{path}/2/presigned_url").status_code == 404
        url_info = client.post(f"{path}/1/presigned_url").json()["url"]
    assert [(page["page_index"], page["file_id"]) for page in pages] == [(0, file.file_uuid), (1, file.file_uuid)]
    assert [image.headers["content-type"] for image in images] == ["image/png"] * 2
    assert all(image.content.startswith(b"\x89PNG\r\n") for image in images)
    assert [len(image.content) for image in images] == [page["image_size"] for page in pages]
    assert httpx.get(url_info).content == images[1].content


def test_screenshots_of_non_pdf_return_422(url: str, client: LlamaCloud) -> None:
    file = client.files.create(file=("a.txt", b"plain"), purpose="extract")
    path = f"/api/v1/files/{file.id}/page_screenshots"
    response = httpx.get(f"{url}{path}", headers={"Authorization": "Bearer llx-local"})
    assert (response.status_code, "not a PDF" in str(response.json()["detail"])) == (422, True)


def test_pages_and_documents_that_cannot_be_read_have_failed(client: LlamaCloud, store: JobStore, clock: Clock) -> None:
    damaged = build_pages([(write_lines("text"), b"/MediaBox[0 0 600 800]")], tree=b"/Kids[6 0 R 99 0 R]/Count 2")
    for name, content in (("page", damaged), ("document", b"plain")):
        file = store.files.put_file(content, f"{name}.pdf", clock(), project_id=OTHER_PROJECT)
        metadata = {"field_metadata": {}, "parse_job_id": f"pjb-{name}"}
        job = {"id": f"ext-{name}", "status": "COMPLETED", "file_input": file.file_id, "extract_metadata": metadata}
        store.import_job(json.dumps(job).encode())
    answer = client.parsing.get("pjb-page", expand=["text", "markdown", "items", "metadata"])
    assert answer.text
    assert answer.markdown
    assert answer.items
    assert [page.text for page in answer.text.pages] == ["text"]
    for section in (answer.markdown, answer.items):
        assert [page.success for page in section.pages] == [True, False]
    failed = client.parsing.get("pjb-document", expand=["text"])
    assert (failed.job.status, failed.text) == ("FAILED", None)
    assert failed.job.error_message == "The document cannot be read: it is not a PDF"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("multipart/form-data", b"x"), ("multipart/form-data; boundary=a", b"x"), ("text/plain", b"x"),
     ("application/x-www-form-urlencoded", b"purpose=a&file=b")],
)  # fmt: skip
def test_invalid_upload_is_refused_and_stores_nothing(
    url: str, store: JobStore, content_type: str, body: bytes
) -> None:
    before = store.files.list_files()
    headers = {"Authorization": "Bearer llx-local", "Content-Type": content_type}
    response = httpx.post(f"{url}/api/v1/beta/files", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert response.json()["detail"]
    assert store.files.list_files() == before


@pytest.mark.parametrize(
    ("name", "content", "detail"), [("a.pdf", b"", "The file is empty"), ("", b"%PDF", "The file has no name")]
)
def test_file_without_content_or_name_is_refused(
    url: str, client: LlamaCloud, store: JobStore, name: str, content: bytes, detail: str
) -> None:
    before = store.files.list_files()
    with pytest.raises(llama_cloud.BadRequestError, match="The file is empty"):
        client.files.create(file=("a.pdf", b""), purpose="extract")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nextract\r\n--b\r\n'
        b'Content-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n--b--\r\n'
    ) % (name.encode(), content)
    headers = {**KEY, "Content-Type": "multipart/form-data; boundary=b"}
    response = httpx.post(f"{url}/api/v1/beta/files", content=body, headers=headers)
    assert (response.status_code, response.json()) == (400, {"detail": detail})
    assert store.files.list_files() == before
