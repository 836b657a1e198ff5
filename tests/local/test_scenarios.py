"""Scenarios and faults are named once, and documented as they are."""

import pytest

from llx_mcp.local.faults import FAULT_HELP, KINDS
from llx_mcp.local.scenarios import SCENARIOS, UnknownScenarioError, get_scenario, scenario_of_file
from tests.conftest import ROOT


def test_the_readme_has_every_scenario_and_fault() -> None:
    readme = (ROOT / "README.md").read_text()
    for scenario in SCENARIOS.values():
        assert f"| `{scenario.name}` | {scenario.description} |\n" in readme
    for kind in KINDS:
        assert f"\n| `{kind}` | " in readme
        assert f"\n{kind} " in f"\n{FAULT_HELP}"


@pytest.mark.parametrize(
    ("file", "name"),
    [("invoice--slow.pdf", "slow"), ("a.b--failed-silent.pdf", "failed-silent"), ("--stuck", "stuck"),
     ("invoice--other.pdf", None), ("slow.pdf", None), ("invoice-slow.pdf", None), ("invoice--slow.pdf.txt", None),
     ("", None)],
)  # fmt: skip
def test_a_file_names_its_scenario_behind_two_hyphens(file: str, name: str | None) -> None:
    assert scenario_of_file(file) == (SCENARIOS[name] if name else None)


def test_a_scenario_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UnknownScenarioError, match="normal, instant, throttled"):
        get_scenario("other")
