"""Waits over several replicas that work as one through Redis, against one process alone.

Each replica is a process with a reader; the service is one process more. Every job is waited for on every replica.
"""

import multiprocessing
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from pydantic import SecretStr

from benchmarks.waiting import CountingSource, until_up
from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from llx_mcp.jobs.source import JobSource
from llx_mcp.llamacloud import open_client
from llx_mcp.serving.replicas import Replicas, build_replicas, run_replicas
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import Settings, read_settings
from tests.jobs.service import KEY, Service
from tests.serving.redis_server import RedisServer, running_redis

NUM_WAITS = int(os.environ.get("LLX_MCP_BENCH_WAITS", "10000"))
NUM_JOBS = NUM_WAITS // 10
NUM_REPLICAS = 3
# All jobs begin at one time. The waits begin when the schedule has the first polls of a young job behind it, so that
# every job is polled at the same ages, however long the processes take to start.
WAIT_AFTER_SECONDS = 6.0
KILL_AFTER_SECONDS = 27.5
# Jobs end within this time.
JOB_SECONDS = (15.0, 60.0)
LEASE_SECONDS = 10.0
# The longest interval of the schedule at these ages, with its jitter.
INTERVAL_SECONDS = 6.5 * 1.1
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Outcome:
    """What one replica did.

    Attributes:
        num_lists: list requests.
        num_gets: requests for one job.
        num_fetches: those of them that fetched a finished job with its sections.
        num_jobs: jobs that it waited for.
        num_waits: waits that ended with a finished job.
        latest_seconds: time from the end of a job to the end of a wait for it, at most.
        cpu_seconds: time of the processor.
        num_degraded: how often it worked alone, because Redis did not answer in time.
    """

    num_lists: int
    num_gets: int
    num_fetches: int
    num_jobs: int
    num_waits: int
    latest_seconds: float
    cpu_seconds: float
    num_degraded: int


def run() -> None:
    """Print every measurement beside its target."""
    if shutil.which("redis-server") is None:
        sys.stdout.write("redis-server is not on the PATH; nothing is measured.\n")
        return
    print("| work | measured | target |\n|---|---|---|")
    work = f"{NUM_WAITS:,} waits, {NUM_JOBS:,} jobs"
    alone, _ = measure(1, redis=False)
    together, redis_share = measure(NUM_REPLICAS, redis=True)
    lists = sum(outcome.num_lists for outcome in together)
    words = (
        f"{lists} over {NUM_REPLICAS} replicas, {alone[0].num_lists} by one process: {lists / alone[0].num_lists:.2f}"
    )
    _row(f"{work}: list requests", words, "at most 1.05 times")
    gets = [outcome.num_gets / outcome.num_jobs for outcome in together]
    _row(f"{work}: GETs a replica for each job", ", ".join(f"{share:.2f}" for share in gets), "1")
    _row(f"{work}: Redis", f"{redis_share:.1%} of a core", "2 %")
    words = f"{_describe_latest(together)}; by one process {_describe_latest(alone)}"
    _row(f"{work}: latest news", words, "as one process")
    apart, _ = measure(NUM_REPLICAS, redis=True, is_apart=True)
    lists = sum(outcome.num_lists for outcome in apart)
    words = f"{lists} over {NUM_REPLICAS} replicas: {lists / alone[0].num_lists:.2f}"
    _row(f"{work}, each job on one replica alone: list requests", words, "at most 1.05 times")
    left, _ = measure(NUM_REPLICAS, redis=True, kills=True)
    num_waits = sum(outcome.num_waits for outcome in left)
    expected = sum(len(_list_jobs(index, NUM_REPLICAS)) for index in range(1, NUM_REPLICAS))
    words = f"{num_waits:,} of {expected:,} waits of the others ended; latest news {_describe_latest(left)}"
    _row(f"{work}, one replica killed", words, f"all; at most {LEASE_SECONDS + INTERVAL_SECONDS:.1f} s")


def _describe_latest(outcomes: list[Outcome]) -> str:
    return f"{max(outcome.latest_seconds for outcome in outcomes):.1f} s after the end"


def _row(work: str, measured: str, target: str) -> None:
    print(f"| {work} | {measured} | {target} |", flush=True)


