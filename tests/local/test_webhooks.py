"""A job gives notice of its life: signed, in order, three attempts, at least once, and to this machine only."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llx_mcp.local.webhooks import (
    Delivery,
    Notice,
    Webhook,
    WebhookError,
    build_headers,
    check_target,
    deliver,
    deliver_due,
    is_wanted,
    keep_delivering,
    post_once,
    sign,
)

BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
PENDING = Notice("ext-1", "extract.pending", BEGAN)
SUCCESS = Notice("ext-1", "extract.success", BEGAN + timedelta(seconds=6))


class Stop(Exception):  # noqa: N818 - it ends a loop, and is no error
    """Ends what runs until it is cancelled."""


@dataclass
class Line:
    """A line to the endpoint that answers with these statuses, 0 for no answer; and a clock that moves by sleeping."""

    statuses: list[int]
    posted: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posted.append((url, headers, body))
        status = self.statuses.pop(0)
        if not status:
            raise ConnectionRefusedError
        return status

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def clock(self) -> datetime:
        return BEGAN + timedelta(seconds=sum(self.slept))


@dataclass
class Box:
    """Deliveries of one job to one endpoint, forgotten once done."""

    webhook: Webhook
    open: list[Notice]
    outcomes: list[tuple[str, bool]] = field(default_factory=list)

    def due(self, now: datetime) -> Sequence[Delivery]:
        return [Delivery(0, self.webhook, notice) for notice in self.open if notice.at <= now]

    def done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        assert delivery.webhook == self.webhook
        self.open.remove(delivery.notice)
        self.outcomes.append((delivery.notice.event_type, is_delivered))
        if not self.open:
            raise Stop


def test_a_notice_is_the_same_whoever_derives_it() -> None:
    assert Notice("ext-1", "extract.pending", BEGAN).event_id == PENDING.event_id != SUCCESS.event_id
    assert json.loads(SUCCESS.body()) == {
        "event_id": SUCCESS.event_id,
        "event_type": "extract.success",
        "timestamp": "2026-01-05T09:00:06Z",
        "data": {"id": "ext-1", "job_id": "ext-1"},
    }


def test_a_body_is_signed_under_the_secret() -> None:
    # The example of RFC 4231, test case 2.
    expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(b"what do ya want for nothing?", "Jefe") == expected


def test_own_headers_are_sent_but_replace_none_of_ours() -> None:
    notice = Notice("ext-1", "extract.pending", BEGAN)
    headers = {"Authorization": "Bearer x", "lc-signature": "forged", "content-type": "text/plain", "Host": "elsewhere"}
    webhook = Webhook("http://127.0.0.1/", headers, secret="whsec")
    assert build_headers(webhook, notice, b"{}") == {
        "Authorization": "Bearer x",
        "Content-Type": "application/json",
        "X-Webhook-Event-ID": notice.event_id,
        "X-Webhook-Event-Type": "extract.pending",
        "LC-Signature": sign(b"{}", "whsec"),
    }
    assert "LC-Signature" not in build_headers(Webhook("http://127.0.0.1/", headers), notice, b"{}")
    assert "whsec" not in repr(webhook)


@pytest.mark.parametrize(
    ("statuses", "is_delivered", "slept"),
    [
        ([204], True, []),
        ([500, 200], True, [1.0]),
        ([0, 302, 201], True, [1.0, 5.0]),
        ([0, 404, 500], False, [1.0, 5.0]),
    ],
)
async def test_three_attempts_are_made_with_growing_pauses(
    statuses: list[int], is_delivered: bool, slept: list[float]
) -> None:
    line = Line(list(statuses))
    notice = Notice("ext-1", "extract.pending", BEGAN)
    assert await deliver(Webhook("http://127.0.0.1/"), notice, line.post, line.sleep) is is_delivered
    assert line.slept == slept
    assert [body for _, _, body in line.posted] == [notice.body()] * len(statuses)


async def test_notices_go_out_when_their_time_has_come_and_in_order() -> None:
    box = Box(Webhook("http://127.0.0.1/hook"), [PENDING, SUCCESS])
    line = Line([500, 500, 500, 200])
    with pytest.raises(ExceptionGroup) as caught:
        await keep_delivering(box, line.clock, line.post, line.sleep)
    assert caught.group_contains(Stop)
    assert box.outcomes == [("extract.pending", False), ("extract.success", True)]
    assert line.clock() >= BEGAN + timedelta(seconds=6)


async def test_what_was_not_told_done_is_delivered_again() -> None:
    box = Box(Webhook("http://127.0.0.1/"), [PENDING, SUCCESS])
    dying = Line([])
    with pytest.raises(ExceptionGroup) as caught:
        await deliver_due(box, BEGAN, dying.post, dying.sleep)
    assert caught.group_contains(IndexError)
    restarted = Line([200])
    await deliver_due(box, BEGAN, restarted.post, restarted.sleep)
    assert [body for *_, body in restarted.posted] == [body for *_, body in dying.posted]
    assert box.outcomes == [("extract.pending", True)]


def test_an_endpoint_hears_of_what_it_asked_for() -> None:
    webhook = Webhook.parse({
        "webhook_url": "http://localhost:9/hook", "webhook_headers": {"A": "b"}, "webhook_signing_secret": "s",
        "webhook_events": ["extract.success"],
    })  # fmt: skip
    assert webhook == Webhook("http://localhost:9/hook", {"A": "b"}, "s", frozenset({"extract.success"}))
    wanted = [is_wanted(webhook, notice) for notice in [PENDING, SUCCESS]]
    assert wanted == [False, True]
    everything = Webhook.parse({"webhook_url": "http://[::1]/"})
    assert all(is_wanted(everything, notice) for notice in [PENDING, SUCCESS])


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "http://192.0.2.1/", "http://localhost.example.com/", "http://127.0.0.1@example.com/"],
)
def test_nothing_leaves_this_machine_unless_that_was_allowed(url: str) -> None:
    with pytest.raises(WebhookError, match="must be on this machine"):
        Webhook.parse({"webhook_url": url})
    assert Webhook.parse({"webhook_url": url}, is_anywhere_allowed=True).url == url


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:x/", "http://[::1/", None])
def test_what_is_no_address_is_refused(url: str | None) -> None:
    with pytest.raises(WebhookError, match="webhook_url"):
        Webhook.parse({"webhook_url": url}, is_anywhere_allowed=True)
    if url is not None:
        with pytest.raises(WebhookError):
            check_target(url)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A web server on loopback that redirects once and then accepts, and what came to it."""
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


