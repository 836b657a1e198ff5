"""What the tests that create jobs share."""

from pathlib import Path

import pytest

from tests.jobs.creating import Workshop, copy_invoice


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A store with the samples, and a folder with the invoice."""
    copy_invoice(tmp_path)
    return Workshop(tmp_path)
