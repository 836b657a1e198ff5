"""Each answer names its request, by the id that the client sent if that is well formed and no secret."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.serving import serving_http
from tests.serving.replicas import LEGACY, URL, KeyedService, build_message, open_replica

KEY, OTHER_KEY = "llx-key-of-one-caller", "llx-key-of-another-caller"


@pytest.fixture
def service() -> Iterator[KeyedService]:
    service = KeyedService()
    service.add_job(KEY, "ext-1", {"total": 11})
    service.add_job(OTHER_KEY, "ext-1", {"total": 22})
    yield service
    service.close()


async def test_well_formed_id_is_returned(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        answer = await replica.send("ping", {}, KEY, **{"x-request-id": "Trace-1.a_b"})
        refused = await replica.send("ping", {}, None, **{"x-request-id": "Trace-2"})
        health = await replica.http.get(URL.replace("/mcp", "/healthz"), headers={"x-request-id": "Trace-3"})
    assert [one.headers["x-request-id"] for one in (answer, refused, health)] == ["Trace-1.a_b", "Trace-2", "Trace-3"]


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "semi;colon", "é", KEY, f"x-{OTHER_KEY}"])
async def test_other_id_is_replaced_by_a_new_one(given: str, service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        await replica.call("get_extract_job", OTHER_KEY, job_id="ext-1")
        headers = {"x-request-id": given.encode("latin-1").decode("latin-1")} if given.isascii() else {}
        made = [(await replica.send("ping", {}, KEY, **headers)).headers["x-request-id"] for _ in range(2)]
    assert given not in made
    assert all(len(one) == 32 and one.isalnum() for one in made)
    assert made[0] != made[1]


def test_json_log_names_the_request_and_never_its_key(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {"LLX_MCP_LOG_FORMAT": "json", "LLX_MCP_LOG_LEVEL": "INFO", "LLX_MCP_METRICS_PORT": "0"}
    content, headers = build_message("ping", {}, LEGACY)
    headers |= {"authorization": f"Bearer {KEY}", "x-request-id": "req-7"}
    with serving_http("--local", "--auth", "pass-through", environment=environment, log=log) as server:
        assert httpx.post(server.url, content=content, headers=headers, timeout=60).status_code == 200
        assert httpx.post(f"{server.url}/{KEY}", content=content, headers=headers, timeout=60).status_code == 404
        text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    accesses = [line for line in lines if line["logger"] == "uvicorn.access"]
    assert [line["request_id"] for line in accesses] == ["req-7", "req-7"]
    assert '"POST /mcp HTTP/1.1" 200' in accesses[0]["message"]
    assert KEY not in text
