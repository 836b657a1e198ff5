"""The official client saves, lists, changes and deletes configurations, and creates jobs with them."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import llama_cloud
import pytest
from llama_cloud import LlamaCloud

from llx_mcp.local import SAMPLES, JobStore, create_app
from llx_mcp.local.seeding import PROJECT_ID
from tests.local.clients import Clock, connect

SCHEMA: Any = {"type": "object", "properties": {"total": {"type": "number"}}}
PARAMETERS: Any = {"product_type": "extract_v2", "data_schema": SCHEMA, "tier": "agentic", "cite_sources": True}
INVOICE = "dfl-sample0invoice00000000000000"
OTHER_PROJECT = "00000000-0000-4000-8000-000000000000"
HEADERS = {"Authorization": "Bearer llx-local"}
PATH = "/api/v1/beta/configurations"


def test_configuration_is_saved_and_read_as_it_was_sent(client: LlamaCloud, clock: Clock) -> None:
    saved = client.configurations.create(name="totals", parameters=PARAMETERS)
    assert client.configurations.retrieve(saved.id) == saved
    assert saved.id.startswith("cfg-")
    assert (saved.name, saved.product_type, saved.created_at) == ("totals", "extract_v2", clock.now)
    assert saved.version == "2026-08-01T00:00:00Z"
    parameters = saved.parameters.to_dict()
    assert {key: parameters[key] for key in PARAMETERS} == PARAMETERS
    # A saved configuration keeps the version as it was sent; the jobs resolve it.
    assert parameters["version"] == "latest"


def test_same_name_overwrites_in_its_project_only(client: LlamaCloud, clock: Clock) -> None:
    first = client.configurations.create(name="totals", parameters=PARAMETERS)
    clock.advance(60)
    again = client.configurations.create(name="totals", parameters=PARAMETERS | {"tier": "turbo"})
    other = client.configurations.create(name="totals", parameters=PARAMETERS, project_id=OTHER_PROJECT)
    assert (again.id, again.created_at, again.updated_at) == (first.id, first.created_at, clock.now)
    assert again.parameters.to_dict()["tier"] == "turbo"
    assert other.id != first.id
    assert [each.id for each in client.configurations.list(project_id=PROJECT_ID)] == [first.id]


def test_list_filters_and_pages(client: LlamaCloud) -> None:
    ids = [client.configurations.create(name=f"c{number}", parameters=PARAMETERS).id for number in range(5)]
    page = client.configurations.list(page_size=2)
    assert len(page.items) == 2
    assert [each.id for each in page] == ids[::-1]
    assert [each.id for each in client.configurations.list(name="c3")] == [ids[3]]
    assert len(list(client.configurations.list(product_type=["parse_v2", "extract_v2"]))) == 5
    assert list(client.configurations.list(product_type=["parse_v2"])) == []
    assert list(client.configurations.list(project_id=OTHER_PROJECT)) == []


def test_update_changes_what_is_sent(client: LlamaCloud, clock: Clock) -> None:
    saved = client.configurations.create(name="a", parameters=PARAMETERS)
    client.configurations.create(name="b", parameters=PARAMETERS)
    clock.advance(1)
    renamed = client.configurations.update(saved.id, name="c")
    assert (renamed.name, renamed.parameters, renamed.updated_at) == ("c", saved.parameters, clock.now)
    changed = client.configurations.update(saved.id, parameters=PARAMETERS | {"max_pages": 3})
    assert (changed.name, changed.parameters.to_dict()["max_pages"]) == ("c", 3)
    with pytest.raises(llama_cloud.ConflictError, match="has the name 'b'"):
        client.configurations.update(saved.id, name="b")


def test_deleted_and_foreign_configurations_are_not_found(client: LlamaCloud) -> None:
    saved = client.configurations.create(name="a", parameters=PARAMETERS)
    with pytest.raises(llama_cloud.NotFoundError):
        client.configurations.retrieve(saved.id, project_id=OTHER_PROJECT)
    client.configurations.delete(saved.id)
    for call in (client.configurations.retrieve, client.configurations.delete):
        with pytest.raises(llama_cloud.NotFoundError, match="not found"):
            call(saved.id)


@pytest.mark.parametrize(
    ("body", "location"),
    [({"parameters": PARAMETERS}, ["body", "name"]), ({"name": "", "parameters": PARAMETERS}, ["body", "name"]),
     ({"name": "a" * 256, "parameters": PARAMETERS}, ["body", "name"]),
     ({"name": "a", "parameters": {**PARAMETERS, "product_type": "split_v1"}}, ["body", "parameters", "product_type"]),
     ({"name": "a", "parameters": {**PARAMETERS, "data_schema": {"type": "array"}}},
      ["body", "parameters", "data_schema", "type"])],
)  # fmt: skip
def test_invalid_configuration_is_refused(url: str, body: Any, location: list[str]) -> None:
    response = httpx.post(f"{url}{PATH}", json=body, headers=HEADERS)
    assert (response.status_code, response.json()["detail"][0]["loc"]) == (422, location)
    assert httpx.get(f"{url}{PATH}", headers=HEADERS).json()["items"] == []


def test_job_uses_saved_configuration_with_resolved_version(client: LlamaCloud) -> None:
    saved = client.configurations.create(name="totals", parameters=PARAMETERS)
    job = client.extract.create(file_input=INVOICE, configuration_id=saved.id)
    assert (job.configuration_id, [each.id for each in client.extract.list(configuration_id=saved.id)]) == (
        saved.id, [job.id],
    )  # fmt: skip
    assert job.configuration is not None
    shown = job.configuration.to_dict()
    assert (shown["data_schema"], shown["tier"], shown["version"]) == (SCHEMA, "agentic", "2.5")
    client.configurations.delete(saved.id)
    again = client.extract.get(job.id, expand=["configuration"])
    assert again.configuration == job.configuration


@pytest.mark.parametrize("project_id", [None, OTHER_PROJECT])
def test_job_with_unknown_configuration_is_refused(url: str, client: LlamaCloud, project_id: str | None) -> None:
    saved = client.configurations.create(name="a", parameters=PARAMETERS)
    body = {"file_input": "dfl-1", "configuration_id": saved.id if project_id else "cfg-gone"}
    with closing(httpx.Client(base_url=url, headers=HEADERS)) as plain:
        upload = {"file": ("a.pdf", b"%PDF-1")}
        scope = {"project_id": project_id} if project_id else {}
        stored = plain.post("/api/v1/beta/files", files=upload, data={"purpose": "extract"}, params=scope).json()
        response = plain.post("/api/v2/extract", json=body | {"file_input": stored["id"]}, params=scope)
    assert response.status_code == 404
    assert "Save it with POST /api/v1/beta/configurations" in response.json()["detail"]


def test_configurations_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "jobs.db"
    with closing(JobStore(path)) as store:
        saved = store.configurations.put("a", "extract_v2", {"x": 1.5}, clock.now, project_id=PROJECT_ID)
    with closing(JobStore(path)) as store:
        assert store.configurations.list() == [saved]


@pytest.mark.parametrize("sample", ["invoice", "lab_report"])
def test_schema_is_generated_from_recorded_jobs(client: LlamaCloud, sample: str) -> None:
    job_id = next(each.job_id for each in SAMPLES if each.name == sample)
    recorded = client.extract.get(job_id, expand=["configuration"])
    assert recorded.configuration is not None
    generated = client.extract.generate_schema(file_id=recorded.file_input, prompt="anything")
    # Of the lab report there is a job per table row too, and it is newer.
    assert generated.name == sample
    assert generated.parameters.to_dict() == {
        "product_type": "extract_v2", "data_schema": recorded.configuration.data_schema,
        "tier": "agentic", "extraction_target": "per_doc",
    }  # fmt: skip
    saved = client.configurations.create(name=generated.name, parameters=generated.parameters.to_dict())  # type: ignore[arg-type]  # the client's request type is a TypedDict
    assert client.extract.create(file_input=recorded.file_input, configuration_id=saved.id).status == "PENDING"


def test_own_schema_is_validated_and_returned_without_a_recorded_job(client: LlamaCloud) -> None:
    generated = client.extract.generate_schema(data_schema=SCHEMA, name="mine")
    assert (generated.name, generated.parameters.to_dict()) == (
        "mine", {"product_type": "extract_v2", "data_schema": SCHEMA},
    )  # fmt: skip
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="data_schema"):
        client.extract.generate_schema(data_schema={"type": "array"})


def test_generation_that_needs_a_model_is_refused_with_what_works(client: LlamaCloud) -> None:
    file = client.files.create(file=("a.pdf", b"%PDF-1"), purpose="extract")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"prompt": "totals"}, "has no model"), ({"file_id": file.id}, "llx-mcp local record"),
    ]  # fmt: skip
    for arguments, words in refused:
        with pytest.raises(llama_cloud.InternalServerError, match=words) as caught:
            client.extract.generate_schema(**arguments)
        assert (caught.value.status_code, caught.value.response.headers["x-should-retry"]) == (501, "false")
    with pytest.raises(llama_cloud.NotFoundError):
        client.extract.generate_schema(file_id="dfl-gone")
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="at least one of file_id"):
        client.extract.generate_schema()


async def test_created_configuration_gives_201_and_a_deleted_one_204() -> None:
    with closing(JobStore()) as store:
        async with connect(create_app(store)) as client:
            created = await client.post(PATH, json={"name": "a", "parameters": PARAMETERS})
            path = f"{PATH}/{created.json()['id']}"
            statuses = [created.status_code]
            statuses += [(await client.request(method, path)).status_code for method in ("GET", "DELETE", "DELETE")]
    assert statuses == [201, 200, 204, 404]


async def test_page_has_fifty_configurations_by_default_and_at_most_a_thousand() -> None:
    now = datetime(2026, 8, 1, tzinfo=UTC)
    with closing(JobStore()) as store:
        for number in range(1_001):
            store.configurations.put(f"{number}", "extract_v2", {}, now, project_id=PROJECT_ID)
        async with connect(create_app(store)) as client:
            pages = [(await client.get(PATH, params=query)).json() for query in ({}, {"page_size": 2_000})]
    assert [len(page["items"]) for page in pages] == [50, 1_000]
    assert all(page["next_page_token"] for page in pages)
