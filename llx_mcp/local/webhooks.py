"""Webhooks: the events of a job, signed and delivered in up to three attempts.

Events and their ids follow from a job's timeline alone. After a restart the same event has the same id, so a receiver
can recognize one that is sent twice.
"""

import hashlib
import hmac
import http.client
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypedDict
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import anyio
import msgspec
from anyio.to_thread import run_sync

from llx_mcp.local.timestamps import format_time

RETRY_DELAYS_SECONDS = (1.0, 5.0)
POLL_INTERVAL_SECONDS = 0.5
RESPONSE_TIMEOUT_SECONDS = 10.0

_SUCCESS = range(200, 300)


class WebhookError(ValueError):
    """A webhook without a usable URL, or with a URL that is not allowed."""


class WebhookConfiguration(TypedDict, total=False):
    """One element of `webhook_configurations` in a request that creates a job."""

    webhook_url: str | None
    webhook_headers: dict[str, str] | None
    webhook_signing_secret: str | None
    webhook_events: list[str] | None


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event of a job."""

    job_id: str
    event_type: str
    at: datetime

    @property
    def event_id(self) -> str:
        """An id that is the same for the same event."""
        return str(uuid5(NAMESPACE_URL, f"{self.job_id}/{self.event_type}/{self.at.isoformat()}"))

    def body(self) -> bytes:
        """Return the JSON that is signed and sent."""
        return msgspec.json.encode({
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": format_time(self.at),
            "data": {"id": self.job_id, "job_id": self.job_id},
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Webhook:
    """One endpoint that receives events.

    Attributes:
        events: The event types that it subscribes to; None subscribes to all.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str | None = field(default=None, repr=False)
    events: frozenset[str] | None = None

    @classmethod
    def parse(cls, configuration: WebhookConfiguration, *, allow_remote: bool = False) -> "Webhook":
        """Parse one element of `webhook_configurations`.

        Raises:
            WebhookError: The URL is missing or not allowed.
        """
        url = configuration.get("webhook_url")
        if not isinstance(url, str):
            raise WebhookError("webhook_url is missing: set it to the address that receives the events")
        check_url(url, allow_remote=allow_remote)
        events = configuration.get("webhook_events")
        return cls(
            url,
            dict(configuration.get("webhook_headers") or {}),
            configuration.get("webhook_signing_secret") or None,
            None if events is None else frozenset(events),
        )

    def is_subscribed_to(self, event: WebhookEvent) -> bool:
        """Return whether the endpoint receives this type of event."""
        return self.events is None or event.event_type in self.events


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to send to one endpoint.

    Attributes:
        endpoint_index: The index of the endpoint in the job's `webhook_configurations`.
    """

    endpoint_index: int
    webhook: Webhook
    event: WebhookEvent


class Outbox(Protocol):
    """The deliveries that are not done. A delivery stays until it is marked done, so it happens at least once."""

    def list_due(self, now: datetime) -> Sequence[Delivery]:
        """Return the deliveries that are due and not done; those of each job are in order."""
        ...

    def mark_done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        """Record that a delivery succeeded, or that all attempts failed."""
        ...


# Sends one POST and returns the status of the response. Raises OSError if there is no response.
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
Sleep = Callable[[float], Awaitable[None]]


def sign(body: bytes, secret: str) -> str:
    """Return the value of `LC-Signature`: the HMAC-SHA256 of the raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def build_headers(webhook: Webhook, event: WebhookEvent, body: bytes) -> dict[str, str]:
    """Return the configured headers and the service's own, which the configured ones cannot replace."""
    own = {
        "Content-Type": "application/json",
        "X-Webhook-Event-ID": event.event_id,
        "X-Webhook-Event-Type": event.event_type,
    }
    if webhook.secret:
        own["LC-Signature"] = sign(body, webhook.secret)
    reserved = {name.lower() for name in own} | {"content-length", "host", "transfer-encoding", "lc-signature"}
    return {name: value for name, value in webhook.headers.items() if name.lower() not in reserved} | own


def check_url(url: str, *, allow_remote: bool = False) -> None:
    """Check the URL of a webhook.

    Args:
        url: The URL.
        allow_remote: Allow other machines than this one.

    Raises:
        WebhookError: The URL is not http(s), or is on another machine and that is not allowed.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise WebhookError("webhook_url must be an http or https address")
    if not allow_remote and not _is_loopback(host):
        raise WebhookError(
            "webhook_url must be on this machine (127.0.0.1, localhost, [::1]), "
            "unless the server runs with --webhooks-anywhere"
        )


async def deliver(webhook: Webhook, event: WebhookEvent, post: Post, sleep: Sleep) -> bool:
    """Send one event, in up to three attempts with growing delays. Return whether one got a 2xx response."""
    body = event.body()
    headers = build_headers(webhook, event, body)
    for delay_seconds in (*RETRY_DELAYS_SECONDS, None):
        try:
            if await post(webhook.url, headers, body) in _SUCCESS:
                return True
        except OSError:
            pass
        if delay_seconds is not None:
            await sleep(delay_seconds)
    return False


async def deliver_due(outbox: Outbox, now: datetime, post: Post, sleep: Sleep) -> None:
    """Send everything that is due: to different URLs concurrently, to the same URL in order."""
    by_url: dict[str, list[Delivery]] = {}
    for delivery in await run_sync(outbox.list_due, now):
        by_url.setdefault(delivery.webhook.url, []).append(delivery)

    async def deliver_in_order(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            is_delivered = await deliver(delivery.webhook, delivery.event, post, sleep)
            await run_sync(outbox.mark_done, delivery, is_delivered)

    async with anyio.create_task_group() as tasks:
        for deliveries in by_url.values():
            tasks.start_soon(deliver_in_order, deliveries)


async def run_delivery_loop(
    outbox: Outbox, clock: Callable[[], datetime], post: Post | None = None, sleep: Sleep = anyio.sleep
) -> None:
    """Send what is due at regular intervals, until cancelled."""
    while True:
        await deliver_due(outbox, clock(), post or post_once, sleep)
        await sleep(POLL_INTERVAL_SECONDS)


async def post_once(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Send one POST without redirects and proxies, and return the status of the response.

    Raises:
        OSError: The request could not be made, or there was no response.
    """
    return await run_sync(_post, url, headers, body, abandon_on_cancel=True)


def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    parts = urlsplit(url)
    # Not `netloc`: http.client would take a user name and a password in it for the host.
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=RESPONSE_TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=RESPONSE_TIMEOUT_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    except (http.client.HTTPException, ValueError) as exc:
        # HTTP cannot carry one of the headers or the address.
        raise OSError(f"the request could not be made ({type(exc).__name__})") from None
    finally:
        connection.close()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
