"""The endpoint answers both versions of the protocol, and refuses what it must with a status and a next step."""

from typing import Any

import anyio
import pytest

from tests.serving.replicas import (
    LEGACY,
    MODERN,
    URL,
    Answer,
    KeyedService,
    build_message,
    open_replica,
    open_replicas,
)
from tests.waiting import until

KEY, OTHER_KEY = "llx-key-of-one-caller", "llx-key-of-another-caller"
VERSIONS = pytest.mark.parametrize("version", [LEGACY, MODERN])


@pytest.fixture
def service() -> Any:
    service = KeyedService()
    service.add_job(KEY, "ext-1", {"total": 11})
    service.add_job(OTHER_KEY, "ext-1", {"total": 22})
    yield service
    service.close()


@VERSIONS
async def test_any_replica_answers_any_request(version: str, service: KeyedService) -> None:
    async with open_replicas(service, 2, auth="pass-through") as replicas:
        for replica in replicas * 2:
            answer = await replica.call("get_extract_job", KEY, version, job_id="ext-1")
            assert (answer.status, answer.content["result"]) == (200, {"total": 11})


@VERSIONS
async def test_progress_is_sent_where_it_is_asked_for(version: str, service: KeyedService) -> None:
    parameters = {"name": "wait_for_extract_job", "arguments": {"job_id": "ext-1"}, "_meta": {"progressToken": 7}}
    async with open_replica(service, auth="pass-through") as replica:
        answer = await replica.send("tools/call", parameters, KEY, version)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"notifications/progress"' in answer.text
    assert answer.content["result"] == {"total": 11}


async def test_method_other_than_post_is_refused(service: KeyedService) -> None:
    async with open_replica(service) as replica:
        for method in ("GET", "DELETE", "PUT"):
            response = await replica.http.request(method, URL)
            assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:81", "evil.example:8000", "a@127.0.0.1:8000", ""])
