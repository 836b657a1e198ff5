"""Webhook events are signed, sent in order, at least once, in three attempts, and to this machine only."""

import contextlib
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from llx_mcp.local.webhooks import (
    ATTEMPT_SECONDS,
    Delivery,
    Webhook,
    WebhookError,
    WebhookEvent,
    build_headers,
    check_url,
    deliver,
    limit_posts,
    post_once,
    run_delivery_loop,
    sign,
)
from tests.jobs.virtual_time import VirtualClock, run_virtual

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PENDING = WebhookEvent("ext-1", "extract.pending", START)
SUCCESS = WebhookEvent("ext-1", "extract.success", START + timedelta(seconds=6))


class Stop(Exception):  # noqa: N818 - a signal, not an error
    """Ends the delivery loop."""


@dataclass
class FakeNetwork:
    """Answers each POST with the next status, 0 for no answer, and has a clock that sleeping moves."""

    statuses: list[int]
    posted: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posted.append((url, headers, body))
        status = self.statuses.pop(0)
        if not status:
            raise ConnectionRefusedError
        return status

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)

    def clock(self) -> datetime:
        return START + timedelta(seconds=sum(self.delays))


@dataclass
class FakeOutbox:
    """The pending deliveries of one job to one endpoint."""

    webhook: Webhook
    pending: list[WebhookEvent]
    outcomes: list[tuple[str, bool]] = field(default_factory=list)

    def list_due(self, now: datetime) -> Sequence[Delivery]:
        return [Delivery(0, self.webhook, event) for event in self.pending if event.at <= now]

    def mark_done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        assert delivery.webhook == self.webhook
        self.pending.remove(delivery.event)
        self.outcomes.append((delivery.event.event_type, is_delivered))
        if not self.pending:
            raise Stop


def test_same_event_has_same_id_and_body() -> None:
    assert WebhookEvent("ext-1", "extract.pending", START).event_id == PENDING.event_id != SUCCESS.event_id
    assert json.loads(SUCCESS.body()) == {
        "event_id": SUCCESS.event_id,
        "event_type": "extract.success",
        "timestamp": "2026-01-05T09:00:06Z",
        "data": {"id": "ext-1", "job_id": "ext-1"},
    }


def test_signature_matches_rfc_4231_example() -> None:
    # The example of RFC 4231, test case 2.
    expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(b"what do ya want for nothing?", "Jefe") == expected


def test_configured_headers_do_not_replace_service_headers() -> None:
    event = WebhookEvent("ext-1", "extract.pending", START)
    headers = {"Authorization": "Bearer x", "lc-signature": "forged", "content-type": "text/plain", "Host": "elsewhere"}
    webhook = Webhook("http://127.0.0.1/", headers, secret="whsec")
    assert build_headers(webhook, event, b"{}") == {
        "Authorization": "Bearer x",
        "Content-Type": "application/json",
        "X-Webhook-Event-ID": event.event_id,
        "X-Webhook-Event-Type": "extract.pending",
        "LC-Signature": sign(b"{}", "whsec"),
    }
    assert "LC-Signature" not in build_headers(Webhook("http://127.0.0.1/", headers), event, b"{}")
    assert "whsec" not in repr(webhook)
    assert "Bearer" not in repr(webhook)


@pytest.mark.parametrize(
    ("statuses", "is_delivered", "delays"),
    [
        ([204], True, []),
        ([500, 200], True, [1.0]),
        ([0, 302, 201], True, [1.0, 5.0]),
        ([0, 404, 500], False, [1.0, 5.0]),
    ],
)
async def test_delivery_makes_three_attempts_with_growing_delays(
    statuses: list[int], is_delivered: bool, delays: list[float]
) -> None:
    network = FakeNetwork(list(statuses))
    event = WebhookEvent("ext-1", "extract.pending", START)
    assert await deliver(Webhook("http://127.0.0.1/"), event, network.post, network.sleep) is is_delivered
    assert network.delays == delays
    assert [body for _, _, body in network.posted] == [event.body()] * len(statuses)


async def test_events_are_sent_when_due_and_in_order() -> None:
    outbox = FakeOutbox(Webhook("http://127.0.0.1/hook"), [PENDING, SUCCESS])
    network = FakeNetwork([500, 500, 500, 200])
    with pytest.raises(ExceptionGroup) as caught:
        await run_delivery_loop(outbox, network.clock, network.post, network.sleep)
    assert caught.group_contains(Stop)
    assert outbox.outcomes == [("extract.pending", False), ("extract.success", True)]
    assert network.clock() >= START + timedelta(seconds=6)


