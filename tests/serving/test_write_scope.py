"""A caller whose token only allows reading cannot call a tool that writes, however it sends the call."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp_types import ToolAnnotations

from llx_mcp.serving.static_tokens import make_token
from llx_mcp.serving.write_scope import list_writing_tools
from tests.serving.replicas import LEGACY, MODERN, URL, KeyedService, build_message, open_replica, read_answer


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_call_that_writes_needs_the_scope(version: str, tmp_path: Path) -> None:
    tokens, entries = {}, []
    for name, scopes in {"reader": ["extract:read"], "writer": ["extract:read", "extract:write"]}.items():
        tokens[name], entry = make_token(name)
        entries.append(json.loads(entry) | {"scopes": scopes})
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"tokens": entries}))
    written: list[str] = []

    async def write_something(text: str) -> str:
        written.append(text)
        return text

    async with open_replica(KeyedService(), auth="tokens", tokens_file=path) as replica:
        server = replica.app.server
        server.add_tool(write_something, annotations=ToolAnnotations(read_only_hint=False))
        replica.app.write_scope.writing_tools = await list_writing_tools(server)
        assert replica.app.write_scope.writing_tools == {"write_something"}

        refused = await replica.call("write_something", tokens["reader"], version, text="a")
        assert (refused.status, refused.message["error"]) == (403, "insufficient_scope")
        assert 'scope="extract:read extract:write"' in refused.headers["www-authenticate"]
        content, headers = build_message("tools/call", {"name": "write_something", "arguments": {"text": "b"}}, version)
        for body in disguise(content):
            sent = headers | {"authorization": f"Bearer {tokens['reader']}"}
            answer = read_answer(await replica.http.post(URL, content=body, headers=sent))
            assert "result" not in answer.message, answer.text
        assert not written
        assert (await replica.call("write_something", tokens["writer"], version, text="c")).status == 200
        assert written == ["c"]


def disguise(content: bytes) -> list[bytes]:
    """Return the same call in forms that a careless check would not recognize."""
    return [
        content.replace(b'"method": ', b'"method": "ping", "method": '),
        content.replace(b'"name": ', b'"name": "get_extract_job", "name": '),
        content.replace(b"tools/call", rb"tools\u002fcall").replace(b"write_", rb"\u0077rite_"),
        b"\xef\xbb\xbf" + content,
        b"[" + content + b"]",
    ]


async def test_tools_that_read_need_no_more() -> None:
    async with open_replica(KeyedService()) as replica:
        tools: Any = await replica.app.server.list_tools()
        expected = {tool.name for tool in tools if not tool.annotations.read_only_hint}
        assert replica.app.write_scope.writing_tools == expected
