"""The unmodified official client creates, lists, cancels and deletes jobs and files over a port."""

import json
from datetime import timedelta
from typing import Any

import httpx
import llama_cloud
import pytest
from llama_cloud import AsyncLlamaCloud, LlamaCloud

from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES, JobStore
from llx_mcp.local.samples import read_document, read_sample
from llx_mcp.local.scenarios import SCENARIO_HEADER
from llx_mcp.raw_json import decode_json, split_json
from tests.local.clients import KEY, Clock

BY_NAME = {sample.name: sample for sample in SAMPLES}
STORED_IDS = {sample.job_id for sample in SAMPLES}
INVOICE_ID = "dfl-sample0invoice00000000000000"
OTHER_PROJECT = "00000000-0000-4000-8000-000000000000"


def read_section(name: str, section: str) -> Any:
    """Return one section of a sample job."""
    return decode_json(split_json(read_sample(BY_NAME[name]))[section])


# The schema of the sample invoice.
CONFIGURATION: Any = {"data_schema": read_section("invoice", "configuration")["data_schema"]}


@pytest.mark.parametrize("name", ["invoice", "statement", "lab_report", "loan_agreement"])
def test_job_of_known_document_gets_recorded_result(client: LlamaCloud, clock: Clock, name: str) -> None:
    content = read_document(BY_NAME[name])
    file = client.files.create(file=(f"{name}-copy.pdf", content), purpose="extract")
    schema = read_section(name, "configuration")["data_schema"]
    job = client.extract.create(file_input=file.id, configuration={"data_schema": schema})
    assert (job.status, job.extract_result, job.file_input) == ("PENDING", None, file.id)
    clock.advance(1.5)
    assert client.extract.get(job.id).status == "RUNNING"
    clock.advance(2)
    done = client.extract.get(job.id, expand=["configuration", "extract_metadata", "usage", "metadata"])
    assert (done.status, done.extract_result) == ("COMPLETED", read_section(name, "extract_result"))
    assert done.id != BY_NAME[name].job_id
    assert done.configuration is not None
    assert done.configuration.data_schema == schema
    assert done.extract_metadata is not None
    assert done.extract_metadata.to_dict() == read_section(name, "extract_metadata")
    assert done.usage is not None
    assert done.usage.to_dict() == read_section(name, "usage")
    assert (done.created_at, done.updated_at) == (job.created_at, job.created_at + timedelta(seconds=3))


@pytest.mark.parametrize(("version", "resolved"), [("latest", "2.5"), ("2.0", "2.0"), ("2026-03-01", "2026-03-01")])
def test_created_job_shows_its_configuration_with_the_version_it_runs(
    client: LlamaCloud, store: JobStore, version: str, resolved: str
) -> None:
    options: Any = {
        "data_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
        "target_pages": "1,3", "max_pages": 4, "tier": "agentic", "disable_cache": True,
        "extraction_target": "per_page", "system_prompt": "p",
        "cite_sources": True, "confidence_scores": True, "advanced_citations": False, "spreadsheet_mode": False,
        "sheet_names": ["S"], "parse_tier": "fast", "parse_config_id": "cfg-p",
    }  # fmt: skip
    job = client.extract.create(file_input=INVOICE_ID, configuration=options | {"version": version})
    again = client.extract.get(job.id, expand=["configuration"])
    for each in (job, again):
        assert each.configuration is not None
        assert each.configuration.to_dict() == {**options, "version": resolved}
    assert (job.extract_metadata, job.metadata, job.usage) == (None, None, None)


def test_latest_version_is_that_of_the_recorded_job(client: LlamaCloud, store: JobStore) -> None:
    for version in ("2.0", "latest"):
        body = {"id": "ext-1", "status": "COMPLETED", "file_input": "dfl-1", "configuration": {"version": version}}
        store.import_job(json.dumps(body).encode())
        job = client.extract.create(file_input="dfl-1", configuration=CONFIGURATION)
        assert job.configuration is not None
        assert job.configuration.version == ("2.0" if version == "2.0" else "2.5")


