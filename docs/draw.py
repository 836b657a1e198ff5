"""Draw the pictures of the documentation: `python -m docs.draw`, or `make pictures`.

`demo.svg` shows what `llx-mcp demo` prints. `call.svg` shows how a call flows through the server. Both are plain SVG
files that load nothing from a network. `citation.png` is what `llx-mcp show` writes, and `report.png` is a report in
Chromium; where no Chromium is installed, that picture is left as it is.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

PICTURES = Path(__file__).parent / "pictures"

_COLUMNS = 108
_MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_SANS_SERIF = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"


def draw_demo(output: str) -> str:
    """Return a picture of a terminal in which `llx-mcp demo` has printed its output."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ make demo", style="bold green"))
    for line in output.rstrip().splitlines():
        text = Text(line if len(line) <= _COLUMNS else f"{line[: _COLUMNS - 1]}…")
        text.highlight_regex(r"^\w+_extract_\w+\(.*?\)", "bold cyan")
        text.highlight_regex(r"^[A-Z]\w+(?=  )", "bold")
        console.print(text, soft_wrap=True)
    svg = console.export_svg(title="llx-mcp demo", theme=DIMMED_MONOKAI, unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {_MONOSPACE}", svg)
    svg = re.sub(r"font-family: arial", f"font-family: {_SANS_SERIF}", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


@dataclass(frozen=True, slots=True)
class _Box:
    left: int
    top: int
    width: int
    height: int
    title: str
    lines: tuple[str, ...]
    style: str = "box"

    @property
    def middle(self) -> int:
        """The horizontal middle."""
        return self.left + self.width // 2

    @property
    def bottom(self) -> int:
        """The lower edge."""
        return self.top + self.height

    def render(self) -> str:
        """Return the box and its words as SVG."""
        parts = [
            f'<rect class="{self.style}" x="{self.left}" y="{self.top}" width="{self.width}" height="{self.height}" '
            'rx="8"/>',
            f'<text class="title" x="{self.middle}" y="{self.top + 25}">{escape(self.title)}</text>',
        ]
        parts += [
            f'<text class="line" x="{self.middle}" y="{self.top + 46 + 18 * index}">{escape(line)}</text>'
            for index, line in enumerate(self.lines)
        ]
        return "\n".join(parts)


_CLIENT = _Box(
    40, 20, 700, 62, "MCP client", ("Claude, an IDE, your agent: calls a tool over stdio or HTTP",), "outside"
)
_TOOL = _Box(40, 122, 700, 62, "server/tools", ("one module per tool; arguments are validated by their schema",))
_READER = _Box(
    40,
    224,
    700,
    80,
    "jobs.reader",
    ("finished jobs come from the cache; all who ask at once share", "one fetch, and all who wait share one poll loop"),
)
_HTTP = _Box(
    40, 344, 330, 80, "llamacloud.client", ("HTTP: retries, limits, mapped errors;", "httpx is imported nowhere else")
)
_CLOUD = _Box(40, 464, 155, 62, "LlamaCloud", ("with your API key",), "outside")
_LOCAL = _Box(215, 464, 155, 62, "Embedded API", ("--local: no account",))
_ANSWERS = _Box(
    410,
    344,
    330,
    80,
    "answers over result",
    ("pure: values in, answer out, within max_chars;", "large jobs in a worker process"),
)
_OUTPUT = _Box(410, 464, 330, 62, "output model", ("pydantic: facts, tables, omissions, next steps",))
_TEXT = _Box(410, 566, 140, 62, "text", ("compact Markdown",))
_DATA = _Box(565, 566, 175, 62, "structured content", ("compact JSON",))
_BOXES = (_CLIENT, _TOOL, _READER, _HTTP, _CLOUD, _LOCAL, _ANSWERS, _OUTPUT, _TEXT, _DATA)


def draw_call() -> str:
    """Return a picture of how a call flows through the server, and its answer back."""
    left, right = _HTTP.middle, _ANSWERS.middle
    arrows = [
        _arrow((390, _CLIENT.bottom), (390, _TOOL.top), "tool call"),
        _arrow((390, _TOOL.bottom), (390, _READER.top), "request"),
        _arrow((left, _READER.bottom), (left, _HTTP.top), "not in the cache"),
        _arrow((right, _READER.bottom), (right, _ANSWERS.top), "a job's bytes"),
        _arrow((_CLOUD.middle, _HTTP.bottom), (_CLOUD.middle, _CLOUD.top), "https"),
        _arrow((_LOCAL.middle, _HTTP.bottom), (_LOCAL.middle, _LOCAL.top), "or in process"),
        _arrow((right, _ANSWERS.bottom), (right, _OUTPUT.top), ""),
        _arrow((_TEXT.middle, _OUTPUT.bottom), (_TEXT.middle, _TEXT.top), "rendered"),
        _arrow((_DATA.middle, _OUTPUT.bottom), (_DATA.middle, _DATA.top), "dumped"),
        # Both forms go back to the client, around the right side.
        f'<path class="arrow" d="M{_TEXT.middle} {_TEXT.bottom} V645 H768 V51 H749" marker-end="url(#head)"/>',
        f'<path class="arrow" d="M{_DATA.middle} {_DATA.bottom} V645"/>',
        '<text class="label" x="762" y="330" transform="rotate(-90 762 330)" text-anchor="middle">the answer, in both '
        "forms</text>",
    ]
    return _CALL.format(font=_SANS_SERIF, boxes="\n".join(box.render() for box in _BOXES), arrows="\n".join(arrows))


def _arrow(start: tuple[int, int], end: tuple[int, int], label: str) -> str:
    path = f'<path class="arrow" d="M{start[0]} {start[1]} L{end[0]} {end[1] - 9}" marker-end="url(#head)"/>'
    middle = (start[1] + end[1]) // 2 + 4
    return f'{path}\n<text class="label" x="{start[0] + 10}" y="{middle}">{escape(label)}</text>' if label else path


_CALL = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 790 665" role="img" aria-labelledby="name">
<title id="name">How a call flows from client to LlamaCloud or the embedded API, and its answer back</title>
<style>
text {{ font-family: {font}; text-anchor: middle; fill: #1f2430; }}
.title {{ font-size: 15px; font-weight: 600; }}
.line {{ font-size: 13px; fill: #4a5163; }}
.label {{ font-size: 12px; fill: #6b7280; text-anchor: start; }}
.box {{ fill: #eef2ff; stroke: #3756aa; stroke-width: 1.5; }}
.outside {{ fill: #f6f6f4; stroke: #8a8f9c; stroke-width: 1.5; stroke-dasharray: 5 4; }}
.arrow {{ fill: none; stroke: #3756aa; stroke-width: 1.6; }}
</style>
<defs><marker id="head" markerWidth="8" markerHeight="8" refX="2" refY="4" orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="#3756aa"/></marker></defs>
<rect width="790" height="665" rx="10" fill="#ffffff"/>
{boxes}
{arrows}
</svg>
"""


# Two values that were hard to read.
_CITED = ("ext-sample0lab0report00000000000", "results[10].value", "results[12].value")
_REPORTED = "ext-sample0loan0agreement0000000"
_CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1000,1500",
)


def draw_citation() -> bytes:
    """Return the picture that `llx-mcp show` writes."""
    command = [sys.executable, "-m", "llx_mcp", "show", *_CITED, "--local", "-o", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def draw_report() -> bytes | None:
    """Return a report as Chromium shows it; None where no Chromium is installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        page, picture = Path(name) / "report.html", Path(name) / "report.png"
        command = [sys.executable, "-m", "llx_mcp", "report", _REPORTED, "--local", "-o", str(page)]
        subprocess.run(command, capture_output=True, check=True)
        flags = [*_CHROMIUM_FLAGS, f"--user-data-dir={name}/profile", f"--screenshot={picture}"]
        subprocess.run([chromium, *flags, page.as_uri()], capture_output=True, check=True)
        return picture.read_bytes()


def main() -> None:
    """Draw all pictures."""
    demo = subprocess.run([sys.executable, "-m", "llx_mcp", "demo"], capture_output=True, text=True, check=True)
    PICTURES.mkdir(exist_ok=True)
    pictures = {
        "demo.svg": draw_demo(demo.stdout).encode(),
        "call.svg": draw_call().encode(),
        "citation.png": draw_citation(),
        "report.png": draw_report(),
    }
    for name, picture in pictures.items():
        if picture is not None:
            (PICTURES / name).write_bytes(picture)
        sys.stdout.write(f"docs/pictures/{name}: {'left out: no Chromium' if picture is None else 'written'}\n")


if __name__ == "__main__":
    main()
