"""A store's webhooks are delivered as its jobs live, and once each, across a restart too."""

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

BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
END = BEGAN + timedelta(seconds=6)
PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"


def create(store: JobStore, *configurations: WebhookConfiguration, ending: str = "COMPLETED") -> str:
    """A job that begins at nine and ends six seconds later."""
    sections = {"status": msgspec.Raw(msgspec.json.encode(ending))}
    spec = JobSpec(
        PROJECT, "dfl-1", None, Timeline(1, 2, 3), ending, sections, None, json.dumps(configurations).encode()
    )
    return store.create_job(spec, BEGAN)


def test_what_is_due_follows_from_the_jobs_and_the_time_until_it_is_done() -> None:
    store = JobStore()
    everything: WebhookConfiguration = {"webhook_url": "http://127.0.0.1:9/all"}
    failures: WebhookConfiguration = {"webhook_url": "http://127.0.0.1:9/failures", "webhook_events": ["extract.error"]}
    job_id = create(store, everything, failures, ending="FAILED")
    outbox = StoreOutbox(store, lambda: END)
    hook, failure_hook = Webhook.parse(everything), Webhook.parse(failures)
    pending = Delivery(0, hook, WebhookEvent(job_id, "extract.pending", BEGAN))
    error = WebhookEvent(job_id, "extract.error", END)
    assert outbox.list_due(BEGAN) == [pending]
    assert outbox.list_due(END) == [pending, Delivery(0, hook, error), Delivery(1, failure_hook, error)]
    outbox.mark_done(pending, True)
    outbox.mark_done(Delivery(0, hook, error), False)
    assert StoreOutbox(store, lambda: END).list_due(END) == [Delivery(1, failure_hook, error)]
    store.close()


def test_an_address_elsewhere_is_given_up_and_told(caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore()
    create(store, {"webhook_url": "https://example.com/"})
    assert StoreOutbox(store, lambda: END).list_due(BEGAN) == []
    assert "extract.pending" in caplog.text
    assert "must be on this machine" in caplog.text
    # Told once: it is given up, and stays so where other machines are allowed later.
    caplog.clear()
    assert StoreOutbox(store, lambda: END).list_due(BEGAN) == []
    assert caplog.text == ""
    due = StoreOutbox(store, lambda: END, allow_remote=True).list_due(END)
    assert [delivery.event.event_type for delivery in due] == ["extract.success"]
    store.close()


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A web server on loopback, and the event types and job ids that came to it."""
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


async def test_a_restart_delivers_what_is_left_and_nothing_twice(
    tmp_path: Path, endpoint: tuple[str, list[tuple[str, str]]]
) -> None:
    url, received = endpoint
    path = tmp_path / "jobs.db"
    store = JobStore(path)
    job_id = create(store, {"webhook_url": url})
    store.close()
    for now, expected in ((BEGAN, 1), (END, 2), (END, 2)):
        reopened = JobStore(path)
        outbox = StoreOutbox(reopened, lambda now=now: now)  # type: ignore[misc]  # mypy cannot type the default
        with anyio.fail_after(20):
            async with deliver_webhooks(reopened, clock=lambda now=now: now)(Starlette()):  # type: ignore[misc]  # as above
                while await anyio.to_thread.run_sync(outbox.list_due, now):
                    await anyio.lowlevel.checkpoint()
        reopened.close()
        assert len(received) == expected
    assert received == [("extract.pending", job_id), ("extract.success", job_id)]
