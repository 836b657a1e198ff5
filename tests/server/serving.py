"""The command `llx-mcp serve` over HTTP, in a process of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import block_until

LLX = [sys.executable, "-m", "llx_mcp"]


@dataclass(frozen=True)
class Served:
    """A server that listens.

    Attributes:
        process: its process.
        url: where it listens.
    """

    process: "subprocess.Popen[bytes]"
    url: str


@contextmanager
def serving_http(
    *arguments: str, log: Path | None = None, port: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run a server until the block ends.

    Args:
        arguments: further flags.
        log: file for its log.
        port: where it listens; by default, a free port.
        environment: further variables.
    """
    port = port or find_port()
    command = [*LLX, "serve", *arguments, "--http", "--port", str(port)]
    # Not a pipe: nothing reads it, and a full pipe blocks the server.
    with (
        (log or Path(os.devnull)).open("wb") as target,
        subprocess.Popen(command, stderr=target, env={**os.environ, **(environment or {})}) as process,
    ):
        try:
            block_until(lambda: listens(port))
            yield Served(process, f"http://127.0.0.1:{port}/mcp")
        finally:
            process.kill()


def find_port() -> int:
    """Return a port of this machine that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """Return whether a process listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def import_stuck_job(folder: Path, *, with_samples: bool = False) -> Path:
    """Make a store with one job, `ext-stuck`, which never ends; and the samples, if they are wanted."""
    job = folder / "job.json"
    job.write_text('{"id":"ext-stuck","status":"COMPLETED","created_at":"2026-01-01T00:00:00Z"}')
    store = folder / "jobs.db"
    command = [*LLX, "local", "import", str(job), "--scenario", "stuck", "--local-db", str(store)]
    command += ["--with-samples"] if with_samples else []
    subprocess.run(command, check=True, capture_output=True)
    return store
