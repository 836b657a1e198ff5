"""The webhook deliveries that are due for the jobs of a store, and the task that sends them."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import anyio
from starlette.applications import Starlette

from llx_mcp.local.database import StoreError
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.webhooks import (
    Delivery,
    Webhook,
    WebhookConfiguration,
    WebhookError,
    WebhookEvent,
    run_delivery_loop,
)

_log = logging.getLogger("llx_mcp.local")


class StoreOutbox:
    """The due deliveries of a store's jobs. While the store cannot be used, none is due."""

    def __init__(self, store: JobStore, clock: Callable[[], datetime], *, allow_remote: bool = False) -> None:
        """Read deliveries from a store.

        Args:
            store: The jobs and their webhooks.
            clock: Returns the time at which a delivery is done, aware.
            allow_remote: Allow webhooks on other machines.
        """
        self._deliveries = store.deliveries
        self._clock = clock
        self._allow_remote = allow_remote
        # Deliveries that are done: the job, the index of the endpoint, the event type, and when.
        self._unrecorded: dict[tuple[str, int, str], datetime] = {}

    def list_due(self, now: datetime) -> list[Delivery]:
        """Return the deliveries that are due and not done; those of each job are in order."""
        due: list[Delivery] = []
        try:
            self._record_done()
            for job in self._deliveries.list_webhook_jobs():
                events = [WebhookEvent(job.job_id, event_type, at) for event_type, at in job.events_until(now)]
                for index, configuration in enumerate(job.configurations):
                    due += self._list_due_for_endpoint(index, configuration, events)
            self._record_done()
        except StoreError as exc:
            _log.warning("webhooks wait: %s", exc)
            return []
        return due

    def mark_done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        """Record that a delivery succeeded, or that all attempts failed."""
        event = delivery.event
        if not is_delivered:
            _log.warning("%s of %s was not delivered: all attempts failed", event.event_type, event.job_id)
        self._set_done(delivery.endpoint_index, event)
        # Otherwise recorded later, so that the receiver does not get the event again.
        with contextlib.suppress(StoreError):
            self._record_done()

    def _list_due_for_endpoint(
        self, endpoint_index: int, configuration: WebhookConfiguration, events: list[WebhookEvent]
    ) -> list[Delivery]:
        pending = [
            event for event in events if not self._deliveries.is_done(event.job_id, endpoint_index, event.event_type)
        ]
        try:
            webhook = Webhook.parse(configuration, allow_remote=self._allow_remote)
        except WebhookError as exc:
            for event in pending:
                _log.warning("%s of %s is not delivered: %s", event.event_type, event.job_id, exc)
                self._set_done(endpoint_index, event)
            return []
        return [Delivery(endpoint_index, webhook, event) for event in pending if webhook.is_subscribed_to(event)]

    def _set_done(self, endpoint_index: int, event: WebhookEvent) -> None:
        self._unrecorded[event.job_id, endpoint_index, event.event_type] = self._clock()

    def _record_done(self) -> None:
        for key, done_at in list(self._unrecorded.items()):
            self._deliveries.mark_done(*key, done_at)
            self._unrecorded.pop(key, None)


def deliver_webhooks(
    store: JobStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), allow_remote: bool = False
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Build a lifespan that delivers webhooks while the application runs.

    Args:
        store: The jobs and their webhooks; the caller closes it.
        clock: Returns the current time, aware.
        allow_remote: Allow webhooks on other machines.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        outbox = StoreOutbox(store, clock, allow_remote=allow_remote)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_delivery_loop, outbox, clock)
            yield
            tasks.cancel_scope.cancel()

    return lifespan
