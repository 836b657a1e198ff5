"""A wait as a task: nothing is held, nothing is stored, and what cannot be sealed by others is not taken."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mcp import Client, MCPError

from llx_mcp.jobs.task_tokens import TaskToken, TaskTokenError, TokenSigner
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.server.app import build_server
from llx_mcp.server.tasks import IDENTIFIER
from tests.server.task_client import Tasks, ask_task
from tests.server.test_tools import SkippingClock, frozen_source, text_of

INVOICE = SAMPLES[0].job_id
WAIT = "wait_for_extract_job"


class OwnTime(SkippingClock):
    """Time that passes only where the test says so; who sleeps is woken by that alone."""

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep_forever()


async def create(client: Client, tasks: Tasks, arguments: dict[str, Any]) -> dict[str, Any]:
    """The task that a wait answers with."""
    await client.call_tool(WAIT, arguments)
    return tasks.created[-1]


async def test_a_wait_is_a_task_until_the_job_has_ended_and_then_its_answer() -> None:
    clock, tasks = OwnTime(), Tasks()
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[tasks]) as client:
        created = await create(client, tasks, {"job_id": SAMPLE_RUNNING_ID, "max_chars": 20_000})
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
        running = await ask_task(client, "tasks/get", task_id)
        assert (running["status"], running["statusMessage"]) == ("working", "RUNNING for 2 s")
        clock.seconds += 100
        ended = await ask_task(client, "tasks/get", task_id)
        again = await ask_task(client, "tasks/get", task_id)
        whole = await client.call_tool("get_extract_job", {"job_id": SAMPLE_RUNNING_ID, "max_chars": 20_000})
    assert (ended["status"], ended["resultType"], ended["taskId"]) == ("completed", "complete", task_id)
    assert ended["result"]["structuredContent"] == again["result"]["structuredContent"]
    view = ended["result"]["structuredContent"]
    assert whole.structured_content is not None
    assert view["facts"].pop("waited_seconds") == 0
    assert (view["facts"], view["result"]) == (whole.structured_content["facts"], whole.structured_content["result"])
    assert ended["result"]["content"][0]["text"].startswith("**COMPLETED**")


async def test_any_replica_answers_and_no_other_credential() -> None:
    clock, tasks = OwnTime(), Tasks()
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[tasks]) as client:
        task_id = (await create(client, tasks, {"job_id": SAMPLE_RUNNING_ID}))["taskId"]
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[Tasks()]) as client:
        assert (await ask_task(client, "tasks/get", task_id))["status"] == "working"
        clock.seconds += 7_200
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            with pytest.raises(MCPError, match="expired") as caught:
                await ask_task(client, method, task_id)
            assert caught.value.code == -32602


async def test_cancelling_a_task_ends_it_and_leaves_the_job_alone() -> None:
    clock, tasks = OwnTime(), Tasks()
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[tasks]) as client:
        task_id = (await create(client, tasks, {"job_ids": [SAMPLE_RUNNING_ID, INVOICE]}))["taskId"]
        ack = await ask_task(client, "tasks/cancel", task_id)
        cancelled = await ask_task(client, "tasks/get", task_id)
        clock.seconds += 100
        still = await ask_task(client, "tasks/get", task_id)
        assert await ask_task(client, "tasks/cancel", task_id) == ack
        job = await client.call_tool("get_extract_job", {"job_id": SAMPLE_RUNNING_ID})
    assert {name: value for name, value in ack.items() if name != "_meta"} == {"resultType": "complete"}
    assert cancelled["status"] == still["status"] == "cancelled"
    assert "The job itself is unchanged" in cancelled["statusMessage"]
    assert job.structured_content is not None
    assert job.structured_content["status"] == "COMPLETED"


async def test_an_update_is_acknowledged_and_changes_nothing() -> None:
    clock, tasks = OwnTime(), Tasks()
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[tasks]) as client:
        task_id = (await create(client, tasks, {"job_id": SAMPLE_RUNNING_ID}))["taskId"]
        assert (await ask_task(client, "tasks/update", task_id))["resultType"] == "complete"
        assert (await ask_task(client, "tasks/get", task_id))["status"] == "working"


async def test_many_jobs_are_one_task_that_ends_with_any_of_them_where_that_is_asked() -> None:
    clock, tasks = OwnTime(), Tasks()
    ids = [SAMPLE_RUNNING_ID, INVOICE, "ext-nowhere"]
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[tasks]) as client:
        at_once: Any = (await client.call_tool(WAIT, {"job_ids": ids, "until": "any"})).structured_content
        assert tasks.created == []
        created = await create(client, tasks, {"job_ids": ids})
        assert created["statusMessage"] == "PENDING for 0 s; 2 of 3 done"
        clock.seconds += 100
        ended = await ask_task(client, "tasks/get", created["taskId"])
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
async def test_what_is_known_at_once_or_cannot_be_done_is_answered_without_a_task(arguments: Any, words: str) -> None:
    clock, tasks = OwnTime(), Tasks()
    async with Client(build_server(frozen_source(clock), clock=clock), extensions=[tasks]) as client:
        result = await client.call_tool(WAIT, arguments)
    assert tasks.created == []
    assert words in text_of(result)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_that_does_not_declare_tasks_waits_as_before(mode: str) -> None:
    clock = SkippingClock()
    async with Client(build_server(frozen_source(clock), clock=clock), mode=mode) as client:
        result = await client.call_tool(WAIT, {"job_id": SAMPLE_RUNNING_ID})
        with pytest.raises(MCPError) as caught:
            await ask_task(client, "tasks/get", "x")
    assert result.structured_content is not None
    assert result.structured_content["status"] == "COMPLETED"
    assert caught.value.code == {"legacy": -32601, "auto": -32021}[mode]


async def test_who_asks_without_rest_costs_a_look_a_second() -> None:
    from tests.jobs.service import Service, source_of

    clock, tasks = OwnTime(), Tasks()
    service = Service(clock)
    service.add("ext-1", 100)
    async with Client(build_server(source_of(service), clock=clock), extensions=[tasks]) as client:
        task_id = (await create(client, tasks, {"job_id": "ext-1"}))["taskId"]
        for _ in range(40):
            clock.seconds += 0.1
            assert (await ask_task(client, "tasks/get", task_id))["status"] == "working"
    assert len(service.seen) <= 6
    service.close()


async def test_a_service_that_is_away_is_told_and_does_not_end_the_task() -> None:
    from tests.jobs.service import Service, source_of

    clock, tasks = OwnTime(), Tasks()
    service = Service(clock)
    service.add("ext-1", 50)
    async with Client(build_server(source_of(service), clock=clock), extensions=[tasks]) as client:
        task_id = (await create(client, tasks, {"job_id": "ext-1"}))["taskId"]
        service.fault = lambda _: (503, {})
        clock.seconds += 10
        away = await ask_task(client, "tasks/get", task_id)
        service.fault = lambda _: (401, {})
        clock.seconds += 10
        refused = await ask_task(client, "tasks/get", task_id)
        service.fault = lambda _: None
        service.deleted.add("ext-1")
        clock.seconds += 10
        gone = await ask_task(client, "tasks/get", task_id)
    service.close()
    assert (away["status"], away["statusMessage"]) == (
        "working",
        "not seen yet; the latest poll failed and is tried again",
    )
    for state in (refused, gone):
        assert (state["status"], state["result"]["isError"]) == ("completed", True)
    assert "LLAMA_CLOUD_API_KEY" in refused["result"]["content"][0]["text"]
    assert 'No job "ext-1"' in gone["result"]["content"][0]["text"]


async def test_the_extension_is_offered() -> None:
    async with Client(build_server(frozen_source(OwnTime()))) as client:
        capabilities = client.server_capabilities
    assert capabilities is not None
    assert capabilities.extensions == {IDENTIFIER: {}}


SIGNER = TokenSigner(b"key", "identity")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = TaskToken(["tool", ["ext-1"]], NOW, timedelta(hours=1))


def test_a_handle_holds_what_it_stands_for() -> None:
    text = SIGNER.sign(TOKEN)
    assert TokenSigner(b"key", "identity").verify(text, NOW + timedelta(minutes=59)) == TOKEN
    many = TaskToken(["tool", [f"ext-{number:028}" for number in range(100)]], NOW, timedelta(hours=1))
    assert SIGNER.verify(SIGNER.sign(many), NOW) == many
    assert len(SIGNER.sign(many)) < 8_000


@pytest.mark.parametrize("other", [TokenSigner(b"other", "identity"), TokenSigner(b"key", "another")])
def test_a_handle_of_another_key_or_credential_is_refused(other: TokenSigner) -> None:
    with pytest.raises(TaskTokenError, match="under this key"):
        other.verify(SIGNER.sign(TOKEN), NOW)


def test_a_handle_that_has_expired_is_refused() -> None:
    with pytest.raises(TaskTokenError, match="has expired, 3600 s after"):
        SIGNER.verify(SIGNER.sign(TOKEN), NOW + timedelta(hours=1))


def test_no_bit_of_a_handle_can_be_changed_and_nothing_put_in_its_place() -> None:
    text = SIGNER.sign(TOKEN)
    whole = base64.urlsafe_b64decode(text + "==")
    for index in range(len(whole)):
        for bit in range(8):
            forged = bytearray(whole)
            forged[index] ^= 1 << bit
            with pytest.raises(TaskTokenError):
                SIGNER.verify(base64.urlsafe_b64encode(bytes(forged)).rstrip(b"=").decode(), NOW)
    for odd in ("", "x", "é", text[:-1], f"{text}=", f" {text}", text * 400, "A" * 60, "\x00", "../../etc"):
        with pytest.raises(TaskTokenError):
            SIGNER.verify(odd, NOW)


def test_the_last_character_of_a_handle_has_one_form() -> None:
    text = SIGNER.sign(TOKEN)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    taken = []
    for last in alphabet:
        try:
            SIGNER.verify(text[:-1] + last, NOW)
        except TaskTokenError:
            continue
        taken.append(last)
    assert taken == [text[-1]]
