"""Two servers are restarted one after the other under load, and no call fails.

A client sends a call to one server. If that server refuses it (503) or takes no connection, the client sends it to the
other; that is what a load balancer does. Anything else than an answer without an error is a failure.
"""

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from tests.server.serving import Served, find_port, import_stuck_job, serving_http
from tests.serving.replicas import LEGACY, MODERN, build_message, read_answer

SAMPLE = "ext-sample0invoice00000000000000"
NUM_CLIENTS = 8
CALLS: list[dict[str, Any]] = [
    {"name": "get_extract_job", "arguments": {"job_id": SAMPLE}},
    {"name": "wait_for_extract_job", "arguments": {"job_id": "ext-stuck", "timeout_seconds": 1}},
    {"name": "wait_for_extract_job", "arguments": {"job_id": "ext-stuck", "timeout_seconds": 300}},
    {"name": "list_extract_jobs", "arguments": {}},
]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")


class Balancer:
    """Sends calls to one of two servers, and counts what happened."""

    def __init__(self, http: httpx.AsyncClient, urls: list[str]) -> None:
        self.http = http
        self.urls = urls
        self.outcomes: Counter[str] = Counter()
        self.is_over = False

    async def run(self, number: int) -> None:
        """Send calls until it is over."""
        turn = number
        while not self.is_over:
            turn += 1
            await self.call(CALLS[turn % len(CALLS)], turn, (LEGACY, MODERN)[turn % 2])

    async def call(self, parameters: dict[str, Any], turn: int, version: str) -> None:
        """Send one call, at most to both servers some times."""
        content, headers = build_message("tools/call", parameters, version)
        for attempt in range(40):
            url = self.urls[(turn + attempt) % 2]
            try:
                response = await self.http.post(url, content=content, headers=headers)
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError) as exc:
                # Nothing of an answer had arrived.
                self.outcomes[type(exc).__name__] += 1
                continue
            if response.status_code == 503:
                assert response.headers["retry-after"]
                self.outcomes["refused"] += 1
                continue
            answer = read_answer(response)
            assert response.status_code == 200, response.text
            assert not answer.message["result"]["isError"], response.text
            self.outcomes["answered"] += 1
            return
        pytest.fail("no server took the call")


@contextmanager
def restartable(store: Path, port: int, log: Path) -> Iterator[Served]:
    with serving_http("--local", "--local-db", str(store), log=log, port=port) as server:
        yield server


async def test_rolling_restart_fails_no_call(tmp_path: Path) -> None:
    store = import_stuck_job(tmp_path, with_samples=True)
    ports = [find_port(), find_port()]
    with ExitStack() as stack:

        def start(index: int) -> Served:
            return stack.enter_context(restartable(store, ports[index], tmp_path / f"log-{index}"))

        servers = [start(0), start(1)]
        async with httpx.AsyncClient(timeout=60) as http, anyio.create_task_group() as group:
            balancer = Balancer(http, [server.url for server in servers])
            for number in range(NUM_CLIENTS):
                group.start_soon(balancer.run, number)
            for index in (0, 1):
                await anyio.sleep(2)
                servers[index].process.send_signal(signal.SIGTERM)
                await anyio.to_thread.run_sync(servers[index].process.wait, 40)
                servers[index] = await anyio.to_thread.run_sync(start, index)
            await anyio.sleep(1)
            balancer.is_over = True
            # The waits of 300 s end with their servers.
            for server in servers:
                server.process.send_signal(signal.SIGTERM)
    assert balancer.outcomes["answered"] > 50, balancer.outcomes
