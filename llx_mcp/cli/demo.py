"""The main job, shown: a client of this server over stdio, on the embedded API, without an account."""

import sys
import time
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.result.sanitize import dump_json

_QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("find_in_extract_result", {"text": "business rates", "max_chars": 1_200}),
    (
        "query_extract_result",
        {"sql": "SELECT substr(date, 1, 7) month, round(sum(amount), 2) net FROM transactions GROUP BY 1"},
    ),
    ("read_extract_result", {"path": "transactions[4:8]", "max_chars": 2_000}),
    ("review_extract_job", {"max_chars": 2_000}),
)
_BUDGETS = ((2_000, "a small budget"), (8_000, "the default"))


def run_demo() -> int:
    """Start the server as a subprocess, ask it as a model would, print what a model sees; 0 on success."""
    return anyio.run(_run)


async def _run() -> int:
    server = StdioServerParameters(command=sys.executable, args=["-m", "llx_mcp", "serve", "--local"])
    started = time.monotonic()
    _say("$ llx-mcp serve --local     (a subprocess, spoken to over stdio)")
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        _say(f"  ready after {time.monotonic() - started:.1f} s; tools: {', '.join(tool.name for tool in tools)}")
        _say(f'\n> wait_for_extract_job(job_id="{SAMPLE_RUNNING_ID}", max_chars=4000)')
        await _show(client, "wait_for_extract_job", {"job_id": SAMPLE_RUNNING_ID, "max_chars": 4_000})
        largest = SAMPLES[1].job_id
        for max_chars, words in _BUDGETS:
            _say(f'\n> get_extract_job(job_id="{largest}", max_chars={max_chars})     ({words})')
            await _show(client, "get_extract_job", {"job_id": largest, "max_chars": max_chars})
        for tool, arguments in _QUESTIONS:
            shown = ", ".join(f"{name}={dump_json(value)}" for name, value in arguments.items())
            _say(f'\n> {tool}(job_id="{largest}", {shown})')
            await _show(client, tool, {"job_id": largest} | arguments)
    _say("\nThe other sample jobs: llx-mcp local list. To install the server in a client, see the README.")
    return 0


async def _show(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    async def show_progress(progress: float, total: float | None, message: str | None) -> None:
        _say(f"  … {message}")

    result = await client.call_tool(tool, arguments, progress_callback=show_progress)
    text = "".join(block.text for block in result.content if block.type == "text")
    _say("\n".join(f"  {line}" for line in text.rstrip().splitlines()))
    structured = len(dump_json(result.structured_content))
    _say(f"  [{len(text):,} characters as text; {structured:,} as structured content]")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
