"""Bad requests of many kinds at once: honest callers are served meanwhile, and memory stays level."""

import logging
import os
import random
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from tests.server.serving import Served, serving_http
from tests.serving.replicas import LEGACY, MODERN, build_message, read_answer

SAMPLE = "ext-sample0invoice00000000000000"
HONEST = {"authorization": "Bearer llx-honest-caller"}
# More takes longer: LLX_MCP_TEST_BAD_REQUESTS=10000 takes some minutes.
NUM_BAD = int(os.environ.get("LLX_MCP_TEST_BAD_REQUESTS", "600"))
CONCURRENCY = 16
SLOW_SECONDS = 1.0
MAX_GROWTH_BYTES = 48 << 20
ENVIRONMENT = {"LLX_MCP_HTTP_BODY_SECONDS": "1", "LLX_MCP_HTTP_HEADER_SECONDS": "1"}
_log = logging.getLogger(__name__)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def resident_bytes(server: Served) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1_024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def build_bad_request(chooser: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a request that must be refused, whole."""
    content, headers = build_message("tools/call", {"name": "get_extract_job", "arguments": {"job_id": SAMPLE}})
    token = {"authorization": f"Bearer llx-{chooser.randrange(50)}-of-many"}
    choice = chooser.randrange(10)
    match choice:
        case 0:
            return content, headers
        case 1:
            return content, headers | {"authorization": f"Bearer {chooser.randbytes(40).hex()}"}
        case 2:
            return content[: chooser.randrange(len(content))], headers | token
        case 3:
            return b"[" * 100_000, headers | token
        case 4:
            return b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"ping"}', headers | token
        case 5:
            return b" " * 6_000_000, headers | token
        case 6:
            return content, headers | token | {"x-long": "y" * 50_000}
        case 7:
            return content, headers | token | {"host": "evil.example"}
        case 8:
            return chooser.randbytes(2_000), headers | token
        case _:
            return content, headers | token | {"mcp-method": "tools/list"}


async def send_bad(server: Served, chooser: random.Random, outcomes: Counter[str]) -> None:
    """Send one bad request: whole, or so slowly that it never arrives."""
    parts = urlsplit(server.url)
    content, headers = build_bad_request(chooser)
    lines = [f"{name}: {value}" for name, value in ({"host": parts.netloc} | headers).items()]
    kind = chooser.randrange(20)
    head = "\r\n".join(["POST /mcp HTTP/1.1", *lines, f"content-length: {len(content)}", "", ""]).encode()
    try:
        async with await anyio.connect_tcp(parts.hostname or "", parts.port or 0) as connection:
            if kind == 0:
                await connection.send(head[: chooser.randrange(1, len(head) - 4)])
            elif kind == 1:
                await connection.send(head + content[: len(content) // 2])
            elif kind == 2:
                await connection.send(chooser.randbytes(500) + b"\r\n\r\n")
            else:
                await connection.send(head + content)
            if kind == 3:
                return
            answer = await connection.receive()
            outcomes[answer[9:12].decode(errors="replace")] += 1
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        outcomes["cut"] += 1


async def call_honestly(http: httpx.AsyncClient, server: Served, version: str) -> None:
    content, headers = build_message(
        "tools/call", {"name": "get_extract_job", "arguments": {"job_id": SAMPLE}}, version
    )
    response = await http.post(server.url, content=content, headers=headers | HONEST)
    assert response.status_code == 200, response.text
    assert not read_answer(response).message["result"]["isError"]


@pytest.mark.timeout(1_200)
async def test_bad_requests_disturb_no_honest_caller_and_take_no_memory(tmp_path: Path) -> None:
    chooser = random.Random(7)
    outcomes: Counter[str] = Counter()
    log = tmp_path / "log"
    with serving_http("--local", "--auth", "pass-through", environment=ENVIRONMENT, log=log) as server:
        async with httpx.AsyncClient(timeout=60) as http:

            async def attack(number: int) -> None:
                for _ in range(number // CONCURRENCY):
                    await send_bad(server, chooser, outcomes)

            async def attack_with(number: int) -> int:
                """Send bad requests, and return how many honest calls were answered meanwhile."""
                num_honest = 0
                async with anyio.create_task_group() as group:
                    async with anyio.create_task_group() as attackers:
                        for _ in range(CONCURRENCY):
                            attackers.start_soon(attack, number)
                        for version in (LEGACY, MODERN) * 10:
                            await call_honestly(http, server, version)
                            num_honest += 1
                    group.cancel_scope.cancel()
                return num_honest

            assert await attack_with(NUM_BAD // 3) == 20
            before = resident_bytes(server)
            assert await attack_with(NUM_BAD) == 20
            growth = resident_bytes(server) - before
    _log.info("%d bad requests: %s; memory grew by %.1f MB", outcomes.total(), dict(outcomes), growth / 1e6)
    # One that is valid by chance is answered; nothing is an error of the server.
    assert set(outcomes) <= {"200", "202", "400", "401", "403", "404", "408", "413", "421", "431", "cut"}
    assert growth < MAX_GROWTH_BYTES
    assert "Traceback" not in log.read_text()