async def test_over_a_socket_the_signature_holds_for_the_bytes_that_came(
    endpoint: tuple[str, list[tuple[str, dict[str, str], bytes]]],
) -> None:
    url, received = endpoint
    line = Line([])
    notice = Notice("ext-1", "extract.success", BEGAN)
    assert await deliver(Webhook(url, {"X-Mine": "1"}, "whsec"), notice, post_once, line.sleep)
    assert [path for path, *_ in received] == ["/hook?a=1"] * 2
    for _, headers, body in received:
        assert headers["lc-signature"] == "sha256=" + hmac.new(b"whsec", body, hashlib.sha256).hexdigest()
        assert (headers["x-mine"], headers["x-webhook-event-type"]) == ("1", "extract.success")
        assert json.loads(body)["event_id"] == headers["x-webhook-event-id"]


async def test_what_cannot_be_sent_is_a_failed_attempt() -> None:
    line = Line([])
    notice = Notice("ext-1", "extract.success", BEGAN)
    assert not await deliver(Webhook("http://127.0.0.1:9/", {"A": "b\r\nc: d"}), notice, post_once, line.sleep)
    assert not await deliver(Webhook("http://127.0.0.1:9/"), notice, post_once, line.sleep)
    for url in ("http://a:b@127.0.0.1:9/", "http://127.0.0.1:9/a b", "http://[::1]:9/\u00e9"):
        assert not await deliver(Webhook.parse({"webhook_url": url}), notice, post_once, line.sleep)
