"""The pytest plugin: the fixture `llamaextract`, an embedded LlamaExtract API of a test's own.

Every test run of an environment with this package loads this module: it imports nothing that pytest has not.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from llx_mcp.local.embedded import EmbeddedApi


@pytest.fixture
def llamaextract() -> "Iterator[EmbeddedApi]":
    """A LlamaExtract API on a port of this machine, empty at first: `base_url`, `api_key`, `add_job`, `set_faults`."""
    from llx_mcp.local.embedded import run_embedded

    with run_embedded() as api:
        yield api
