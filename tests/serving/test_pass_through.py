"""A caller's own key is its token, and goes to LlamaCloud unchanged and nowhere else."""

import logging

import pytest

from llx_mcp.serving.logs import hide_documents
from tests.serving.replicas import LEGACY, MODERN, URL, KeyedService, build_message, open_replica, read_answer

KEY = "llx-key-of-one-caller"


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer ", f"Basic {KEY}", KEY, "Bearer sk-of-another-service", "Bearer llx-", "Bearer llx-a b",
     "Bearer llx-\u00e9t\u00e9", "Bearer llx-" + "x" * 600, "Bearer eyJhbGciOiJub25lIn0.e30."],
)  # fmt: skip
async def test_request_without_a_key_is_told_region_and_header(authorization: str | None) -> None:
    service = KeyedService()
    content, headers = build_message("tools/list", {})
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent += [] if authorization is None else [(b"authorization", authorization.encode())]
    async with open_replica(service, auth="pass-through") as replica:
        answer = read_answer(await replica.http.post(URL, content=content, headers=sent))
    assert answer.status == 401
    assert 'realm="127.0.0.1"' in answer.headers["www-authenticate"]
    assert "in the header Authorization, as Bearer llx-" in answer.message["error_description"]
    assert not service.requests


async def test_two_authorization_headers_are_refused() -> None:
    service = KeyedService()
    async with open_replica(service, auth="pass-through") as replica:
        headers = [("authorization", f"Bearer {KEY}"), ("authorization", "Bearer llx-other-caller")]
        response = await replica.http.post(URL, headers=headers, content=b"{}")
    assert response.status_code == 401


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_key_goes_to_the_service_and_into_no_answer_or_log(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    hide_documents()
    caplog.set_level(logging.DEBUG)
    service = KeyedService()
    service.add_job(KEY, "ext-1", {"note": f"the key is {KEY}"})
    async with open_replica(service, auth="pass-through") as replica:
        answers = [
            await replica.call("get_extract_job", KEY, version, job_id="ext-1"),
            await replica.call("get_extract_job", KEY, version, job_id=KEY),
            await replica.call("find_in_extract_result", KEY, version, job_id="ext-1", text=KEY),
            await replica.call("get_extract_job", "llx-unknown-to-the-service", version, job_id="ext-1"),
            await replica.send("resources/read", {"uri": "llx://jobs/ext-1"}, KEY, version),
            await replica.send(KEY, {}, KEY, version),
        ]
        texts = [replica.app.redactor.redact(record.getMessage()) for record in caplog.records]
    seen = "\n".join([*(answer.text for answer in answers), *texts])
    assert "[key]" in answers[0].text
    assert KEY not in seen
    assert "llx-unknown" not in seen
    assert "Check the key of this caller" in answers[3].text
    assert "LLAMA_CLOUD" not in answers[3].text
    assert {key for key, _ in service.requests} == {KEY, "llx-unknown-to-the-service"}
    service.close()
