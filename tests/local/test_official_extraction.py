"""Jobs of the unmodified official client get the result of the recorded job whose schema is most similar."""

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import httpx
import msgspec
import pytest
from llama_cloud import LlamaCloud
from llama_cloud.types import ExtractV2Job

from llx_mcp.local import SAMPLES, JobStore, create_app, open_store
from llx_mcp.local.extraction import Document, Extraction
from llx_mcp.local.samples import read_document, read_sample
from tests.local.clients import Clock, serve

BY_NAME = {sample.name: sample for sample in SAMPLES}
TEXT = {"type": "string"}
NUMBER = {"type": "number"}
DOCUMENT = b"%PDF-1.7 of my own"


def build_schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def extract(client: LlamaCloud, clock: Clock, content: bytes, schema: Any, **options: Any) -> ExtractV2Job:
    """Upload a document, create a job for it, and return the ended job with all its sections."""
    file = client.files.create(file=("mine.pdf", content), purpose="extract")
    configuration: Any = {"data_schema": schema, **options}
    job = client.extract.create(file_input=file.id, configuration=configuration)
    clock.advance(10)
    return client.extract.get(job.id, expand=["configuration", "extract_metadata", "usage", "metadata"])


def record(store: JobStore, job_id: str, schema: Any, result: Any, **options: Any) -> None:
    """Record a job of the document."""
    file = store.files.put_file(DOCUMENT, "mine.pdf", Clock()(), project_id=str(PROJECT), file_id="dfl-mine")
    job = {
        "id": job_id, "status": "COMPLETED", "file_input": "dfl-mine", "extract_result": result,
        "configuration": {"data_schema": schema, "extraction_target": "per_doc"} | options,
    }  # fmt: skip
    store.import_job(json.dumps(job).encode(), document_sha256=file.sha256)


PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"


def read_job(name: str) -> Any:
    return json.loads(read_sample(BY_NAME[name]))


def test_a_schema_of_some_fields_gets_these_alone_with_their_metadata(client: LlamaCloud, clock: Clock) -> None:
    recorded = read_job("invoice")
    properties = recorded["configuration"]["data_schema"]["properties"]
    item = {"type": "object", "properties": {"amount": NUMBER}}
    schema = build_schema(
        invoice_number=properties["invoice_number"], iban=TEXT, line_items={"type": "array", "items": item}
    )
    job = extract(client, clock, read_document(BY_NAME["invoice"]), schema)
    tree = recorded["extract_metadata"]["field_metadata"]["document_metadata"]
    assert job.status == "COMPLETED"
    assert job.extract_result == {
        "invoice_number": recorded["extract_result"]["invoice_number"],
        "iban": None,
        "line_items": [{"amount": item["amount"]} for item in recorded["extract_result"]["line_items"]],
    }
    assert job.extract_metadata is not None
    assert job.extract_metadata.to_dict() == recorded["extract_metadata"] | {
        "field_metadata": recorded["extract_metadata"]["field_metadata"]
        | {
            "document_metadata": {
                "invoice_number": tree["invoice_number"],
                "line_items": [{"amount": entry["amount"]} for entry in tree["line_items"]],
            }
        }
    }
    assert job.usage is not None
    assert job.usage.to_dict() == recorded["usage"]
    assert job.configuration is not None
    assert job.configuration.data_schema == schema


def test_a_schema_without_a_common_field_fails_and_says_what_is_recorded(client: LlamaCloud, clock: Clock) -> None:
    job = extract(client, clock, read_document(BY_NAME["invoice"]), build_schema(surname=TEXT, totals=NUMBER))
    assert (job.status, job.extract_result, job.extract_metadata) == ("FAILED", None, None)
    assert job.usage is not None
    assert job.usage.credits == 0
    assert "no recorded job of this document has a field of this data_schema" in str(job.error_message)
    assert "The recorded fields are invoice_number, invoice_date, due_date" in str(job.error_message)
    assert "llx-mcp local record JOB_ID --local-db PATH" in str(job.error_message)


def test_many_recorded_fields_are_named_in_part(client: LlamaCloud, store: JobStore, clock: Clock) -> None:
    fields = {f"f{number}" * 40: TEXT for number in range(30)}
    record(store, "ext-1", build_schema(**fields), {})
    message = str(extract(client, clock, DOCUMENT, build_schema(other=TEXT)).error_message)
    assert "and 10 more" in message
    assert len(message) < 2_000


def test_another_extraction_target_fails_and_says_which_are_recorded(client: LlamaCloud, clock: Clock) -> None:
    schema = read_job("invoice")["configuration"]["data_schema"]
    job = extract(client, clock, read_document(BY_NAME["invoice"]), schema, extraction_target="per_page")
    assert job.status == "FAILED"
    assert "the extraction_target per_page. The recorded jobs have per_doc" in str(job.error_message)


