"""Scenarios change jobs as described, and the documentation lists all scenarios and faults."""

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llx_mcp.local import JobStore
from llx_mcp.local.faults import FAULT_HELP, KINDS
from llx_mcp.local.lifecycle import JobLifecycle
from llx_mcp.local.scenarios import (
    SCENARIOS,
    UnknownScenarioError,
    apply_scenario,
    get_scenario,
    scenario_from_file_name,
)
from tests.conftest import ROOT


def test_documentation_lists_every_scenario_and_fault() -> None:
    page = (ROOT / "docs" / "offline-and-testing.md").read_text()
    for scenario in SCENARIOS.values():
        assert f"| `{scenario.name}` | {scenario.description} |\n" in page
    for kind in KINDS:
        assert f"\n| `{kind}` | " in page
        assert f"\n{kind} " in f"\n{FAULT_HELP}"


@pytest.mark.parametrize(
    ("file", "name"),
    [("invoice--slow.pdf", "slow"), ("a.b--failed-silent.pdf", "failed-silent"), ("--stuck", "stuck"),
     ("invoice--other.pdf", None), ("slow.pdf", None), ("invoice-slow.pdf", None), ("invoice--slow.pdf.txt", None),
     ("", None)],
)  # fmt: skip
def test_scenario_follows_two_hyphens_in_file_name(file: str, name: str | None) -> None:
    assert scenario_from_file_name(file) == (SCENARIOS[name] if name else None)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("normal", {0: "PENDING", 1: "RUNNING", 3: "COMPLETED"}), ("instant", {0: "COMPLETED"}),
     ("throttled", {0: "PENDING", 1: "THROTTLED", 6: "RUNNING", 8: "COMPLETED"}),
     ("slow", {0: "PENDING", 5: "RUNNING", 605: "COMPLETED"}), ("stuck", {0: "PENDING", 1: "RUNNING"}),
     ("queued", {0: "PENDING"}), ("billed-late", {0: "PENDING", 1: "RUNNING", 3: "COMPLETED"}),
     ("failed", {0: "PENDING", 1: "RUNNING", 3: "FAILED"}),
     ("failed-silent", {0: "PENDING", 1: "RUNNING", 3: "FAILED"}),
     ("cancelled", {0: "PENDING", 1: "RUNNING", 3: "CANCELLED"}),
     ("empty", {0: "PENDING", 1: "RUNNING", 3: "COMPLETED"})],
)  # fmt: skip
def test_each_status_begins_and_ends_at_its_second(name: str, changes: dict[int, str]) -> None:
    scenario = SCENARIOS[name]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lifecycle = JobLifecycle(scenario.timeline, scenario.final_status or "COMPLETED", start)
    seen: dict[int, str] = {}
    for tick in range(20_000):
        status = lifecycle.status_at(start + timedelta(seconds=tick / 10))
        if status not in seen.values():
            assert tick % 10 == 0
            seen[tick // 10] = status
    assert seen == changes
    assert scenario.timeline.billing_seconds == (60 if name == "billed-late" else 0)


JOB = b'{"id":"ext-1","status":"COMPLETED","extract_result":{"n":1.50},"extract_metadata":{},"x":1e0}'


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [("slow", JOB), ("instant", JOB),
     ("failed-silent", b'{"id":"ext-1","status":"FAILED","extract_result":null,"extract_metadata":null,"x":1e0,'
                       b'"error_message":null}'),
     ("empty", b'{"id":"ext-1","status":"COMPLETED","extract_result":null,"extract_metadata":null,"x":1e0,'
               b'"error_message":null}')],
)  # fmt: skip
def test_scenario_changes_outcome_and_no_other_bytes(scenario: str, expected: bytes) -> None:
    assert apply_scenario(JOB, SCENARIOS[scenario]) == expected


def test_import_command_applies_scenario(tmp_path: Path) -> None:
    llx = [sys.executable, "-m", "llx_mcp"]
    store = str(tmp_path / "jobs.db")
    for name, job_id, options in (("a.json", b"ext-1", ["--scenario", "stuck"]), ("b--failed.json", b"ext-2", [])):
        (tmp_path / name).write_bytes(JOB.replace(b"ext-1", job_id))
        subprocess.run([*llx, "local", "import", str(tmp_path / name), "--local-db", store, *options], check=True)
    with closing(JobStore(Path(store))) as opened:
        statuses = dict(opened.list_jobs(datetime(2026, 6, 1, tzinfo=UTC)))
    assert (statuses["ext-1"], statuses["ext-2"]) == ("PENDING", "PENDING")
    run = subprocess.run(
        [*llx, "local", "import", "x", "--local-db", store, "--scenario", "other"], capture_output=True, text=True
    )
    assert (run.returncode, "billed-late" in run.stderr) == (2, True)


def test_unknown_scenario_error_lists_names_and_gives_an_example() -> None:
    with pytest.raises(UnknownScenarioError) as caught:
        get_scenario("other" * 99)
    text, _, example = str(caught.value).partition(" Example: ")
    assert text == f"There is no scenario {('other' * 8)!r}. Use one of {', '.join(SCENARIOS)}."
    assert get_scenario(example) is SCENARIOS["slow"]
