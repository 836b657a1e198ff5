"""All real jobs, imported into a store, read by both tools through a real client over stdio, in both eras."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.local import SAMPLES
from tests.conftest import CORPUS_JOBS
from tests.reading.truth import assert_true_of

BUDGETS = (1_000, 2_000, 8_000, 100_000)
LLX = [sys.executable, "-m", "llx_mcp"]


@pytest.fixture(scope="module")
def corpus_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store into which the command has imported every real job."""
    path = tmp_path_factory.mktemp("store") / "jobs.db"
    run = subprocess.run(
        [*LLX, "local", "import", *map(str, CORPUS_JOBS), "--local-db", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(run.stdout.splitlines()) == len(CORPUS_JOBS) == 10
    return path


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.usefixtures("corpus")
async def test_every_real_job_is_read_by_both_tools_at_every_budget(mode: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue("corpus_store")
    server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve", "--local", "--local-db", str(store)])
    jobs = [json.loads(path.read_bytes()) for path in CORPUS_JOBS]
    async with Client(stdio_client(server), mode=mode) as client:
        for job in jobs:
            for max_chars in BUDGETS:
                for tool in ("get_extract_job", "wait_for_extract_job"):
                    result = await client.call_tool(tool, {"job_id": job["id"], "max_chars": max_chars})
                    assert not result.is_error, result
                    assert result.structured_content is not None
                    (block,) = result.content
                    assert block.type == "text"
                    structured = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
                    assert max(len(structured), len(block.text)) <= max_chars
                    assert_true_of(result.structured_content, job)


async def test_the_server_keeps_stdout_to_the_protocol_and_ends_with_its_client() -> None:
    server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve", "--local", "--log-level", "DEBUG"])
    async with Client(stdio_client(server)) as client:
        result = await client.call_tool("get_extract_job", {"job_id": SAMPLES[0].job_id})
    assert not result.is_error
