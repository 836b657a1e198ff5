"""Clients of the server over the embedded API, in the same process. Open them inside the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult

from llx_mcp.backends import local_settings, open_local_backend
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.llamacloud import open_client
from llx_mcp.local import create_app, open_store
from llx_mcp.server.app import build_server
from tests.fake_clock import FakeClock

# Both versions of the protocol: 2025-11-25 with `initialize`, and 2026-07-28.
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


def connect(mode: str = "auto") -> Client:
    """Return a client of a server over the embedded API."""
    return Client(build_server(open_local_backend(None)), mode=mode)


def connect_with_clock(clock: FakeClock, mode: str = "auto") -> Client:
    """Return a client of a server that goes by a fake clock, as the embedded API does."""
    return Client(build_server(open_source_with_clock(clock), clock=clock), mode=mode)


def open_source_with_clock(clock: FakeClock) -> OpenSource:
    """Return the embedded API with the samples, going by a fake clock."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        store = open_store(None)
        try:
            async with open_client(local_settings(), app=create_app(store, clock=clock.now)) as client:
                yield client
        finally:
            store.close()

    return open_source


async def call(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """Call a tool, and fail where its answer is an error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result


def text_of(result: CallToolResult) -> str:
    """Return the text form of an answer."""
    (block,) = [block for block in result.content if block.type == "text"]
    return str(block.text)
