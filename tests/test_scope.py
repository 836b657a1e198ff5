"""The statuses of a job are defined once, for the tool, its answers and the command."""

import re

import pytest

from llx_mcp.scope import KNOWN_STATUSES
from tests.cli.command import run_command
from tests.conftest import ROOT

# The embedded API could be a package of its own, so it has its own list.
SOURCES = [path for path in (ROOT / "llx_mcp").rglob("*.py") if "local" not in path.parts]


def test_one_module_lists_the_statuses() -> None:
    every = re.compile(r"\W+".join(KNOWN_STATUSES))
    assert [path.name for path in SOURCES if every.search(path.read_text())] == ["scope.py"]


@pytest.mark.parametrize("status", KNOWN_STATUSES)
def test_list_takes_every_status(status: str) -> None:
    assert run_command("list", "--local", "--status", status.lower()).stdout.startswith("**")
