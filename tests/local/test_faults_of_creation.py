"""Each request between a document and its result can fail on its own, before or after it has its effect."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import llama_cloud
import pytest
from llama_cloud import LlamaCloud

from llx_mcp.local import JobStore, create_app, open_store
from llx_mcp.local.faults import FaultInjector, parse_fault
from tests.local.clients import serve

INVOICE_ID = "dfl-sample0invoice00000000000000"
SCHEMA: Any = {"type": "object", "properties": {"invoice_number": {"type": "string"}}}


@dataclass(frozen=True)
class Step:
    """One request: the fault's parameters that select it, the call that sends it, and what it has changed."""

    selection: str
    send: Callable[[LlamaCloud, str], object]
    count_effects: Callable[[JobStore, str], int] = lambda store, _: 0


def is_cancelled(store: JobStore, job_id: str) -> int:
    with store._database.connection() as db:
        row = db.execute("SELECT cancelled IS NOT NULL FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return int(row[0])


STEPS = {
    "upload": Step(
        "method=POST,path=/files$",
        lambda client, _: client.files.create(file=("new.pdf", b"%PDF"), purpose="extract", external_file_id="mine"),
        lambda store, _: sum(file.external_file_id == "mine" for file in store.files.list_files()),
    ),
    "find": Step("method=GET,path=/files$", lambda client, _: client.files.list(external_file_id="mine")),
    "validate": Step(
        "method=POST,path=/schema/validation", lambda client, _: client.extract.validate_schema(data_schema=SCHEMA)
    ),
    "generate": Step(
        "method=POST,path=/schema/generate", lambda client, _: client.extract.generate_schema(data_schema=SCHEMA)
    ),
    "create": Step(
        "method=POST,path=/extract$",
        lambda client, _: client.extract.create(file_input=INVOICE_ID, configuration={"data_schema": SCHEMA}),
        lambda store, _: store.count(),
    ),
    "list": Step("method=GET,path=/extract$", lambda client, _: client.extract.list()),
    "get": Step("method=GET,path=/extract/", lambda client, job_id: client.extract.get(job_id)),
    "cancel": Step("method=POST,path=/cancel$", lambda client, job_id: client.extract.cancel(job_id), is_cancelled),
    "delete": Step(
        "method=DELETE,path=/extract/",
        lambda client, job_id: client.extract.delete(job_id, force=True),
        lambda store, _: -store.count(),
    ),
}  # fmt: skip
CHANGING = ("upload", "create", "cancel", "delete")
ERRORS = {
    "unavailable": llama_cloud.InternalServerError, "unavailable:when=after": llama_cloud.InternalServerError,
    "disconnect": llama_cloud.APIConnectionError, "disconnect:when=before": llama_cloud.APIConnectionError,
    "out-of-credits": llama_cloud.APIStatusError, "rate-limited:retry_after=1": llama_cloud.RateLimitError,
}  # fmt: skip


def create_job(client: LlamaCloud) -> str:
    return client.extract.create(
        file_input=INVOICE_ID, configuration={"data_schema": SCHEMA}, extra_headers={"X-Llx-Scenario": "stuck"}
    ).id


@pytest.mark.parametrize("fault", ERRORS)
@pytest.mark.parametrize("name", STEPS)
def test_the_second_request_of_a_kind_fails_alone(
    client: LlamaCloud, store: JobStore, faults: FaultInjector, name: str, fault: str
) -> None:
    step = STEPS[name]
    first_job, second_job = create_job(client), create_job(client)
    separator = "," if ":" in fault else ":"
    faults.set_faults([parse_fault(f"{fault}{separator}{step.selection},skip=1,times=1")])
    step.send(client, first_job)
    for other in STEPS.keys() - {name, "cancel", "delete"}:
        STEPS[other].send(client, second_job)
    before = step.count_effects(store, second_job)
    with pytest.raises(ERRORS[fault]):
        step.send(client, second_job)
    has_effect = fault in ("unavailable:when=after", "disconnect") and name in CHANGING
    assert step.count_effects(store, second_job) - before == int(has_effect)


def test_a_job_whose_answer_was_lost_is_found_by_its_document(client: LlamaCloud, faults: FaultInjector) -> None:
    faults.set_faults([parse_fault("disconnect:method=POST,path=/extract$,times=1")])
    file = client.files.create(file=("new.pdf", b"%PDF"), purpose="extract", external_file_id="sha")
    with pytest.raises(llama_cloud.APIConnectionError):
        client.extract.create(file_input=file.id, configuration={"data_schema": SCHEMA})
    (found,) = client.files.list(external_file_id="sha")
    (job,) = client.extract.list(file_input=found.id, expand=["configuration"])
    assert (job.file_input, found.id) == (file.id, file.id)
    assert job.configuration is not None
    assert job.configuration.data_schema == SCHEMA


def test_a_slow_answer_comes_after_the_effect() -> None:
    counts: list[int] = []

    with closing(open_store()) as store:

        async def count(_: float) -> None:
            counts.append(store.count())

        faults = FaultInjector([parse_fault("slow:when=after"), parse_fault("slow:when=before")], sleep=count)
        with (
            serve(create_app(store, faults=faults)) as url,
            LlamaCloud(api_key="llx-test", base_url=url, max_retries=0) as client,
        ):
            assert create_job(client)
    assert counts == [11, 12]


def test_not_json_after_the_effect(client: LlamaCloud, store: JobStore, faults: FaultInjector) -> None:
    faults.set_faults([parse_fault("not-json:when=after,method=POST")])
    with pytest.raises(llama_cloud.APIResponseValidationError) as caught:
        client.extract.create(file_input=INVOICE_ID, configuration={"data_schema": SCHEMA})
    assert caught.value.response.text.startswith("<!doctype html>")
    assert store.count() == 12
