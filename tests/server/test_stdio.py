"""All real jobs, imported into a store and read by every tool over stdio, in both protocol versions."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.local import SAMPLES
from tests.clients import ERAS, call, size_of, structured
from tests.conftest import CORPUS_JOBS
from tests.result.truth import assert_true_of

# The older version of the protocol wraps the same answers in other messages.
BUDGETS = {"auto": (1_000, 2_000, 8_000, 100_000), "legacy": (8_000,)}
LLX = [sys.executable, "-m", "llx_mcp"]


@pytest.fixture(scope="module")
def corpus_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Import every real job into a store with the command."""
    path = tmp_path_factory.mktemp("store") / "jobs.db"
    run = subprocess.run(
        [*LLX, "local", "import", *map(str, CORPUS_JOBS), "--local-db", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(run.stdout.splitlines()) == len(CORPUS_JOBS) == 10
    return path


TOOLS: dict[str, dict[str, Any]] = {
    "get_extract_job": {},
    "wait_for_extract_job": {},
    "read_extract_result": {},
    "read_source_text": {},
    "find_in_extract_result": {"text": "e"},
    "query_extract_result": {"sql": "SELECT * FROM fields"},
    "review_extract_job": {},
}


@ERAS
@pytest.mark.usefixtures("corpus")
async def test_every_tool_reads_every_real_job_within_every_budget(mode: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue("corpus_store")
    server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve", "--local", "--local-db", str(store)])
    jobs = [json.loads(path.read_bytes()) for path in CORPUS_JOBS]
    async with Client(stdio_client(server), mode=mode) as client:
        for job in jobs:
            for max_chars in BUDGETS[mode]:
                for tool, arguments in TOOLS.items():
                    result = await call(client, tool, job_id=job["id"], max_chars=max_chars, **arguments)
                    assert size_of(result) <= max_chars
                    if "job" in tool and "review" not in tool:
                        assert_true_of(structured(result), job)


async def test_server_writes_only_the_protocol_to_stdout_and_ends_with_its_client() -> None:
    server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve", "--local", "--log-level", "DEBUG"])
    async with Client(stdio_client(server)) as client:
        await call(client, "get_extract_job", job_id=SAMPLES[0].job_id)
