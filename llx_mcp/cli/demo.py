"""A demonstration: an MCP client calls this server over stdio, on the embedded API, without an account."""

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.cli.options import EXIT_FAILED
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.result.sanitize import dump_json

_COLUMNS = 100
_CALL_COLUMNS = 44
_STATEMENT_ID = next(sample.job_id for sample in SAMPLES if sample.name == "statement")
# The row that the query finds, in the sample statement.
_PAYMENT_PATH = "transactions[773]"
_LARGEST_PAYMENT = "SELECT _path, date, amount, amount_page FROM transactions ORDER BY amount LIMIT 1"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the demonstration.

    Attributes:
        tool: the tool to call.
        arguments: its arguments.
        subject: what the call asks for, in a few words.
        highlight: a text in the line of the answer that the short form shows.
    """

    tool: str
    arguments: Mapping[str, str | int]
    subject: str
    highlight: str = ""


@dataclass(slots=True)
class StepResult:
    """What a call returned.

    Attributes:
        step: the call.
        text: the text of the answer.
        structured_chars: the size of the structured content as JSON.
        num_values: how many values the job has; 0 if the answer does not say so.
        status: the job's status, or an empty string if the answer has none.
        is_error: whether the tool reported an error.
        seconds: how long the call took.
        progress: the progress messages, in order.
    """

    step: Step
    text: str = ""
    structured_chars: int = 0
    num_values: int = 0
    status: str = ""
    is_error: bool = False
    seconds: float = 0.0
    progress: list[str] = field(default_factory=list)


_STEPS = (
    Step(
        "wait_for_extract_job",
        {"job_id": SAMPLE_RUNNING_ID},
        "a running invoice job",
        "NL-2026-0417",
    ),
    Step("get_extract_job", {"job_id": _STATEMENT_ID}, "a bank statement", "transactions:"),
    Step(
        "find_in_extract_result",
        {"job_id": _STATEMENT_ID, "text": "closing balance"},
        '"closing balance"',
        "closing_balance",
    ),
    Step("query_extract_result", {"job_id": _STATEMENT_ID, "sql": _LARGEST_PAYMENT}, "largest payment", _PAYMENT_PATH),
    Step(
        "read_extract_result",
        {"job_id": _STATEMENT_ID, "path": f"{_PAYMENT_PATH}.amount"},
        "its citation",
        '"quote"',
    ),
    Step("review_extract_job", {"job_id": _STATEMENT_ID, "max_chars": 2_000}, "what to check", "confidence | "),
)


def run_demo(*, is_full: bool) -> int:
    """Start the server as a subprocess, call its tools as a model would, and print what comes back.

    Args:
        is_full: print every answer in full instead of one line each.

    Returns:
        The exit status: 1 if a tool reported an error.
    """
    return anyio.run(_run, is_full)


async def _run(is_full: bool) -> int:
    server = StdioServerParameters(command=sys.executable, args=["-m", "llx_mcp", "serve", "--local"])
    started = time.monotonic()
    show = _show_in_full if is_full else _show_in_short
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        ready_seconds = time.monotonic() - started
        _print(
            f"llx-mcp serve --local: a subprocess with {len(tools)} tools, ready after {ready_seconds:.1f} s over stdio"
        )
        if is_full:
            _print(f"tools: {', '.join(tool.name for tool in tools)}")
        else:
            _print("Each line is a call of a model, and a line of the answer. The first call waits for some seconds.\n")
        results = [await show(client, step) for step in _STEPS]
    _print("\n" + "\n".join(build_summary(results)))
    return EXIT_FAILED if any(result.is_error for result in results) else 0


async def _show_in_short(client: Client, step: Step) -> StepResult:
    _print(f"{step.tool}({step.subject})".ljust(_CALL_COLUMNS), end=" ")
    result = await _call(client, step)
    _print(_shorten(find_gist(result.text, step.highlight), _COLUMNS - _CALL_COLUMNS - 1))
    return result


async def _show_in_full(client: Client, step: Step) -> StepResult:
    arguments = ", ".join(f"{name}={dump_json(value)}" for name, value in step.arguments.items())
    _print(f"\n> {step.tool}({arguments})")
    result = await _call(client, step, prints_progress=True)
    _print("\n".join(f"  {line}" for line in result.text.rstrip().splitlines()))
    _print(f"  [{len(result.text):,} characters as text; {result.structured_chars:,} as structured content]")
    return result


async def _call(client: Client, step: Step, *, prints_progress: bool = False) -> StepResult:
    result = StepResult(step)

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        result.progress.append(message or "")
        if prints_progress:
            # The client would log the error of a closed pipe; the next line of the demonstration raises it again.
            with suppress(BrokenPipeError):
                _print(f"  … {message}")

    started = time.monotonic()
    answer = await client.call_tool(step.tool, dict(step.arguments), progress_callback=on_progress)
    result.seconds = time.monotonic() - started
    result.text = "".join(block.text for block in answer.content if block.type == "text")
    result.is_error = bool(answer.is_error)
    structured = answer.structured_content
    if structured:
        result.structured_chars = len(dump_json(structured))
        result.status = str(structured.get("status", ""))
        result.num_values = structured.get("counts", {}).get("values", 0)
    return result


def find_gist(text: str, highlight: str) -> str:
    """Return the first line of an answer that holds the highlight, else the first that is not a heading or markup."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if highlight and (found := next((line for line in lines if highlight in line), None)):
        return found
    return next((line for line in lines if not line.startswith(("**", "#", "`"))), lines[0] if lines else "")


def build_summary(results: list[StepResult]) -> list[str]:
    """Return the nine lines of the summary. Every number in it was measured in this run."""
    first, *others = results
    largest = max(results, key=lambda result: len(result.text))
    num_tools = len({result.step.tool for result in results})
    num_errors = sum(result.is_error for result in results)
    num_text_chars = sum(len(result.text) for result in results)
    num_structured_chars = sum(result.structured_chars for result in results)
    num_messages, status = len(first.progress), first.status or "unknown"
    num_values = max(result.num_values for result in others)
    return [
        f"Summary     {len(results)} calls of {num_tools} tools in {_sum_seconds(results):.1f} s; {num_errors} failed.",
        f"Waiting     {first.seconds:.1f} s in one call, {num_messages} progress messages; status {status}.",
        f"Reading     {len(others)} calls about a bank statement of {num_values:,} values in "
        f"{_sum_seconds(others):.1f} s.",
        f"Characters  {num_text_chars:,} as text, {num_structured_chars:,} as structured content.",
        f"Largest     {len(largest.text):,} as text, {largest.structured_chars:,} as structured content: "
        f"{largest.step.tool}.",
        "Next        llx-mcp demo --full       every answer in full",
        "            llx-mcp local list        all sample jobs; llx-mcp get ID --local prints one of them",
        "            llx-mcp serve --local     the command to configure in an MCP client; no account needed",
        "            llx-mcp check             set LLAMA_CLOUD_API_KEY first, then read your own jobs",
    ]


def _sum_seconds(results: list[StepResult]) -> float:
    return sum(result.seconds for result in results)


def _shorten(line: str, max_chars: int) -> str:
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"


def _print(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)
