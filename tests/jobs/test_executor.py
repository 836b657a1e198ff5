"""All questions about a finished job stand on one fetch, large or small."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.cache import CachedJob
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.models import Job
from llx_mcp.scope import Scope
from tests.server.test_tools import SkippingClock
from tests.sources import Bodies, open_bodies


def body_of(status: str = "COMPLETED", billed: float | None = 5, rows: int = 3, job_id: str = "ext-1") -> bytes:
    """A job with so many rows."""
    wire = {
        "id": job_id,
        "status": status,
        "usage": {"credits": billed},
        "extract_result": {"rows": [{"n": index, "text": "word " * 20} for index in range(rows)]},
    }
    return json.dumps(wire).encode()


@asynccontextmanager
async def reading(source: Bodies, clock: Any = None) -> AsyncIterator[JobReader]:
    """A reader over the source."""
    async with open_reader(open_bodies(source), clock or SystemClock()) as reader:
        yield reader


def constant(body: bytes) -> Bodies:
    """A source of one body."""
    return Bodies(lambda _: body)


async def test_a_finished_job_is_fetched_once_for_all_questions() -> None:
    source = constant(body_of())
    async with reading(source) as reader:
        await reader.get(JobRequest("ext-1"))
        await reader.get(JobRequest("ext-1", max_chars=2_000))
        await reader.read(JobRequest("ext-1"), "rows[0].n", None, ())
        await reader.find(JobRequest("ext-1"), "word", ("values",))
        await reader.query(JobRequest("ext-1"), "SELECT count(*) FROM rows")
        await reader.review(JobRequest("ext-1"), 0.8)
        assert (await reader.fetch(JobRequest("ext-1"))).dump() == Job.parse(body_of()).dump()
    assert source.fetched == 1


async def test_who_asks_at_the_same_time_shares_one_request() -> None:
    source = constant(body_of())
    async with reading(source) as reader, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(reader.get, JobRequest("ext-1"))
    assert source.fetched == 1


async def test_a_job_of_another_project_is_another_job() -> None:
    source = constant(body_of())
    async with reading(source) as reader:
        for project in (None, "p", "q", "p"):
            await reader.get(JobRequest("ext-1", scope=Scope(project)))
    assert source.fetched == 3


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "SOMETHING_NEW"])
async def test_a_job_that_has_not_ended_is_looked_at_each_time(status: str) -> None:
    source = constant(body_of(status))
    async with reading(source) as reader:
        await reader.get(JobRequest("ext-1"))
        source.body_of = lambda _: body_of()
        assert (await reader.get(JobRequest("ext-1"))).structured["status"] == "COMPLETED"
    assert source.fetched == 2


async def test_usage_that_billing_has_not_recorded_is_asked_for_again() -> None:
    source, clock = constant(body_of(billed=None)), SkippingClock()
    async with reading(source, clock) as reader:
        assert "credits" not in (await reader.get(JobRequest("ext-1"))).structured.get("facts", {})
        source.body_of = lambda _: body_of(billed=7)
        await clock.sleep(61)
        assert (await reader.get(JobRequest("ext-1"))).structured["facts"]["credits"] == 7
        await clock.sleep(10_000)
        await reader.get(JobRequest("ext-1"))
    assert source.fetched == 2


async def test_a_large_job_is_answered_as_a_small_one_is() -> None:
    rows = 12_000
    async with reading(constant(body_of(rows=rows))) as reader:
        counted = await reader.query(JobRequest("ext-1"), "SELECT count(*), max(n) FROM rows")
        page = await reader.read(JobRequest("ext-1"), "rows[-1].n", None, ())
        answer = await reader.get(JobRequest("ext-1"))
    assert counted.structured["rows"]["rows"] == [[rows, rows - 1]]
    assert page.structured["value"] == {"path": f"rows[{rows - 1}].n", "value": rows - 1}
    assert answer.structured["counts"]["values"] == 2 * rows


async def test_an_error_of_the_body_of_a_reader_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with reading(constant(body_of())):
            raise KeyError("mine")


async def test_a_body_is_kept_compressed_and_comes_back_in_the_same_bytes() -> None:
    body = body_of(rows=5_000)
    job = CachedJob.of(Job.parse(body))
    before = job.num_cached_bytes
    await job.compress()
    assert await job.body() == body
    assert job.is_compressed
    assert job.num_cached_bytes < before / 4
