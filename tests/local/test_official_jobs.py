"""The official client, unchanged, creates, lists, cancels and deletes jobs and files over a port."""

import hashlib
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import llama_cloud
import pytest
import uvicorn
from llama_cloud import AsyncLlamaCloud, LlamaCloud

from llx_mcp.local import SAMPLES, JobStore, create_app, open_store
from llx_mcp.local.samples import read_document, read_sample
from llx_mcp.local.scenarios import SCENARIO_HEADER
from llx_mcp.raw_json import decode_json, split_json

BY_NAME = {sample.name: sample for sample in SAMPLES}
CONFIGURATION: Any = {"data_schema": {"type": "object", "properties": {"total": {"type": "number"}}}}
# Today's client knows today's format, and here it is strict.
HELD = {sample.job_id for sample in SAMPLES if sample.name != "older_format"}
INVOICE_ID = "dfl-sample0invoice00000000000000"


class Clock:
    """A time of day that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Iterator[JobStore]:
    opened = open_store()
    opened.delete_job(BY_NAME["older_format"].job_id)
    yield opened
    opened.close()


@pytest.fixture
def url(store: JobStore, clock: Clock) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(store, clock=clock), log_config=None, server_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(url: str) -> Iterator[LlamaCloud]:
    with LlamaCloud(api_key="llx-local", base_url=url, _strict_response_validation=True) as opened:
        yield opened


def of_sample(name: str, section: str) -> Any:
    """One section of a sample's job."""
    return decode_json(split_json(read_sample(BY_NAME[name]))[section])


@pytest.mark.parametrize("name", ["invoice", "statement", "lab_report", "loan_agreement"])
def test_an_uploaded_document_that_is_known_is_answered_with_its_recorded_result(
    client: LlamaCloud, clock: Clock, name: str
) -> None:
    content = read_document(BY_NAME[name])
    file = client.files.create(file=(f"{name}-copy.pdf", content), purpose="extract")
    job = client.extract.create(file_input=file.id, configuration=CONFIGURATION)
    assert (job.status, job.extract_result, job.file_input) == ("PENDING", None, file.id)
    clock.advance(1.5)
    assert client.extract.get(job.id).status == "RUNNING"
    clock.advance(2)
    done = client.extract.get(job.id, expand=["configuration", "extract_metadata", "usage", "metadata"])
    assert (done.status, done.extract_result) == ("COMPLETED", of_sample(name, "extract_result"))
    assert done.id != BY_NAME[name].job_id
    assert done.configuration is not None
    assert done.configuration.data_schema == CONFIGURATION["data_schema"]
    assert done.extract_metadata is not None
    assert done.extract_metadata.to_dict() == of_sample(name, "extract_metadata")
    assert done.usage is not None
    assert done.usage.to_dict() == of_sample(name, "usage")
    assert (done.created_at, done.updated_at) == (job.created_at, job.created_at + timedelta(seconds=3))


def test_the_recorded_job_with_the_same_schema_answers(client: LlamaCloud, clock: Clock) -> None:
    rows = of_sample("table_rows", "configuration")
    asked: Any = {name: rows[name] for name in ("data_schema", "extraction_target")}
    job = client.extract.create(file_input="dfl-sample0lab0report00000000000", configuration=asked)
    clock.advance(10)
    assert client.extract.get(job.id).extract_result == of_sample("table_rows", "extract_result")


def test_a_document_that_is_not_known_fails_and_says_how_to_record_one(client: LlamaCloud, clock: Clock) -> None:
    file = client.files.create(file=("other.pdf", b"%PDF-1.7 of another kind"), purpose="extract")
    jobs = [client.extract.create(file_input=each, configuration=CONFIGURATION) for each in (file.id, "dfl-gone")]
    clock.advance(10)
    for job in jobs:
        ended = client.extract.get(job.id)
        assert (ended.status, ended.extract_result) == ("FAILED", None)
        assert "llx-mcp local record JOB_ID" in str(ended.error_message)


@pytest.mark.parametrize(
    ("scenario", "states"),
    [("instant", ["COMPLETED"] * 5), ("normal", ["PENDING", "RUNNING", "RUNNING", "COMPLETED", "COMPLETED"]),
     ("throttled", ["PENDING", "THROTTLED", "THROTTLED", "THROTTLED", "COMPLETED"]),
     ("stuck", ["PENDING", "RUNNING", "RUNNING", "RUNNING", "RUNNING"]), ("queued", ["PENDING"] * 5),
     ("slow", ["PENDING", "PENDING", "PENDING", "PENDING", "RUNNING"]),
     ("failed", ["PENDING", "RUNNING", "RUNNING", "FAILED", "FAILED"]),
     ("failed-silent", ["PENDING", "RUNNING", "RUNNING", "FAILED", "FAILED"]),
     ("cancelled", ["PENDING", "RUNNING", "RUNNING", "CANCELLED", "CANCELLED"])],
)  # fmt: skip
def test_a_scenario_is_chosen_at_create(client: LlamaCloud, clock: Clock, scenario: str, states: list[str]) -> None:
    job = client.extract.create(
        file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: scenario}
    )
    seen = [job.status]
    for seconds in (1.0, 1.0, 1.0, 6.0):
        clock.advance(seconds)
        seen.append(client.extract.get(job.id).status)
    assert seen == states


