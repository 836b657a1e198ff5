"""Each key has a reader of its own, opened on demand and dropped when it is idle."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.cached_source import BytesKey, DocumentKey
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local import create_app, open_store
from llx_mcp.serving.callers import Caller
from llx_mcp.serving.refusals import RefusedError
from llx_mcp.serving.tenant_bus import TenantBus
from llx_mcp.serving.tenants import Tenants, open_tenants
from tests.fake_clock import StandingClock
from tests.serving.replicas import LEGACY, MODERN, KeyedService, Replica, open_replica, open_replicas
from tests.waiting import until

KEYS = [f"llx-key-of-tenant-{number}" for number in range(4)]


@pytest.fixture
def service() -> Any:
    service = KeyedService()
    for number, key in enumerate(KEYS):
        service.add_job(key, "ext-1", {"tenant": number})
    yield service
    service.close()


def caller(number: int) -> Caller:
    return Caller(f"caller-{number}", SecretStr(KEYS[number]))


@asynccontextmanager
async def opened(service: KeyedService, clock: StandingClock, **options: Any) -> AsyncIterator[Tenants]:
    chosen = {"max_tenants": 2, "idle_seconds": 60.0} | options
    async with (
        service.share()() as build_source,
        open_tenants(build_source, clock, ReaderOptions(), **chosen) as tenants,
    ):
        yield tenants


async def test_requests_of_one_key_share_a_reader(service: KeyedService) -> None:
    async with opened(service, StandingClock()) as tenants:
        async with tenants.use(caller(0)) as first, tenants.use(caller(0)) as second:
            assert first is second
            assert first.reader is not None
        async with tenants.use(caller(1)) as other:
            assert other.reader is not first.reader
        async with tenants.use(caller(0)) as again:
            assert again is first


async def test_idle_tenant_is_dropped_with_its_jobs_and_a_busy_one_is_not(service: KeyedService) -> None:
    clock = StandingClock()
    async with open_replica(
        service, auth="pass-through", clock=clock, tenant_idle_seconds=60, max_tenants=10
    ) as replica:
        # The answer to the second call is kept too.
        for _ in range(2):
            await replica.call("get_extract_job", KEYS[0], job_id="ext-1")
        tenants = replica.app.tenants
        assert (len(tenants), tenants.shared.cache.entries.num_bytes > 0) == (1, True)
        assert tenants.shared.workers.num_busy == 0
        async with tenants.use(caller(1)) as busy:
            clock.seconds += 61
            tenants.drop_idle()
            await anyio.wait_all_tasks_blocked()
            assert (len(tenants), tenants.shared.cache.entries.num_bytes) == (1, 0)
            async with tenants.use(caller(1)) as same, tenants.use(caller(0)):
                assert same is busy
                assert tenants.shared.workers.num_busy == 2
        assert tenants.shared.workers.num_busy == 0


async def test_text_of_a_document_counts_for_its_tenant_and_is_dropped_with_it(service: KeyedService) -> None:
    clock = StandingClock()
    for key in KEYS[:2]:
        service.add_job(key, "ext-cited", {"owner": "words"}, file_id="dfl-1")
        service.add_document(key, "dfl-1", "words")
    async with open_replica(
        service, auth="pass-through", clock=clock, tenant_idle_seconds=60, max_tenants=10
    ) as replica:
        for key in KEYS[:2]:
            answer = await replica.call("read_source_text", key, job_id="ext-cited", pages="1")
            assert "words" in str(answer.content["lines"])
        tenants = replica.app.tenants
        cache = tenants.shared.cache.entries
        kinds = {identity: {type(key) for key in cache.newest_first(identity)} for identity in cache.list_identities()}
        assert list(kinds.values()) == [{JobKey, DocumentKey, BytesKey}] * 2
        async with tenants.use(caller(1)) as kept:
            clock.seconds += 61
            tenants.drop_idle()
            await anyio.wait_all_tasks_blocked()
            assert kept.reader is not None
            assert cache.list_identities() == [await kept.reader.fetcher.identity()]


async def test_readers_share_processes_for_documents_and_turns_at_them(service: KeyedService) -> None:
    async with opened(service, StandingClock()) as tenants, tenants.use(caller(0)) as a, tenants.use(caller(1)) as b:
        assert a.reader is not None
        assert b.reader is not None
        evidence = [tenant.evidence for tenant in (a.reader, b.reader)]
        assert evidence[0].pdfs is not evidence[1].pdfs
        assert evidence[0].pdfs._turns is evidence[1].pdfs._turns
        assert evidence[0].texts._turns is evidence[1].texts._turns is tenants.shared.documents


async def test_least_recently_used_tenant_makes_room(service: KeyedService) -> None:
    async with opened(service, StandingClock()) as tenants:
        for number in (0, 1, 0):
            async with tenants.use(caller(number)):
                pass
        async with tenants.use(caller(0)) as kept:
            pass
        async with tenants.use(caller(2)):
            async with tenants.use(caller(0)) as same:
                assert same is kept
            assert len(tenants) == 2


async def test_keys_that_the_service_refuses_push_out_no_other(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", max_tenants=3) as replica:
        for key in KEYS[:2]:
            await replica.call("get_extract_job", key, job_id="ext-1")
        num_requests = len(service.requests)
        for number in range(20):
            await replica.call("get_extract_job", f"llx-made-up-key-{number}", job_id="ext-1")
        assert len(service.requests) == num_requests + 20
        for key in KEYS[:2]:
            await replica.call("get_extract_job", key, job_id="ext-1")
        # Their jobs are still cached.
        assert len(service.requests) == num_requests + 20


async def test_all_tenants_busy_is_a_refusal_that_says_when_to_call_again(service: KeyedService) -> None:
    async with opened(service, StandingClock()) as tenants, tenants.use(caller(0)), tenants.use(caller(1)):
        with pytest.raises(RefusedError) as caught:
            async with tenants.use(caller(2)):
                raise AssertionError
        assert (caught.value.refusal.status, caught.value.refusal.headers["retry-after"]) == (503, "5")
        assert len(tenants) == 2


async def test_reader_that_fails_ends_its_tenant_and_no_other(
    service: KeyedService, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ValueError("a mistake")

    async with opened(service, StandingClock()) as tenants:
        async with tenants.use(caller(0)) as first, tenants.use(caller(1)) as other:
            assert first.reader is not None
            first.reader.start(fail)
            with anyio.fail_after(10):
                await first.is_closing.wait()
            assert len(tenants) == 1
            assert other.reader is not None
            assert not other.is_closing.is_set()
        async with tenants.use(caller(0)) as again:
            assert again is not first
    assert "ended unexpectedly" in caplog.text


async def test_shared_connections_keep_no_cookie_of_one_key_for_another() -> None:
    seen: list[tuple[str, str]] = []

    class Service(KeyedService):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            headers = dict(scope["headers"])
            seen.append((headers[b"authorization"].decode()[-1], headers.get(b"cookie", b"").decode()))

            async def send_cookie(message: Any) -> None:
                if message["type"] == "http.response.start":
                    cookie = b"session=%s; Path=/" % seen[-1][0].encode()
                    message = {**message, "headers": [*message["headers"], (b"set-cookie", cookie)]}
                await send(message)

            await super().__call__(scope, receive, send_cookie)

    service = Service()
    for key in KEYS[:2]:
        service.add_job(key, "ext-1", {})
    async with open_replica(service, auth="pass-through") as replica:
        for key in KEYS[:2] * 2:
            await replica.call("list_extract_jobs", key)
    assert {key for key, _ in seen} == {"0", "1"}
    assert {cookie for _, cookie in seen} == {""}
    service.close()


def _note(heard: list[int], number: int, _: ServerEvent) -> None:
    heard.append(number)


async def test_event_of_a_job_reaches_listeners_of_its_own_tenant_alone(service: KeyedService) -> None:
    heard: list[int] = []
    async with open_replica(service, auth="pass-through") as replica:
        bus, tenants = replica.app.bus, replica.app.tenants
        removers = []
        for number in (0, 1):
            async with tenants.use(caller(number)):
                removers.append(bus.subscribe(partial(_note, heard, number)))
        async with tenants.use(caller(1)):
            await bus.publish(ResourceUpdated("llx://jobs/ext-1"))
        assert heard == [1]
        for remove in removers:
            remove()
            remove()
        async with tenants.use(caller(1)):
            await bus.publish(ResourceUpdated("llx://jobs/ext-1"))
        assert heard == [1]
        assert isinstance(bus, TenantBus)
        assert len(bus) == 0


@pytest.mark.parametrize("number", [1, 3])
async def test_task_of_one_tenant_is_refused_for_another(number: int, service: KeyedService) -> None:
    for key in KEYS:
        service.add_job(key, "ext-stuck", {}, "stuck")
    extension: dict[str, Any] = {"io.modelcontextprotocol/tasks": {}}
    meta = {"io.modelcontextprotocol/clientCapabilities": {"extensions": extension}}
    async with open_replicas(service, 2, auth="pass-through") as (one, other):
        parameters = {"name": "wait_for_extract_job", "arguments": {"job_id": "ext-stuck"}, "_meta": meta}
        task_id = (await one.send("tools/call", parameters, KEYS[0])).message["result"]["taskId"]
        asked = {"taskId": task_id, "_meta": meta}
        assert (await other.send("tasks/get", asked, KEYS[0])).message["result"]["status"] == "working"
        for replica in (one, other):
            refused = await replica.send("tasks/get", asked, KEYS[number])
            assert refused.message["error"]["code"] == -32602


async def test_cursor_of_one_tenant_is_refused_for_another(service: KeyedService) -> None:
    for key in KEYS[:2]:
        for number in range(60):
            service.add_job(key, f"ext-{number}", {"rows": [{"value": [key, index]} for index in range(400)]})
    async with open_replicas(service, 2, auth="pass-through") as (one, other):
        calls: dict[str, dict[str, Any]] = {
            "list_extract_jobs": {"max_chars": 2_000},
            "read_extract_result": {"job_id": "ext-1", "path": "rows", "max_chars": 2_000},
        }
        for tool, arguments in calls.items():
            cursor = (await one.call(tool, KEYS[0], **arguments)).content["cursor"]
            assert not (await other.call(tool, KEYS[0], **arguments, cursor=cursor)).message["result"]["isError"]
            refused = await one.call(tool, KEYS[1], **arguments, cursor=cursor)
            assert refused.message["result"]["isError"]
            assert "cursor: it belongs to another" in refused.text


async def ids_that_complete(replica: Replica, key: str) -> Any:
    reference = {"type": "ref/resource", "uri": "llx://jobs/{job_id}"}
    parameters = {"ref": reference, "argument": {"name": "job_id", "value": "ext-"}}
    return (await replica.send("completion/complete", parameters, key)).message["result"]["completion"]["values"]


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_completions_are_those_of_the_caller(version: str, service: KeyedService) -> None:
    service.add_job(KEYS[0], "ext-own", {})
    async with open_replica(service, auth="pass-through") as replica:
        await replica.call("get_extract_job", KEYS[0], version, job_id="ext-own")
        assert "ext-own" in await ids_that_complete(replica, KEYS[0])
        assert await ids_that_complete(replica, KEYS[1]) == ["ext-1"]


async def test_repeated_answers_belong_to_one_tenant_and_one_version(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        answers = {
            (key, version): [
                (await replica.call("get_extract_job", key, version, job_id="ext-1")).message["result"]
                for _ in range(4)
            ]
            for key in KEYS[:2]
            for version in (LEGACY, MODERN)
        }
    for (key, version), results in answers.items():
        assert results[1:] == results[:-1]
        assert results[0]["structuredContent"]["result"] == {"tenant": KEYS.index(key)}
        assert ("resultType" in results[0]) is (version == MODERN)


async def test_rate_limit_of_one_tenant_slows_no_other(service: KeyedService) -> None:
    async with (
        opened(service, StandingClock()) as tenants,
        tenants.use(caller(0)) as slowed,
        tenants.use(caller(1)) as other,
    ):
        assert slowed.reader is not None
        assert other.reader is not None
        sources = [await reader.fetcher.open() for reader in (slowed.reader, other.reader)]
        sources[0].rate.note_refusal(0.0, 30.0)
        assert [source.rate.wait_seconds(0.0) > 0 for source in sources] == [True, False]


async def test_call_waits_for_few_answers_of_a_busy_tenant() -> None:
    store = open_store(None)
    app = create_app(store)

    class Samples(KeyedService):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

    sample = "ext-sample0invoice00000000000000"
    num_answered = 0
    async with open_replica(Samples(), auth="pass-through") as replica, anyio.create_task_group() as group:

        async def keep_busy() -> None:
            nonlocal num_answered
            while True:
                await replica.call("get_extract_job", KEYS[0], job_id=sample)
                num_answered += 1

        await replica.call("get_extract_job", KEYS[1], job_id=sample)
        for _ in range(20):
            group.start_soon(keep_busy)
        # All are under way.
        await until(lambda: num_answered >= 40)
        before = num_answered
        for _ in range(10):
            await replica.call("get_extract_job", KEYS[1], job_id=sample)
        assert num_answered - before < 10 * 6
        group.cancel_scope.cancel()
    store.close()
