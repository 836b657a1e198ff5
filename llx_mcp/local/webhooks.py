"""Webhooks: what a job's life gives notice of, signed, and delivered in three attempts.

Which notices there are follows from a job's timeline alone, and so do their ids: after a restart the same notice has
the same id, so that whoever receives it twice can tell.
"""

import hashlib
import hmac
import http.client
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import anyio
import msgspec
from anyio.to_thread import run_sync

PAUSES_SECONDS = (1.0, 5.0)
POLL_TIMEOUT_SECONDS = 0.5
ANSWER_SECONDS = 10.0

_OK = range(200, 300)


class WebhookError(ValueError):
    """A configuration that cannot be used, or an address that nothing may be sent to."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One endpoint, as `webhook_configurations` of a create names it.

    Attributes:
        events: what it asked for; None means everything.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str | None = field(default=None, repr=False)
    events: frozenset[str] | None = None

    @classmethod
    def parse(cls, configuration: Mapping[str, Any], *, is_anywhere_allowed: bool = False) -> "Webhook":
        """Read one element of `webhook_configurations`.

        Raises:
            WebhookError: it has no URL, or one that nothing may be sent to.
        """
        url = configuration.get("webhook_url")
        if not isinstance(url, str):
            raise WebhookError("webhook_url is missing: name the address that notices go to")
        check_target(url, is_anywhere_allowed=is_anywhere_allowed)
        events = configuration.get("webhook_events")
        return cls(
            url,
            dict(configuration.get("webhook_headers") or {}),
            configuration.get("webhook_signing_secret") or None,
            None if events is None else frozenset(events),
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """One event of a job's life, and when it happens."""

    job_id: str
    event_type: str
    at: datetime

    @property
    def event_id(self) -> str:
        """The same for the same event, whoever derives it."""
        return str(uuid5(NAMESPACE_URL, f"{self.job_id}/{self.event_type}/{self.at.isoformat()}"))

    def body(self) -> bytes:
        """The JSON that is sent and signed."""
        timestamp = self.at.isoformat().replace("+00:00", "Z")
        return msgspec.json.encode({
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": timestamp,
            "data": {"id": self.job_id, "job_id": self.job_id},
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way to one endpoint.

    Attributes:
        endpoint: which of the job's configurations it goes to, from 0.
    """

    endpoint: int
    webhook: Webhook
    notice: Notice


class Outbox(Protocol):
    """What is still to be delivered. Only what was told done is forgotten: at least once, across restarts."""

    def due(self, now: datetime) -> Sequence[Delivery]:
        """Deliveries whose time has come and that are not done, each job's in their order."""
        ...

    def done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        """Forget a delivery: it arrived, or three attempts did not bring it there."""
        ...


# The status of the answer to one POST. Raises OSError where none came.
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
Sleep = Callable[[float], Awaitable[None]]


def is_wanted(webhook: Webhook, notice: Notice) -> bool:
    """Whether the endpoint asked for this kind of event."""
    return webhook.events is None or notice.event_type in webhook.events


def sign(body: bytes, secret: str) -> str:
    """The value of `LC-Signature`: HMAC-SHA256 of the raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def build_headers(webhook: Webhook, notice: Notice, body: bytes) -> dict[str, str]:
    """The endpoint's own headers, and ours, which it cannot replace."""
    ours = {
        "Content-Type": "application/json",
        "X-Webhook-Event-ID": notice.event_id,
        "X-Webhook-Event-Type": notice.event_type,
    }
    if webhook.secret:
        ours["LC-Signature"] = sign(body, webhook.secret)
    taken = {name.lower() for name in ours} | {"content-length", "host", "transfer-encoding", "lc-signature"}
    return {name: value for name, value in webhook.headers.items() if name.lower() not in taken} | ours


def check_target(url: str, *, is_anywhere_allowed: bool = False) -> None:
    """Nothing leaves this machine unless that was allowed.

    Raises:
        WebhookError: no http(s) address, or one of another machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise WebhookError("webhook_url must be an http or https address")
    if not is_anywhere_allowed and not _is_loopback(host):
        raise WebhookError(
            "webhook_url must be on this machine (127.0.0.1, localhost, [::1]): nothing is sent elsewhere"
        )


async def deliver(webhook: Webhook, notice: Notice, post: Post, sleep: Sleep) -> bool:
    """Send one notice, in up to three attempts with growing pauses; returns whether any 2xx answered."""
    body = notice.body()
    headers = build_headers(webhook, notice, body)
    for pause_seconds in (*PAUSES_SECONDS, None):
        try:
            if await post(webhook.url, headers, body) in _OK:
                return True
        except OSError:
            pass
        if pause_seconds is not None:
            await sleep(pause_seconds)
    return False


async def deliver_due(outbox: Outbox, now: datetime, post: Post, sleep: Sleep) -> None:
    """Deliver all that is due: endpoints beside each other, the notices of each in their order."""
    by_url: dict[str, list[Delivery]] = {}
    for delivery in await run_sync(outbox.due, now):
        by_url.setdefault(delivery.webhook.url, []).append(delivery)

    async def deliver_in_order(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            is_delivered = await deliver(delivery.webhook, delivery.notice, post, sleep)
            await run_sync(outbox.done, delivery, is_delivered)

    async with anyio.create_task_group() as tasks:
        for deliveries in by_url.values():
            tasks.start_soon(deliver_in_order, deliveries)


async def keep_delivering(
    outbox: Outbox, clock: Callable[[], datetime], post: Post | None = None, sleep: Sleep = anyio.sleep
) -> None:
    """Deliver what falls due, until cancelled: the task of the application's lifespan."""
    while True:
        await deliver_due(outbox, clock(), post or post_once, sleep)
        await sleep(POLL_TIMEOUT_SECONDS)


async def post_once(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """One POST; follows no redirect, uses no proxy. Returns the status.

    Raises:
        OSError: no answer came, or the request could not be made.
    """
    return await run_sync(_post, url, headers, body, abandon_on_cancel=True)


def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    parts = urlsplit(url)
    # Never the whole of what stands before the path: a name and a password there would be taken for the host.
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    except (http.client.HTTPException, ValueError) as exc:
        # A header or an address that HTTP cannot carry.
        raise OSError(f"the request could not be made ({type(exc).__name__})") from None
    finally:
        connection.close()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