def test_job_of_older_format_has_file_input_of_the_current_one(client: LlamaCloud) -> None:
    job_id = BY_NAME["older_format"].job_id
    (listed,) = client.extract.list(job_ids=[job_id])
    assert client.extract.get(job_id).file_input == listed.file_input == "dfl-sample0loan0agreement0000000"


def test_recorded_job_with_same_schema_is_preferred(client: LlamaCloud, clock: Clock) -> None:
    rows = read_section("table_rows", "configuration")
    configuration: Any = {name: rows[name] for name in ("data_schema", "extraction_target")}
    job = client.extract.create(file_input="dfl-sample0lab0report00000000000", configuration=configuration)
    clock.advance(10)
    assert client.extract.get(job.id).extract_result == read_section("table_rows", "extract_result")


def test_job_of_unknown_document_fails_with_instructions(client: LlamaCloud, clock: Clock) -> None:
    file = client.files.create(file=("other.pdf", b"%PDF-1.7 of another kind"), purpose="extract")
    job = client.extract.create(file_input=file.id, configuration=CONFIGURATION)
    clock.advance(10)
    ended = client.extract.get(job.id)
    assert (ended.status, ended.extract_result) == ("FAILED", None)
    assert "llx-mcp local record JOB_ID" in str(ended.error_message)


@pytest.mark.parametrize("file_input", ["dfl-gone", "pjb-gone", "00000000-0000-4000-8000-000000000000"])
def test_create_for_document_that_is_not_stored_returns_404(url: str, store: JobStore, file_input: str) -> None:
    body = {"file_input": file_input, "configuration": CONFIGURATION}
    response = httpx.post(f"{url}/api/v2/extract", json=body, headers=KEY)
    assert response.status_code == 404
    assert file_input in response.json()["detail"]
    assert "llx-mcp local record JOB_ID" in response.json()["detail"]
    assert store.count() == len(SAMPLES)


def test_create_for_file_of_another_project_returns_404(client: LlamaCloud) -> None:
    with pytest.raises(llama_cloud.NotFoundError, match="not found in project"):
        client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION, project_id=OTHER_PROJECT)


def test_create_accepts_parse_job_and_recorded_file_without_content(
    client: LlamaCloud, store: JobStore, clock: Clock
) -> None:
    store.import_job(b'{"id":"ext-1","status":"COMPLETED","file_input":"dfl-mine","extract_result":{"n":1}}')
    metadata = read_section("invoice", "extract_metadata")
    expected = {"dfl-mine": {"n": 1}, metadata["parse_job_id"]: read_section("invoice", "extract_result")}
    for file_input, result in expected.items():
        job = client.extract.create(file_input=file_input, configuration=CONFIGURATION)
        clock.advance(10)
        assert client.extract.get(job.id).extract_result == result


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
def test_scenario_header_sets_timeline(client: LlamaCloud, clock: Clock, scenario: str, states: list[str]) -> None:
    job = client.extract.create(
        file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: scenario}
    )
    statuses = [job.status]
    for seconds in (1.0, 1.0, 1.0, 6.0):
        clock.advance(seconds)
        statuses.append(client.extract.get(job.id).status)
    assert statuses == states


def test_file_name_sets_scenario(client: LlamaCloud, clock: Clock) -> None:
    content = read_document(BY_NAME["invoice"])
    file = client.files.create(file=("invoice--failed-silent.pdf", content), purpose="extract")
    job = client.extract.create(file_input=file.id, configuration=CONFIGURATION)
    clock.advance(10)
    ended = client.extract.get(job.id)
    assert (ended.status, ended.error_message, ended.extract_result) == ("FAILED", None, None)


def test_unknown_scenario_header_returns_422_with_names(client: LlamaCloud) -> None:
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="billed-late"):
        client.extract.create(
            file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: "other"}
        )


def test_usage_is_null_until_billed(client: LlamaCloud, clock: Clock) -> None:
    job = client.extract.create(
        file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: "billed-late"}
    )
    seen_credits = []
    for seconds in (4, 58, 2):
        clock.advance(seconds)
        usage = client.extract.get(job.id, expand=["usage"]).usage
        seen_credits.append(usage and usage.credits)
    assert seen_credits == [None, None, read_section("invoice", "usage")["credits"]]


