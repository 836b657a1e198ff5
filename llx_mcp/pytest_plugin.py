"""The pytest plugin. Its fixture `llamaextract` gives a test its own embedded LlamaExtract API.

pytest loads this module in every environment that has the package, so it imports nothing but pytest at first.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from llx_mcp.local.embedded import EmbeddedApi


@pytest.fixture
def llamaextract() -> "Iterator[EmbeddedApi]":
    """A LlamaExtract API on a port of this machine, without jobs: `base_url`, `api_key`, `add_job`, `set_faults`."""
    from llx_mcp.local.embedded import run_embedded

    with run_embedded() as api:
        yield api
