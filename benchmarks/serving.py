"""Serving over HTTP: a call against an echo, and what a thousand tenants cost. Run `python -m benchmarks.serving`.

Servers are processes of this machine, over the embedded API. The client shares the processors with them.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from benchmarks.http_load import Caller, Times, build_call, call_for, call_times, join_times
from tests.server.serving import find_port, serving_http
from tests.serving.replicas import build_message, read_answer

JOB = "ext-sample0invoice00000000000000"
KEY = "llx-QzX93kfP0aLmT7vRb2NcYw8eHs5dUiGj"
CONNECTIONS = 16
SECONDS = 4.0
NUM_TENANTS = 1_000
CALLS = 10
WARM_TENANTS = 100


def run() -> None:
    """Print every measurement beside its target."""
    print("| work | measured | target |\n|---|---|---|")
    for replicas in (1, 2):
        _print_calls(replicas)
    _print_tenants()


def _row(work: str, measured: str, target: str) -> None:
    print(f"| {work} | {measured} | {target} |", flush=True)


def _print_calls(replicas: int) -> None:
    with _serving(replicas, "--metrics-port", "0") as ports:
        characters = _measure_answer(ports[0])
        arguments = {"job_id": JOB}
        ours = _load([build_call(port, "get_extract_job", arguments, KEY) for port in ports])
    with _echoing(replicas) as ports:
        echo = _load([build_call(port, "echo", {"text": "hello"}, KEY) for port in ports])
        long = _load([build_call(port, "echo", {"text": "x" * characters}, KEY) for port in ports])
    for name, base in (("an echo", echo), (f"an echo of {characters:,} characters, as in its answer", long)):
        _row(
            f"`get_extract_job`, cached, against {name}; {replicas} replicas, {CONNECTIONS} connections",
            f"{ours.calls_a_second:.0f} and {base.calls_a_second:.0f} calls/s: "
            f"{ours.calls_a_second / base.calls_a_second:.2f}; 95 % within {ours.p95_ms:.0f} and {base.p95_ms:.0f} ms: "
            f"{ours.p95_ms / base.p95_ms:.2f}",
            "at least 0.7; at most 1.5",
        )


def _load(callers: Sequence[Caller]) -> Times:
    """Call with all connections, spread over the callers; the first second does not count."""
    spread = [callers[number % len(callers)] for number in range(CONNECTIONS)]
    asyncio.run(call_for(spread, 1.0))
    return join_times(asyncio.run(call_for(spread, SECONDS)))


def _print_tenants() -> None:
    metrics_port = find_port()
    with _serving(1, "--metrics-port", str(metrics_port)) as (port,):
        asyncio.run(_use_tenants(port, range(WARM_TENANTS)))
        before = _read_metrics(metrics_port)
        asyncio.run(_use_tenants(port, range(WARM_TENANTS, WARM_TENANTS + NUM_TENANTS)))
        after = _read_metrics(metrics_port)
        num_tenants = after["llx_mcp_tenants"] - before["llx_mcp_tenants"]
        total = after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]
        cached = after["llx_mcp_cache_bytes"] - before["llx_mcp_cache_bytes"]
        _row(
            f"memory of a tenant, beside its cached job; {num_tenants:.0f} tenants with {CALLS} calls each",
            f"{(total - cached) / num_tenants / 1_024:.0f} KiB (process: "
            f"{after['process_resident_memory_bytes'] / (1 << 20):.0f} MiB)",
            "at most 100 KiB",
        )
        _print_fairness(port)


def _print_fairness(port: int) -> None:
    """One tenant has 18 of 20 connections; the time of another is compared with an even load, and with none."""
    other, heavy = (
        build_call(port, "get_extract_job", {"job_id": JOB}, f"{KEY}-{name}") for name in ("other", "heavy")
    )
    even = [build_call(port, "get_extract_job", {"job_id": JOB}, f"{KEY}-{number}") for number in range(9)] * 2
    alone = join_times(asyncio.run(call_for([other] * 2, SECONDS)))
    spread = join_times(asyncio.run(call_for([other] * 2 + even, SECONDS))[:2])
    pressed = join_times(asyncio.run(call_for([other] * 2 + [heavy] * 18, SECONDS))[:2])
    _row(
        "time of a call of a tenant with 10 % of the load, where one other has 90 %, against nine others that share it",
        f"{pressed.mean_ms:.1f} and {spread.mean_ms:.1f} ms: {pressed.mean_ms / spread.mean_ms:.2f} "
        f"(without other load: {alone.mean_ms:.1f} ms)",
        "at most 2",
    )


async def _use_tenants(port: int, numbers: range) -> None:
    for number in numbers:
        caller = build_call(port, "get_extract_job", {"job_id": JOB}, f"{KEY}-of-tenant-{number:05}")
        await call_times(caller, CALLS)


def _read_metrics(port: int) -> dict[str, float]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


def _measure_answer(port: int) -> int:
    content, headers = build_message("tools/call", {"name": "get_extract_job", "arguments": {"job_id": JOB}})
    headers["authorization"] = f"Bearer {KEY}"
    answer = read_answer(httpx.post(f"http://127.0.0.1:{port}/mcp", content=content, headers=headers, timeout=30))
    return len(json.dumps(answer.message["result"]["content"][0]["text"]))


@contextlib.contextmanager
def _serving(replicas: int, *flags: str) -> Iterator[list[int]]:
    environment = {"LLX_MCP_HTTP_MAX_TENANTS": "5000"}
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(serving_http("--local", "--auth", "pass-through", *flags, environment=environment))
            for _ in range(replicas)
        ]
        yield [int(one.url.split(":")[2].split("/")[0]) for one in served]


@contextlib.contextmanager
def _echoing(replicas: int) -> Iterator[list[int]]:
    ports = [find_port() for _ in range(replicas)]
    commands = [[sys.executable, "-m", "benchmarks.echo_server", str(port)] for port in ports]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[1]) for command in commands]
    try:
        for port in ports:
            _await_port(port)
        yield ports
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _await_port(port: int) -> None:
    async def connect() -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(connect(), 60))


if __name__ == "__main__":
    run()