def test_a_scenario_is_chosen_by_the_name_of_the_file(client: LlamaCloud, clock: Clock) -> None:
    content = read_document(BY_NAME["invoice"])
    file = client.files.create(file=("invoice--failed-silent.pdf", content), purpose="extract")
    job = client.extract.create(file_input=file.id, configuration=CONFIGURATION)
    clock.advance(10)
    ended = client.extract.get(job.id)
    assert (ended.status, ended.error_message, ended.extract_result) == ("FAILED", None, None)


def test_a_scenario_that_there_is_not_is_422_with_those_that_there_are(client: LlamaCloud) -> None:
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="billed-late"):
        client.extract.create(
            file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: "other"}
        )


def test_billing_comes_after_the_end(client: LlamaCloud, clock: Clock) -> None:
    job = client.extract.create(
        file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: "billed-late"}
    )
    seen = []
    for seconds in (4, 58, 2):
        clock.advance(seconds)
        usage = client.extract.get(job.id, expand=["usage"]).usage
        seen.append(usage and usage.credits)
    assert seen == [None, None, of_sample("invoice", "usage")["credits"]]


def test_run_and_wait_for_completion_end_with_the_result(url: str, store: JobStore) -> None:
    with LlamaCloud(api_key="llx-local", base_url=url) as client:
        job = client.extract.run(
            file_input=INVOICE_ID,
            configuration=CONFIGURATION,
            extra_headers={SCENARIO_HEADER: "instant"},
            polling_interval=0.01,
        )
        again = client.extract.wait_for_completion(job.id, polling_interval=0.01)
    assert job.extract_result == again.extract_result == of_sample("invoice", "extract_result")


async def test_the_asynchronous_client_does_the_same(url: str) -> None:
    async with AsyncLlamaCloud(api_key="llx-local", base_url=url) as client:
        file = await client.files.create(file=("a.pdf", read_document(BY_NAME["invoice"])), purpose="extract")
        job = await client.extract.run(
            file_input=file.id,
            configuration=CONFIGURATION,
            extra_headers={SCENARIO_HEADER: "instant"},
            polling_interval=0.01,
        )
        assert job.extract_result == of_sample("invoice", "extract_result")
        listed = [each.id async for each in client.extract.list(page_size=5)]
        assert listed[0] == job.id
        assert len(listed) == len(set(listed)) == len(HELD) + 1
        await client.extract.delete(job.id)
        with pytest.raises(llama_cloud.NotFoundError):
            await client.extract.get(job.id)


def test_a_list_gives_every_job_once_newest_first_through_all_pages(client: LlamaCloud, clock: Clock) -> None:
    made = []
    for _ in range(7):
        clock.advance(1)
        made.append(client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION).id)
    page = client.extract.list(page_size=3)
    assert len(page.items) == 3
    jobs = list(page)
    assert [job.id for job in jobs[:7]] == made[::-1]
    assert {job.id for job in jobs} == {*made, *HELD}
    assert len(jobs) == 7 + len(HELD)
    assert [job.created_at for job in jobs] == sorted((job.created_at for job in jobs), reverse=True)


def test_a_job_made_while_pages_are_read_moves_none_of_them(client: LlamaCloud, clock: Clock) -> None:
    first = client.extract.list(page_size=4)
    clock.advance(1)
    client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION)
    assert {job.id for job in first} == HELD


def test_a_list_is_filtered(client: LlamaCloud, clock: Clock) -> None:
    stuck = client.extract.create(
        file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: "stuck"}
    )
    parsed = client.extract.create(file_input="pjb-1", configuration_id="cfg-1")
    clock.advance(5)
    failed = {BY_NAME["failed_reason"].job_id, BY_NAME["failed_silent"].job_id, parsed.id}

    def listed(**filters: Any) -> set[str]:
        return {job.id for job in client.extract.list(**filters)}

    assert listed(status="RUNNING") == {stuck.id}
    assert listed(status="FAILED") == failed
    assert listed(status="THROTTLED") == set()
    assert listed(configuration_id="cfg-1") == listed(document_input_type="parse_job_id") == {parsed.id}
    assert listed(file_input="pjb-1") == listed(document_input_value="pjb-1") == {parsed.id}
    assert listed(job_ids=[stuck.id, parsed.id, "ext-nowhere"]) == {stuck.id, parsed.id}
    assert listed(created_at_on_or_after=stuck.created_at) == {stuck.id, parsed.id}
    assert listed(created_at_on_or_before="2026-01-05T09:00:00Z") == HELD
    assert listed(created_at_on_or_before="2026-01-05T08:59:59Z") == set()
    assert listed(project_id="00000000-0000-4000-8000-000000000000") == set()


