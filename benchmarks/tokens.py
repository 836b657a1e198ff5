"""What definitions and answers cost a model, in characters and in tokens.

`o200k_base` is counted with tiktoken, whose vocabulary comes along with llama-index-core, so nothing is fetched.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import llama_index.core

os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache")

import tiktoken
from mcp import Client

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.summary import summarize
from llx_mcp.backends import open_local_backend
from llx_mcp.models import Job
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from llx_mcp.server.app import build_server
from llx_mcp.server.toolset import build_instructions

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
BUDGETS = (1_000, 2_000, 8_000, 100_000)
ENCODING = tiktoken.get_encoding("o200k_base")


def run() -> None:
    """Print the cost of the tool definitions, then of the answers about each real job at each budget."""
    anyio.run(_print_definitions)
    _print_answers()


async def _print_definitions() -> None:
    async with Client(build_server(open_local_backend(None))) as client:
        tools = (await client.list_tools()).tools
    print("| definition | tokens that a model pays | with output schema |\n|---|---|---|")
    paid = count_tokens(build_instructions(()))
    for tool in tools:
        shown: dict[str, Any] = tool.model_dump(by_alias=True, exclude_none=True, mode="json")
        model_sees = {name: shown[name] for name in ("name", "description", "inputSchema")}
        tokens = count_tokens(dump_json(model_sees))
        paid += tokens
        print(f"| {tool.name} | {tokens} | {count_tokens(dump_json(shown))} |")
    print(f"\nNames, descriptions, input schemas and instructions together: {paid} (bar 2,600).")


def _print_answers() -> None:
    paths = sorted(CORPUS.glob("*.job.json"))
    if not paths:
        print(f"\n{CORPUS} is not there: no answers measured.")
        return
    print("\n| job | whole body | " + " | ".join(f"{budget:,} text / structured" for budget in BUDGETS) + " |")
    print("|---|---|" + "---|" * len(BUDGETS))
    for path in paths:
        body = path.read_bytes()
        job = Job.parse(body)
        cells = []
        for budget in BUDGETS:
            answer = _answer(job, JobRequest(job.id, max_chars=budget))
            cells.append(f"{count_tokens(answer.text)} / {count_tokens(dump_json(answer.structured))}")
        whole = count_tokens(dump_json(json.loads(body)))
        print(f"| {path.name.removesuffix('.job.json')} | {whole} | {' | '.join(cells)} |")


def _answer(job: Job, ask: JobRequest) -> Answer:
    return summarize(JobSections(job.sections), build_header(job, ask, now=datetime.now(UTC)), ask)


def count_tokens(text: str) -> int:
    """Tokens of a text in o200k."""
    return len(ENCODING.encode(text, disallowed_special=()))
