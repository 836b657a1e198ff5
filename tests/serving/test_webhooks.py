"""A signed event makes the wait for its job poll soon; nothing else does, and no answer says which jobs are known."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest

from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local.webhooks import Webhook, WebhookEvent, build_headers
from llx_mcp.serving.webhooks import MAX_BODY_BYTES, find_secret
from tests.docs.pages import blocks
from tests.serving.replicas import KeyedService, Replica, open_replica
from tests.waiting import until

URL = "http://127.0.0.1:8000/webhooks/llamaextract"
SECRET = "whsec-hush"
KEY = "llx-one"


class Sent:
    """An event as the embedded API sends it."""

    def __init__(self, job_id: str = "ext-1", secret: str = SECRET, age_seconds: float = 0.0) -> None:
        event = WebhookEvent(job_id, "extract.success", SystemClock().now() - timedelta(seconds=age_seconds))
        self.content = event.body()
        self.headers = build_headers(Webhook(URL, secret=secret), event, self.content)


def signed(content: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"lc-signature": "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()}


@asynccontextmanager
async def receiver() -> AsyncIterator[Replica]:
    async with open_replica(KeyedService(), auth="pass-through", webhook_secrets=f"{SECRET},other-secret") as replica:
        yield replica


async def post(replica: Replica, content: bytes, headers: dict[str, str]) -> httpx.Response:
    return await replica.http.post(URL, content=content, headers=headers)


async def test_known_unknown_and_repeated_events_are_answered_alike() -> None:
    async with receiver() as replica:
        known, unknown = Sent(), Sent("ext-unknown")
        answers = [await post(replica, sent.content, sent.headers) for sent in (known, unknown, known)]
        assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 3
        assert replica.app.webhooks is not None
        assert (replica.app.webhooks.num_accepted, replica.app.webhooks.num_repeated) == (2, 1)


async def test_each_secret_is_accepted() -> None:
    async with receiver() as replica:
        sent = Sent(secret="other-secret")
        assert (await post(replica, sent.content, sent.headers)).status_code == 204


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "sha256=\u00e9", "bare"],
)
async def test_wrong_signature_is_refused(signature: str | None) -> None:
    async with receiver() as replica:
        sent = Sent()
        headers: Any = [("content-type", "application/json")]
        if signature == "bare":
            signature = sent.headers["LC-Signature"].removeprefix("sha256=")
        if signature is not None:
            headers.append(("lc-signature", signature.encode()))
        answer = await post(replica, sent.content, headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_signature")
        assert replica.app.refusals.counts["invalid_signature"] == 1


async def test_changed_body_and_foreign_secret_are_refused() -> None:
    async with receiver() as replica:
        sent, foreign = Sent(), Sent(secret="foreign")
        assert (await post(replica, sent.content + b" ", sent.headers)).status_code == 401
        assert (await post(replica, foreign.content, foreign.headers)).status_code == 401


@pytest.mark.parametrize(("age_seconds", "status"), [(590, 204), (610, 400), (-290, 204), (-310, 400)])
async def test_age_is_limited(age_seconds: float, status: int) -> None:
    async with receiver() as replica:
        sent = Sent(age_seconds=age_seconds)
        answer = await post(replica, sent.content, sent.headers)
        assert answer.status_code == status
        if status == 400:
            assert answer.json()["error"] == "stale_event"


TIME = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not valid JSON"),
        (b"{", "it is not valid JSON"),
        (b"\xff", "it is not valid JSON"),
        (b"[" * 30_000, "it is not valid JSON"),
        (b"[]", "event_id must be"),
        ({"event_id": "e", "timestamp": TIME}, "data.job_id, or else data.id, must be a string of 1 to 200 characters"),
        ({"event_id": "e", "timestamp": TIME, "data": []}, "data.job_id"),
        ({"event_id": "e", "timestamp": TIME, "data": {"id": "x" * 300}}, "data.job_id"),
        ({"event_id": 7, "timestamp": TIME, "data": {"id": "ext-1"}}, "event_id must be"),
        ({"event_id": "e", "data": {"id": "ext-1"}}, "timestamp must be a time in ISO 8601"),
        ({"event_id": "e", "timestamp": "today", "data": {"id": "ext-1"}}, "timestamp must be"),
        ({"event_id": "e", "timestamp": 1, "data": {"id": "ext-1"}}, "timestamp must be"),
    ],
    ids=range(12),
)
async def test_signed_nonsense_is_refused_with_the_field_that_is_wrong(content: Any, reason: str) -> None:
    async with receiver() as replica:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = await post(replica, body, signed(body))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_event")
        assert f"The body is no event of a job: {reason}" in answer.json()["error_description"]


async def test_event_of_the_page_is_accepted() -> None:
    (block,) = [block for _, block in blocks("python") if "LC-Signature" in block]
    names: dict[str, Any] = {}
    # All but the request itself, which goes to the server of this test.
    exec(block.partition("answer =")[0].replace("whsec-...", SECRET), names)  # noqa: S102 - a block of our own page
    async with receiver() as replica:
        answer = await post(replica, names["body"], {"lc-signature": f"sha256={names['signature']}"})
        assert answer.status_code == 204


async def test_large_body_is_refused_whether_or_not_it_says_so() -> None:
    async with receiver() as replica:
        content = b" " * (MAX_BODY_BYTES + 1)

        async def stream() -> AsyncIterator[bytes]:
            yield content

        for sent in (content, stream()):
            answer = await replica.http.post(URL, content=sent, headers=signed(content))
            assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")


async def test_only_post_is_answered() -> None:
    async with receiver() as replica:
        assert (await replica.http.get(URL)).status_code == 405


async def test_without_a_secret_there_is_no_such_address() -> None:
    service = KeyedService()
    sent = Sent()
    async with open_replica(service, auth="pass-through") as replica:
        assert (await post(replica, sent.content, sent.headers)).status_code == 404


@pytest.mark.parametrize("is_repeated", [False, True])
async def test_event_hastens_the_next_poll_once_and_is_not_believed(*, is_repeated: bool) -> None:
    service = KeyedService()
    # It never ends, whatever the event says.
    service.add_job(KEY, "ext-1", {"total": 1}, "stuck")
    slow = ReaderOptions(PollSchedule((), shortest_seconds=600, longest_seconds=600))
    async with (
        open_replica(service, reader=slow, auth="pass-through", webhook_secrets=SECRET) as replica,
        anyio.create_task_group() as group,
    ):
        arguments: dict[str, Any] = {"job_id": "ext-1", "timeout_seconds": 300}
        group.start_soon(lambda: replica.call("wait_for_extract_job", KEY, **arguments))

        async def count(number: int) -> None:
            await until(lambda: len(service.requests) >= number)

        await count(1)
        sent = Sent()
        await post(replica, sent.content, sent.headers)
        await count(2)
        again = sent if is_repeated else Sent()
        await anyio.sleep(1.2)
        await post(replica, again.content, again.headers)
        if is_repeated:
            await anyio.sleep(1.5)
            assert len(service.requests) == 2
        else:
            await count(3)
        group.cancel_scope.cancel()
    service.close()


def test_every_secret_is_compared() -> None:
    signature = signed(b"{}", "b")["lc-signature"]
    assert find_secret(["a", "b", "c"], b"{}", signature) == "b"
    assert find_secret(["a", "c"], b"{}", signature) is None
    assert find_secret([], b"{}", signature) is None