def test_statuses_can_be_repeated_and_expand_gates_a_list(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer llx-local"}) as client:
        answer = client.get("/api/v2/extract?status=FAILED&status=CANCELLED&expand=configuration").json()
    assert sorted(job["status"] for job in answer["items"]) == ["CANCELLED", "FAILED", "FAILED"]
    assert answer["next_page_token"] is None
    assert [(job["configuration"] is None, job["metadata"]) for job in answer["items"]] == [(False, None)] * 3


def test_a_running_job_is_cancelled_once_and_stays_so(client: LlamaCloud, clock: Clock) -> None:
    job = client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION)
    clock.advance(2)
    cancelled = client.extract.cancel(job.id)
    assert (cancelled.status, cancelled.updated_at) == ("CANCELLED", clock.now)
    clock.advance(100)
    later = client.extract.get(job.id, expand=["usage"])
    assert (later.status, later.extract_result, later.usage) == ("CANCELLED", None, None)
    with pytest.raises(llama_cloud.ConflictError, match="cannot be cancelled"):
        client.extract.cancel(job.id)
    with pytest.raises(llama_cloud.NotFoundError):
        client.extract.cancel("ext-nowhere")


def test_a_job_that_runs_is_deleted_only_by_force(client: LlamaCloud) -> None:
    jobs = [client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION) for _ in range(2)]
    with pytest.raises(llama_cloud.ConflictError, match="force=true"):
        client.extract.delete(jobs[0].id)
    client.extract.delete(jobs[0].id, force=True)
    client.extract.cancel(jobs[1].id)
    client.extract.delete(jobs[1].id)
    for job in jobs:
        with pytest.raises(llama_cloud.NotFoundError):
            client.extract.delete(job.id)


def test_a_result_outlives_the_recorded_job_that_it_came_from(client: LlamaCloud, clock: Clock) -> None:
    job = client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION)
    for name in ("invoice", "running"):
        client.extract.delete(BY_NAME[name].job_id, force=True)
    clock.advance(10)
    assert client.extract.get(job.id).extract_result == of_sample("invoice", "extract_result")


def test_a_file_is_kept_listed_read_and_deleted(client: LlamaCloud) -> None:
    content = b"%PDF-1.7 \x00\xff"
    file = client.files.create(file=("Größe.PDF", content), purpose="extract", external_file_id="mine")
    assert (file.name, file.file_type, file.purpose, file.external_file_id) == ("Größe.PDF", "pdf", "extract", "mine")
    for wanted in (client.files.list(external_file_id="mine"), client.files.list(file_name="Größe.PDF"),
                   client.files.list(file_ids=[file.id])):  # fmt: skip
        assert [each.id for each in wanted] == [file.id]
    assert len(list(client.files.list(page_size=2))) == 5
    address = client.files.content(file.id)
    answer = httpx.get(address.url)
    assert (answer.status_code, answer.content) == (200, content)
    assert httpx.get(address.url.replace("expires=", "expires=1")).status_code == 403
    expanded = next(iter(client.files.list(file_ids=[file.id], expand=["download_url"]))).download_url
    assert expanded is not None
    assert httpx.get(expanded.url).content == content
    client.files.delete(file.id)
    with pytest.raises(llama_cloud.NotFoundError):
        client.files.content(file.id)
    assert httpx.get(address.url).status_code == 404


def test_an_address_holds_for_its_time(client: LlamaCloud, clock: Clock) -> None:
    address = client.files.content(INVOICE_ID, expires_at_seconds=60)
    assert address.expires_at == clock.now + timedelta(seconds=60)
    clock.advance(59)
    assert httpx.get(address.url).content == read_document(BY_NAME["invoice"])
    clock.advance(1)
    assert httpx.get(address.url).status_code == 403


