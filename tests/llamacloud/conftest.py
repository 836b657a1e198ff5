"""Retries in these tests do not wait."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture(autouse=True)
def _no_waiting_between_tries() -> Iterator[None]:
    # A cap above the client's own, so that the number of tries is the client's.
    with stamina.set_testing(True, attempts=100, cap=True):
        yield
