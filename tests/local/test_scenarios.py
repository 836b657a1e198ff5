"""Scenarios change jobs as described, and the documentation lists all scenarios and faults."""

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llx_mcp.local import JobStore, create_app, open_store
from llx_mcp.local.faults import FAULT_HELP, KINDS
from llx_mcp.local.lifecycle import JobLifecycle
from llx_mcp.local.scenarios import (
    SCENARIO_HEADER,
    SCENARIOS,
    UnknownScenarioError,
    apply_scenario,
    get_scenario,
    scenario_from_file_name,
)
from tests.conftest import ROOT
from tests.fake_clock import FakeClock
from tests.local.clients import connect


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


# Each status with the seconds from the start at which it begins.
COURSES = {
    "normal": [(0, "PENDING"), (1, "RUNNING"), (3, "COMPLETED")],
    "instant": [(0, "COMPLETED")],
    "throttled": [(0, "PENDING"), (1, "THROTTLED"), (6, "RUNNING"), (8, "COMPLETED")],
    "slow": [(0, "PENDING"), (5, "RUNNING"), (605, "COMPLETED")],
    "stuck": [(0, "PENDING"), (1, "RUNNING")],
    "queued": [(0, "PENDING")],
    "billed-late": [(0, "PENDING"), (1, "RUNNING"), (3, "COMPLETED")],
    "failed": [(0, "PENDING"), (1, "RUNNING"), (3, "FAILED")],
    "failed-silent": [(0, "PENDING"), (1, "RUNNING"), (3, "FAILED")],
    "cancelled": [(0, "PENDING"), (1, "RUNNING"), (3, "CANCELLED")],
    "empty": [(0, "PENDING"), (1, "RUNNING"), (3, "COMPLETED")],
}


def test_every_scenario_has_a_course() -> None:
    assert set(COURSES) == set(SCENARIOS)


@pytest.mark.parametrize("scenario", COURSES)
async def test_created_job_has_each_status_for_its_time(scenario: str) -> None:
    clock = FakeClock()
    body = {"file_input": "dfl-sample0invoice00000000000000", "configuration": {"data_schema": {}}}
    with closing(open_store()) as store:
        async with connect(create_app(store, clock=clock.now)) as client:
            created = await client.post("/api/v2/extract", json=body, headers={SCENARIO_HEADER: scenario})
            path = f"/api/v2/extract/{created.json()['id']}"
            before = created.json()["status"]
            for start, status in COURSES[scenario]:
                if start:
                    clock.seconds = start - 0.001
                    assert (await client.get(path)).json()["status"] == before
                clock.seconds = start
                before = (await client.get(path)).json()["status"]
                assert before == status
            clock.seconds = 1e9
            assert (await client.get(path)).json()["status"] == before


async def test_usage_of_late_billing_is_null_for_a_minute_after_the_end() -> None:
    clock = FakeClock()
    with closing(open_store()) as store:
        store.import_job(
            b'{"id":"ext-1","status":"COMPLETED","usage":{"credits":2}}', SCENARIOS["billed-late"].timeline
        )
        async with connect(create_app(store, clock=clock.now)) as client:
            billed = {}
            for seconds in (0, 3, 62.999, 63):
                clock.seconds = seconds
                job = (await client.get("/api/v2/extract/ext-1", params={"expand": "usage"})).json()
                billed[seconds] = job["usage"] and job["usage"]["credits"]
    assert billed == {0: None, 3: None, 62.999: None, 63: 2}


def test_import_command_applies_scenario(tmp_path: Path) -> None:
    llx = [sys.executable, "-m", "llx_mcp"]
    store = str(tmp_path / "jobs.db")
    for name, job_id, options in (("a.json", b"ext-1", ["--scenario", "stuck"]), ("b--failed.json", b"ext-2", [])):
        (tmp_path / name).write_bytes(JOB.replace(b"ext-1", job_id))
        subprocess.run([*llx, "local", "import", str(tmp_path / name), "--local-db", store, *options], check=True)
    with closing(JobStore(Path(store))) as opened:
        jobs = [opened.get_job(job_id, datetime(2026, 6, 1, tzinfo=UTC)) for job_id in ("ext-1", "ext-2")]
        statuses = dict(opened.list_jobs())
    assert [bytes(job.sections["status"]) for job in jobs if job is not None] == [b'"PENDING"', b'"PENDING"']
    assert statuses["ext-2"] == "FAILED"
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
