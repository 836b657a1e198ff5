"""Load on our server over the embedded API on loopback, by many clients at once. Run `python -m benchmarks.load`."""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
from mcp.client import Client
from pydantic import SecretStr

from llx_mcp.backends import open_cloud_backend
from llx_mcp.local import SAMPLES, open_store
from llx_mcp.local.samples import read_sample
from llx_mcp.server.app import build_server
from llx_mcp.settings import Settings


def run(seconds: float, num_jobs: int, num_clients: int) -> bool:
    """Print the measurements; return whether every call succeeded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.db"
        job_ids = _fill(path, num_jobs)
        command = [sys.executable, "-m", "llx_mcp", "local", "serve", "--port", "0", "--local-db", str(path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr
            url = server.stderr.readline().split(" at ")[1].split(",")[0]
            try:
                durations, errors = anyio.run(_call_for_a_while, url, job_ids, num_clients, seconds)
            finally:
                server.terminate()
                server.communicate(timeout=10)
    ordered = [1_000 * each for each in sorted(durations)]
    print(
        f"{num_jobs:,} jobs, {num_clients} clients, {seconds:g} s: {len(durations):,} calls, "
        f"{len(durations) / seconds:.0f} a second; median {statistics.median(ordered):.0f} ms, "
        f"99 % within {ordered[len(ordered) * 99 // 100]:.0f} ms; errors: {dict(errors) or 'none'}"
    )
    return not errors


def _fill(path: Path, num_jobs: int) -> list[str]:
    """Import copies of all samples but the largest, each under an id of its own; return the ids."""
    store = open_store(path)
    bodies = [(sample.job_id, read_sample(sample)) for sample in SAMPLES if sample.document != "statement"]
    job_ids = []
    for number in range(num_jobs):
        job_id, body = bodies[number % len(bodies)]
        job_ids.append(store.import_job(body.replace(job_id.encode(), f"ext-load{number:024}".encode())))
    store.close()
    return job_ids


async def _call_for_a_while(
    url: str, job_ids: list[str], num_clients: int, seconds: float
) -> tuple[list[float], Counter[str]]:
    durations: list[float] = []
    errors: Counter[str] = Counter()
    settings = Settings.model_construct(api_key=SecretStr("llx-load"), base_url_override=url)
    until = time.monotonic() + seconds

    async def call(seed: int) -> None:
        chance = random.Random(seed)
        async with Client(build_server(open_cloud_backend(settings))) as client:
            while time.monotonic() < until:
                began = time.monotonic()
                arguments: dict[str, Any] = {"job_id": chance.choice(job_ids)}
                answer = await client.call_tool("get_extract_job", arguments)
                durations.append(time.monotonic() - began)
                if answer.is_error:
                    errors[str(answer.content[0])[:120]] += 1

    async with anyio.create_task_group() as clients:
        for seed in range(num_clients):
            clients.start_soon(call, seed)
    return durations, errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=50)
    given = parser.parse_args()
    sys.exit(0 if run(given.seconds, given.jobs, given.clients) else 1)
