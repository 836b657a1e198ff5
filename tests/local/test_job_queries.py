"""A job with a timeline starts when a client first asks for it, alone or in a list."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES, JobStore, create_app
from llx_mcp.local.database import Database
from llx_mcp.local.job_queries import JobFilter, PageCursor, has_waiting_jobs
from llx_mcp.local.lifecycle import Timeline

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATH = "/api/v2/extract"
OTHER_PROJECT = "00000000-0000-4000-8000-000000000000"


async def fetch(store: JobStore, seconds: float, path: str, **query: Any) -> Any:
    """Send one GET at a time after NOW."""
    transport = httpx.ASGITransport(create_app(store, clock=lambda: NOW + timedelta(seconds=seconds)))
    headers = {"Authorization": "Bearer llx-test"}
    async with httpx.AsyncClient(transport=transport, base_url="http://local", headers=headers) as client:
        response = await client.get(path, params=query)
    return response.json() if path != "/" else response.text


@pytest.mark.parametrize(
    "query", [{}, {"page_size": 1}, {"job_ids": SAMPLE_RUNNING_ID}, {"status": "FAILED"}, {"page_token": "MCAw"},
              {"created_at_on_or_before": "2026-07-31T00:00:00Z"}],
)  # fmt: skip
async def test_list_starts_the_job_that_runs(store: JobStore, query: dict[str, Any]) -> None:
    await fetch(store, 0, PATH, **query)
    for seconds, status in ((0.5, "PENDING"), (1.5, "THROTTLED"), (3, "RUNNING"), (5, "COMPLETED")):
        listed = (await fetch(store, seconds, PATH, job_ids=SAMPLE_RUNNING_ID))["items"]
        fetched = await fetch(store, seconds, f"{PATH}/{SAMPLE_RUNNING_ID}")
        assert listed == [fetched]
        assert (fetched["status"], fetched["created_at"]) == (status, "2026-11-24T12:00:00Z")


async def test_status_page_starts_the_job_that_runs(store: JobStore) -> None:
    assert f"<code>{SAMPLE_RUNNING_ID}</code><td>PENDING" in await fetch(store, 0, "/")
    assert (await fetch(store, 600, f"{PATH}/{SAMPLE_RUNNING_ID}"))["created_at"] == "2026-11-24T12:00:00Z"


async def test_first_list_shows_the_job_that_runs_first_and_once(store: JobStore) -> None:
    seen: list[dict[str, Any]] = []
    token: str | None = None
    while token is not None or not seen:
        page = await fetch(store, len(seen) / 10, PATH, page_size=4, **({"page_token": token} if token else {}))
        seen += page["items"]
        token = page["next_page_token"]
    assert (seen[0]["id"], seen[0]["status"], seen[0]["created_at"]) == (
        SAMPLE_RUNNING_ID, "PENDING", "2026-11-24T12:00:00Z",
    )  # fmt: skip
    assert sorted(job["id"] for job in seen) == sorted(sample.job_id for sample in SAMPLES)


async def test_list_of_other_jobs_does_not_start_the_job_that_runs(store: JobStore) -> None:
    for query in ({"project_id": OTHER_PROJECT}, {"job_ids": SAMPLES[0].job_id}, {"file_input": "dfl-1"},
                  {"configuration_id": "cfg-1"}, {"document_input_type": "parse_job_id"}):  # fmt: skip
        await fetch(store, 0, PATH, **query)
    assert (await fetch(store, 900, f"{PATH}/{SAMPLE_RUNNING_ID}"))["created_at"] == "2026-11-24T12:15:00Z"


def add_jobs(store: JobStore, count: int, **sections: Any) -> list[str]:
    """Import ended jobs, each created a minute after the one before, and return their ids, newest first."""
    for number in range(count):
        created = (NOW + timedelta(minutes=number // 2)).isoformat()
        store.import_job(
            json.dumps({"id": f"ext-{number}", "status": "FAILED", "created_at": created} | sections).encode()
        )
    return [f"ext-{number}" for number in reversed(range(count))]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_cursor_continues_after_jobs_of_the_same_time(size: int) -> None:
    store = JobStore()
    ids, seen, after = add_jobs(store, 7), [], None
    while True:
        page = store.query_jobs(JobFilter(limit=size, after=after), NOW)
        if not page:
            break
        assert len(page) <= size
        seen += [job.job_id for job in page]
        after = page[-1].cursor
    store.close()
    assert seen == ids


def test_cursor_of_a_deleted_job_still_works() -> None:
    store = JobStore()
    add_jobs(store, 4)
    page = store.query_jobs(JobFilter(limit=2), NOW)
    store.delete_job(page[-1].job_id)
    assert [job.job_id for job in store.query_jobs(JobFilter(limit=9, after=page[-1].cursor), NOW)] == [
        "ext-1",
        "ext-0",
    ]
    assert store.query_jobs(JobFilter(limit=9, after=PageCursor(0.0, 0)), NOW) == []
    store.close()


def test_dates_are_inclusive_and_listed_jobs_carry_their_columns() -> None:
    store = JobStore()
    add_jobs(store, 6, file_input="dfl-9")
    minute = NOW + timedelta(minutes=1)
    both = JobFilter(limit=9, created_on_or_after=minute, created_on_or_before=minute)
    jobs = store.query_jobs(both, NOW)
    assert [(job.job_id, job.status, job.file_input, job.created) for job in jobs] == [
        ("ext-3", "FAILED", "dfl-9", minute), ("ext-2", "FAILED", "dfl-9", minute),
    ]  # fmt: skip
    store.close()


def test_status_filter_counts_towards_the_limit_only_when_it_passes() -> None:
    store = JobStore()
    add_jobs(store, 3)
    store.import_job(b'{"id":"ext-done","status":"COMPLETED"}')
    store.import_job(b'{"id":"ext-slow","status":"COMPLETED"}', Timeline(running_seconds=60))
    found = store.query_jobs(JobFilter(limit=2, statuses=("COMPLETED", "RUNNING")), NOW)
    assert [job.job_id for job in found] == ["ext-slow", "ext-done"]
    assert [job.job_id for job in store.query_jobs(JobFilter(limit=1, statuses=("COMPLETED",)), NOW)] == ["ext-done"]
    store.close()


def test_jobs_that_have_not_started_are_found_by_an_index() -> None:
    with closing(Database(None)) as database, database.connection() as db:
        plans: list[str] = []
        db.set_trace_callback(plans.append)
        assert not has_waiting_jobs(db, JobFilter(limit=1))
        db.set_trace_callback(None)
        (query,) = plans
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any("jobs_not_started" in step for step in steps), steps