async def test_other_host_is_refused(host: str, service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        answer = await replica.send("ping", {}, KEY, LEGACY, host=host)
        assert (answer.status, answer.message["error"]) == (421, "unknown_host")
        message = answer.message["error_description"]
        assert f'the host "{host}". The operator can add it to LLX_MCP_HTTP_ALLOWED_HOSTS.' in message


async def test_long_host_is_shown_cut(service: KeyedService) -> None:
    async with open_replica(service) as replica:
        answer = await replica.send("ping", {}, None, LEGACY, host="e" * 5_000)
    assert answer.status == 421
    assert len(answer.message["error_description"]) < 500


async def test_page_of_other_origin_is_refused(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", host="0.0.0.0", allowed_hosts="mcp.example.com") as replica:
        for origin, status in {
            "https://mcp.example.com": 200,
            "https://mcp.example.com:8443": 200,
            "https://evil.example": 403,
            "null": 403,
        }.items():
            answer = await replica.send("ping", {}, KEY, LEGACY, host="mcp.example.com", origin=origin)
            assert answer.status == status, origin
            assert status == 200 or f'"{origin}"' in answer.message["error_description"]


async def test_host_is_checked_without_authentication_too(service: KeyedService) -> None:
    async with open_replica(service) as replica:
        assert (await replica.send("ping", {}, None, LEGACY, host="rebound.example:8000")).status == 421


async def test_health_needs_no_token_and_no_host(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        for path, status in {"/healthz": "ok", "/readyz": "ready"}.items():
            response = await replica.http.get(URL.replace("/mcp", path), headers={"host": "10.0.0.7:8000"})
            assert (response.status_code, response.json()["status"]) == (200, status)


async def test_stopping_server_is_not_ready_and_refuses_calls(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        await replica.app.stop()
        ready = await replica.http.get(URL.replace("/mcp", "/readyz"))
        assert (ready.status_code, ready.json()["parts"]) == (503, {"calls": "stopping"})
        assert (await replica.http.get(URL.replace("/mcp", "/healthz"))).status_code == 200
        answer = await replica.call("get_extract_job", KEY, job_id="ext-1")
        assert (answer.status, answer.headers["retry-after"], answer.message["error"]) == (503, "1", "stopping")


@VERSIONS
async def test_stopping_server_answers_its_waits(version: str, service: KeyedService) -> None:
    service.add_job(KEY, "ext-stuck", {}, "stuck")
    answers = []
    async with open_replica(service, auth="pass-through") as replica:

        async def wait() -> None:
            answers.append(
                await replica.call("wait_for_extract_job", KEY, version, job_id="ext-stuck", timeout_seconds=600)
            )

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(wait)
            await replica.await_open_calls(5)
            await replica.app.stop()
    assert [answer.status for answer in answers] == [200] * 5
    for answer in answers:
        assert "wait_for_extract_job" in answer.text


async def test_too_many_calls_of_one_caller_do_not_affect_another(service: KeyedService) -> None:
    service.add_job(KEY, "ext-stuck", {}, "stuck")
    statuses = []
    async with open_replica(service, auth="pass-through", max_calls=2) as replica:

        async def wait() -> None:
            answer = await replica.call("wait_for_extract_job", KEY, job_id="ext-stuck", timeout_seconds=600)
            statuses.append(answer.status)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            group.start_soon(wait)
            await replica.await_open_calls(2)
            refused = await replica.call("get_extract_job", KEY, job_id="ext-1")
            assert (refused.status, refused.headers["retry-after"]) == (429, "1")
            assert (await replica.call("get_extract_job", OTHER_KEY, job_id="ext-1")).status == 200
            await replica.app.stop()
    assert statuses == [200, 200]
    assert replica.app.refusals.counts == {"too_many_calls": 1}
    assert replica.app.calls.num_open == 0


async def test_large_body_and_large_headers_are_refused(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through", max_body_bytes=2_000, max_header_bytes=2_000) as replica:
        assert (await replica.send("ping", {"x": "y" * 3_000}, KEY, LEGACY)).status == 413
        assert (await replica.send("ping", {}, KEY, LEGACY, **{"x-long": "y" * 3_000})).status == 431
        assert (await replica.send("ping", {}, KEY, LEGACY)).status == 200


async def test_path_is_that_of_the_settings(service: KeyedService) -> None:
    content, headers = build_message("ping", {}, LEGACY)
    async with open_replica(service, path="/extract/v1") as replica:
        for path, status in {"/extract/v1": 200, "/mcp": 404, "/extract/v1/": 404}.items():
            response = await replica.http.post(URL.replace("/mcp", path), content=content, headers=headers)
            assert response.status_code == status
            if status == 404:
                assert "The path of the MCP endpoint is /extract/v1." in response.json()["error_description"]


async def test_stopping_server_ends_subscriptions_with_their_result(service: KeyedService) -> None:
    service.add_job(KEY, "ext-stuck", {}, "stuck")
    wanted = {"notifications": {"resourceSubscriptions": ["llx://jobs/ext-stuck"]}}
    answers = []
    async with open_replica(service, auth="pass-through") as replica:

        async def listen() -> None:
            answers.append(await replica.send("subscriptions/listen", wanted, KEY))

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await replica.await_open_calls(1)
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(5):
                await replica.app.stop()
    assert "notifications/subscriptions/acknowledged" in answers[0].text
    assert "result" in answers[0].message


class Silent(KeyedService):
    """A service that answers nothing.

    Attributes:
        num_asked: how many requests have come.
    """

    num_asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.num_asked += 1
        await anyio.sleep_forever()


async def test_call_that_outlives_the_grace_time_is_answered_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    answers: dict[str, Answer] = {}
    service = Silent()
    async with open_replica(service, auth="pass-through", grace_seconds=0) as replica:

        async def read(version: str) -> None:
            answers[version] = await replica.call("get_extract_job", f"{KEY}-{version}", version, job_id="ext-1")

        async with anyio.create_task_group() as group:
            group.start_soon(read, LEGACY)
            group.start_soon(read, MODERN)
            await until(lambda: service.num_asked == 2)
            await replica.app.stop()
    assert replica.app.calls.num_open == 0
    text = "This server has stopped before the call ended. Call again; another answers."
    # The stream of the old version has begun before the answer is known.
    assert (answers[LEGACY].status, answers[LEGACY].message["error"]["message"]) == (200, text)
    assert (answers[MODERN].status, answers[MODERN].message["error_description"]) == (503, text)
    assert caplog.records == []


async def test_wait_that_the_service_does_not_answer_ends_within_the_grace_time() -> None:
    answers = []
    async with open_replica(Silent(), auth="pass-through", grace_seconds=1) as replica:

        async def wait() -> None:
            answers.append(await replica.call("wait_for_extract_job", KEY, job_id="ext-1", timeout_seconds=600))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await replica.await_open_calls(1)
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(10):
                await replica.app.stop()
    assert answers[0].status == 200
