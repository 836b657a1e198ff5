"""The pages of the documentation, and what is on them."""

import re
import shlex
from argparse import ArgumentParser

from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]
}
# Programs whose lines in a shell block are not ours to check.
OTHER_PROGRAMS = {"cd", "curl", "docker", "export", "git", "helm", "opentelemetry-instrument", "pip", "source"}


def blocks(language: str) -> list[tuple[str, str]]:
    """The fenced blocks of one language on all pages, each with the name of its page."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [(name, block) for name, page in PAGES.items() for block in pattern.findall(page)]


def shell_lines() -> list[tuple[str, list[str]]]:
    """The words of every line in a shell block, without comments, each with the name of its page."""
    lines = [(name, line) for name, block in blocks("sh") for line in block.splitlines()]
    words = [(name, shlex.split(line, comments=True)) for name, line in lines]
    return [(name, line) for name, line in words if line]


def llx_commands() -> list[list[str]]:
    """The arguments of every `llx-mcp` command, also of those that stand behind `uvx` or `claude mcp add`."""
    commands = []
    for _, words in shell_lines():
        if "llx-mcp" in words and words[0] not in OTHER_PROGRAMS:
            last = len(words) - 1 - words[::-1].index("llx-mcp")
            commands.append(words[last + 1 :])
    return commands


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MkDocs build it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def list_commands(parser: ArgumentParser, prefix: str = "") -> list[str]:
    """Every command of the command line, such as `local serve`."""
    found = []
    for action in parser._actions:
        if hasattr(action, "_name_parser_map") and isinstance(action.choices, dict):
            for name, child in action.choices.items():
                found += list_commands(child, f"{prefix}{name} ") or [f"{prefix}{name}"]
    return found
