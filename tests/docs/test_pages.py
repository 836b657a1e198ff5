"""Commands, code blocks, links and pictures on the pages of the documentation work."""

import json
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from llx_mcp.cli.main import build_parser, main
from llx_mcp.local.embedded import run_embedded
from tests.conftest import ROOT
from tests.docs.pages import DOCS, OTHER_PROGRAMS, PAGES, blocks, list_commands, llx_commands, shell_lines, slug

# What stands for a value in the commands that people fill in.
PLACEHOLDER = re.compile(r"\[?\b(ID|FILE)…?\]?")
# Commands that do not end, take long, or need a key.
NOT_RUN = {"check", "demo", "serve", "wait"}


def test_every_shell_line_is_one_that_is_checked() -> None:
    known = OTHER_PROGRAMS | {"claude", "llx-mcp", "make", "uvx"}
    assert [(name, words) for name, words in shell_lines() if words[0] not in known] == []


@pytest.mark.parametrize("words", llx_commands(), ids=" ".join)
def test_every_command_on_a_page_is_accepted(words: list[str]) -> None:
    build_parser().parse_args(words)


def test_command_spans_are_accepted() -> None:
    for name, page in PAGES.items():
        for span in re.findall(r"`llx-mcp ([a-z][^`]*)`", page):
            words = shlex.split(PLACEHOLDER.sub("x", span))
            if "local" not in words[-1:]:
                assert " ".join(words[:2]).startswith(tuple(list_commands(build_parser()))), f"{name}: {span}"


def test_commands_on_the_embedded_api_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [words for words in llx_commands() if {"--local", "local"} & set(words) and not NOT_RUN & set(words)]
    assert len(commands) >= 8
    for words in commands:
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 0, (words, capsys.readouterr().err)
    assert "ext-sample0invoice00000000000000" in capsys.readouterr().out


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in PAGES.values() for word in re.findall(r"`make ([a-z]+)`", page)}
    named |= {words[1] for _, words in shell_lines() if words[0] == "make"}
    assert {"demo", "test"} <= named <= targets


def test_every_json_and_toml_block_can_be_read() -> None:
    for _, block in blocks("json"):
        json.loads(block)
    for _, block in blocks("toml"):
        tomllib.loads(block)
    assert blocks("json")
    assert blocks("toml")


def test_every_python_block_compiles() -> None:
    for name, block in blocks("python"):
        compile(block, name, "exec")


def test_proxy_on_the_page_is_that_of_the_file() -> None:
    ((_, block),) = blocks("nginx")
    assert {"upstream llx_mcp {", "server {"} <= set(block.splitlines())
    assert (ROOT / "deploy" / "nginx.conf").read_text().endswith(f"\n{textwrap.indent(block, '    ')}}}\n")


def test_examples_run() -> None:
    examples = re.compile(r"<!-- example: run -->\n```python\n(.*?)```\n<!-- /example -->", re.DOTALL)
    found = [block for page in PAGES.values() for block in examples.findall(page)]
    assert found
    for block in found:
        run = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=60, cwd=ROOT)
        assert run.returncode == 0, run.stderr
        assert "COMPLETED 5 8" in run.stdout


def test_official_client_reads_the_embedded_api_as_the_page_shows() -> None:
    (block,) = [block for _, block in blocks("python") if "http://127.0.0.1:8080" in block]
    with run_embedded(with_samples=True) as api:
        names: dict[str, Any] = {}
        exec(block.replace("http://127.0.0.1:8080", api.base_url), names)  # noqa: S102 - a block of our own page
        names["client"].close()
    assert names["job"].extract_result["invoice_number"] == "NL-2026-0417"


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = re.sub(r"^```.*?^```$", "", PAGES[name], flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", page) + re.findall(r"^\[[\w-]+\]: (\S+)$", page, re.MULTILINE)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), f"{name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{name}: {target}"


def test_navigation_has_every_page() -> None:
    navigation = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(navigation) == sorted(path.name for path in DOCS.glob("*.md"))


def test_pictures_load_nothing_from_a_network() -> None:
    pictures = sorted((DOCS / "pictures").glob("*.svg"))
    assert [path.name for path in pictures] == ["call.svg", "demo.svg"]
    for path in pictures:
        text = path.read_text()
        ET.fromstring(text)  # noqa: S314 - a file of our own
        assert not re.search(r"@font-face|@import|url\((?!#)|href=|<script|<image", text), path.name
