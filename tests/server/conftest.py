"""Clients that stay open for all tests of a module, for tests that only read. A module uses them in one event loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from mcp import Client

from tests.clients import connect_to_corpus, connect_with_clock
from tests.fake_clock import FakeClock
from tests.kept_open import keep_open

# The day after the samples were created. The clock does not go on, so the sample that runs does not end.
SECONDS = 187 * 86_400.0


def connect_to_samples(mode: str) -> Client:
    """Return a client of a server over the samples."""
    clock = FakeClock()
    clock.seconds = SECONDS
    return connect_with_clock(clock, mode)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[Client]:
    """Connect to a server over the samples."""
    async with keep_open(connect_to_samples("auto")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["legacy", "auto"])
async def each_client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Connect to a server over the samples with each version of the protocol in turn."""
    async with keep_open(connect_to_samples(request.param)) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def corpus_client(corpus: Path) -> AsyncIterator[Client]:
    """Connect to a server over the real jobs, by the names of their files."""
    async with keep_open(connect_to_corpus(corpus)) as opened:
        yield opened
