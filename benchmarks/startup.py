"""Spawn to `initialize` answered: this server over stdio against a bare `MCPServer` with one tool, alternating."""

import json
import statistics
import subprocess
import sys
import time

ROUNDS = 21
BAR = 1.15
BARE = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare")
@server.tool()
def echo(text: str) -> str:
    return text
server.run("stdio")
"""
COMMANDS = {
    "bare": [sys.executable, "-c", BARE],
    "llx-mcp serve": [sys.executable, "-m", "llx_mcp", "serve"],
    "llx-mcp serve --local": [sys.executable, "-m", "llx_mcp", "serve", "--local"],
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}},
}


def run() -> None:
    """Print medians and ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            seconds[name].append(_spawn_to_initialized(command))
    bare = statistics.median(seconds["bare"])
    print(f"| spawn to initialize, {ROUNDS} rounds | median s | ratio to bare (bar {BAR}) |\n|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.3f} | {median / bare:.3f} |")


def _spawn_to_initialized(command: list[str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(INITIALIZE) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        elapsed = time.perf_counter() - started
        assert answer["result"]["serverInfo"], answer
        process.stdin.close()
        process.wait(timeout=10)
    return elapsed
