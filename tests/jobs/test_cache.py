"""The cache holds finished jobs within its budget, each for one credential and scope."""

import json
import random
from dataclasses import replace
from datetime import timedelta

from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.cache import JobCache, JobKey
from llx_mcp.models import Job
from llx_mcp.scope import Scope
from tests.jobs.service import Service, reading
from tests.jobs.virtual_time import START, VirtualClock, virtual

KEY = JobKey("digest", Scope(), "ext-1")


def job(job_id: str = "ext-1", *, size: int = 0, status: str = "COMPLETED", credits_billed: float | None = 1) -> Job:
    """Make a job whose result does not compress."""
    noise = random.Random(job_id).randbytes(size // 2).hex()
    usage = {"credits": credits_billed}
    updated = (START - timedelta(hours=1)).isoformat()
    body = {"id": job_id, "status": status, "updated_at": updated, "extract_result": {"noise": noise}, "usage": usage}
    return Job.parse(json.dumps(body).encode())


@virtual
async def test_cached_job_is_returned_whole_whether_small_or_large() -> None:
    cache = JobCache(VirtualClock())
    for size in (0, 1_000_000):
        await cache.put(KEY, job(size=size))
        cached = await cache.get(KEY)
        assert cached is not None
        assert cached.dump() == job(size=size).dump()
        assert (cached.status, cached.updated_at) == ("COMPLETED", START - timedelta(hours=1))
    assert len(cache) == 1


@virtual
async def test_cached_job_is_not_shown_under_another_key() -> None:
    cache = JobCache(VirtualClock())
    await cache.put(KEY, job())
    others = [
        replace(KEY, identity="another"),
        replace(KEY, scope=Scope("p")),
        replace(KEY, scope=Scope(None, "o")),
        replace(KEY, job_id="ext-2"),
    ]
    assert [await cache.get(other) for other in others] == [None] * 4


@virtual
async def test_unfinished_job_is_not_cached() -> None:
    cache = JobCache(VirtualClock())
    await cache.put(KEY, job(status="RUNNING"))
    assert (await cache.get(KEY), len(cache)) == (None, 0)


@virtual
async def test_least_recently_used_jobs_are_evicted_and_the_budget_holds() -> None:
    cache = JobCache(VirtualClock(), max_bytes=120_000)
    keys = [replace(KEY, job_id=f"ext-{number}") for number in range(5)]
    for key in keys[:3]:
        await cache.put(key, job(key.job_id, size=60_000))
    assert await cache.get(keys[0]) is not None
    for key in keys[3:]:
        await cache.put(key, job(key.job_id, size=60_000))
        assert cache.num_bytes <= 120_000
    assert [key.job_id for key in keys if await cache.get(key) is not None] == ["ext-0", "ext-3", "ext-4"]


@virtual
async def test_job_larger_than_the_budget_is_not_cached_and_evicts_nothing() -> None:
    cache = JobCache(VirtualClock(), max_bytes=50_000)
    await cache.put(KEY, job(size=10_000))
    await cache.put(replace(KEY, job_id="ext-2"), job("ext-2", size=1_000_000))
    assert len(cache) == 1
    assert await cache.get(KEY) is not None


@virtual
async def test_job_without_billed_usage_is_fetched_again() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", credits_billed=None)
    async with reading(service) as reader:
        await reader.fetch(JobRequest("ext-1"))
        await reader.fetch(JobRequest("ext-1"))
        assert len(service.seen) == 1
        await reader.fetch(JobRequest("ext-1", expand=("usage",)))
        assert len(service.seen) == 2
        await service.clock.sleep(61)
        service.add("ext-1", credits_billed=3)
        billed = await reader.fetch(JobRequest("ext-1"))
        assert billed.usage is not None
        assert billed.usage.credits == 3
        await service.clock.sleep(3_600)
        await reader.fetch(JobRequest("ext-1", expand=("usage",)))
    assert len(service.seen) == 3


@virtual
async def test_job_that_is_still_unbilled_after_a_day_stays_cached() -> None:
    clock = VirtualClock()
    cache = JobCache(clock)
    await clock.sleep(86_400)
    await cache.put(KEY, job(credits_billed=None))
    await clock.sleep(3_600)
    assert await cache.get(KEY) is not None