def test_attempts_come_at_their_times() -> None:
    """A refused attempt is repeated after 1 s and after 5 s; one without an answer takes 10 s before that."""
    attempts: list[tuple[str, str, float]] = []

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        attempts.append((url[-4:], headers["X-Webhook-Event-Type"], VirtualClock().monotonic()))
        if url == SLOW:
            await anyio.sleep_forever()
        return 500

    async def run() -> None:
        clock = VirtualClock()
        events = [WebhookEvent("ext-1", f"extract.{name}", clock.now()) for name in ("pending", "success")]
        urls = (SLOW, "http://127.0.0.1/hook")
        outbox = SharedOutbox([Delivery(0, Webhook(url), event) for url in urls for event in events], ends=4)
        with pytest.raises(ExceptionGroup) as caught:
            await run_delivery_loop(outbox, clock.now, post, clock.sleep)
        assert caught.group_contains(Stop)

    run_virtual(run)
    assert [each[1:] for each in attempts if each[0] == "hook"] == [
        ("extract.pending", 0.0), ("extract.pending", 1.0), ("extract.pending", 6.0),
        ("extract.success", 6.0), ("extract.success", 7.0), ("extract.success", 12.0),
    ]  # fmt: skip
    assert [each[1:] for each in attempts if each[0] == "slow"] == [
        ("extract.pending", 0.0), ("extract.pending", 11.0), ("extract.pending", 26.0),
        ("extract.success", 36.0), ("extract.success", 47.0), ("extract.success", 62.0),
    ]  # fmt: skip


def test_at_most_sixteen_requests_run_at_a_time() -> None:
    num_running = 0

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        nonlocal num_running
        num_running += 1
        await anyio.sleep_forever()
        return 200

    async def run() -> None:
        clock = VirtualClock()
        webhooks = [Webhook(f"http://127.0.0.1/{number}") for number in range(40)]
        outbox = SharedOutbox([Delivery(0, webhook, PENDING) for webhook in webhooks], ends=40)
        with anyio.move_on_after(1.0):
            await run_delivery_loop(outbox, clock.now, post, clock.sleep)

    run_virtual(run)
    assert num_running == 16


def test_due_event_is_sent_within_half_a_second() -> None:
    sent_at: list[float] = []

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        sent_at.append(VirtualClock().monotonic())
        return 200

    async def run() -> None:
        clock = VirtualClock()
        outbox = FakeOutbox(
            Webhook(SLOW), [WebhookEvent("ext-1", "extract.success", clock.now() + timedelta(seconds=6.2))]
        )
        with pytest.raises(ExceptionGroup):
            await run_delivery_loop(outbox, clock.now, post, clock.sleep)

    run_virtual(run)
    assert sent_at == [6.5]


async def test_delivery_not_marked_done_is_sent_again() -> None:
    outbox = FakeOutbox(Webhook("http://127.0.0.1/"), [PENDING])
    failing = FakeNetwork([])
    with pytest.raises(ExceptionGroup) as caught:
        await run_delivery_loop(outbox, failing.clock, failing.post, failing.sleep)
    assert caught.group_contains(IndexError)
    restarted = FakeNetwork([200])
    with pytest.raises(ExceptionGroup) as caught:
        await run_delivery_loop(outbox, restarted.clock, restarted.post, restarted.sleep)
    assert caught.group_contains(Stop)
    assert [body for *_, body in restarted.posted] == [body for *_, body in failing.posted]
    assert outbox.outcomes == [("extract.pending", True)]


@dataclass
class SharedOutbox:
    """Deliveries to several endpoints, all due at once. Ends the loop after a number of them."""

    pending: list[Delivery]
    ends: int
    done: list[Delivery] = field(default_factory=list)

    def list_due(self, now: datetime) -> Sequence[Delivery]:
        return list(self.pending)

    def mark_done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        self.pending.remove(delivery)
        self.done.append(delivery)
        if len(self.done) == self.ends:
            raise Stop


SLOW = "http://127.0.0.1/slow"


async def test_endpoint_that_does_not_answer_delays_no_other_one() -> None:
    posted: list[str] = []

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        posted.append(url)
        if url == SLOW:
            await anyio.sleep_forever()
        return 200

    def deliveries(url: str) -> list[Delivery]:
        return [Delivery(0, Webhook(url), event) for event in (PENDING, SUCCESS)]

    late = deliveries("http://127.0.0.1/late")
    outbox = SharedOutbox([*deliveries(SLOW), *deliveries("http://127.0.0.1/fast")], ends=4)

    async def sleep(seconds: float) -> None:
        # Due while the slow endpoint is still being waited for.
        outbox.pending += late
        late.clear()
        await anyio.lowlevel.checkpoint()

    with anyio.fail_after(60), pytest.raises(ExceptionGroup) as caught:
        await run_delivery_loop(outbox, lambda: START, post, sleep)
    assert caught.group_contains(Stop)
    # In order to each endpoint, and the second event of the slow one waits for its first.
    assert posted.count(SLOW) == 1
    assert {delivery.webhook.url for delivery in outbox.done} == {"http://127.0.0.1/fast", "http://127.0.0.1/late"}
    assert [delivery.event for delivery in outbox.done if delivery.webhook.url.endswith("late")] == [PENDING, SUCCESS]


