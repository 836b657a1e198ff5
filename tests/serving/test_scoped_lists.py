"""A caller that may only read, and cannot ask for more, does not hear of tools that write."""

import json
from pathlib import Path
from typing import Any

import pytest

from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.serving.static_tokens import make_token
from llx_mcp.settings import Permission
from tests.serving.replicas import LEGACY, MODERN, KeyedService, Replica, open_replica

ALLOWED: frozenset[Permission] = frozenset({"create", "cancel", "delete"})
READER = ReaderOptions(creation=CreationOptions(ALLOWED, ()))
WRITING = {"create_extract_job", "suggest_extract_schema", "cancel_extract_job", "delete_extract_job"}
HANDSHAKE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


async def ask(replica: Replica, method: str, token: str | None, version: str) -> dict[str, Any]:
    """Return the result of a method."""
    answer = await replica.send(method, HANDSHAKE if method == "initialize" else {}, token, version)
    result: dict[str, Any] = answer.message["result"]
    return result


async def list_known(replica: Replica, token: str | None, version: str) -> tuple[set[str], set[str], str]:
    """Return the tools, the prompts and the instructions that a caller gets."""
    tools = (await ask(replica, "tools/list", token, version))["tools"]
    prompts = (await ask(replica, "prompts/list", token, version))["prompts"]
    start = await ask(replica, "initialize" if version == LEGACY else "server/discover", token, version)
    return {tool["name"] for tool in tools}, {prompt["name"] for prompt in prompts}, start["instructions"]


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_lists_and_instructions_have_what_the_caller_may_do(version: str, tmp_path: Path) -> None:
    tokens, entries = {}, []
    for name, scopes in {"reader": ["extract:read"], "writer": ["extract:read", "extract:write"]}.items():
        tokens[name], entry = make_token(name)
        entries.append(json.loads(entry) | {"scopes": scopes})
    (tmp_path / "tokens.json").write_text(json.dumps({"tokens": entries}))
    service = KeyedService()
    async with open_replica(service, auth="tokens", tokens_file=tmp_path / "tokens.json", reader=READER) as replica:
        tools, prompts, instructions = await list_known(replica, tokens["writer"], version)
        assert tools >= WRITING
        assert "extract_document" in prompts
        assert "create_extract_job" in instructions

        read_tools, read_prompts, read_instructions = await list_known(replica, tokens["reader"], version)
        assert read_tools == tools - WRITING
        assert read_prompts == prompts - {"extract_document"}
        assert not [name for name in WRITING if name in read_instructions]
        assert "only reads" in read_instructions
        if version == MODERN:
            # No cache may give the list of one to the other.
            for method in ("tools/list", "prompts/list"):
                assert (await ask(replica, method, tokens["writer"], version))["cacheScope"] == "private"
    service.close()


async def test_without_scopes_every_caller_hears_of_all() -> None:
    service = KeyedService()
    async with open_replica(service, auth="pass-through", reader=READER) as replica:
        tools, _, instructions = await list_known(replica, "llx-key-of-one", MODERN)
        assert tools >= WRITING
        assert "create_extract_job" in instructions
    service.close()
