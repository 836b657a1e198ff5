"""All real jobs, imported into a store, read by every tool through a real client over stdio, in both eras."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.local import SAMPLES
from tests.conftest import CORPUS_JOBS
from tests.result.truth import assert_true_of
from tests.server.test_tools import text_of

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


TOOLS: dict[str, dict[str, Any]] = {
    "get_extract_job": {},
    "wait_for_extract_job": {},
    "read_extract_result": {},
    "find_in_extract_result": {"text": "e"},
    "query_extract_result": {"sql": "SELECT * FROM fields"},
    "review_extract_job": {},
}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.usefixtures("corpus")
async def test_every_real_job_is_read_by_every_tool_at_every_budget(mode: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue("corpus_store")
    server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve", "--local", "--local-db", str(store)])
    jobs = [json.loads(path.read_bytes()) for path in CORPUS_JOBS]
    async with Client(stdio_client(server), mode=mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        for job in jobs:
            for max_chars in BUDGETS:
                for tool, arguments in TOOLS.items():
                    result = await client.call_tool(tool, {"job_id": job["id"], "max_chars": max_chars} | arguments)
                    assert not result.is_error, result
                    assert result.structured_content is not None
                    structured = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
                    assert max(len(structured), len(text_of(result))) <= max_chars
                    jsonschema.validate(result.structured_content, schemas[tool] or {})
                    if "job" in tool and "review" not in tool:
                        assert_true_of(result.structured_content, job)


async def test_the_server_keeps_stdout_to_the_protocol_and_ends_with_its_client() -> None:
    server = StdioServerParameters(command=LLX[0], args=[*LLX[1:], "serve", "--local", "--log-level", "DEBUG"])
    async with Client(stdio_client(server)) as client:
        result = await client.call_tool("get_extract_job", {"job_id": SAMPLES[0].job_id})
    assert not result.is_error
