"""A store with the samples, the embedded API over it on a socket, and the official client.

The API goes by a clock that the test moves, and has the faults that the test sets.
"""

from collections.abc import Iterator

import pytest
from llama_cloud import LlamaCloud

from llx_mcp.local import JobStore, create_app, open_store
from llx_mcp.local.faults import FaultInjector
from tests.local.clients import Clock, serve


@pytest.fixture
def store() -> Iterator[JobStore]:
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faults() -> FaultInjector:
    return FaultInjector()


@pytest.fixture
def url(store: JobStore, clock: Clock, faults: FaultInjector) -> Iterator[str]:
    with serve(create_app(store, clock=clock, faults=faults)) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[LlamaCloud]:
    """Open the official client, which validates each response and sends no request again."""
    with LlamaCloud(api_key="llx-local", base_url=url, max_retries=0, _strict_response_validation=True) as opened:
        yield opened