def test_pages_are_drawn_from_the_stored_document(url: str, store: JobStore) -> None:
    file = store.files.get_file(INVOICE_ID)
    assert file is not None
    assert file.sha256 == hashlib.sha256(read_document(BY_NAME["invoice"])).hexdigest()
    path = f"/api/v1/files/{file.file_uuid}/page_screenshots"
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer llx-local"}) as client:
        pages = client.get(path).json()
        pictures = [client.get(f"{path}/{page['page_index']}") for page in pages]
        assert [client.get(f"{path}/{index}").status_code for index in (2, -1, "x")] == [404, 404, 422]
        assert client.post(f"{path}/2/presigned_url").status_code == 404
        address = client.post(f"{path}/1/presigned_url").json()["url"]
    assert [(page["page_index"], page["file_id"]) for page in pages] == [(0, file.file_uuid), (1, file.file_uuid)]
    assert [picture.headers["content-type"] for picture in pictures] == ["image/png"] * 2
    assert all(picture.content.startswith(b"\x89PNG\r\n") for picture in pictures)
    assert [len(picture.content) for picture in pictures] == [page["image_size"] for page in pages]
    assert httpx.get(address).content == pictures[1].content


def test_a_document_that_is_no_pdf_has_no_pictures(url: str, client: LlamaCloud) -> None:
    file = client.files.create(file=("a.txt", b"plain"), purpose="extract")
    path = f"/api/v1/files/{file.id}/page_screenshots"
    answer = httpx.get(f"{url}{path}", headers={"Authorization": "Bearer llx-local"})
    assert (answer.status_code, "not a PDF" in str(answer.json()["detail"])) == (422, True)


def test_without_what_draws_a_page_the_answer_says_what_to_install(
    client: LlamaCloud, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    path = f"/api/v1/files/{INVOICE_ID}/page_screenshots"
    answer = httpx.get(f"{url}{path}", headers={"Authorization": "Bearer llx-local"})
    assert (answer.status_code, "llx-mcp[local]" in answer.json()["detail"]) == (501, True)


def test_a_schema_is_validated(client: LlamaCloud) -> None:
    schema = CONFIGURATION["data_schema"]
    assert client.extract.validate_schema(data_schema=schema).data_schema == schema
    wrongs: list[Any] = [{"type": "array"}, {"type": "object", "properties": {"a": {"type": "text"}}}]
    for wrong in wrongs:
        with pytest.raises(llama_cloud.UnprocessableEntityError, match="data_schema"):
            client.extract.validate_schema(data_schema=wrong)


@pytest.mark.parametrize(
    ("body", "location"),
    [(b"", ["body"]), (b"{", ["body", 0]), (b"\xff", ["body", 0]), (b'{"a":NaN}', ["body", 0]), (b"[]", ["body"]),
     (b"{}", ["body", "file_input"]), (b'{"file_input":"x"}', ["body"]),
     (b'{"file_input":"x","configuration_id":"c","configuration":{"data_schema":{}}}', ["body"]),
     (b'{"file_input":"x","configuration":{}}', ["body", "configuration", "data_schema"]),
     (b'{"file_input":"x","configuration":{"data_schema":{},"max_pages":0}}', ["body", "configuration", "max_pages"]),
     (b'{"file_input":"x","configuration":{"data_schema":{},"tier":"best"}}', ["body", "configuration", "tier"])],
)  # fmt: skip
def test_a_create_that_is_wrong_is_422_and_says_where(url: str, body: bytes, location: list[str | int]) -> None:
    answer = httpx.post(f"{url}/api/v2/extract", content=body, headers={"Authorization": "Bearer llx-local"})
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["detail"]] == [location]
    assert {"type", "loc", "msg", "input"} <= set(answer.json()["detail"][0])


@pytest.mark.parametrize(
    "token", ["x", "é", "LTU=", "bmFuIDE=", "MWU0MDAgMQ==", "MSAxMTExMTExMTExMTExMTExMTExMTExMQ=="]
)
def test_a_token_that_is_none_is_422(url: str, token: str) -> None:
    headers = {"Authorization": "Bearer llx-local"}
    for path in ("/api/v2/extract", "/api/v1/beta/files"):
        answer = httpx.get(f"{url}{path}", params={"page_token": token}, headers=headers)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "page_token"])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("multipart/form-data", b"x"), ("multipart/form-data; boundary=a", b"x"), ("text/plain", b"x"),
     ("application/x-www-form-urlencoded", b"purpose=a&file=b")],
)  # fmt: skip
def test_an_upload_that_is_none_is_refused_and_keeps_nothing(
    url: str, store: JobStore, content_type: str, body: bytes
) -> None:
    before = store.files.list_files()
    headers = {"Authorization": "Bearer llx-local", "Content-Type": content_type}
    answer = httpx.post(f"{url}/api/v1/beta/files", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert store.files.list_files() == before


def test_head_is_not_get(url: str) -> None:
    headers = {"Authorization": "Bearer llx-local"}
    for path in ("/", "/api/v2/extract", f"/api/v2/extract/{SAMPLES[0].job_id}", "/api/v1/beta/files"):
        assert httpx.head(f"{url}{path}", headers=headers).status_code == 405
