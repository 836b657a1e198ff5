"""A server that receives a signal answers every wait, and then ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client

from tests.clients import call, structured
from tests.server.serving import LLX, import_stuck_job, serving_http
from tests.structured import next_steps

NUM_WAITS = 100
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")


@SIGNALS
def test_server_over_stdio_answers_a_hundred_waits_before_it_ends(number: int, tmp_path: Path) -> None:
    store = import_stuck_job(tmp_path)
    command = [*LLX, "serve", "--local", "--local-db", str(store)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdin
        assert server.stdout
        information = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        _send(server.stdin, {"id": 0, "method": "initialize", "params": information})
        assert json.loads(server.stdout.readline())["id"] == 0
        _send(server.stdin, {"method": "notifications/initialized"})
        for wait in range(1, NUM_WAITS + 1):
            arguments = {"job_id": "ext-stuck", "timeout_seconds": 600}
            call = {"name": "wait_for_extract_job", "arguments": arguments, "_meta": {"progressToken": wait}}
            _send(server.stdin, {"id": wait, "method": "tools/call", "params": call})
        reported: set[int] = set()
        while len(reported) < NUM_WAITS:
            message = json.loads(server.stdout.readline())
            assert message["method"] == "notifications/progress", message
            reported.add(message["params"]["progressToken"])
        server.send_signal(number)
        # Its standard input stays open, so only the signal ends it.
        answers = [message for line in server.stdout if "id" in (message := json.loads(line))]
        assert server.wait(timeout=10) == 128 + number
        assert server.stderr
        assert "jobs are left as they are" in server.stderr.read()
    assert sorted(answer["id"] for answer in answers) == list(range(1, NUM_WAITS + 1))
    for answer in answers:
        _assert_still_running(answer["result"]["structuredContent"])


def _send(pipe: Any, message: dict[str, Any]) -> None:
    pipe.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    pipe.flush()


def _assert_still_running(answer: Any) -> None:
    assert answer["status"] in ("PENDING", "RUNNING")
    assert 'wait_for_extract_job(job_id="ext-stuck")' in next_steps(answer)


@SIGNALS
async def test_server_over_http_answers_a_hundred_waits_before_it_ends(number: int, tmp_path: Path) -> None:
    store = import_stuck_job(tmp_path)
    answers: list[dict[str, Any]] = []
    reported: set[int] = set()
    with serving_http("--local", "--local-db", str(store)) as server:
        async with Client(server.url) as client:
            # The client checks answers against the schemas, which a stopped server no longer sends.
            await client.list_tools()

            async def wait(index: int) -> None:
                async def report(progress: float, total: float | None, message: str | None) -> None:
                    reported.add(index)
                    if len(reported) == NUM_WAITS:
                        server.process.send_signal(number)

                arguments: dict[str, Any] = {"job_id": "ext-stuck", "timeout_seconds": 600}
                answers.append(structured(await call(client, "wait_for_extract_job", progress=report, **arguments)))

            with anyio.fail_after(60):
                async with anyio.create_task_group() as group:
                    for index in range(NUM_WAITS):
                        group.start_soon(wait, index)
        await anyio.to_thread.run_sync(server.process.wait, 20)
    assert len(answers) == NUM_WAITS
    for answer in answers:
        _assert_still_running(answer)
