"""Whoever subscribes to a job is told of each change of its status, in both eras, and of nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError

from llx_mcp.local import SAMPLE_RUNNING_ID
from llx_mcp.server.app import build_server
from tests.jobs.service import Service, source_of
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.server.serving import serving_http

UPDATED = "notifications/resources/updated"
# The SDK says so of what the older era has, and the newer has not.
pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")


class Subscriber:
    """A client of either era, and what it was told and when."""

    def __init__(self, client: Client, messages: list[Any]) -> None:
        self.client = client
        self.messages = messages

    def told(self) -> list[str]:
        """The addresses of what changed."""
        return [message.params.uri for message in self.messages if getattr(message, "method", "") == UPDATED]


@asynccontextmanager
async def subscriber(service: Service, mode: str, *uris: str) -> AsyncIterator[Subscriber]:
    """A client that has subscribed."""
    messages: list[Any] = []

    async def keep(message: Any) -> None:
        messages.append(message)

    async with Client(build_server(source_of(service), clock=service.clock), mode=mode, message_handler=keep) as client:
        if mode == "legacy":
            for uri in uris:
                await client.session.subscribe_resource(uri)
            yield Subscriber(client, messages)
            return
        async with client.listen(resource_subscriptions=uris):
            yield Subscriber(client, messages)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_each_change_is_told_once(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 60)
        states = {0: "PENDING", 20: "THROTTLED", 30: "RUNNING", 40: "PENDING"}
        service.shown["ext-1"] = lambda at: states[max(begins for begins in states if begins <= at)]
        async with subscriber(service, mode, "llx://jobs/ext-1") as watching:
            counts = []
            for seconds in (15, 11, 10, 10, 30, 600):
                await anyio.sleep(seconds)
                counts.append(len(watching.told()))
        assert counts == [0, 1, 2, 3, 4, 4]
        assert set(watching.told()) == {"llx://jobs/ext-1"}
        assert len(service.poll_times("ext-1")) <= 14
        service.close()

    play()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_what_has_ended_or_is_not_there_is_silent_and_looked_at_no_more(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1")
        async with subscriber(service, mode, "llx://jobs/ext-1", "llx://jobs/ext-nowhere") as watching:
            await anyio.sleep(5)
            asked = len(service.seen)
            await anyio.sleep(600)
        assert watching.told() == []
        assert len(service.seen) == asked
        service.close()

    play()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_job_that_is_deleted_is_a_change(mode: str) -> None:
    @virtual
    async def play() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 600)
        async with subscriber(service, mode, "llx://jobs/ext-1/result") as watching:
            await anyio.sleep(20)
            service.deleted.add("ext-1")
            await anyio.sleep(20)
        assert watching.told() == ["llx://jobs/ext-1/result"]
        service.close()

    play()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_looking_ends_with_the_subscription(mode: str) -> None:
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
            asked = len(service.seen)
            await anyio.sleep(600)
            assert len(service.seen) == asked
        service.close()

    play()


@virtual
async def test_streams_and_waits_share_the_looks_and_each_is_told_once() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    told: list[str] = []
    async with Client(build_server(source_of(service), clock=service.clock)) as client:

        async def listen() -> None:
            async with client.listen(resource_subscriptions=["llx://jobs/ext-1"]) as events:
                event: Any = await anext(aiter(events))
                told.append(event.uri)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(listen)
            await client.call_tool("wait_for_extract_job", {"job_id": "ext-1", "timeout_seconds": 300})
            await anyio.sleep(1)
            group.cancel_scope.cancel()
    assert told == ["llx://jobs/ext-1"] * 3
    assert len(service.poll_times("ext-1")) <= 22
    service.close()


async def test_what_never_changes_cannot_be_subscribed_to_in_the_older_era() -> None:
    service = Service(VirtualClock())
    async with Client(build_server(source_of(service)), mode="legacy") as client:
        for uri in ("llx://jobs", "llx://jobs/", "https://example.com", "file:///etc/passwd"):
            with pytest.raises(MCPError) as caught:
                await client.session.subscribe_resource(uri)
            assert caught.value.code == -32602
            assert "llx://jobs/{job_id}" in str(caught.value)
    service.close()


async def test_the_newer_era_knows_no_such_method() -> None:
    service = Service(VirtualClock())
    async with Client(build_server(source_of(service))) as client:
        for call in (client.session.subscribe_resource, client.session.unsubscribe_resource):
            with pytest.raises(MCPError) as caught:
                await call("llx://jobs/ext-1")
            assert caught.value.code == -32601
    service.close()


@virtual
async def test_no_more_than_a_hundred_jobs_are_watched_for_one_client() -> None:
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


async def test_without_a_key_a_subscription_is_silent_and_the_server_goes_on() -> None:
    from llx_mcp.backends import open_cloud_backend
    from llx_mcp.settings import load_settings

    async with Client(build_server(open_cloud_backend(load_settings()))) as client:
        async with client.listen(resource_subscriptions=["llx://jobs/ext-1"]):
            await anyio.sleep(0.05)
        assert (await client.list_tools()).tools


async def test_over_http_a_stream_is_told_and_the_older_era_is_refused_what_it_would_not_be_told() -> None:
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
