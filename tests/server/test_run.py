"""A server that is told to end answers whoever waits, and then ends."""

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

from tests.server.serving import LLX, import_stuck_job, serving_http
from tests.structured import next_steps

NUM_WAITS = 100
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")


@SIGNALS
def test_a_hundred_waits_over_stdio_are_answered_before_the_server_ends(number: int, tmp_path: Path) -> None:
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
        told: set[int] = set()
        while len(told) < NUM_WAITS:
            message = json.loads(server.stdout.readline())
            assert message["method"] == "notifications/progress", message
            told.add(message["params"]["progressToken"])
        server.send_signal(number)
        # Its standard input stays open: it ends by itself.
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


def _assert_still_running(view: Any) -> None:
    assert view["status"] in ("PENDING", "RUNNING")
    assert 'wait_for_extract_job(job_id="ext-stuck")' in next_steps(view)


@SIGNALS
async def test_a_hundred_waits_over_http_are_answered_before_the_server_ends(number: int, tmp_path: Path) -> None:
    store = import_stuck_job(tmp_path)
    views: list[Any] = []
    told: set[int] = set()
    with serving_http("--local", "--local-db", str(store)) as server:
        async with Client(server.url) as client:
            # The client holds answers against the schemas, which it could not ask for later.
            await client.list_tools()

            async def wait(index: int) -> None:
                async def note(progress: float, total: float | None, message: str | None) -> None:
                    told.add(index)
                    if len(told) == NUM_WAITS:
                        server.process.send_signal(number)

                arguments = {"job_id": "ext-stuck", "timeout_seconds": 600}
                result = await client.call_tool("wait_for_extract_job", arguments, progress_callback=note)
                views.append(result.structured_content)

            with anyio.fail_after(60):
                async with anyio.create_task_group() as group:
                    for index in range(NUM_WAITS):
                        group.start_soon(wait, index)
        await anyio.to_thread.run_sync(server.process.wait, 20)
    assert len(views) == NUM_WAITS
    for view in views:
        _assert_still_running(view)
