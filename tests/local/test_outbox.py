"""The webhooks of a store are delivered when they are due, and once each even after a restart."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import msgspec
import pytest
from starlette.applications import Starlette

from llx_mcp.local.job_store import JobSpec, JobStore
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.local.outbox import StoreOutbox, deliver_webhooks
from llx_mcp.local.webhooks import Delivery, Webhook, WebhookConfiguration, WebhookEvent

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
END = START + timedelta(seconds=6)
PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"


def create_job_with_webhooks(store: JobStore, *configurations: WebhookConfiguration, ending: str = "COMPLETED") -> str:
    """Create a job that starts at nine and ends six seconds later."""
    sections = {"status": msgspec.Raw(msgspec.json.encode(ending))}
    spec = JobSpec(
        PROJECT, "dfl-1", None, Timeline(1, 2, 3), ending, sections, None, json.dumps(configurations).encode()
    )
    return store.create_job(spec, START)


def test_due_deliveries_follow_from_timelines_until_marked_done() -> None:
    store = JobStore()
    everything: WebhookConfiguration = {"webhook_url": "http://127.0.0.1:9/all"}
    failures: WebhookConfiguration = {"webhook_url": "http://127.0.0.1:9/failures", "webhook_events": ["extract.error"]}
    job_id = create_job_with_webhooks(store, everything, failures, ending="FAILED")
    outbox = StoreOutbox(store, lambda: END)
    webhook, failure_webhook = Webhook.parse(everything), Webhook.parse(failures)
    pending = Delivery(0, webhook, WebhookEvent(job_id, "extract.pending", START))
    error = WebhookEvent(job_id, "extract.error", END)
    assert outbox.list_due(START) == [pending]
    assert outbox.list_due(END) == [pending, Delivery(0, webhook, error), Delivery(1, failure_webhook, error)]
    outbox.mark_done(pending, True)
    outbox.mark_done(Delivery(0, webhook, error), False)
    assert StoreOutbox(store, lambda: END).list_due(END) == [Delivery(1, failure_webhook, error)]
    store.close()


def test_remote_webhook_is_given_up_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore()
    create_job_with_webhooks(store, {"webhook_url": "https://example.com/"})
    assert StoreOutbox(store, lambda: END).list_due(START) == []
    assert "extract.pending" in caplog.text
    assert "must be on this machine" in caplog.text
    # The event is given up for good, even if remote webhooks are allowed later.
    caplog.clear()
    assert StoreOutbox(store, lambda: END).list_due(START) == []
    assert caplog.text == ""
    due = StoreOutbox(store, lambda: END, allow_remote=True).list_due(END)
    assert [delivery.event.event_type for delivery in due] == ["extract.success"]
    store.close()


def test_delivery_that_cannot_be_recorded_is_recorded_later_and_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = JobStore(tmp_path / "jobs.db")
    create_job_with_webhooks(store, {"webhook_url": "http://127.0.0.1:9/"})
    outbox = StoreOutbox(store, lambda: END)
    (pending,) = outbox.list_due(START)
    store._database._writer.execute("PRAGMA query_only = ON")
    outbox.mark_done(pending, True)
    assert outbox.list_due(START) == []
    assert "webhooks wait: The store is read-only" in caplog.text
    store._database._writer.execute("PRAGMA query_only = OFF")
    assert outbox.list_due(START) == []
    assert StoreOutbox(store, lambda: END).list_due(START) == []
    store.close()


def test_only_a_delivery_that_failed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore()
    job_id = create_job_with_webhooks(store, {"webhook_url": "http://127.0.0.1:9/"})
    outbox = StoreOutbox(store, lambda: END)
    pending, success = outbox.list_due(END)
    outbox.mark_done(pending, True)
    assert caplog.text == ""
    outbox.mark_done(success, False)
    assert f"extract.success of {job_id} was not delivered: all attempts failed" in caplog.text
    store.close()


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A web server on loopback, and the event types and job ids that it has received."""
    received: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append((event["event_type"], event["data"]["id"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's own name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        thread.join()


async def test_restart_delivers_remaining_events_once(
    tmp_path: Path, endpoint: tuple[str, list[tuple[str, str]]]
) -> None:
    url, received = endpoint
    path = tmp_path / "jobs.db"
    store = JobStore(path)
    job_id = create_job_with_webhooks(store, {"webhook_url": url})
    store.close()
    for now, expected in ((START, 1), (END, 2), (END, 2)):
        reopened = JobStore(path)
        outbox = StoreOutbox(reopened, lambda now=now: now)  # type: ignore[misc]  # mypy cannot type the default
        with anyio.fail_after(20):
            async with deliver_webhooks(reopened, clock=lambda now=now: now)(Starlette()):  # type: ignore[misc]  # as above
                while await anyio.to_thread.run_sync(outbox.list_due, now):
                    await anyio.lowlevel.checkpoint()
        reopened.close()
        assert len(received) == expected
    assert received == [("extract.pending", job_id), ("extract.success", job_id)]


async def test_server_delivers_to_no_other_machine_by_default(caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore()
    # An address of documentation, where no machine is.
    create_job_with_webhooks(store, {"webhook_url": "http://192.0.2.1/"})
    with anyio.fail_after(20):
        async with deliver_webhooks(store, clock=lambda: START)(Starlette()):
            while "must be on this machine" not in caplog.text:
                await anyio.lowlevel.checkpoint()
    store.close()