def measure(number: int, *, redis: bool, kills: bool = False, is_apart: bool = False) -> tuple[list[Outcome], float]:
    """Run all waits over a number of replicas; return the outcomes, and the share of a core that Redis used.

    With `kills`, the first replica, which polls, is killed half-way, and has no outcome. With `is_apart`, all waits for
    a job are on the same replica.
    """
    with ExitStack() as stack:
        address, begins_at = stack.enter_context(_serving())
        server = stack.enter_context(_running_redis()) if redis else None
        barrier = _FORK.Barrier(number + 1)
        replicas = []
        for index in range(number):
            ours, theirs = _FORK.Pipe(duplex=False)
            jobs = _list_jobs(index, number, is_apart=is_apart)
            arguments = (index, jobs, address, server.url if server else None, begins_at, barrier, theirs)
            process = _FORK.Process(target=_run_replica, args=arguments, daemon=True)
            process.start()
            theirs.close()
            replicas.append((process, ours))
        barrier.wait(60)
        started, cpu = time.perf_counter(), _redis_seconds(server)
        if kills:
            time.sleep(max(begins_at + KILL_AFTER_SECONDS - time.time(), 0.0))
            os.kill(replicas[0][0].pid or 0, signal.SIGKILL)
        outcomes = [ours.recv() for _, ours in replicas[1 if kills else 0 :]]
        share = (_redis_seconds(server) - cpu) / (time.perf_counter() - started)
        for process, _ in replicas:
            process.join()
    return outcomes, share


@contextmanager
def _running_redis() -> Any:
    with tempfile.TemporaryDirectory() as folder, running_redis(Path(folder)) as server:
        yield server


def _redis_seconds(server: RedisServer | None) -> float:
    if server is None or server.process is None:
        return 0.0
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serving() -> Any:
    """Serve the jobs in a process; yield the address, and when the jobs begin by the clock of the system."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listener:
        begins_at = time.time()
        stub = _FORK.Process(target=_serve_jobs, args=(listener, begins_at), daemon=True)
        stub.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", begins_at
        finally:
            stub.terminate()
            stub.join()


def _list_seconds() -> list[float]:
    generator = random.Random(7)
    return [generator.uniform(*JOB_SECONDS) for _ in range(NUM_JOBS)]


def _serve_jobs(listener: socket.socket, begins_at: float) -> None:
    service = Service(SystemClock())
    for number, seconds in enumerate(_list_seconds()):
        service.add(f"ext-{number}", seconds, age=time.time() - begins_at)
    uvicorn.Server(uvicorn.Config(service, log_level="warning", lifespan="off")).run(sockets=[listener])


def _run_replica(
    index: int, jobs: list[int], address: str, redis: str | None, begins_at: float, barrier: Barrier, sent: Connection
) -> None:
    sent.send(anyio.run(_wait_for_all, index, jobs, address, redis, begins_at, barrier))


def _list_jobs(index: int, number: int, *, is_apart: bool = False) -> list[int]:
    """Return the job of each wait of a replica: every job is waited for on each, or on one alone."""
    waits = [divmod(wait, NUM_JOBS) for wait in range(NUM_WAITS)]
    return [job for turn, job in waits if (job if is_apart else turn + job) % number == index]


async def _wait_for_all(
    index: int, jobs: list[int], address: str, redis: str | None, begins_at: float, barrier: Barrier
) -> Outcome:
    ends = [begins_at + seconds for seconds in _list_seconds()]
    sources: list[CountingSource] = []
    settings = Settings.model_construct(api_key=SecretStr(KEY), base_url_override=address)

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        async with open_client(settings) as client:
            sources.append(CountingSource(client))
            yield sources[0]

    given = {"redis_url": SecretStr(redis), "redis_lease_seconds": LEASE_SECONDS} if redis else {}
    clock = SystemClock()
    replicas = build_replicas(read_settings(HttpSettings, **given), clock)
    late: list[float] = []
    num_waits = 0
    async with AsyncExitStack() as stack, anyio.create_task_group() as group, run_replicas(replicas):
        shared = SharedResources(JobCache(clock), SharedWorkers(group, stack), coordination=replicas)
        # With a known limit, list requests are not spaced out as for a free key.
        options = ReaderOptions(requests_per_minute=10_000)
        async with open_reader(open_source, clock, options, shared) as reader:
            await until_up(address)
            await reader.fetcher.open()
            await anyio.to_thread.run_sync(barrier.wait, 60)
            # The first replica polls; it is the one that is killed.
            await anyio.sleep(begins_at + WAIT_AFTER_SECONDS + (0.5 if index else 0.0) - time.time())

            async def wait(job: int) -> None:
                nonlocal num_waits
                began = time.time()
                progress = await reader.wait_many([f"ext-{job}"], timeout_seconds=600)
                late.append(time.time() - max(began, ends[job]))
                num_waits += progress.num_ended

            cpu = time.process_time()
            async with anyio.create_task_group() as waits:
                for job in jobs:
                    waits.start_soon(wait, job)
            cpu = time.process_time() - cpu
    counted = sources[0]
    num_jobs = len(set(jobs))
    num_degraded = replicas.counts["degraded"] if isinstance(replicas, Replicas) else 0
    return Outcome(
        counted.num_lists,
        counted.num_gets,
        len(counted.fetched_at),
        num_jobs,
        num_waits,
        max(late),
        cpu,
        num_degraded,
    )


if __name__ == "__main__":
    run()