@pytest.mark.parametrize(
    ("requested", "result"),
    [(build_schema(a=TEXT, b=TEXT), {"a": "first", "b": "1"}), (build_schema(a=TEXT), {"a": "second"}),
     (build_schema(b=TEXT, c=TEXT), {"b": "3", "c": "third"}),
     (build_schema(c=TEXT, z=TEXT), {"c": "third", "z": None}),
     (build_schema(a=NUMBER, c=TEXT), {"a": None, "c": "third"}),
     (build_schema(c=TEXT, b=TEXT, d=TEXT), {"c": "third", "b": "3", "d": "4"})],
)  # fmt: skip
def test_the_most_similar_recorded_schema_is_taken(
    client: LlamaCloud, store: JobStore, clock: Clock, requested: Any, result: Any
) -> None:
    record(store, "ext-1", build_schema(a=TEXT, b=TEXT), {"a": "first", "b": "1"})
    record(store, "ext-2", build_schema(a=TEXT), {"a": "second"})
    record(store, "ext-3", build_schema(a=TEXT, b=TEXT, c=TEXT, d=TEXT), {"a": "x", "b": "3", "c": "third", "d": "4"})
    assert extract(client, clock, DOCUMENT, requested).extract_result == result


def test_the_same_schema_comes_first_even_if_that_job_failed(client: LlamaCloud, store: JobStore, clock: Clock) -> None:
    schema = build_schema(a=TEXT)
    record(store, "ext-1", schema, None)
    store.import_job(json.dumps({**_read(store, "ext-1"), "status": "FAILED", "error_message": "no"}).encode(),
                     document_sha256=store.files.list_files()[0].sha256)  # fmt: skip
    record(store, "ext-2", build_schema(a=TEXT, b=TEXT), {"a": "1", "b": "2"})
    failed = extract(client, clock, DOCUMENT, schema)
    assert (failed.status, failed.error_message) == ("FAILED", "no")
    other = extract(client, clock, DOCUMENT, build_schema(a=TEXT, c=TEXT))
    assert (other.status, other.extract_result) == ("COMPLETED", {"a": "1", "c": None})


def _read(store: JobStore, job_id: str) -> dict[str, Any]:
    body = store.read_body(job_id)
    assert body is not None
    value: dict[str, Any] = json.loads(body)
    return value


def test_rows_are_taken_for_the_target_of_rows(client: LlamaCloud, clock: Clock) -> None:
    recorded = read_job("table_rows")
    schema = build_schema(analyte=TEXT)
    job = extract(client, clock, read_document(BY_NAME["lab_report"]), schema, extraction_target="per_table_row")
    assert job.extract_result == [{"analyte": row["analyte"]} for row in recorded["extract_result"]]
    assert job.extract_metadata is not None
    tree = recorded["extract_metadata"]["field_metadata"]["row_metadata"]
    assert job.extract_metadata.to_dict()["field_metadata"] == recorded["extract_metadata"]["field_metadata"] | {
        "row_metadata": [{"analyte": row["analyte"]} for row in tree]
    }


@pytest.mark.parametrize("configuration", [None, {}, {"data_schema": None}, {"data_schema": {}}])
def test_a_recorded_job_without_a_schema_gives_its_result_as_it_is(
    client: LlamaCloud, store: JobStore, clock: Clock, configuration: Any
) -> None:
    record(store, "ext-1", None, {"n": 1})
    body = {**_read(store, "ext-1"), "configuration": configuration}
    store.import_job(json.dumps(body).encode(), document_sha256=store.files.list_files()[0].sha256)
    assert extract(client, clock, DOCUMENT, build_schema(other=TEXT)).extract_result == {"n": 1}


def test_a_schema_without_fields_gets_the_whole_result(client: LlamaCloud, clock: Clock) -> None:
    job = extract(client, clock, read_document(BY_NAME["lab_report"]), {"type": "object"})
    assert job.extract_result == read_job("lab_report")["extract_result"]


def test_result_as_it_is_shares_its_body_with_the_recorded_job(
    client: LlamaCloud, store: JobStore, clock: Clock
) -> None:
    schema = read_job("statement")["configuration"]["data_schema"]
    job = extract(client, clock, read_document(BY_NAME["statement"]), schema)
    with store._database.connection() as db:
        rows = db.execute(
            "SELECT body_id, length(overrides) FROM jobs WHERE id IN (?, ?)", (job.id, BY_NAME["statement"].job_id)
        ).fetchall()
    assert len({body_id for body_id, _ in rows}) == 1
    assert max(length or 0 for _, length in rows) < 5_000


class CountingEngine:
    """An engine that answers with the size of the document."""

    def extract(self, document: Document, configuration: Mapping[str, Any]) -> Extraction:
        """Count the bytes, and the fields that are asked for."""
        result = {
            "size": len(document.read_content() or b""),
            "fields": len(configuration["data_schema"]["properties"]),
        }
        return Extraction(
            "COMPLETED", version="9.9", sections={"extract_result": msgspec.Raw(msgspec.json.encode(result))}
        )


def test_another_engine_makes_the_results(clock: Clock) -> None:
    with (
        closing(open_store()) as store,
        serve(create_app(store, clock=clock, engine=CountingEngine())) as url,
        LlamaCloud(api_key="llx-local", base_url=url) as client,
    ):
        job = extract(client, clock, DOCUMENT, build_schema(a=TEXT, b=TEXT))
        gone = httpx.post(
            f"{url}/api/v2/extract", json={"file_input": "dfl-gone", "configuration": {"data_schema": {}}},
            headers={"Authorization": "Bearer llx-local"},
        )  # fmt: skip
    assert (job.status, job.extract_result) == ("COMPLETED", {"size": len(DOCUMENT), "fields": 2})
    assert (job.extract_metadata, job.metadata, job.usage) == (None, None, None)
    assert job.configuration is not None
    assert job.configuration.version == "9.9"
    assert gone.status_code == 404