def test_run_and_wait_for_completion_return_result(client: LlamaCloud) -> None:
    job = client.extract.run(
        file_input=INVOICE_ID,
        configuration=CONFIGURATION,
        extra_headers={SCENARIO_HEADER: "instant"},
        polling_interval=0.01,
    )
    again = client.extract.wait_for_completion(job.id, polling_interval=0.01)
    assert job.extract_result == again.extract_result == read_section("invoice", "extract_result")


async def test_async_client_uploads_runs_lists_and_deletes(url: str) -> None:
    async with AsyncLlamaCloud(api_key="llx-local", base_url=url, _strict_response_validation=True) as client:
        file = await client.files.create(file=("a.pdf", read_document(BY_NAME["invoice"])), purpose="extract")
        job = await client.extract.run(
            file_input=file.id,
            configuration=CONFIGURATION,
            extra_headers={SCENARIO_HEADER: "instant"},
            polling_interval=0.01,
        )
        assert job.extract_result == read_section("invoice", "extract_result")
        listed = [each.id async for each in client.extract.list(page_size=5)]
        assert listed[0] == job.id
        assert len(listed) == len(set(listed)) == len(STORED_IDS) + 1
        await client.extract.delete(job.id)
        with pytest.raises(llama_cloud.NotFoundError):
            await client.extract.get(job.id)


def test_list_returns_every_job_once_newest_first(client: LlamaCloud, clock: Clock) -> None:
    list(client.extract.list())  # starts the job that runs
    created = []
    for _ in range(7):
        clock.advance(1)
        created.append(client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION).id)
    page = client.extract.list(page_size=3)
    assert len(page.items) == 3
    jobs = list(page)
    assert [job.id for job in jobs[:7]] == created[::-1]
    assert {job.id for job in jobs} == {*created, *STORED_IDS}
    assert len(jobs) == 7 + len(STORED_IDS)
    assert [job.created_at for job in jobs] == sorted((job.created_at for job in jobs), reverse=True)


def test_new_job_does_not_shift_later_pages(client: LlamaCloud, clock: Clock) -> None:
    first = client.extract.list(page_size=4)
    clock.advance(1)
    client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION)
    assert {job.id for job in first} == STORED_IDS


def test_list_filters_jobs(client: LlamaCloud, store: JobStore, clock: Clock) -> None:
    list(client.extract.list())  # starts the job that runs
    clock.advance(60)
    stuck = client.extract.create(
        file_input=INVOICE_ID, configuration=CONFIGURATION, extra_headers={SCENARIO_HEADER: "stuck"}
    )
    body = {"id": "ext-1", "status": "FAILED", "file_input": "pjb-1", "configuration_id": "cfg-1"}
    store.import_job(json.dumps({**body, "configuration": CONFIGURATION}).encode())
    parsed = client.extract.create(file_input="pjb-1", configuration_id="cfg-1")
    store.delete_job("ext-1")
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
    assert listed(created_at_on_or_before="2026-07-06T09:00:00Z") == STORED_IDS - {SAMPLE_RUNNING_ID}
    assert listed(created_at_on_or_before="2026-07-06T08:59:59Z") == set()
    assert listed(project_id=OTHER_PROJECT) == set()


def test_list_accepts_repeated_status_and_expand(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer llx-local"}) as client:
        response = client.get("/api/v2/extract?status=FAILED&status=CANCELLED&expand=configuration").json()
    assert sorted(job["status"] for job in response["items"]) == ["CANCELLED", "FAILED", "FAILED"]
    assert response["next_page_token"] is None
    assert [(job["configuration"] is None, job["metadata"]) for job in response["items"]] == [(False, None)] * 3


def test_running_job_can_be_cancelled_once(client: LlamaCloud, clock: Clock) -> None:
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


def test_running_job_is_deleted_only_with_force(client: LlamaCloud) -> None:
    jobs = [client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION) for _ in range(2)]
    with pytest.raises(llama_cloud.ConflictError, match="force=true"):
        client.extract.delete(jobs[0].id)
    client.extract.delete(jobs[0].id, force=True)
    client.extract.cancel(jobs[1].id)
    client.extract.delete(jobs[1].id)
    for job in jobs:
        with pytest.raises(llama_cloud.NotFoundError):
            client.extract.delete(job.id)


