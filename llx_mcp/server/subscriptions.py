"""Subscriptions to jobs: an event at each change of a job's status, in both versions of the protocol.

2026-07-28 has `subscriptions/listen`. The SDK serves it from its bus; this module follows the jobs for as long as
a client listens, and publishes their changes. 2025-11-25 has `resources/subscribe`, for connections that can carry
messages outside a request. Both use the poll loop that all waits share.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import ResourceUpdated, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from llx_mcp.errors import LlxError, excerpt
from llx_mcp.jobs.job_ids import MAX_JOBS
from llx_mcp.jobs.reader import JobReader

_JOB = re.compile(r"llx://jobs/([^/?#]+)(/[^?#]*)?\Z")

_log = logging.getLogger("llx_mcp.server.subscriptions")

RequestContext = ServerRequestContext[JobReader, Any]


@dataclass(eq=False, slots=True)
class _FollowedJob:
    num_listeners: int = 0
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class JobSubscriptions:
    """Middleware that follows the jobs that clients subscribe to."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self._bus = bus
        self._published: dict[tuple[int, str], _FollowedJob] = {}
        # A connection is identified by the parameters of its handshake. They are held so that their id is not reused.
        self._subscribed: dict[tuple[int, str], tuple[Any, anyio.CancelScope]] = {}

    async def __call__(self, ctx: RequestContext, call_next: CallNext) -> HandlerResult:
        """Follow jobs while a stream is open; answer the methods that the SDK leaves to the server."""
        if ctx.method == "subscriptions/listen":
            return await self._listen(ctx, call_next)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return await call_next(ctx)
        if ctx.method == "initialize":
            return _advertise(await call_next(ctx), ctx)
        if ctx.method == "resources/subscribe":
            return await self._subscribe(ctx)
        if ctx.method == "resources/unsubscribe":
            return self._unsubscribe(ctx)
        return await call_next(ctx)

    async def _listen(self, ctx: RequestContext, call_next: CallNext) -> HandlerResult:
        wanted = (ctx.params or {}).get("notifications")
        uris = wanted.get("resourceSubscriptions") if isinstance(wanted, Mapping) else None
        # The handler refuses what is not a list of URIs, and a URI that is not a job's never changes.
        known = {uri for uri in uris if isinstance(uri, str)} if isinstance(uris, list) else set()
        jobs = sorted(uri for uri in known if _JOB.match(uri))
        if len(jobs) > MAX_JOBS:
            raise MCPError(
                INVALID_PARAMS, f"{len(jobs)} jobs are too many for one stream. It follows at most {MAX_JOBS}."
            )
        for uri in jobs:
            self._start_following(uri, ctx.lifespan_context)
        try:
            return await call_next(ctx)
        finally:
            for uri in jobs:
                self._stop_following(uri, ctx.lifespan_context)

    def _start_following(self, uri: str, reader: JobReader) -> None:
        followed = self._published.setdefault((id(reader), uri), _FollowedJob())
        followed.num_listeners += 1
        if followed.num_listeners == 1:
            reader.start(self._publish, uri, reader, followed.scope)

    def _stop_following(self, uri: str, reader: JobReader) -> None:
        followed = self._published[id(reader), uri]
        followed.num_listeners -= 1
        if not followed.num_listeners:
            del self._published[id(reader), uri]
            followed.scope.cancel()

    async def _publish(self, uri: str, reader: JobReader, scope: anyio.CancelScope) -> None:
        with scope:
            await _follow(uri, reader, lambda: self._bus.publish(ResourceUpdated(uri)))

    async def _subscribe(self, ctx: RequestContext) -> HandlerResult:
        uri = _read_uri(ctx)
        if not ctx.session.can_send_request:
            raise MCPError(
                METHOD_NOT_FOUND,
                "This transport carries no messages outside a request, so no event of a subscription could arrive. Use "
                "wait_for_extract_job, or subscriptions/listen of protocol 2026-07-28.",
            )
        if not _JOB.match(uri):
            raise MCPError(INVALID_PARAMS, f"{excerpt(uri, 80)} never changes. Jobs do: llx://jobs/{{job_id}}.")
        connection = ctx.session.client_params
        subscription = (id(connection), uri)
        if subscription not in self._subscribed:
            if sum(other == id(connection) for other, _ in self._subscribed) >= MAX_JOBS:
                raise MCPError(
                    INVALID_PARAMS, f"A connection follows at most {MAX_JOBS} jobs at once. Unsubscribe from one first."
                )
            scope = anyio.CancelScope()
            self._subscribed[subscription] = (connection, scope)
            ctx.lifespan_context.start(self._notify, uri, ctx, subscription, scope)
        return {}

    def _unsubscribe(self, ctx: RequestContext) -> HandlerResult:
        _, scope = self._subscribed.pop((id(ctx.session.client_params), _read_uri(ctx)), (None, None))
        if scope is not None:
            scope.cancel()
        return {}

    async def _notify(
        self, uri: str, ctx: RequestContext, subscription: tuple[int, str], scope: anyio.CancelScope
    ) -> None:
        try:
            with scope:
                await _follow(uri, ctx.lifespan_context, lambda: ctx.session.send_resource_updated(uri))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            _log.debug("A subscriber has disconnected")
        except Exception:  # noqa: BLE001 - see below
            # Raised here it would end the reader, and with it every other client.
            _log.exception("A subscription ended unexpectedly")
        finally:
            if self._subscribed.get(subscription, (None, None))[1] is scope:
                del self._subscribed[subscription]


async def _follow(uri: str, reader: JobReader, notify: Callable[[], Awaitable[None]]) -> None:
    """Send an event at each change of a job's status and at its end, but none for its first status."""
    match = _JOB.match(uri)
    job_id = unquote(match[1]) if match else ""
    is_first = True
    try:
        async with aclosing(reader.watch(job_id)) as snapshots:
            async for _ in snapshots:
                if not is_first:
                    await notify()
                is_first = False
    except LlxError as exc:
        _log.warning("A job with a subscription cannot be followed: %s", exc)


def _advertise(answer: HandlerResult, ctx: RequestContext) -> HandlerResult:
    """Advertise subscriptions in the handshake if the transport can deliver their events."""
    if isinstance(answer, dict) and ctx.session.can_send_request:
        answer.setdefault("capabilities", {}).setdefault("resources", {})["subscribe"] = True
    return answer


def _read_uri(ctx: RequestContext) -> str:
    uri = (ctx.params or {}).get("uri")
    if not isinstance(uri, str):
        raise MCPError(INVALID_PARAMS, "uri is missing. Give the URI of a resource, such as llx://jobs/{job_id}.")
    return uri
