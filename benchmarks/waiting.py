"""Waiting: the requests it makes, what it costs here, and the delay until a caller learns of the end of a job.

The rows on polls, delays and limits run in virtual time, those on load in real time against another process.
"""

import itertools
import multiprocessing
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import uvicorn
from llama_cloud import AsyncLlamaCloud
from pydantic import SecretStr

from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.source import JobSource
from llx_mcp.llamacloud import open_client
from llx_mcp.models import Job, JobPage
from llx_mcp.settings import Settings
from tests.jobs.service import KEY, Lists, Service, reading
from tests.jobs.virtual_time import VirtualClock, run_virtual

ROOT = Path(__file__).parents[1]
HOUR = 3_600.0
NUM_WAITERS = 10_000
NUM_JOBS = 1_000
ROUNDS = 20
# Durations of real extraction jobs, from the quickest to the slowest.
REAL_SECONDS = (94.0, 590.0)
# Durations of small jobs. The quickest that was measured took 22 s.
SHORT_SECONDS = ((20.0, 30.0), (5.0, 20.0))


def run() -> None:
    """Print every measurement beside its target."""
    print("| work | measured | target |\n|---|---|---|")
    run_virtual(_print_polls)
    run_virtual(_print_delays)
    for lists in ("work", "are refused"):
        _print_agents(lists)
    _print_interleavings()
    _print_load()


def _row(work: str, measured: str, target: str) -> None:
    print(f"| {work} | {measured} | {target} |", flush=True)


async def _print_polls() -> None:
    for seconds in (20, 100, 600):
        official = await _count_official_polls(seconds)
        ours = []
        for _ in range(ROUNDS):
            service = Service(VirtualClock())
            service.add("ext-1", seconds)
            async with reading(service) as reader:
                await reader.wait_many(["ext-1"], timeout_seconds=HOUR)
            ours.append(len(service.poll_times("ext-1")))
        mean = statistics.mean(ours)
        words = (
            f"{mean:.1f} ({min(ours)} to {max(ours)}) and one fetch, official {official}: ratio {mean / official:.2f}"
        )
        _row(f"polls of a job of {seconds} s", words, "at most 0.5" if seconds == 600 else "fewer")


async def _count_official_polls(seconds: float) -> int:
    service = Service(VirtualClock())
    service.add("ext-1", seconds)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service)) as http:
        client = AsyncLlamaCloud(api_key=KEY, base_url="http://127.0.0.1", http_client=http)
        job = await client.extract.wait_for_completion("ext-1")
    assert job.status == "COMPLETED"
    service.close()
    return len(service.seen)


async def _print_delays() -> None:
    generator = random.Random(7)
    low, high = REAL_SECONDS
    real = [low * (high / low) ** generator.random() for _ in range(200)]
    shares = [(await _measure_delay(seconds)) / seconds for seconds in real]
    shares.sort()
    p95 = shares[int(len(shares) * 0.95)]
    words = f"median {statistics.median(shares):.2%}, p95 {p95:.2%} of the duration"
    _row(f"delay, jobs of {low:.0f} to {high:.0f} s", words, "median 3 %, p95 6 %")
    for low, high in SHORT_SECONDS:
        short = sorted([await _measure_delay(generator.uniform(low, high)) for _ in range(500)])
        words = f"median {statistics.median(short):.2f} s, p95 {short[475]:.2f} s, most {short[-1]:.2f} s"
        _row(f"delay, jobs of {low:.0f} to {high:.0f} s", words, "3 s")


async def _measure_delay(seconds: float) -> float:
    service = Service(VirtualClock())
    started = service.clock.monotonic()
    service.add("ext-1", seconds)
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=HOUR)
    assert progress.num_ended == 1
    return service.clock.monotonic() - started - seconds


def _print_agents(lists: Lists) -> None:
    async def play() -> None:
        generator = random.Random(7)
        service = Service(VirtualClock(), lists=lists)
        service.limit_per_minute = 20
        refused: list[float] = []
        ids = [service.add(f"ext-{number}", generator.uniform(*REAL_SECONDS)) for number in range(40)]
        num_done = 0

        async def work(reader: JobReader) -> None:
            nonlocal num_done
            num_ended = 0
            while num_ended < len(ids):
                # Like a model, it calls again while a job still runs.
                progress = await reader.wait_many(ids, timeout_seconds=45)
                num_ended = progress.num_ended
            assert all(snapshot.job is not None and snapshot.job.is_success for snapshot in progress.snapshots)
            num_done += 1

        async def note_first_minute() -> None:
            await anyio.sleep(60)
            refused.append(service.num_refused)

        async with reading(service) as reader, anyio.create_task_group() as group:
            group.start_soon(note_first_minute)
            for _ in range(10):
                group.start_soon(work, reader)
        later = service.num_refused - refused[0]
        words = f"{refused[0]} × 429 in the first minute, {later} later; {num_done} of 10 agents saw all jobs end; "
        words += f"{len(service.seen)} requests in {service.clock.monotonic():.0f} s"
        _row(f"40 jobs, 10 agents, 20 a minute; lists {lists}", words, "none after the first minute; all agents")

    run_virtual(play)


