"""A wait as a task: the server stores nothing, and accepts only task tokens that it has signed."""

from typing import Any

import pytest
from mcp import Client, MCPError

from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.server.app import build_server
from llx_mcp.server.tasks import IDENTIFIER
from tests.clients import ERAS, call, connect_with_clock, structured, text_of
from tests.fake_clock import FakeClock, StandingClock
from tests.jobs.service import Service, source_of
from tests.server.task_client import Tasks, send_task_request

INVOICE = SAMPLES[0].job_id
WAIT = "wait_for_extract_job"


async def create_task(client: Client, tasks: Tasks, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call the wait tool, and return the task that it creates."""
    await call(client, WAIT, **arguments)
    return tasks.created[-1]


async def test_task_works_until_the_job_ends_and_then_holds_the_answer() -> None:
    clock, tasks = StandingClock(), Tasks()
    async with connect_with_clock(clock, extensions=[tasks]) as client:
        created = await create_task(client, tasks, {"job_id": SAMPLE_RUNNING_ID, "max_chars": 20_000})
        task_id = created.pop("taskId")
        assert created == {
            "resultType": "task",
            "status": "working",
            "statusMessage": "PENDING for 0 s",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "lastUpdatedAt": "2026-01-01T00:00:00.000Z",
            "ttlMs": 7_200_000,
            "pollIntervalMs": 2_000,
            "_meta": created["_meta"],
        }
        clock.seconds += 2
        running = await send_task_request(client, "tasks/get", task_id)
        assert (running["status"], running["statusMessage"]) == ("working", "RUNNING for 2 s")
        clock.seconds += 100
        ended = await send_task_request(client, "tasks/get", task_id)
        again = await send_task_request(client, "tasks/get", task_id)
        whole = structured(await call(client, "get_extract_job", job_id=SAMPLE_RUNNING_ID, max_chars=20_000))
    assert (ended["status"], ended["resultType"], ended["taskId"]) == ("completed", "complete", task_id)
    assert ended["result"]["structuredContent"] == again["result"]["structuredContent"]
    answer = ended["result"]["structuredContent"]
    assert answer["facts"].pop("waited_seconds") == 0
    assert (answer["facts"], answer["cited_result"]) == (whole["facts"], whole["cited_result"])
    assert ended["result"]["content"][0]["text"].startswith("**COMPLETED**")


async def test_any_replica_answers_until_the_task_expires() -> None:
    clock, tasks = StandingClock(), Tasks()
    async with connect_with_clock(clock, extensions=[tasks]) as client:
        task_id = (await create_task(client, tasks, {"job_id": SAMPLE_RUNNING_ID}))["taskId"]
    async with connect_with_clock(clock, extensions=[Tasks()]) as client:
        assert (await send_task_request(client, "tasks/get", task_id))["status"] == "working"
        clock.seconds += 7_200
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            with pytest.raises(MCPError, match="expired") as caught:
                await send_task_request(client, method, task_id)
            assert caught.value.code == -32602


async def test_cancelled_task_ends_and_leaves_the_job_unchanged() -> None:
    clock, tasks = StandingClock(), Tasks()
    async with connect_with_clock(clock, extensions=[tasks]) as client:
        task_id = (await create_task(client, tasks, {"job_ids": [SAMPLE_RUNNING_ID, INVOICE]}))["taskId"]
        ack = await send_task_request(client, "tasks/cancel", task_id)
        cancelled = await send_task_request(client, "tasks/get", task_id)
        clock.seconds += 100
        later = await send_task_request(client, "tasks/get", task_id)
        assert await send_task_request(client, "tasks/cancel", task_id) == ack
        job = structured(await call(client, "get_extract_job", job_id=SAMPLE_RUNNING_ID))
    assert {name: value for name, value in ack.items() if name != "_meta"} == {"resultType": "complete"}
    assert cancelled["status"] == later["status"] == "cancelled"
    assert "The job itself is unchanged" in cancelled["statusMessage"]
    assert job["status"] == "COMPLETED"


async def test_task_update_is_acknowledged_and_changes_nothing() -> None:
    clock, tasks = StandingClock(), Tasks()
    async with connect_with_clock(clock, extensions=[tasks]) as client:
        task_id = (await create_task(client, tasks, {"job_id": SAMPLE_RUNNING_ID}))["taskId"]
        assert (await send_task_request(client, "tasks/update", task_id))["resultType"] == "complete"
        assert (await send_task_request(client, "tasks/get", task_id))["status"] == "working"


async def test_wait_for_many_jobs_is_one_task() -> None:
    clock, tasks = StandingClock(), Tasks()
    ids = [SAMPLE_RUNNING_ID, INVOICE, "ext-nowhere"]
    async with connect_with_clock(clock, extensions=[tasks]) as client:
        at_once = structured(await call(client, WAIT, job_ids=ids, until="any"))
        assert tasks.created == []
        created = await create_task(client, tasks, {"job_ids": ids})
        assert created["statusMessage"] == "PENDING for 0 s; 2 of 3 done"
        clock.seconds += 100
        ended = await send_task_request(client, "tasks/get", created["taskId"])
    assert at_once["waited"]["ended"] >= 1
    assert ended["result"]["structuredContent"]["waited"]["statuses"] == {"COMPLETED": 2, "ERROR": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": INVOICE}, "**COMPLETED**"),
        ({"job_id": SAMPLE_RUNNING_ID, "timeout_seconds": 0}, "**PENDING**"),
        ({"job_id": "ext-nowhere"}, 'No job "ext-nowhere"'),
        ({"job_id": "pjb-1"}, "the id of a parse job"),
        ({}, "no job is named"),
        ({"job_id": SAMPLE_RUNNING_ID, "timeout_seconds": -1}, "from 0 to 3,600"),
        ({"job_id": SAMPLE_RUNNING_ID, "seconds": 1}, "it has no argument seconds"),
    ],
)
async def test_answer_that_is_ready_at_once_needs_no_task(arguments: Any, words: str) -> None:
    clock, tasks = StandingClock(), Tasks()
    async with connect_with_clock(clock, extensions=[tasks]) as client:
        result = await client.call_tool(WAIT, arguments)
    assert tasks.created == []
    assert words in text_of(result)


@ERAS
async def test_client_without_tasks_waits_for_the_answer(mode: str) -> None:
    async with connect_with_clock(FakeClock(), mode) as client:
        answer = structured(await call(client, WAIT, job_id=SAMPLE_RUNNING_ID))
        with pytest.raises(MCPError) as caught:
            await send_task_request(client, "tasks/get", "x")
    assert answer["status"] == "COMPLETED"
    assert caught.value.code == {"legacy": -32601, "auto": -32021}[mode]


async def test_frequent_task_requests_cost_one_poll_a_second() -> None:
    clock, tasks = StandingClock(), Tasks()
    service = Service(clock)
    service.add("ext-1", 100)
    async with Client(build_server(source_of(service), clock=clock), extensions=[tasks]) as client:
        task_id = (await create_task(client, tasks, {"job_id": "ext-1"}))["taskId"]
        for _ in range(40):
            clock.seconds += 0.1
            assert (await send_task_request(client, "tasks/get", task_id))["status"] == "working"
    assert len(service.seen) <= 6
    service.close()


async def test_unavailable_service_does_not_end_the_task() -> None:
    clock, tasks = StandingClock(), Tasks()
    service = Service(clock)
    service.add("ext-1", 50)
    async with Client(build_server(source_of(service), clock=clock), extensions=[tasks]) as client:
        task_id = (await create_task(client, tasks, {"job_id": "ext-1"}))["taskId"]
        service.fault = lambda _: (503, {})
        clock.seconds += 10
        unavailable = await send_task_request(client, "tasks/get", task_id)
        service.fault = lambda _: (401, {})
        clock.seconds += 10
        refused = await send_task_request(client, "tasks/get", task_id)
        service.fault = lambda _: None
        service.deleted.add("ext-1")
        clock.seconds += 10
        gone = await send_task_request(client, "tasks/get", task_id)
    service.close()
    assert (unavailable["status"], unavailable["statusMessage"]) == (
        "working",
        "not polled yet; the latest poll failed and is tried again",
    )
    for state in (refused, gone):
        assert (state["status"], state["result"]["isError"]) == ("completed", True)
    assert "LLAMA_CLOUD_API_KEY" in refused["result"]["content"][0]["text"]
    assert 'No job "ext-1"' in gone["result"]["content"][0]["text"]


async def test_server_declares_the_tasks_extension() -> None:
    async with connect_with_clock(StandingClock()) as client:
        capabilities = client.server_capabilities
    assert capabilities is not None
    assert capabilities.extensions == {IDENTIFIER: {}}
