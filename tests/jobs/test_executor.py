"""All requests about a finished job share one fetch, whether the job is large or small."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.cache import CachedJob
from llx_mcp.jobs.clock import Clock, SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.models import Job
from llx_mcp.scope import Scope
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.sources import Bodies, open_bodies


def body_of(status: str = "COMPLETED", billed: float | None = 5, rows: int = 3, job_id: str = "ext-1") -> bytes:
    """Make the body of a job with this many rows."""
    job = {
        "id": job_id,
        "status": status,
        "usage": {"credits": billed},
        "extract_result": {"rows": [{"n": index, "text": "word " * 20} for index in range(rows)]},
    }
    return json.dumps(job).encode()


@asynccontextmanager
async def reading(source: Bodies, clock: Clock | None = None) -> AsyncIterator[JobReader]:
    """Open a reader of the source."""
    async with open_reader(open_bodies(source), clock or SystemClock()) as reader:
        yield reader


def constant(body: bytes) -> Bodies:
    """Make a source that returns one body for every id."""
    return Bodies(lambda _: body)


async def test_finished_job_is_fetched_once_for_all_requests() -> None:
    source = constant(body_of())
    async with reading(source) as reader:
        await reader.get(JobRequest("ext-1"))
        await reader.get(JobRequest("ext-1", max_chars=2_000))
        await reader.read(JobRequest("ext-1"), "rows[0].n", None, ())
        await reader.find(JobRequest("ext-1"), "word", ("values",))
        await reader.query(JobRequest("ext-1"), "SELECT count(*) FROM rows")
        await reader.review(JobRequest("ext-1"), 0.8)
        assert (await reader.fetch(JobRequest("ext-1"))).dump() == Job.parse(body_of()).dump()
    assert source.num_fetches == 1


async def test_concurrent_requests_share_one_fetch() -> None:
    source = constant(body_of())
    async with reading(source) as reader, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(reader.get, JobRequest("ext-1"))
    assert source.num_fetches == 1


async def test_same_id_in_another_project_is_another_job() -> None:
    source = constant(body_of())
    async with reading(source) as reader:
        for project in (None, "p", "q", "p"):
            await reader.get(JobRequest("ext-1", scope=Scope(project)))
    assert source.num_fetches == 3


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "SOMETHING_NEW"])
async def test_unfinished_job_is_fetched_each_time(status: str) -> None:
    source = constant(body_of(status))
    async with reading(source) as reader:
        await reader.get(JobRequest("ext-1"))
        source.body_of = lambda _: body_of()
        assert (await reader.get(JobRequest("ext-1"))).structured["status"] == "COMPLETED"
    assert source.num_fetches == 2


@virtual
async def test_job_without_billed_usage_is_fetched_again_for_its_credits() -> None:
    source, clock = constant(body_of(billed=None)), VirtualClock()
    async with reading(source, clock) as reader:
        assert "credits" not in (await reader.get(JobRequest("ext-1"))).structured.get("facts", {})
        source.body_of = lambda _: body_of(billed=7)
        await clock.sleep(61)
        assert (await reader.get(JobRequest("ext-1"))).structured["facts"]["credits"] == 7
        await clock.sleep(10_000)
        await reader.get(JobRequest("ext-1"))
    assert source.num_fetches == 2


async def test_large_job_gets_the_same_answers_as_a_small_one() -> None:
    rows = 12_000
    async with reading(constant(body_of(rows=rows))) as reader:
        counted = await reader.query(JobRequest("ext-1"), "SELECT count(*), max(n) FROM rows")
        page = await reader.read(JobRequest("ext-1"), "rows[-1].n", None, ())
        answer = await reader.get(JobRequest("ext-1"))
    assert counted.structured["rows"]["rows"] == [[rows, rows - 1]]
    assert page.structured["value"] == {"path": f"rows[{rows - 1}].n", "value": rows - 1}
    assert answer.structured["counts"]["values"] == 2 * rows


async def test_error_inside_a_reader_is_raised_unchanged() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with reading(constant(body_of())):
            raise KeyError("mine")


async def test_compressed_body_is_returned_in_the_same_bytes() -> None:
    body = body_of(rows=5_000)
    job = CachedJob.of(Job.parse(body))
    before = job.num_cached_bytes
    await job.compress()
    assert await job.body() == body
    assert job.is_compressed
    assert job.num_cached_bytes < before / 4
