"""Webhooks: the events of a job, signed and delivered in up to three attempts.

Events and their ids follow from a job's timeline alone. After a restart the same event has the same id, so a receiver
can recognize one that is sent twice.
"""

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypedDict
from urllib.parse import SplitResult, urlsplit
from uuid import NAMESPACE_URL, uuid5

import anyio
import msgspec
from anyio.to_thread import run_sync

from llx_mcp.local.timestamps import format_time

RETRY_DELAYS_SECONDS = (1.0, 5.0)
POLL_INTERVAL_SECONDS = 0.5
# The time of one attempt in all: connecting, sending, and waiting for the response.
ATTEMPT_SECONDS = 10.0
MAX_CONCURRENT_REQUESTS = 16

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


async def run_delivery_loop(
    outbox: Outbox, clock: Callable[[], datetime], post: Post | None = None, sleep: Sleep = anyio.sleep
) -> None:
    """Send what is due at regular intervals, until cancelled.

    Each URL has a task of its own that sends its events in order, so that a slow endpoint delays no other one.
    """
    post = limit_posts(post or post_once, max_concurrent=MAX_CONCURRENT_REQUESTS, seconds=ATTEMPT_SECONDS)
    busy_urls: set[str] = set()

    async def deliver_in_order(url: str, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            is_delivered = await deliver(delivery.webhook, delivery.event, post, sleep)
            await run_sync(outbox.mark_done, delivery, is_delivered)
        busy_urls.remove(url)

    async with anyio.create_task_group() as tasks:
        while True:
            for url, deliveries in _group_by_url(await run_sync(outbox.list_due, clock())).items():
                if url not in busy_urls:
                    busy_urls.add(url)
                    tasks.start_soon(deliver_in_order, url, deliveries)
            await sleep(POLL_INTERVAL_SECONDS)


def _group_by_url(deliveries: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    by_url: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_url.setdefault(delivery.webhook.url, []).append(delivery)
    return by_url


def limit_posts(post: Post, *, max_concurrent: int, seconds: float) -> Post:
    """Return a function that sends at most some POSTs at a time, and raises TimeoutError if one takes too long."""
    slots = anyio.Semaphore(max_concurrent)

    async def post_within_limits(url: str, headers: Mapping[str, str], body: bytes) -> int:
        async with slots:
            with anyio.fail_after(seconds):
                return await post(url, headers, body)

    return post_within_limits


async def post_once(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Send one POST without redirects and proxies, and return the status of the response.

    Raises:
        OSError: The request could not be made, or there was no response.
    """
    request = _PostRequest(url, headers, body)
    try:
        return await run_sync(request.send, abandon_on_cancel=True)
    finally:
        request.abandon()


class _PostRequest:
    """One POST in a thread, which another thread can end."""

    def __init__(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self._url = url
        self._headers = headers
        self._body = body
        self._is_abandoned = False
        self._connection: http.client.HTTPConnection | None = None

    def send(self) -> int:
        """Send the request and return the status of the response. This blocks.

        Raises:
            OSError: The request could not be made, or there was no response.
        """
        parts = urlsplit(self._url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            self._connection = connection = _build_connection(parts)
            connection.connect()
            if self._is_abandoned:
                raise TimeoutError
            connection.request("POST", target, self._body, dict(self._headers))
            return connection.getresponse().status
        except (http.client.HTTPException, ValueError) as exc:
            # HTTP cannot carry one of the headers or the address.
            raise OSError(f"the request could not be made ({type(exc).__name__})") from None
        finally:
            if self._connection is not None:
                self._connection.close()

    def abandon(self) -> None:
        """End a request that is still waiting for its endpoint, however slowly that sends."""
        self._is_abandoned = True
        waiting = self._connection.sock if self._connection is not None else None
        if waiting is not None:
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)


def _build_connection(parts: SplitResult) -> http.client.HTTPConnection:
    # Not `netloc`: http.client would take a user name and a password in it for the host.
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=ATTEMPT_SECONDS, context=context)
    return http.client.HTTPConnection(host, port, timeout=ATTEMPT_SECONDS)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
