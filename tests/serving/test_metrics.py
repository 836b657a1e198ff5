"""The metrics count what happens, with labels that no caller chooses; the dashboard shows only metrics that exist."""

import json
import re
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llx_mcp.errors import ConfigurationError
from llx_mcp.serving.metrics import Metrics
from llx_mcp.serving.metrics_server import open_metrics_listener, serve_metrics
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import read_settings
from tests.conftest import ROOT
from tests.server.serving import find_port
from tests.serving.replicas import KeyedService, Replica, open_replica
from tests.waiting import until

KEY, JOB = "llx-key-of-one-caller", "ext-of-a-test"
DASHBOARD = ROOT / "deploy" / "grafana" / "llx-mcp.json"
SUFFIXES = re.compile(r"_(bucket|count|sum)$")


@pytest.fixture
def service() -> Iterator[KeyedService]:
    service = KeyedService()
    service.add_job(KEY, JOB, {"total": 11})
    service.add_job(KEY, "ext-slow", {"total": 12}, "slow")
    yield service
    service.close()


def read_samples(replica: Replica) -> dict[tuple[str, ...], float]:
    """Return the value of each sample, by its name and the values of its labels, in the order of their names."""
    assert replica.app.metrics is not None
    families = text_string_to_metric_families(replica.app.metrics.render().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if "le" not in sample.labels
    }


