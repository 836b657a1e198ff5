"""A Redis server in a process of its own, and readers of the same key that share its news."""

import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from llx_mcp.serving.replicas import Replicas, build_replicas, run_replicas
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import read_settings
from tests.jobs.service import KEY, Service, source_of
from tests.server.serving import find_port, listens
from tests.waiting import block_until

NEEDS_REDIS = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not on the PATH")
FAST = PollSchedule((), shortest_seconds=0.3, longest_seconds=0.3, jitter=0.0)
LEASE_SECONDS = 1.5
# Commands may take so long that a busy machine is no fault: to connect to a cluster takes a while.
SLOW_LEASE_SECONDS = 6.0


@dataclass
class RedisServer:
    """A server that can be stopped and started again.

    Attributes:
        port: where it listens.
        folder: its folder.
        options: further options.
        cli_options: options with which redis-cli reaches it.
        bus_port: where it listens for the other nodes of a cluster.
    """

    port: int
    folder: Path
    options: tuple[str, ...] = ()
    cli_options: tuple[str, ...] = ()
    bus_port: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--dir", str(self.folder), "--enable-debug-command", "yes", *self.options]
        self.start_as(command)

    def start_as(self, command: Sequence[str]) -> None:
        """Start with a command, and wait until it listens."""
        self.process = process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        block_until(lambda: listens(self.port) or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError("redis-server refused its options")

    def freeze(self) -> None:
        """Answer nothing any more, with all connections open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """Stop, and forget everything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server until the block ends."""
    server = RedisServer(find_port(), folder, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class JoinedReader:
    """One replica: a reader, and its coordination.

    Attributes:
        reader: the reader.
        replicas: its coordination.
    """

    reader: JobReader
    replicas: Replicas


@asynccontextmanager
async def joined_reader(
    service: Service, url: str, *, key: str = KEY, schedule: PollSchedule = FAST, **settings: Any
) -> AsyncIterator[JoinedReader]:
    """Open one replica."""
    given = {"redis_url": SecretStr(url), "redis_lease_seconds": LEASE_SECONDS, **settings}
    clock = SystemClock()
    replicas = build_replicas(read_settings(HttpSettings, **given), clock)
    assert isinstance(replicas, Replicas)
    async with AsyncExitStack() as stack, anyio.create_task_group() as group, run_replicas(replicas):
        shared = SharedResources(JobCache(clock), SharedWorkers(group, stack), coordination=replicas)
        # With a known limit, list requests are not spaced out as for a free key.
        options = ReaderOptions(schedule, requests_per_minute=6_000)
        async with open_reader(source_of(service, key), clock, options, shared) as reader:
            yield JoinedReader(reader, replicas)


@asynccontextmanager
async def joined_readers(service: Service, url: str, number: int, **options: Any) -> AsyncIterator[list[JoinedReader]]:
    """Open several replicas of a service; on exit, close it too."""
    async with AsyncExitStack() as stack:
        stack.callback(service.close)
        yield [await stack.enter_async_context(joined_reader(service, url, **options)) for _ in range(number)]
