"""Real replicas over a real Redis: one is killed, and no wait of another is lost or late."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
import uvicorn

from llx_mcp.jobs.clock import SystemClock
from tests.jobs.service import KEY, Service
from tests.server.serving import Served, serving_http
from tests.serving.redis_server import NEEDS_REDIS, RedisServer, running_redis
from tests.serving.replicas import build_message, read_answer
from tests.waiting import until

pytestmark = [
    NEEDS_REDIS,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix"),
]
NUM_WAITS = 200
LEASE_SECONDS = 3.0
POLL_SECONDS = 1.0
# For the answers themselves, on a machine that does other work.
SLACK_SECONDS = 15.0


@contextmanager
def serving_jobs(service: Service) -> Iterator[str]:
    """Serve jobs over HTTP in a thread; yield the address."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listener:
        server = uvicorn.Server(uvicorn.Config(service, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def replicas(service_url: str, redis: RedisServer, number: int, folder: Path) -> Iterator[list[Served]]:
    """Run replicas in processes of their own."""
    environment = {
        "LLX_MCP_AUTH": "pass-through",
        "LLAMA_CLOUD_BASE_URL": service_url,
        "LLX_MCP_REDIS_URL": redis.url,
        "LLX_MCP_REDIS_LEASE_SECONDS": str(LEASE_SECONDS),
        "LLX_MCP_POLL_MAX_SECONDS": str(POLL_SECONDS),
        "LLX_MCP_HTTP_MAX_CALLS": "500",
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving_http(log=folder / f"log-{index}", environment=environment))
            for index in range(number)
        ]


class Waits:
    """Calls of `wait_for_extract_job`, and when each was answered."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[float, Any]] = {}
        self.num_lost = 0

    async def wait_for_each(self, url: str, ids: list[str]) -> None:
        """Wait for jobs, each with a call and a connection of its own."""
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(timeout=180, limits=limits, trust_env=False) as http,
            anyio.create_task_group() as group,
        ):
            for job_id in ids:
                group.start_soon(self._wait, http, url, job_id)

    async def _wait(self, http: httpx.AsyncClient, url: str, job_id: str) -> None:
        parameters = {"name": "wait_for_extract_job", "arguments": {"job_id": job_id, "timeout_seconds": 120}}
        content, headers = build_message("tools/call", parameters)
        headers["authorization"] = f"Bearer {KEY}"
        try:
            response = await http.post(url, content=content, headers=headers)
        except httpx.TransportError:
            self.num_lost += 1
            return
        answer = read_answer(response)
        assert response.status_code == 200, response.text
        self.answers[job_id] = (anyio.current_time(), answer.content)


async def test_killed_replica_delays_no_wait_beyond_lease_and_poll(tmp_path: Path) -> None:
    service = Service(SystemClock())
    lost, kept = Waits(), Waits()
    # Long enough for all calls to begin, and for the replica to be killed before the end.
    seconds = 18.0
    with (
        running_redis(tmp_path) as redis,
        serving_jobs(service) as service_url,
        replicas(service_url, redis, 2, tmp_path) as (holder, follower),
    ):
        began = anyio.current_time()
        ids = [service.add(f"ext-{number}", seconds) for number in range(NUM_WAITS)]
        async with anyio.create_task_group() as group:
            group.start_soon(lost.wait_for_each, holder.url, ids)
            await until(lambda: all(service.poll_times(job_id) for job_id in ids))
            group.start_soon(kept.wait_for_each, follower.url, ids)
            await anyio.sleep(4)
            os.kill(holder.process.pid, signal.SIGKILL)
            killed = anyio.current_time()
            num_before = len(service.seen)
    service.close()
    assert killed < began + seconds
    assert lost.num_lost == NUM_WAITS
    assert set(kept.answers) == set(ids)
    latest = max(began + seconds, killed + LEASE_SECONDS) + POLL_SECONDS + SLACK_SECONDS
    for job_id, (at, content) in kept.answers.items():
        assert (content["job_id"], content["status"]) == (job_id, "COMPLETED")
        assert at <= latest
        assert len(service.fetch_times(job_id)) == 1
    # The other replica polls from the end of the lease on.
    polls = [seen.at for seen in service.seen[num_before:] if not seen.expand]
    assert polls[0] <= killed + LEASE_SECONDS + POLL_SECONDS + SLACK_SECONDS