async def test_call_is_counted_with_what_it_causes(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", metrics_port=0) as replica:
        answer = await replica.call("get_extract_job", KEY, job_id=JOB)
        await replica.call("get_extract_job", KEY, job_id=JOB)
        samples = read_samples(replica)
    (content,) = answer.message["result"]["content"]
    assert samples["llx_mcp_calls_total", "tools/call", "ok", "get_extract_job"] == 2
    assert samples["llx_mcp_call_seconds_count", "get_extract_job"] == 2
    assert samples["llx_mcp_answer_characters_sum", "get_extract_job"] == 2 * len(content["text"])
    assert samples["llx_mcp_upstream_requests_total", "GET", "200"] == 1
    assert samples["llx_mcp_upstream_request_seconds_count", "GET"] == 1
    assert (samples["llx_mcp_cache_lookups_total", "miss"], samples["llx_mcp_cache_lookups_total", "hit"]) == (1, 1)
    assert samples["llx_mcp_cache_bytes",] > 0
    assert (samples["llx_mcp_tenants",], samples["llx_mcp_requests_open",], samples["llx_mcp_workers",]) == (1, 0, 0)
    assert samples["llx_mcp_part_ready", "calls", "ok"] == 1


async def test_open_wait_and_its_polls_are_counted(service: KeyedService) -> None:
    async with (
        open_replica(service, auth="pass-through", metrics_port=0) as replica,
        anyio.create_task_group() as group,
    ):
        group.start_soon(lambda: replica.call("wait_for_extract_job", KEY, job_id="ext-slow", timeout_seconds=50))
        await until(lambda: bool(read_samples(replica).get(("llx_mcp_polls_total", "job", "ok"))))
        assert read_samples(replica)["llx_mcp_waits_open",] == 1
        group.cancel_scope.cancel()


async def test_question_to_a_worker_is_counted(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", metrics_port=0) as replica:
        await replica.call("query_extract_result", KEY, job_id=JOB, sql="select 1")
        await replica.call("query_extract_result", KEY, job_id=JOB, sql="select nothing")
        samples = read_samples(replica)
    assert samples["llx_mcp_worker_questions_total", "ok", "query"] == 1
    assert samples["llx_mcp_worker_questions_total", "ArgumentError", "query"] == 1
    assert samples["llx_mcp_workers",] == 1
    assert samples["llx_mcp_calls_total", "tools/call", "tool_error", "query_extract_result"] == 1


async def test_refused_callers_are_counted_by_reason(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", metrics_port=0) as replica:
        await replica.send("ping", {})
        await replica.call("get_extract_job", "llx-key-that-nobody-has", job_id=JOB)
        samples = read_samples(replica)
    assert samples["llx_mcp_refused_total", "no_token"] == 1
    assert samples["llx_mcp_upstream_requests_total", "GET", "401"] == 1
    assert samples["llx_mcp_calls_total", "tools/call", "tool_error", "get_extract_job"] == 1


async def test_events_of_redis_are_counted(service: KeyedService) -> None:
    # Nothing listens there.
    url = f"redis://127.0.0.1:{find_port()}"
    async with open_replica(service, auth="pass-through", metrics_port=0, redis_url=url) as replica:
        await until(lambda: read_samples(replica).get(("llx_mcp_part_ready", "redis", "degraded")) == 1)
        samples = read_samples(replica)
    counts = {
        event: samples["llx_mcp_part_events_total", event, "redis"] for event in ("degraded", "recovered", "news")
    }
    assert counts == {"degraded": 1, "recovered": 0, "news": 0}
    assert ("llx_mcp_part_events_total", "failed_commands", "redis") in samples


async def test_no_label_has_what_a_caller_sent(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", metrics_port=0) as replica:
        for number in range(20):
            await replica.call(f"tool-{number}", KEY, job_id=JOB)
            await replica.send(f"method-{number}", {}, KEY)
            await replica.call("get_extract_job", KEY, job_id=f"ext-{number}", **{f"argument-{number}": KEY})
            await replica.http.get(f"http://127.0.0.1:8000/path-{number}")
            await replica.send("ping", {}, f"token-{number}")
        samples = read_samples(replica)
    labels = {label for _, *labels in samples for label in labels}
    assert not [label for label in labels if re.search(r"\d-|-\d|ext-|llx-", label)]
    assert samples["llx_mcp_calls_total", "tools/call", "tool_error", "other"] == 20


async def test_metrics_are_served_on_their_own_address(service: KeyedService) -> None:
    settings = read_settings(HttpSettings, metrics_port=0)
    with open_metrics_listener(settings) as listener:
        assert listener is not None
        host, port = listener.getsockname()
        async with (
            open_replica(service, metrics_port=0) as replica,
            anyio.create_task_group() as group,
            httpx.AsyncClient() as http,
        ):
            assert replica.app.metrics is not None
            group.start_soon(serve_metrics, replica.app.metrics, listener)
            with anyio.fail_after(30):
                text = ""
                while "delay_seconds_count 0.0" in text or not text:
                    text = (await http.get(f"http://{host}:{port}/metrics")).text
            assert (await http.get(f"http://{host}:{port}/mcp")).status_code == 404
            group.cancel_scope.cancel()
    assert host == "127.0.0.1"
    assert "llx_mcp_tenants 0.0" in text
    assert "llx_mcp_event_loop_delay_seconds_count 0.0" not in text


def test_metrics_port_in_use_is_an_error_that_names_the_flag() -> None:
    with open_metrics_listener(read_settings(HttpSettings, metrics_port=0)) as listener:
        assert listener is not None
        port = listener.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"--metrics-port {port}: .*in use"),
            open_metrics_listener(read_settings(HttpSettings, metrics_port=port)),
        ):
            pass


async def test_nothing_is_counted_or_served_without_a_port(service: KeyedService) -> None:
    with open_metrics_listener(read_settings(HttpSettings)) as listener:
        assert listener is None
    async with open_replica(service) as replica:
        assert replica.app.metrics is None


def _list_expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("expr"), str):
            yield value["expr"]
        for child in value.values():
            yield from _list_expressions(child)
    elif isinstance(value, list):
        for child in value:
            yield from _list_expressions(child)


async def test_dashboard_shows_every_metric_and_no_other(service: KeyedService) -> None:
    async with open_replica(service, metrics_port=0) as replica:
        assert isinstance(replica.app.metrics, Metrics)
        families = list(replica.app.metrics.registry.collect())
    known = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    ours = {name for name in known if name.startswith("llx_mcp_")}
    expressions = list(_list_expressions(json.loads(DASHBOARD.read_text())))
    shown = {SUFFIXES.sub("", name) for text in expressions for name in re.findall(r"\b(?:llx_mcp|process)_\w+", text)}
    assert shown - known == set()
    assert ours - shown == set()


async def test_dashboard_groups_by_labels_that_exist(service: KeyedService) -> None:
    url = f"redis://127.0.0.1:{find_port()}"
    async with open_replica(service, auth="pass-through", metrics_port=0, redis_url=url) as replica:
        assert isinstance(replica.app.metrics, Metrics)
        await replica.send("ping", {})
        await replica.call("query_extract_result", KEY, job_id=JOB, sql="select 1")
        families = list(replica.app.metrics.registry.collect())
    labels = {name for family in families for sample in family.samples for name in sample.labels} | {"instance"}
    text = " ".join(_list_expressions(json.loads(DASHBOARD.read_text())))
    used = {word.strip() for words in re.findall(r"by \(([^)]*)\)", text) for word in words.split(",")}
    # This server was not polled for a wait.
    assert used - {"kind"} <= labels
