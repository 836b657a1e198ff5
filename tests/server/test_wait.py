"""Waits for many jobs at once, through a client."""

from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult

from llx_mcp.backends import open_cloud_backend
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.server.app import build_server
from llx_mcp.settings import load_settings
from tests.clients import ERAS, ProgressLog, call, connect, connect_with_clock, size_of, structured, text_of
from tests.fake_clock import FakeClock
from tests.jobs.service import Service, source_of
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.jobs.waits import nothing_left
from tests.server.timed_server import add_job, open_timed_server
from tests.structured import next_steps

BY_NAME = {sample.name: sample.job_id for sample in SAMPLES}
INVOICE, FAILED = BY_NAME["invoice"], BY_NAME["failed_reason"]


@ERAS
async def test_wait_for_many_jobs_reports_all_in_one_table(mode: str) -> None:
    progress = ProgressLog()
    silent, empty = BY_NAME["failed_silent"], BY_NAME["null_result"]
    ids = [SAMPLE_RUNNING_ID, INVOICE, FAILED, silent, empty, "ext-nowhere", "pjb-1", INVOICE]
    async with connect_with_clock(FakeClock(), mode) as client:
        result = await call(client, "wait_for_extract_job", progress=progress, job_ids=ids, max_chars=20_000)
    answer = structured(result)
    assert size_of(result) <= 20_000
    assert {**answer["waited"], "seconds": 0} == {
        "jobs": 7,
        "ended": 5,
        "statuses": {"COMPLETED": 3, "FAILED": 2, "ERROR": 2},
        "seconds": 0,
        "until": "all",
        "repeated": 1,
    }
    rows = {row[0]: dict(zip(answer["jobs"]["columns"], row, strict=True)) for row in answer["jobs"]["rows"]}
    assert list(rows) == ids[:-1]
    assert rows[FAILED]["note"] == "Page 2 of the document is encrypted and could not be parsed."
    assert (rows[silent]["note"], rows[empty]["note"]) == ("the service gave no reason", "it found no value")
    assert 'No job "ext-nowhere" can be seen with this key' in rows["ext-nowhere"]["note"]
    assert "the id of a parse job" in rows["pjb-1"]["note"]
    assert [summary["job_id"] for summary in answer["summaries"]] == [SAMPLE_RUNNING_ID, INVOICE]
    assert all(summary["cited_result"]["invoice_number"][0] == "NL-2026-0417" for summary in answer["summaries"])
    assert next_steps(answer).startswith("To read one that has ended: get_extract_job(")
    seconds = [report[0] for report in progress.reports]
    assert seconds == sorted(set(seconds))
    assert {total for _, total, _ in progress.reports} == {7}
    assert progress.reports[-1][2] == "COMPLETED; 7 of 7 done"
    assert any("of 7 done; next poll in" in str(message) for _, _, message in progress.reports)


async def test_wait_until_any_returns_with_the_first_job_that_ends() -> None:
    ids = [SAMPLE_RUNNING_ID, INVOICE]
    async with connect_with_clock(FakeClock()) as client:
        result = await call(client, "wait_for_extract_job", job_ids=ids, until="any", max_chars=2_000)
    answer = structured(result)
    assert (answer["waited"]["ended"], answer["waited"]["seconds"]) == (1, 0)
    assert f'wait_for_extract_job(job_ids=["{SAMPLE_RUNNING_ID}"], until="any")' in next_steps(answer)
    assert f'get_extract_job(job_id="{INVOICE}")' in text_of(result)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "no job is named. Give job_id, or job_ids for many"),
        ({"job_ids": []}, "no job is named"),
        ({"job_ids": ["", " "]}, "no job is named"),
        ({"job_ids": [f"ext-{n}" for n in range(101)]}, "job_ids: a list of"),
        ({"job_ids": ["ext-1"], "until": "some"}, "until (given: 'some')"),
        ({"job_ids": {"a": 1}}, "job_ids: a list of"),
    ],
)
async def test_invalid_job_ids_are_refused_with_a_reason(arguments: Any, words: str) -> None:
    async with connect() as client:
        result = await client.call_tool("wait_for_extract_job", arguments)
    assert result.is_error
    assert words in text_of(result)


async def test_job_ids_can_be_one_comma_separated_string_beside_job_id() -> None:
    async with connect() as client:
        arguments: dict[str, Any] = {"job_id": FAILED, "job_ids": f"{INVOICE}, {FAILED}", "max_chars": 1_000}
        answer = structured(await call(client, "wait_for_extract_job", **arguments))
    assert answer["waited"]["statuses"] == {"FAILED": 1, "COMPLETED": 1}


async def test_missing_key_is_one_error_for_all_jobs() -> None:
    async with Client(build_server(open_cloud_backend(load_settings()))) as client:
        result = await client.call_tool("wait_for_extract_job", {"job_ids": ["ext-1", "ext-2"]})
    assert result.is_error
    assert "LLAMA_CLOUD_API_KEY" in text_of(result)


async def test_job_in_one_status_unusually_long_is_flagged() -> None:
    clock = FakeClock()
    async with open_timed_server(clock) as (store, server):
        add_job(store, "ext-stuck", clock, running_seconds=1e9)
        add_job(store, "ext-queued", clock, pending_seconds=1e9)
        clock.seconds += 3_000
        async with Client(server) as client:
            stuck = await call(client, "wait_for_extract_job", job_id="ext-stuck", timeout_seconds=0)
            queued = await call(client, "get_extract_job", job_id="ext-queued")
            ids = ["ext-stuck", "ext-queued"]
            both = structured(await call(client, "wait_for_extract_job", job_ids=ids, timeout_seconds=0))
    assert "Unusual: RUNNING for 50 min; jobs usually take 22 s to 590 s in all. It may be stuck" in text_of(stuck)
    assert "Unusual: PENDING for 50 min" in text_of(queued)
    assert [row[-1][:18] for row in both["jobs"]["rows"]] == ["RUNNING for 50 min", "PENDING for 50 min"]
    assert "It may be stuck" in next_steps(both)


@ERAS
def test_cancelled_wait_leaves_other_waits_running(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 60)
        server = build_server(source_of(service), clock=service.clock)
        results: list[CallToolResult] = []

        async with Client(server, mode=mode) as client, anyio.create_task_group() as group:

            async def wait() -> None:
                results.append(await call(client, "wait_for_extract_job", job_id="ext-1", timeout_seconds=300))

            async def wait_and_cancel() -> None:
                with anyio.move_on_after(10):
                    await wait()

            for _ in range(5):
                group.start_soon(wait_and_cancel)
            group.start_soon(wait)
            await anyio.sleep(9)
            (reader,) = server.readers
            assert reader._poller is not None
            assert len(reader._poller._waiters) == 6
            await anyio.sleep(1.1)
            assert len(reader._poller._waiters) == 1
            poller = reader._poller
        assert [structured(result)["status"] for result in results] == ["COMPLETED"]
        assert nothing_left(poller)
        service.close()

    play()
