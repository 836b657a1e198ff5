"""Spans follow the trace of the client, and hold no id, no key, no name that a caller sent, no text of a document."""

import json
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.serving.replicas import LEGACY, MODERN, KeyedService, open_replica

KEY, JOB, WORD = "llx-key-of-one-caller", "ext-of-a-test", "word-of-a-document"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="session")
def all_spans() -> Iterator[InMemorySpanExporter]:
    # A process has one provider, and it stays.
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    exporter.shutdown()


@pytest.fixture
def exporter(all_spans: InMemorySpanExporter) -> InMemorySpanExporter:
    all_spans.clear()
    return all_spans


@pytest.fixture
def service() -> Iterator[KeyedService]:
    service = KeyedService()
    service.add_job(KEY, JOB, {"total": WORD})
    yield service
    service.close()


async def test_request_is_traced_from_the_call_to_the_service(
    exporter: InMemorySpanExporter, service: KeyedService
) -> None:
    meta = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    parameters = {"name": "get_extract_job", "arguments": {"job_id": JOB}, "_meta": meta}
    async with open_replica(service, auth="pass-through") as replica:
        await replica.send("tools/call", parameters, KEY)
    request, call = exporter.get_finished_spans()
    assert (call.name, dict(call.attributes or {})) == (
        "tools/call get_extract_job",
        {"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_extract_job"},
    )
    assert [(event.name, dict(event.attributes or {})) for event in call.events] == [
        ("cache", {"llx_mcp.cache.outcome": "miss"})
    ]
    assert (request.name, dict(request.attributes or {})) == (
        "upstream_request GET",
        {"http.request.method": "GET", "http.response.status_code": 200},
    )
    request_json, call_json = (json.loads(_write(span)) for span in (request, call))
    assert request_json["parent_id"] == call_json["context"]["span_id"]
    assert {one["context"]["trace_id"] for one in (request_json, call_json)} == {f"0x{TRACE_ID}"}


async def test_polls_have_traces_of_their_own(exporter: InMemorySpanExporter, service: KeyedService) -> None:
    service.add_job(KEY, "ext-new", {"total": 1})
    async with open_replica(service, auth="pass-through") as replica:
        await replica.call("wait_for_extract_job", KEY, job_id="ext-new")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["poll job"].parent is None
    assert spans["tools/call wait_for_extract_job"].parent is None


async def test_spans_hold_nothing_of_callers_jobs_and_documents(
    exporter: InMemorySpanExporter, service: KeyedService
) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        await replica.call("wait_for_extract_job", KEY, job_id=JOB)
        await replica.call("query_extract_result", KEY, job_id=JOB, sql=f"select '{WORD}' from {WORD}")
        await replica.call("get_extract_job", KEY, job_id="ext-unknown")
        await replica.call(KEY, KEY)
        await replica.send(JOB, {}, KEY)
        await replica.send("resources/read", {"uri": f"llamaextract://jobs/{JOB}/nothing"}, KEY)
    spans = exporter.get_finished_spans()
    texts = [_write(span) for span in spans]
    assert len(texts) >= 8
    for secret in (KEY, JOB, WORD, "ext-", "llamaextract:", "jsonrpc"):
        assert not [text for text in texts if secret in text]
    failed = {span.name: (span.attributes or {}).get("error.type") for span in spans if not span.status.is_ok}
    assert failed["tools/call query_extract_result"] == "tool_error"
    assert failed["worker query"] == "ArgumentError"


@pytest.mark.parametrize("meta", [{"traceparent": 1}, {"traceparent": "x", "tracestate": []}, {"baggage": {"a": 1}}])
async def test_trace_of_a_client_that_is_no_trace_is_ignored(
    meta: dict[str, object], exporter: InMemorySpanExporter, service: KeyedService
) -> None:
    parameters = {"name": "get_extract_job", "arguments": {"job_id": JOB}, "_meta": meta}
    async with open_replica(service, auth="pass-through") as replica:
        for version in (LEGACY, MODERN):
            answer = await replica.send("tools/call", parameters, KEY, version)
            assert answer.content["status"] == "COMPLETED"
    assert all(span.parent is None for span in exporter.get_finished_spans() if span.name.startswith("tools/call"))


def _write(span: ReadableSpan) -> str:
    text = span.to_json()
    assert isinstance(text, str)
    return text
