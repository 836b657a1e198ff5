"""Only the secret that encrypted a job can read which one it is."""

import pytest

from llx_mcp.jobs.cache import JobKey
from llx_mcp.scope import Scope
from llx_mcp.serving.job_seal import JobSeal

KEY = JobKey("digest", Scope("p", None), "ext-1")


def test_sealed_job_is_read_with_the_same_secret_alone() -> None:
    sealed = JobSeal(b"secret").close(KEY)
    assert "ext" not in sealed
    assert sealed != JobSeal(b"secret").close(KEY)
    assert JobSeal(b"secret").open(sealed, "digest") == KEY
    assert JobSeal(b"other").open(sealed, "digest") is None


@pytest.mark.parametrize("sealed", [None, 7, "", "AAAA", "x", "A" * 200, "é"])
def test_other_text_is_no_job(sealed: object) -> None:
    assert JobSeal(b"secret").open(sealed, "digest") is None


def test_changed_text_is_no_job() -> None:
    sealed = JobSeal(b"secret").close(KEY)
    changed = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]
    assert JobSeal(b"secret").open(changed, "digest") is None
