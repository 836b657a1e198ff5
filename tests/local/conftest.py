"""A store with the samples, and the embedded API over it on a socket, by a clock that the test moves."""

from collections.abc import Iterator

import pytest

from llx_mcp.local import JobStore, create_app, open_store
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
def url(store: JobStore, clock: Clock) -> Iterator[str]:
    with serve(create_app(store, clock=clock)) as address:
        yield address
