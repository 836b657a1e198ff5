"""Write the generated parts of the documentation.

They are the page `docs/tools.md`, the table of scenarios, and the answers of tools that pages show. All of them come
from the server itself, over the embedded API. Run `python -m docs.generate`, or add `--check` to learn which files
are out of date without changing them.
"""

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import anyio
from mcp import Client
from mcp_types import CallToolResult

from docs.reference import render_reference
from llx_mcp.backends import open_local_backend
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local.scenarios import SCENARIOS
from llx_mcp.server.app import build_server
from llx_mcp.settings import Permission

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "tools.md"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

# The marker holds the tool, its arguments as JSON, and how much of the answer to show.
_ANSWER = re.compile(
    r"(?P<marker><!-- (?P<form>answer|structured): (?P<tool>\w+) (?P<arguments>\{.*?\})"
    r"(?: lines=(?P<lines>\d+))? -->\n).*?<!-- /(?P=form) -->",
    re.DOTALL,
)
_SCENARIOS = re.compile(r"(<!-- scenarios -->\n).*?(?=<!-- /scenarios -->)", re.DOTALL)
_MAX_WIDTH = 100
# The reference has all tools, with all their arguments.
_EVERYTHING = ReaderOptions(creation=CreationOptions(frozenset(get_args(Permission)), (ROOT,)))


async def render_files() -> dict[Path, str]:
    """Return the text that each generated file, and each page with generated parts, should have."""
    async with Client(build_server(open_local_backend(None), options=_EVERYTHING)) as client:
        files = {REFERENCE: render_reference((await client.list_tools()).tools)}
    async with Client(build_server(open_local_backend(None))) as client:
        for path in PAGES:
            if path != REFERENCE:
                files[path] = _SCENARIOS.sub(_fill_scenarios, await _fill_answers(client, path.read_text()))
    return files


def find_outdated(files: dict[Path, str]) -> list[Path]:
    """Return the files whose text on disk differs."""
    return [path for path, text in files.items() if not path.exists() or path.read_text() != text]


def shorten(text: str, max_lines: int | None) -> str:
    """Return the first lines of a text, and say how much is left out.

    Args:
        text: the answer of a tool. Its blank lines and fences are left out, and its long lines are cut.
        max_lines: how many lines to show, or None for all of them.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("```")]
    shown = [line if len(line) <= _MAX_WIDTH else f"{line[: _MAX_WIDTH - 1]}…" for line in lines[:max_lines]]
    if len(shown) < len(lines):
        shown.append(f"… {len(lines) - len(shown)} more lines")
    return "\n".join(shown) + "\n"


async def _fill_answers(client: Client, page: str) -> str:
    filled, end = [], 0
    for match in _ANSWER.finditer(page):
        arguments: dict[str, Any] = json.loads(match["arguments"])
        result = await client.call_tool(match["tool"], arguments)
        if result.is_error:
            raise RuntimeError(f"{format_call(match['tool'], arguments)}: {_render_text(result)}")
        text = _RENDERERS[match["form"]](result)
        shown = shorten(text, int(match["lines"]) if match["lines"] else None)
        block = f"```text\n{format_call(match['tool'], arguments)}\n{shown}```\n"
        filled += [page[end : match.start()], match["marker"], block, f"<!-- /{match['form']} -->"]
        end = match.end()
    return "".join([*filled, page[end:]])


def format_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as a person writes it, in lines that fit a page."""
    shown = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    lines = textwrap.wrap(f"{tool}({shown})", _MAX_WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "> " + "\n  ".join(lines)


def _render_text(result: CallToolResult) -> str:
    return "".join(block.text for block in result.content if block.type == "text")


def _render_structured(result: CallToolResult) -> str:
    return json.dumps(result.structured_content, ensure_ascii=False, indent=2)


_RENDERERS: dict[str, Callable[[CallToolResult], str]] = {"answer": _render_text, "structured": _render_structured}


def _fill_scenarios(match: re.Match[str]) -> str:
    rows = [f"| `{scenario.name}` | {scenario.description} |\n" for scenario in SCENARIOS.values()]
    return f"{match[1]}| scenario | how a job goes |\n|---|---|\n{''.join(rows)}"


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a file is out of date")
    is_check: bool = parser.parse_args(arguments).check
    files: dict[Path, Any] = anyio.run(render_files)
    outdated = find_outdated(files)
    for path in outdated:
        if not is_check:
            path.write_text(files[path])
        sys.stdout.write(f"{path.relative_to(ROOT)}: {'out of date' if is_check else 'written'}\n")
    return int(is_check and bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