async def test_posts_are_limited_in_number_and_in_time() -> None:
    running: list[str] = []
    most = 0

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        nonlocal most
        running.append(url)
        most = max(most, len(running))
        try:
            await anyio.sleep_forever()
        finally:
            running.remove(url)
        return 200

    async def expect_timeout(url: str) -> None:
        with pytest.raises(TimeoutError):
            await limited(url, {}, b"")

    limited = limit_posts(post, max_concurrent=2, seconds=0.01)
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(expect_timeout, f"http://127.0.0.1/{number}")
    assert most == 2


async def test_attempt_that_takes_too_long_counts_as_failed() -> None:
    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        await anyio.sleep_forever()
        return 200

    network = FakeNetwork([])
    limited = limit_posts(post, max_concurrent=1, seconds=0.01)
    assert not await deliver(Webhook("http://127.0.0.1/"), PENDING, limited, network.sleep)
    assert network.delays == [1.0, 5.0]


async def test_abandoned_request_closes_its_connection() -> None:
    received = anyio.Event()

    def read_until_closed(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            # Less than the time that the client waits for each part of a response.
            connection.settimeout(ATTEMPT_SECONDS * 0.8)
            connection.sendall(b"HTTP/1.1 2")
            anyio.from_thread.run_sync(received.set)
            with contextlib.suppress(ConnectionError):
                while connection.recv(65_536):
                    pass

    async def run_endpoint(listener: socket.socket) -> None:
        await anyio.to_thread.run_sync(read_until_closed, listener)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_endpoint, listener)
            async with anyio.create_task_group() as posting:
                posting.start_soon(post_once, f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, b"{}")
                await received.wait()
                posting.cancel_scope.cancel()


def test_endpoint_receives_only_subscribed_events() -> None:
    webhook = Webhook.parse({
        "webhook_url": "http://localhost:9/hook", "webhook_headers": {"A": "b"}, "webhook_signing_secret": "s",
        "webhook_events": ["extract.success"],
    })  # fmt: skip
    assert webhook == Webhook("http://localhost:9/hook", {"A": "b"}, "s", frozenset({"extract.success"}))
    subscribed = [webhook.is_subscribed_to(event) for event in [PENDING, SUCCESS]]
    assert subscribed == [False, True]
    everything = Webhook.parse({"webhook_url": "http://[::1]/"})
    assert all(everything.is_subscribed_to(event) for event in [PENDING, SUCCESS])


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "http://192.0.2.1/", "http://localhost.example.com/", "http://127.0.0.1@example.com/"],
)
def test_remote_url_is_refused_unless_allowed(url: str) -> None:
    with pytest.raises(WebhookError, match="must be on this machine"):
        Webhook.parse({"webhook_url": url})
    assert Webhook.parse({"webhook_url": url}, allow_remote=True).url == url


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:x/", "http://[::1/", None])
def test_invalid_url_is_refused(url: str | None) -> None:
    with pytest.raises(WebhookError, match="webhook_url"):
        Webhook.parse({"webhook_url": url}, allow_remote=True)
    if url is not None:
        with pytest.raises(WebhookError):
            check_url(url)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A web server on loopback that redirects once and then accepts, and the requests that it has received."""
    received: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(307 if len(received) == 1 else 204)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's own name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook?a=1", received
        server.shutdown()
        thread.join()


async def test_signature_matches_received_bytes(
    endpoint: tuple[str, list[tuple[str, dict[str, str], bytes]]],
) -> None:
    url, received = endpoint
    network = FakeNetwork([])
    event = WebhookEvent("ext-1", "extract.success", START)
    assert await deliver(Webhook(url, {"X-Mine": "1"}, "whsec"), event, post_once, network.sleep)
    assert [path for path, *_ in received] == ["/hook?a=1"] * 2
    for _, headers, body in received:
        assert headers["lc-signature"] == "sha256=" + hmac.new(b"whsec", body, hashlib.sha256).hexdigest()
        assert (headers["x-mine"], headers["x-webhook-event-type"]) == ("1", "extract.success")
        assert json.loads(body)["event_id"] == headers["x-webhook-event-id"]


async def test_unsendable_request_counts_as_failed_attempt() -> None:
    network = FakeNetwork([])
    event = WebhookEvent("ext-1", "extract.success", START)
    assert not await deliver(Webhook("http://127.0.0.1:9/", {"A": "b\r\nc: d"}), event, post_once, network.sleep)
    assert not await deliver(Webhook("http://127.0.0.1:9/"), event, post_once, network.sleep)
    for url in ("http://a:b@127.0.0.1:9/", "http://127.0.0.1:9/a b", "http://[::1]:9/\u00e9"):
        assert not await deliver(Webhook.parse({"webhook_url": url}), event, post_once, network.sleep)