def _print_interleavings() -> None:
    started = time.perf_counter()
    test = ROOT / "tests" / "jobs" / "test_interleavings.py"
    passed = subprocess.run([sys.executable, "-m", "pytest", "-q", str(test)], cwd=ROOT, capture_output=True)
    words = f"{'all hold' if passed.returncode == 0 else 'FAILED'}, {time.perf_counter() - started:.0f} s"
    _row("1,000 random interleavings", words, "one right answer each, nothing left")


def _print_load() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stub = multiprocessing.get_context("fork").Process(target=_serve_jobs, args=(listener,), daemon=True)
        stub.start()
        try:
            anyio.run(_measure_load, address)
        finally:
            stub.terminate()
            stub.join()


def _serve_jobs(listener: socket.socket) -> None:
    generator = random.Random(7)
    service = Service(SystemClock())
    for number in range(NUM_JOBS):
        service.add(f"ext-{number}", generator.uniform(5, 60))
    uvicorn.Server(uvicorn.Config(service, log_level="warning", lifespan="off")).run(sockets=[listener])


class CountingSource:
    """A client that counts its requests and notes when each job was fetched with its sections."""

    def __init__(self, source: JobSource) -> None:
        self._source = source
        self.num_lists = 0
        self.num_gets = 0
        self.fetched_at: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    async def fetch_job(self, job_id: str, expand: Sequence[str] = (), *args: Any, **named: Any) -> Job:
        """Fetch one job."""
        self.num_gets += 1
        job = await self._source.fetch_job(job_id, expand, *args, **named)
        if expand and job.is_terminal:
            self.fetched_at[job_id] = time.perf_counter()
        return job

    async def list_jobs(self, *args: Any, **named: Any) -> JobPage:
        """Fetch a page of jobs."""
        self.num_lists += 1
        return await self._source.list_jobs(*args, **named)


async def _measure_load(address: str) -> None:
    counted: list[CountingSource] = []

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        settings = Settings.model_construct(api_key=SecretStr(KEY), base_url_override=address)
        async with open_client(settings) as client:
            counted.append(CountingSource(client))
            yield counted[0]

    lags: list[float] = []

    async def wait(reader: JobReader, job_id: str) -> None:
        began = time.perf_counter()
        progress = await reader.wait_many([job_id], timeout_seconds=HOUR)
        lags.append(time.perf_counter() - max(began, counted[0].fetched_at[job_id]))
        assert progress.num_ended == 1

    kib = 0.0
    async with open_reader(open_source, SystemClock()) as reader:
        await until_up(address)
        await reader.wait_many(["ext-none"], timeout_seconds=0)
        before = _resident_kib()
        started, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as group:
            for number in itertools.islice(itertools.cycle(range(NUM_JOBS)), NUM_WAITERS):
                group.start_soon(wait, reader, f"ext-{number}")
            await anyio.sleep(4)
            kib = (_resident_kib() - before) / NUM_WAITERS
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    requests = counted[0].num_lists + counted[0].num_gets
    work = f"{NUM_WAITERS:,} waiters, {NUM_JOBS:,} jobs"
    words = f"{requests / seconds:.1f} ({counted[0].num_lists} lists, {counted[0].num_gets} GETs in {seconds:.0f} s)"
    _row(f"{work}: requests a second", words, "25")
    _row(f"{work}: part of a core", f"{cpu / seconds:.1%}", "10 %")
    _row(f"{work}: memory a waiter", f"{kib:.1f} KiB", "12 KiB")
    _row(f"{work}: delay after the poll that saw the end", f"at most {max(lags) * 1_000:.0f} ms", "250 ms")
    assert len(lags) == NUM_WAITERS


async def until_up(address: str) -> None:
    """Wait until the service answers."""
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                await http.get(f"{address}/api/v2/extract", params={"page_size": 1})
            except httpx.TransportError:
                await anyio.sleep(0.1)
            else:
                return


def _resident_kib() -> float:
    status = Path("/proc/self/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
