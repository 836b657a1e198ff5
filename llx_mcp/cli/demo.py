"""A demonstration: an MCP client goes from a document to a checked answer, on the embedded API, without an account.

The client calls this server over stdio, as a model would. The document and the picture stay in a folder.
"""

import base64
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from llx_mcp.cli.options import EXIT_FAILED
from llx_mcp.local.samples import SAMPLES, read_document
from llx_mcp.result.sanitize import dump_json

_COLUMNS = 100
_CALL_COLUMNS = 44
_DOCUMENT = "invoice.pdf"
_PICTURE = "citation.png"
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_ITEM = {"type": "object", "properties": {"description": _TEXT, "amount": _NUMBER}}
_SCHEMA = {
    "type": "object",
    "properties": {
        "invoice_number": _TEXT,
        "due_date": _TEXT,
        "purchase_order": _TEXT,
        "line_items": {"type": "array", "items": _ITEM},
        "totals": {"type": "object", "properties": {"net": _NUMBER, "gross": _NUMBER}},
    },
}
_LARGEST_ITEM = "SELECT _path, description, amount, amount_page FROM line_items ORDER BY amount DESC LIMIT 1"
_TOTAL = "totals.gross"
# Stands in arguments for the id of the job that the first call has created.
_CREATED = "<the job>"


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
    arguments: Mapping[str, Any]
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
        job_id: the id of the job that the answer is about, or an empty string.
        picture: the first picture of the answer, or no bytes.
    """

    step: Step
    text: str = ""
    structured_chars: int = 0
    num_values: int = 0
    status: str = ""
    is_error: bool = False
    seconds: float = 0.0
    progress: list[str] = field(default_factory=list)
    job_id: str = ""
    picture: bytes = b""


_STEPS = (
    Step("create_extract_job", {"file": _DOCUMENT, "data_schema": _SCHEMA}, _DOCUMENT, "credits"),
    Step("wait_for_extract_job", {"job_id": _CREATED}, "the job", "NL-2026-0417"),
    Step("find_in_extract_result", {"job_id": _CREATED, "text": "gross total"}, '"gross total"', "gross = "),
    Step("query_extract_result", {"job_id": _CREATED, "sql": _LARGEST_ITEM}, "largest item", "line_items["),
    Step("read_extract_result", {"job_id": _CREATED, "path": _TOTAL}, "citation of the total", '"quote"'),
    Step("review_extract_job", {"job_id": _CREATED}, "what to check", "confidence | "),
    Step("show_citation", {"job_id": _CREATED, "path": _TOTAL}, "the total in the document", _TOTAL),
)


def run_demo(folder: Path, *, is_full: bool) -> int:
    """Start the server as a subprocess, call its tools as a model would, and print what comes back.

    Args:
        folder: gets the document and the picture; it is made if it does not exist.
        is_full: print every answer in full instead of one line each.

    Returns:
        The exit status: 1 if a tool reported an error.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    invoice = next(sample for sample in SAMPLES if sample.document == "invoice")
    (folder / _DOCUMENT).write_bytes(read_document(invoice))
    results = anyio.run(_run, str(folder.resolve()), is_full)
    picture = next((result.picture for result in results if result.picture), b"")
    if picture:
        (folder / _PICTURE).write_bytes(picture)
    _print("\n" + "\n".join(build_summary(results, folder)))
    return EXIT_FAILED if any(result.is_error for result in results) or not picture else 0


async def _run(folder: str, is_full: bool) -> list[StepResult]:
    arguments = ["-m", "llx_mcp", "serve", "--local", "--files", folder]
    started = time.monotonic()
    show = _show_in_full if is_full else _show_in_short
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=arguments))) as client:
        tools = (await client.list_tools()).tools
        ready_seconds = time.monotonic() - started
        _print(
            f"llx-mcp serve --local: a subprocess with {len(tools)} tools, ready after {ready_seconds:.1f} s over stdio"
        )
        if is_full:
            _print(f"tools: {', '.join(tool.name for tool in tools)}")
        else:
            _print("Each line is a call of a model, and a line of the answer. The second call waits some seconds.\n")
        results: list[StepResult] = []
        for step in _STEPS:
            results.append(await show(client, _fill_in(step, results)))
        return results


def _fill_in(step: Step, results: list[StepResult]) -> Step:
    """Return a step with the id of the job that the first one has created."""
    if not results:
        return step
    arguments = {name: results[0].job_id if value == _CREATED else value for name, value in step.arguments.items()}
    return Step(step.tool, arguments, step.subject, step.highlight)


async def _show_in_short(client: Client, step: Step) -> StepResult:
    _print(f"{step.tool}({step.subject})".ljust(_CALL_COLUMNS), end=" ")
    result = await _call(client, step)
    _print(_shorten(find_gist(result.text, step.highlight), _COLUMNS - _CALL_COLUMNS - 1, step.highlight))
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
    images = [block.data for block in answer.content if block.type == "image"]
    result.picture = base64.b64decode(images[0]) if images else b""
    structured = answer.structured_content
    if structured:
        result.structured_chars = len(dump_json(structured))
        result.status = str(structured.get("status", ""))
        result.job_id = str(structured.get("job_id", ""))
        result.num_values = structured.get("counts", {}).get("values", 0)
    return result


def find_gist(text: str, highlight: str) -> str:
    """Return the first line of an answer that holds the highlight, else the first that is not a heading or markup."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if highlight and (found := next((line for line in lines if highlight in line), None)):
        return found
    return next((line for line in lines if not line.startswith(("**", "#", "`"))), lines[0] if lines else "")


def build_summary(results: list[StepResult], folder: Path) -> list[str]:
    """Return the ten lines of the summary. Every number in it was measured in this run."""
    created, waited, *others = results
    largest = max(results, key=lambda result: len(result.text))
    num_tools = len({result.step.tool for result in results})
    num_errors = sum(result.is_error for result in results)
    num_text_chars = sum(len(result.text) for result in results)
    num_structured_chars = sum(result.structured_chars for result in results)
    num_values = max(result.num_values for result in results)
    picture = sum(len(result.picture) for result in results)
    return [
        f"Summary     {len(results)} calls of {num_tools} tools in {_sum_seconds(results):.1f} s; {num_errors} failed.",
        f"Creating    {created.job_id or 'no job'} from {folder / _DOCUMENT} in {created.seconds:.1f} s.",
        f"Waiting     {waited.seconds:.1f} s in one call, {len(waited.progress)} progress messages; status "
        f"{waited.status or 'unknown'}.",
        f"Reading     {len(others)} calls about an invoice of {num_values:,} values in {_sum_seconds(others):.1f} s.",
        f"Characters  {num_text_chars:,} as text, {num_structured_chars:,} as structured content; most of "
        f"{largest.step.tool}.",
        f"Picture     {folder / _PICTURE}: {picture:,} bytes, the total where it stands in the document.",
        "Next        llx-mcp demo --full       every answer in full",
        "            llx-mcp local list        all sample jobs; llx-mcp get ID --local prints one of them",
        "            llx-mcp serve --local     the command to configure in an MCP client; no account needed",
        "            llx-mcp check             set LLAMA_CLOUD_API_KEY first, then read your own jobs",
    ]


def _sum_seconds(results: list[StepResult]) -> float:
    return sum(result.seconds for result in results)


def _shorten(line: str, max_chars: int, highlight: str = "") -> str:
    """Cut a line, in front too if the highlight would be cut off."""
    if highlight and line.find(highlight) + len(highlight) >= max_chars:
        line = f"…{line[line.find(highlight) :]}"
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"


def _print(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)
