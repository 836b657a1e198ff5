"""Serving over HTTP: a call against an echo, and what a thousand tenants cost. Run `python -m benchmarks.serving`.

Servers are processes of this machine, over the embedded API. The client shares the processors with them.
"""

import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.http_load import Times, build_call, call_for, call_times, join_times
from tests.server.serving import find_port, serving_http
from tests.serving.replicas import build_message, read_answer

JOB = "ext-sample0invoice00000000000000"
KEY = "llx-QzX93kfP0aLmT7vRb2NcYw8eHs5dUiGj"
CONNECTIONS = 16
ROUNDS = 3
ROUND_SECONDS = 2.0
SECONDS = 4.0
NUM_TENANTS = 1_000
CALLS = 10
WARM_TENANTS = 100
_NAMES = {
    "ours": "`get_extract_job` on a cached job",
    "built": "`find_in_extract_result` on a cached job",
    "echo": "an echo",
    "long": "an echo as long as the answer of `get_extract_job`",
}


@dataclass(frozen=True)
class Server:
    """A server process, and where it listens."""

    pid: int
    port: int


@dataclass
class Load:
    """What a kind of call took, in several rounds.

    Attributes:
        times: of all calls.
        cpu_seconds: processor time of the servers.
    """

    times: list[Times] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def num_calls(self) -> int:
        return sum(len(one.seconds) for one in self.times)

    @property
    def calls_a_second(self) -> float:
        return self.num_calls / sum(one.duration for one in self.times)

    @property
    def p95_ms(self) -> float:
        return statistics.quantiles([each for one in self.times for each in one.seconds], n=20)[-1] * 1_000

    @property
    def cpu_ms(self) -> float:
        """Processor time of a call. Unlike the others, it does not depend on what else the machine does."""
        return self.cpu_seconds / self.num_calls * 1_000


def run() -> None:
    """Print every measurement beside its target."""
    print("| work | measured | target |\n|---|---|---|")
    for replicas in (1, 2):
        _print_calls(replicas)
    _print_tenants()


def _row(work: str, measured: str, target: str) -> None:
    print(f"| {work} | {measured} | {target} |", flush=True)


def _print_calls(replicas: int) -> None:
    with _serving(replicas) as served, _echoing(replicas) as echoing:
        characters = _measure_answer(served[0].port)
        kinds = {
            "ours": (served, "get_extract_job", {"job_id": JOB}),
            # Its answer is built at each call, because it checks citations against the text of the document.
            "built": (served, "find_in_extract_result", {"job_id": JOB, "text": "total amount"}),
            "echo": (echoing, "echo", {"text": "hello"}),
            "long": (echoing, "echo", {"text": "x" * characters}),
        }
        loads = {name: Load() for name in kinds}
        # In turn, so that all meet the same conditions. The first round does not count.
        for number in range(ROUNDS + 1):
            for name, (servers, tool, arguments) in kinds.items():
                _load(servers, tool, arguments, loads[name] if number else Load())
    for name, base, target in (
        ("ours", "echo", "at least 0.7; at most 1.5"),
        ("ours", "long", "no target"),
        ("built", "long", "no target"),
    ):
        _print_comparison(
            _NAMES[name],
            loads[name],
            f"{_NAMES[base]}; replicas: {replicas}, connections: {CONNECTIONS}",
            loads[base],
            target,
        )


def _print_comparison(name: str, load: Load, base_name: str, base: Load, target: str) -> None:
    _row(
        f"{name}, against {base_name}",
        f"{load.calls_a_second:.0f} and {base.calls_a_second:.0f} calls/s: "
        f"{load.calls_a_second / base.calls_a_second:.2f}; 95 % within {load.p95_ms:.0f} and {base.p95_ms:.0f} ms: "
        f"{load.p95_ms / base.p95_ms:.2f}; processor {load.cpu_ms:.2f} and {base.cpu_ms:.2f} ms a call",
        target,
    )


def _load(servers: Sequence[Server], tool: str, arguments: dict[str, Any], load: Load) -> None:
    """Call with all connections, spread over the servers."""
    callers = [build_call(server.port, tool, arguments, KEY) for server in servers]
    spread = [callers[number % len(callers)] for number in range(CONNECTIONS)]
    before = sum(_read_cpu_seconds(server.pid) for server in servers)
    load.times.append(join_times(asyncio.run(call_for(spread, ROUND_SECONDS))))
    load.cpu_seconds += sum(_read_cpu_seconds(server.pid) for server in servers) - before


def _read_cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, as Linux counts it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print_tenants() -> None:
    metrics_port = find_port()
    with _serving(1, "--metrics-port", str(metrics_port)) as (server,):
        port = server.port
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
    return len(answer.message["result"]["content"][0]["text"])


@contextlib.contextmanager
def _serving(replicas: int, *flags: str) -> Iterator[list[Server]]:
    environment = {"LLX_MCP_HTTP_MAX_TENANTS": "5000"}
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(serving_http("--local", "--auth", "pass-through", *flags, environment=environment))
            for _ in range(replicas)
        ]
        yield [Server(one.process.pid, urlsplit(one.url).port or 0) for one in served]


@contextlib.contextmanager
def _echoing(replicas: int) -> Iterator[list[Server]]:
    ports = [find_port() for _ in range(replicas)]
    commands = [[sys.executable, "-m", "benchmarks.echo_server", str(port)] for port in ports]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[1]) for command in commands]
    try:
        for port in ports:
            _await_port(port)
        yield [Server(process.pid, port) for process, port in zip(processes, ports, strict=True)]
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
