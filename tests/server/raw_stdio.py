"""A server over stdio, to which a test writes lines as they are."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from tests.server.serving import LLX

INITIALIZE = {
    "id": "initialize",
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


class RawServer:
    """The pipes of a server's process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin
        assert process.stdout
        self.process = process
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout

    def write(self, line: bytes | str) -> None:
        """Write one line."""
        self.stdin.write((line.encode() if isinstance(line, str) else line) + b"\n")
        self.stdin.flush()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        self.write(json.dumps({"jsonrpc": "2.0", **message}))

    def read(self) -> dict[str, Any]:
        """Return the next message; it is valid JSON in UTF-8."""
        message: dict[str, Any] = json.loads(self.stdout.readline().decode("utf-8", "strict"))
        return message

    def read_until(self, request_id: object) -> list[dict[str, Any]]:
        """Return the messages up to the answer to a request."""
        messages = [self.read()]
        while messages[-1].get("id") != request_id:
            messages.append(self.read())
        return messages

    def close(self) -> list[dict[str, Any]]:
        """Close standard input; return the messages that follow, once the server has ended."""
        self.stdin.close()
        messages = [json.loads(line) for line in self.stdout]
        assert self.process.wait(timeout=60) == 0
        return messages


@contextmanager
def running_server(*arguments: str) -> Iterator[RawServer]:
    """Run `llx-mcp serve` with these arguments until the block ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*LLX, "serve", *arguments], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield RawServer(process)
        finally:
            process.kill()
