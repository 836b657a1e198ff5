"""Clients of the server over the embedded API, in the same process. Open them inside the test."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import CallToolResult

from llx_mcp.backends import local_settings, open_local_backend
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.llamacloud import open_client
from llx_mcp.local import create_app, open_store
from llx_mcp.server.app import build_server
from tests.fake_clock import FakeClock
from tests.sources import Bodies, open_bodies

# Both versions of the protocol: 2025-11-25 with `initialize`, and 2026-07-28.
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


def connect(mode: str = "auto") -> Client:
    """Return a client of a server over the embedded API."""
    return Client(build_server(open_local_backend(None)), mode=mode)


def connect_with_clock(clock: FakeClock, mode: str = "auto", extensions: Sequence[ClientExtension] = ()) -> Client:
    """Return a client of a server that goes by a fake clock, as the embedded API does."""
    server = build_server(open_source_with_clock(clock), clock=clock)
    return Client(server, mode=mode, extensions=extensions)


def connect_to_corpus(folder: Path) -> Client:
    """Return a client of a server over the real jobs, by the names of their files."""
    return Client(build_server(open_bodies(Bodies(lambda name: (folder / f"{name}.job.json").read_bytes()))))


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


class ProgressLog:
    """A progress callback that records every report as progress, total and message."""

    def __init__(self) -> None:
        self.reports: list[tuple[float, float | None, str | None]] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Record a report."""
        self.reports.append((progress, total, message))


async def call(client: Client, tool: str, *, progress: ProgressFnT | None = None, **arguments: Any) -> CallToolResult:
    """Call a tool, and fail where its answer is an error."""
    result = await client.call_tool(tool, arguments, progress_callback=progress)
    assert not result.is_error, text_of(result)
    return result


def text_of(result: CallToolResult) -> str:
    """Return the text form of an answer."""
    (block,) = [block for block in result.content if block.type == "text"]
    return str(block.text)


def structured(result: CallToolResult) -> dict[str, Any]:
    """Return the structured form of an answer, and fail where it has none."""
    content: dict[str, Any] | None = result.structured_content
    assert content is not None, text_of(result)
    return content


def size_of(result: CallToolResult) -> int:
    """Return the characters of the larger of both forms, which the budget bounds."""
    compact = json.dumps(structured(result), ensure_ascii=False, separators=(",", ":"))
    return max(len(compact), len(text_of(result)))
