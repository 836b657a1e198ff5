"""Every line of a client gets its answer over a real pipe, and none hangs or ends the server."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.raw_stdio import INITIALIZE, RawServer, running_server
from tests.server.serving import LLX, import_stuck_job
from tests.structured import next_steps

JOB_ID = "ext-sample0invoice00000000000000"
TOOL_CALLS = {
    "get_extract_job": '"job_id":"%s"',
    "wait_for_extract_job": '"job_id":"%s","timeout_seconds":0',
    "read_extract_result": f'"job_id":"{JOB_ID}","path":"%s"',
    "read_source_text": f'"job_id":"{JOB_ID}","text":"%s"',
    "show_citation": f'"job_id":"{JOB_ID}","path":"%s"',
    "find_in_extract_result": f'"job_id":"{JOB_ID}","text":"%s"',
    "query_extract_result": f'"job_id":"{JOB_ID}","sql":"SELECT \'%s\'"',
    "review_extract_job": f'"job_id":"{JOB_ID}","project_id":"%s"',
    "list_extract_jobs": '"document":"%s"',
}
READINGS: list[tuple[str, dict[str, Any]]] = [
    ("get_extract_job", {"job_id": "ext-1", "expand": ["extract_metadata", "metadata"]}),
    ("wait_for_extract_job", {"job_ids": ["ext-1"]}),
    ("read_extract_result", {"job_id": "ext-1", "path": "rows"}),
    ("read_source_text", {"job_id": "ext-1"}),
    ("show_citation", {"job_id": "ext-1", "path": "rows"}),
    ("find_in_extract_result", {"job_id": "ext-1", "text": "x"}),
    ("query_extract_result", {"job_id": "ext-1", "sql": "SELECT * FROM rows, fields"}),
    ("review_extract_job", {"job_id": "ext-1"}),
    ("list_extract_jobs", {}),
]
SECTIONS = ("", "/result", "/metadata", "/configuration", "/tables/rows")
LINES: dict[str, tuple[bytes, list[Any]]] = {
    "an id that is null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', [None]),
    "an id that is a float": (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', [None]),
    "an id that is an object": (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', [None]),
    "no JSON": (b"hello", [None]),
    "a byte order mark": (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', [1]),
    "bytes that are not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\xff"}}', [1]),
    "a batch": (b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]', [1, 2]),
    "a carriage return": (b'{"jsonrpc":"2.0",\r"id":1,"method":"ping"}\r', [1]),
    "an empty line": (b"", []),
    "an unknown method": (b'{"jsonrpc":"2.0","id":1,"method":"nope"}', [1]),
    "a method that is a number": (b'{"jsonrpc":"2.0","id":1,"method":5}', [1]),
    "a notification with bad params": (b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}', []),
    "a notification with a bad id": (
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}',
        [],
    ),
    "an unknown notification": (b'{"jsonrpc":"2.0","method":"notifications/nope"}', []),
    "a response to nothing": (b'{"jsonrpc":"2.0","id":77,"result":{}}', []),
    "a deep list": (b"[" * 100_000, [None]),
    "a huge line": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * 10_000_000 + b'"}}', [1]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    """Return a server that has shaken hands."""
    with running_server("--local") as server:
        server.send(INITIALIZE)
        server.read_until("initialize")
        server.send({"method": "notifications/initialized"})
        yield server


@pytest.mark.parametrize("name", LINES)
def test_line_is_answered_and_the_server_goes_on(name: str, server: RawServer) -> None:
    line, ids = LINES[name]
    server.write(line)
    server.send({"id": "next", "method": "ping"})
    assert sorted((message.get("id") for message in server.read_until("next")), key=str) == sorted(
        [*ids, "next"], key=str
    )


@pytest.mark.parametrize("tool", TOOL_CALLS)
def test_argument_with_a_lone_surrogate_is_answered(tool: str, server: RawServer) -> None:
    arguments = TOOL_CALLS[tool] % r"a\ud800b"
    server.write(
        f'{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{{{arguments}}}}}}}'
    )
    assert [message["id"] for message in server.read_until(7)] == [7]


def test_answers_about_a_job_with_lone_surrogates_are_valid(tmp_path: Path) -> None:
    half = r"\ud83d"
    values = f'{{"a":"x{half}","b{half}":"y","rows":[{{"n{half}":1,"t":"{half}"}},{{"n{half}":2,"t":"v"}}]}}'
    metadata = f'{{"field_metadata":{{"document_metadata":{{"a":{{"citation":[{{"matching_text":"{half}"}}]}}}}}}}}'
    (tmp_path / "job.json").write_text(
        f'{{"id":"ext-1","status":"COMPLETED","error_message":"{half}","document_input_value":"{half}",'
        f'"extract_result":{values},"extract_metadata":{metadata},"metadata":{{"{half}":"{half}"}}}}'
    )
    store = tmp_path / "jobs.db"
    subprocess.run([*LLX, "local", "import", str(tmp_path / "job.json"), "--local-db", str(store)], check=True)
    with running_server("--local", "--local-db", str(store)) as server:
        server.send(INITIALIZE)
        server.read_until("initialize")
        requests = [("tools/call", {"name": tool, "arguments": arguments}) for tool, arguments in READINGS]
        requests += [("resources/read", {"uri": f"llx://jobs/ext-1{section}"}) for section in SECTIONS]
        for index, (method, params) in enumerate(requests):
            server.send({"id": index, "method": method, "params": params})
            answer = server.read_until(index)[-1]
            assert not answer["result"].get("isError"), params
            json.dumps(answer, ensure_ascii=False).encode()


def call_wait(request_id: int) -> dict[str, Any]:
    """Return a call that waits for the stuck job, and reports progress."""
    arguments = {"job_id": "ext-stuck", "timeout_seconds": 600}
    params = {"name": "wait_for_extract_job", "arguments": arguments, "_meta": {"progressToken": request_id}}
    return {"id": request_id, "method": "tools/call", "params": params}


def test_open_calls_are_answered_when_the_client_closes_its_end(tmp_path: Path) -> None:
    with running_server("--local", "--local-db", str(import_stuck_job(tmp_path))) as server:
        server.send(INITIALIZE)
        server.read_until("initialize")
        # Two calls with one id, and one that is cancelled: it gets no answer, and nothing waits for it.
        for request_id in (1, 1, 2):
            server.send(call_wait(request_id))
        while server.read()["params"]["progressToken"] != 2:
            pass
        server.send({"method": "notifications/cancelled", "params": {"requestId": 2}})
        server.send({"id": 3, "method": "ping"})
        answers = [message for message in server.close() if "id" in message]
    assert sorted(answer["id"] for answer in answers) == [1, 1, 3]
    for answer in answers:
        if answer["id"] == 1:
            steps = next_steps(answer["result"]["structuredContent"])
            assert 'wait_for_extract_job(job_id="ext-stuck")' in steps


def test_requests_sent_just_before_the_end_are_answered() -> None:
    with running_server("--local") as server:
        server.send(INITIALIZE)
        server.send({"id": 1, "method": "tools/call", "params": {"name": "list_extract_jobs", "arguments": {}}})
        # The last line has no line break.
        server.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
        answers = server.close()
    assert sorted(str(answer["id"]) for answer in answers) == ["1", "2", "initialize"]
    assert all("result" in answer for answer in answers)


def test_client_that_says_nothing_ends_the_server() -> None:
    with running_server("--local") as server:
        assert server.close() == []


def test_call_before_the_handshake_is_an_error_and_a_second_handshake_is_answered() -> None:
    with running_server("--local") as server:
        server.send({"id": 1, "method": "tools/call", "params": {"name": "list_extract_jobs", "arguments": {}}})
        assert server.read()["error"]["code"] == -32602
        for _ in range(2):
            server.send(INITIALIZE)
            assert server.read()["result"]["serverInfo"]["name"] == "llx-mcp"
        server.send({"id": 2, "method": "tools/call", "params": {"name": "list_extract_jobs", "arguments": {}}})
        assert not server.read_until(2)[-1]["result"].get("isError")


def test_client_that_reads_no_more_ends_the_server() -> None:
    with running_server("--local") as server:
        server.send(INITIALIZE)
        server.read_until("initialize")
        server.stdout.close()
        server.send({"id": 1, "method": "ping"})
        # Standard input stays open, so only the broken pipe ends it.
        try:
            assert server.process.wait(timeout=60) == 1
        except subprocess.TimeoutExpired:
            pytest.fail("the server goes on for no one")
        assert server.process.stderr
        assert b"the client reads no more" in server.process.stderr.read()
