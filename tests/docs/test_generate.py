"""The generated parts of the documentation are current, and say what they leave out."""

import re
from pathlib import Path
from typing import Any, get_args

from mcp import Client
from mcp_types import Tool

from docs.draw import draw_call, draw_demo
from docs.generate import REFERENCE, find_outdated, format_call, render_files, shorten
from docs.reference import render_reference
from llx_mcp import outputs
from llx_mcp.backends import open_local_backend
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.server.app import build_server
from llx_mcp.settings import Permission
from tests.conftest import ROOT
from tests.docs.pages import DOCS

TABLE = {"type": "object", "properties": {"columns": {"type": "array"}, "rows": {"type": "array"}}}


def build_tool(name: str, fields: dict[str, Any]) -> Tool:
    """A tool with one argument and the given output fields."""
    argument = {"type": "string", "minLength": 1, "maxLength": 9, "description": "A | b, `<c>` and <d>."}
    return Tool(
        name=name,
        description=f"Does {name}.",
        input_schema={"type": "object", "properties": {"text": argument}, "required": ["text"]},
        output_schema={"type": "object", "properties": fields},
    )


async def test_generated_parts_are_current() -> None:
    outdated = [str(path.relative_to(ROOT)) for path in find_outdated(await render_files())]
    assert outdated == [], "run `make docs`, and commit what it writes"


async def test_every_tool_is_on_the_pages_with_its_arguments_and_its_output_model() -> None:
    options = ReaderOptions(creation=CreationOptions(frozenset(get_args(Permission)), (ROOT,)))
    async with Client(build_server(open_local_backend(None), options=options)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## )", REFERENCE.read_text(), re.DOTALL | re.MULTILINE))
    models = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", (DOCS / "answer-format.md").read_text(), re.MULTILINE))
    assert list(sections) == list(models) == list(tools)
    assert "delete_extract_job" in tools
    for name, tool in tools.items():
        assert [word for word in tool.input_schema["properties"] if f"\n| `{word}` | " not in sections[name]] == []
        assert getattr(outputs, models[name]).model_fields.keys() == (tool.output_schema or {})["properties"].keys()


def test_file_with_another_text_is_out_of_date(tmp_path: Path) -> None:
    current, other, missing = (tmp_path / name for name in ("current.md", "other.md", "missing.md"))
    current.write_text("text")
    other.write_text("other")
    assert find_outdated(dict.fromkeys((current, other, missing), "text")) == [other, missing]


def test_shown_answer_counts_the_lines_that_it_leaves_out() -> None:
    answer = "heading\n\n```text\na\nb\nc\n```\n"
    assert shorten(answer, 2) == "heading\na\n… 2 more lines\n"
    assert shorten(answer, None) == "heading\na\nb\nc\n"
    assert shorten("x" * 200, None) == f"{'x' * 99}…\n"


def test_call_is_wrapped_where_it_is_long() -> None:
    assert format_call("read", {"path": "a", "n": 1}) == '> read(path="a", n=1)'
    assert format_call("read", {"text": "word " * 30}).count("\n  ") == 1


def test_reference_describes_arguments_and_fields() -> None:
    shared = {"type": "array", "items": TABLE, "description": "Both have it."}
    own = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 2_000}}}
    page = render_reference([build_tool("first", {"both": shared, "own": own}), build_tool("second", {"both": shared})])
    assert "| `text` | string, 1 to 9 characters | required | A \\| b, `<c>` and &lt;d>. |" in page
    assert "| `own.n` | integer, 1 to 2,000 |  |" in page
    assert page.count("| `both` | list of table | Both have it. |") == 1
    assert "Also `both`: see [fields of several answers](#fields-of-several-answers)." in page


def test_reference_links_an_answer_that_is_part_of_another() -> None:
    first = build_tool("first", {"a": {"type": "string"}, "b": {"type": "string"}})
    second = build_tool("second", {"parts": {"type": "array", "items": first.output_schema}})
    assert "| `parts` | list of output of [first](#first) |" in render_reference([first, second])


def test_pictures_are_drawn_without_fonts_from_a_network() -> None:
    demo = draw_demo("get_extract_job(max_chars=2000)  " + "row " * 60)
    assert "…" in demo
    for picture in (demo, draw_call()):
        assert "@font-face" not in picture
