"""Load over HTTP from a client that costs little, so that the server is what is measured."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.serving.replicas import build_message


@dataclass(frozen=True)
class Caller:
    """One who sends the same call again and again.

    Attributes:
        port: port of the server.
        request: the call, with its headers.
    """

    port: int
    request: bytes


@dataclass(frozen=True)
class Times:
    """Times of calls.

    Attributes:
        seconds: of each call.
        duration: from the first to the last.
    """

    seconds: Sequence[float]
    duration: float

    @property
    def mean_ms(self) -> float:
        return statistics.fmean(self.seconds) * 1_000


def build_call(port: int, tool: str, arguments: dict[str, Any], token: str) -> Caller:
    """Return a caller of a tool, in the version 2026-07-28."""
    body, headers = build_message("tools/call", {"name": tool, "arguments": arguments})
    headers |= {"host": f"127.0.0.1:{port}", "authorization": f"Bearer {token}", "content-length": str(len(body))}
    lines = ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return Caller(port, "\r\n".join(lines).encode() + body)


async def call_for(callers: Sequence[Caller], seconds: float) -> list[Times]:
    """Let each caller call without pause, over a connection of its own; return the times of each."""
    ends_at = time.perf_counter() + seconds
    return await asyncio.gather(*(_call_until(caller, ends_at) for caller in callers))


def join_times(times: Sequence[Times]) -> Times:
    """Return the times of several callers that called side by side."""
    return Times([each for one in times for each in one.seconds], max(one.duration for one in times))


async def call_times(caller: Caller, number: int) -> None:
    """Call so many times, over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    for _ in range(number):
        await _call(caller, reader, writer)
    writer.close()


async def _call_until(caller: Caller, ends_at: float) -> Times:
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    began = time.perf_counter()
    seconds: list[float] = []
    while (started := time.perf_counter()) < ends_at:
        await _call(caller, reader, writer)
        seconds.append(time.perf_counter() - started)
    writer.close()
    return Times(seconds, time.perf_counter() - began)


async def _call(caller: Caller, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(caller.request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = b""
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
    assert head.startswith(b"http/1.1 200"), body
    (message,) = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")] or [
        json.loads(body)
    ]
    assert not message["result"]["isError"], message
