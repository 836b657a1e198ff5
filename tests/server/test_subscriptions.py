"""A subscriber is notified of each change of a job's status, in both protocol versions, and of nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError

from llx_mcp.backends import open_cloud_backend
from llx_mcp.local import SAMPLE_RUNNING_ID
from llx_mcp.server.app import build_server
from llx_mcp.settings import load_settings
from tests.clients import ERAS, call
from tests.jobs.service import Service, source_of
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.server.serving import serving_http

UPDATED = "notifications/resources/updated"
# The SDK warns about methods that only the older version of the protocol has.
pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")


class Subscriber:
    """A subscribed client, and the messages that it received."""

    def __init__(self, client: Client, messages: list[Any]) -> None:
        self.client = client
        self.messages = messages

    def updated_uris(self) -> list[str]:
        """Return the URI of each update, in order."""
        return [message.params.uri for message in self.messages if getattr(message, "method", "") == UPDATED]


@asynccontextmanager
async def subscriber(service: Service, mode: str, *uris: str) -> AsyncIterator[Subscriber]:
    """Open a client that has subscribed to the URIs."""
    messages: list[Any] = []

    async def record(message: Any) -> None:
        messages.append(message)

    server = build_server(source_of(service), clock=service.clock)
    async with Client(server, mode=mode, message_handler=record) as client:
        if mode == "legacy":
            for uri in uris:
                await client.session.subscribe_resource(uri)
            yield Subscriber(client, messages)
            return
        async with client.listen(resource_subscriptions=uris):
            yield Subscriber(client, messages)


@ERAS
def test_each_change_is_notified_once(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 60)
        states = {0: "PENDING", 20: "THROTTLED", 30: "RUNNING", 40: "PENDING"}
        service.shown["ext-1"] = lambda at: states[max(begins for begins in states if begins <= at)]
        async with subscriber(service, mode, "llx://jobs/ext-1") as listener:
            counts = []
            for seconds in (15, 11, 10, 10, 30, 600):
                await anyio.sleep(seconds)
                counts.append(len(listener.updated_uris()))
        assert counts == [0, 1, 2, 3, 4, 4]
        assert set(listener.updated_uris()) == {"llx://jobs/ext-1"}
        assert len(service.poll_times("ext-1")) <= 14
        service.close()

    play()


@ERAS
def test_ended_or_unknown_job_is_polled_no_more(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1")
        async with subscriber(service, mode, "llx://jobs/ext-1", "llx://jobs/ext-nowhere") as listener:
            await anyio.sleep(5)
            num_requests = len(service.seen)
            await anyio.sleep(600)
        assert listener.updated_uris() == []
        assert len(service.seen) == num_requests
        service.close()

    play()


@ERAS
def test_deleted_job_is_notified(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 600)
        async with subscriber(service, mode, "llx://jobs/ext-1/result") as listener:
            await anyio.sleep(20)
            service.deleted.add("ext-1")
            await anyio.sleep(20)
        assert listener.updated_uris() == ["llx://jobs/ext-1/result"]
        service.close()

    play()


@ERAS
def test_polling_ends_with_the_subscription(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 3_600)
        uri = "llx://jobs/ext-1"
        async with Client(build_server(source_of(service), clock=service.clock), mode=mode) as client:
            if mode == "legacy":
                await client.session.subscribe_resource(uri)
                await client.session.subscribe_resource(uri)
                await anyio.sleep(60)
                await client.session.unsubscribe_resource(uri)
                await client.session.unsubscribe_resource(uri)
            else:
                async with client.listen(resource_subscriptions=[uri]):
                    await anyio.sleep(60)
            await anyio.sleep(0.1)
            num_requests = len(service.seen)
            await anyio.sleep(600)
            assert len(service.seen) == num_requests
        service.close()

    play()


@virtual
async def test_streams_and_waits_share_polls_and_each_stream_is_notified_once() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    updated_uris: list[str] = []
    async with Client(build_server(source_of(service), clock=service.clock)) as client:

        async def listen() -> None:
            async with client.listen(resource_subscriptions=["llx://jobs/ext-1"]) as events:
                event: Any = await anext(aiter(events))
                updated_uris.append(event.uri)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(listen)
            await call(client, "wait_for_extract_job", job_id="ext-1", timeout_seconds=300)
            await anyio.sleep(1)
            group.cancel_scope.cancel()
    assert updated_uris == ["llx://jobs/ext-1"] * 3
    assert len(service.poll_times("ext-1")) <= 22
    service.close()


async def test_only_a_job_can_be_subscribed_to_in_the_older_protocol() -> None:
    service = Service(VirtualClock())
    async with Client(build_server(source_of(service)), mode="legacy") as client:
        for uri in ("llx://jobs", "llx://jobs/", "https://example.com", "file:///etc/passwd"):
            with pytest.raises(MCPError) as caught:
                await client.session.subscribe_resource(uri)
            assert caught.value.code == -32602
            assert "llx://jobs/{job_id}" in str(caught.value)
    service.close()


async def test_newer_protocol_has_no_subscribe_methods() -> None:
    service = Service(VirtualClock())
    async with Client(build_server(source_of(service))) as client:
        for method in (client.session.subscribe_resource, client.session.unsubscribe_resource):
            with pytest.raises(MCPError) as caught:
                await method("llx://jobs/ext-1")
            assert caught.value.code == -32601
    service.close()


@virtual
async def test_client_can_subscribe_to_at_most_a_hundred_jobs() -> None:
    service = Service(VirtualClock())
    uris = [f"llx://jobs/ext-{number}" for number in range(101)]
    async with Client(build_server(source_of(service), clock=service.clock)) as client:
        with pytest.raises(MCPError, match="at most 100"):
            async with client.listen(resource_subscriptions=uris):
                pass
    for number in range(101):
        service.add(f"ext-{number}", 600)
    async with Client(build_server(source_of(service), clock=service.clock), mode="legacy") as client:
        for uri in uris[:100]:
            await client.session.subscribe_resource(uri)
        with pytest.raises(MCPError, match="at most 100 jobs at once"):
            await client.session.subscribe_resource(uris[100])
    service.close()


async def test_subscription_without_a_key_leaves_the_server_running() -> None:
    async with Client(build_server(open_cloud_backend(load_settings()))) as client:
        async with client.listen(resource_subscriptions=["llx://jobs/ext-1"]):
            await anyio.sleep(0.05)
        assert (await client.list_tools()).tools


async def test_stream_over_http_is_notified_and_the_older_protocol_is_refused() -> None:
    uri = f"llx://jobs/{SAMPLE_RUNNING_ID}"
    with serving_http("--local") as server:
        await _subscribe_over_http(server.url, uri)


async def _subscribe_over_http(http_url: str, uri: str) -> None:
    async with Client(http_url, mode="legacy") as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.resources is not None
        assert not client.server_capabilities.resources.subscribe
        with pytest.raises(MCPError, match="wait_for_extract_job"):
            await client.session.subscribe_resource(uri)
    async with Client(http_url) as client, client.listen(resource_subscriptions=[uri]) as events:
        with anyio.fail_after(20):
            event: Any = await anext(aiter(events))
    assert event.uri == uri
