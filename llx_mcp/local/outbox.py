"""What a store still has to give notice of, and the task that does."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio

from llx_mcp.local.job_store import JobStore
from llx_mcp.local.webhooks import Delivery, Notice, Webhook, WebhookError, is_wanted, keep_delivering

_log = logging.getLogger("llx_mcp.local")


class StoreOutbox:
    """The deliveries that follow from a store's jobs, their configurations and the time of day.

    Args:
        clock: when something was delivered, aware.
        is_anywhere_allowed: whether notices may leave this machine.
    """

    def __init__(self, store: JobStore, clock: Callable[[], datetime], *, is_anywhere_allowed: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._is_anywhere_allowed = is_anywhere_allowed

    def due(self, now: datetime) -> list[Delivery]:
        """Deliveries whose time has come and that are not done, each job's in their order."""
        due: list[Delivery] = []
        for job in self._store.list_webhook_jobs():
            notices = [Notice(job.job_id, event_type, at) for event_type, at in job.events_until(now)]
            for endpoint, configuration in enumerate(job.configurations):
                due += self._due_at(endpoint, configuration, notices)
        return due

    def done(self, delivery: Delivery, is_delivered: bool, /) -> None:
        """Forget a delivery: it arrived, or three attempts did not bring it there."""
        notice = delivery.notice
        if not is_delivered:
            _log.warning("%s of %s was not delivered in three attempts", notice.event_type, notice.job_id)
        self._forget(delivery.endpoint, notice)

    def _due_at(self, endpoint: int, configuration: dict[str, Any], notices: list[Notice]) -> list[Delivery]:
        left = [each for each in notices if not self._store.is_delivered(each.job_id, endpoint, each.event_type)]
        try:
            webhook = Webhook.parse(configuration, is_anywhere_allowed=self._is_anywhere_allowed)
        except WebhookError as exc:
            for notice in left:
                _log.warning("%s of %s is not delivered: %s", notice.event_type, notice.job_id, exc)
                self._forget(endpoint, notice)
            return []
        return [Delivery(endpoint, webhook, notice) for notice in left if is_wanted(webhook, notice)]

    def _forget(self, endpoint: int, notice: Notice) -> None:
        self._store.record_delivery(notice.job_id, endpoint, notice.event_type, self._clock())


def deliver_webhooks(
    store: JobStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), is_anywhere_allowed: bool = False
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan for the application: what falls due is delivered while it is served.

    Args:
        store: the jobs; whoever opened it closes it.
        clock: the time of day, aware.
        is_anywhere_allowed: whether notices may leave this machine.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        outbox = StoreOutbox(store, clock, is_anywhere_allowed=is_anywhere_allowed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_delivering, outbox, clock)
            yield
            tasks.cancel_scope.cancel()

    return lifespan