def test_result_survives_deletion_of_recorded_job(client: LlamaCloud, clock: Clock) -> None:
    job = client.extract.create(file_input=INVOICE_ID, configuration=CONFIGURATION)
    for name in ("invoice", "running"):
        client.extract.delete(BY_NAME[name].job_id, force=True)
    clock.advance(10)
    assert client.extract.get(job.id).extract_result == read_section("invoice", "extract_result")


def test_schema_is_validated(client: LlamaCloud) -> None:
    schema = CONFIGURATION["data_schema"]
    assert client.extract.validate_schema(data_schema=schema).data_schema == schema
    invalid_schemas: list[Any] = [{"type": "array"}, {"type": "object", "properties": {"a": {"type": "text"}}}]
    for invalid_schema in invalid_schemas:
        with pytest.raises(llama_cloud.UnprocessableEntityError, match="data_schema"):
            client.extract.validate_schema(data_schema=invalid_schema)


@pytest.mark.parametrize(
    ("body", "location"),
    [(b"", ["body"]), (b"{", ["body", 0]), (b"\xff", ["body", 0]), (b'{"a":NaN}', ["body", 0]), (b"[]", ["body"]),
     (b"{}", ["body", "file_input"]), (b'{"file_input":"x"}', ["body"]),
     (b'{"file_input":"x","configuration_id":"c","configuration":{"data_schema":{}}}', ["body"]),
     (b'{"file_input":"x","configuration":{}}', ["body", "configuration", "data_schema"]),
     (b'{"file_input":"x","configuration":{"data_schema":{},"max_pages":0}}', ["body", "configuration", "max_pages"]),
     (b'{"file_input":"x","configuration":{"data_schema":{},"tier":"best"}}', ["body", "configuration", "tier"]),
     (b'{"file_input":"x","configuration":{"data_schema":{},"parse_tier":"turbo"}}',
      ["body", "configuration", "parse_tier"]),
     (b'{"file_input":"x","configuration":{"data_schema":{},"advanced_citations":"often"}}',
      ["body", "configuration", "advanced_citations"]),
     (b'{"file_input":"x","configuration":{"data_schema":{"type":"array"}}}',
      ["body", "configuration", "data_schema", "type"]),
     (b'{"file_input":"x","configuration":{"data_schema":{"properties":{"a":{"type":"text"}}}}}',
      ["body", "configuration", "data_schema", "properties", "a", "type"]),
     (b'{"file_input":"x","configuration_id":"c","webhook_configuration_ids":["1","2","3","4","5"]}',
      ["body", "webhook_configuration_ids"]),
     (b'{"file_input":"x","configuration_id":"c","webhook_configurations":[{"webhook_events":["nonsense"]}]}',
      ["body", "webhook_configurations", 0, "webhook_events", 0])],
)  # fmt: skip
def test_invalid_create_returns_422_with_location(url: str, body: bytes, location: list[str | int]) -> None:
    response = httpx.post(f"{url}/api/v2/extract", content=body, headers={"Authorization": "Bearer llx-local"})
    assert response.status_code == 422
    assert [entry["loc"] for entry in response.json()["detail"]] == [location]
    assert {"type", "loc", "msg", "input"} <= set(response.json()["detail"][0])


@pytest.mark.parametrize(
    "token", ["x", "é", "LTU=", "bmFuIDE=", "MWU0MDAgMQ==", "MSAxMTExMTExMTExMTExMTExMTExMTExMQ=="]
)
def test_invalid_page_token_returns_422(url: str, token: str) -> None:
    headers = {"Authorization": "Bearer llx-local"}
    for path in ("/api/v2/extract", "/api/v1/beta/files"):
        response = httpx.get(f"{url}{path}", params={"page_token": token}, headers=headers)
        assert (response.status_code, response.json()["detail"][0]["loc"]) == (422, ["query", "page_token"])


def test_head_returns_405(url: str) -> None:
    headers = {"Authorization": "Bearer llx-local"}
    for path in ("/", "/api/v2/extract", f"/api/v2/extract/{SAMPLES[0].job_id}", "/api/v1/beta/files"):
        assert httpx.head(f"{url}{path}", headers=headers).status_code == 405
