"""A job of 55 MB and 200,000 cited values, read through a client: time against decoding the same bytes, memory, stalls.

Times are shares of what orjson takes to decode the body, in the same run; memory counts the server and its workers.
"""

import contextlib
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import orjson
from mcp import Client

from llx_mcp.models import Job
from llx_mcp.server.app import build_server
from tests.sources import Bodies, open_bodies

ROWS = 20_000
JOB_ID = "ext-large"
ROUNDS = 3
_FINISHED = {
    "id": JOB_ID,
    "status": "COMPLETED",
    "created_at": "2026-11-20T09:00:31Z",
    "updated_at": "2026-11-20T09:12:11Z",
    "usage": {"credits": 900.0},
}


def build_body(rows: int) -> bytes:
    """A statement of ten values a row, each with a citation, its box and three confidences."""
    rng = random.Random(7)
    values, entries = [], []
    for index in range(rows):
        row: dict[str, Any] = {
            "date": f"2026-{index % 12 + 1:02d}-{index % 28 + 1:02d}",
            "description": f"Card payment {rng.choice(['Flour', 'Sugar', 'Yeast', 'Rent'])} {index}",
            "reference": f"TX{index:07d}",
            "category": rng.choice(["in", "out"]),
            "amount": round(rng.uniform(1, 5000), 2),
            "balance": round(rng.uniform(1, 50000), 2),
            "branch": rng.choice(["North", "South"]),
            "currency": "GBP",
            "count": index,
            "cleared": True,
        }
        values.append(row)
        entries.append({name: _entry(rng, index, str(value)) for name, value in row.items()})
    properties = {name: {"type": "string"} for name in ("date", "description", "reference")}
    schema = {
        "type": "object",
        "properties": {
            "transactions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": properties | {"amount": {"type": "number"}},
                    "required": ["date", "amount"],
                },
            }
        },
    }
    body: bytes = orjson.dumps(
        _FINISHED
        | {
            "configuration": {"tier": "agentic", "cite_sources": True, "data_schema": schema},
            "extract_result": {"account": "GB00", "transactions": values},
            "extract_metadata": {"field_metadata": {"document_metadata": {"transactions": entries}}},
        }
    )
    return body


def _entry(rng: random.Random, index: int, words: str) -> dict[str, Any]:
    box = {"x": round(rng.uniform(0, 500), 2), "y": round(rng.uniform(0, 700), 2), "w": 51.25, "h": 10.5}
    citation = {
        "page": index // 30 + 1,
        "matching_text": words,
        "bounding_boxes": [box],
        "page_dimensions": {"width": 612.0, "height": 792.0},
    }
    return {
        "citation": [citation],
        "confidence": round(rng.uniform(0.75, 1), 4),
        "extraction_confidence": 0.97,
        "parsing_confidence": 0.99,
    }


def open_client(body: bytes) -> Client:
    """A client of a server over one body, so that no network is measured."""
    return Client(build_server(open_bodies(Bodies(lambda _: body))))


def run() -> None:
    """Print the table of the large job, then the small one."""
    body = build_body(ROWS)
    decode = statistics.median(_timed(lambda: orjson.loads(body)) for _ in range(ROUNDS))
    print(f"Body {len(body) / 1e6:.1f} MB; orjson decodes it in {decode:.2f} s (median of {ROUNDS}).\n")
    anyio.run(_measure_large, body, decode)
    anyio.run(_measure_small)


async def _measure_large(body: bytes, decode: float) -> None:
    print("| call | seconds | share of the decode | bar |\n|---|---|---|---|")
    async with open_client(body) as client:
        for words, bar, call in _calls(client):
            seconds = await call()
            print(f"| {words} | {seconds:.3f} | {seconds / decode:.3f} | {bar} |")
    # Once more under watch, which takes its own time.
    idle = _memory()
    stalls: list[float] = []
    peaks = [idle]
    async with open_client(body) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(_watch_memory, peaks)
        tasks.start_soon(_watch_loop, stalls)
        for _, _, call in _calls(client):
            await call()
        tasks.cancel_scope.cancel()
    print(f"\nLongest stall of the event loop: {max(stalls) * 1000:.0f} ms (bar 100).")
    print(f"Peak memory beyond idle: {(max(peaks) - idle) / len(body):.1f} times the body (bar 5).")
    kept = await _kept(body)
    print(f"Kept in the server afterwards: {kept / len(body):.2f} times the body (bar 0.4).")


async def _watch_memory(peaks: list[int]) -> None:
    while True:
        peaks.append(await anyio.to_thread.run_sync(_memory))
        await anyio.sleep(0.05)


async def _watch_loop(stalls: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await anyio.sleep(0.005)
        stalls.append(time.perf_counter() - before - 0.005)


def _calls(client: Client) -> list[tuple[str, float, Callable[[], Awaitable[float]]]]:
    def call(tool: str, **arguments: Any) -> Callable[[], Awaitable[float]]:
        async def timed() -> float:
            started = time.perf_counter()
            result = await client.call_tool(tool, {"job_id": JOB_ID} | arguments)
            assert not result.is_error, result
            return time.perf_counter() - started

        return timed

    total = "SELECT branch, sum(amount), count(*) FROM transactions GROUP BY branch"
    return [
        ("get_extract_job, first", 0.8, call("get_extract_job")),
        ("get_extract_job, again", 0.05, call("get_extract_job")),
        ("read_extract_result", 0.5, call("read_extract_result", path="transactions[10000:10100]")),
        ("find_in_extract_result", 0.8, call("find_in_extract_result", text="flour 1777")),
        ("review_extract_job", 1.2, call("review_extract_job")),
        ("query_extract_result, first", 2.0, call("query_extract_result", sql=total)),
        ("query_extract_result, another", 0.3, call("query_extract_result", sql=f"{total} ORDER BY 2 DESC")),
        ("query_extract_result on fields", 2.0, call("query_extract_result", sql="SELECT count(*) FROM fields")),
    ]


async def _kept(body: bytes) -> int:
    """What the store holds of the job, once it is compressed."""
    from llx_mcp.jobs.cache import CachedJob

    kept = CachedJob(Job.parse(body))
    await kept.compress()
    return kept.num_cached_bytes


async def _measure_small() -> None:
    body = build_body(1)
    reader_seconds = await _reader_seconds(body)
    print(f"\nA job of {len(body) / 1000:.1f} KB: {reader_seconds * 1000:.2f} ms of processor time for get (bar 2).")


async def _reader_seconds(body: bytes, rounds: int = 200) -> float:
    from llx_mcp.answers.requests import JobRequest
    from llx_mcp.jobs.clock import SystemClock
    from llx_mcp.jobs.reader import open_reader

    source = open_bodies(Bodies(lambda _: body))
    async with open_reader(source, SystemClock()) as reader:
        await reader.get(JobRequest("ext-0"))
        started = time.process_time()
        for index in range(1, rounds + 1):
            await reader.get(JobRequest(f"ext-{index}"))
        return (time.process_time() - started) / rounds


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _memory() -> int:
    """Resident bytes of this process and of those that it started."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, ValueError):
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            pid, parent = int(status.parent.name), int(lines["PPid"])
            if _SELF in (pid, parent) and "VmRSS" in lines:
                total += int(lines["VmRSS"].split()[0]) * 1024
    return total


_SELF = int(Path("/proc/self").resolve().name) if Path("/proc/self").exists() else 0
