"""Finished jobs are kept within a budget, for those who may see them."""

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
    """A job whose result does not compress."""
    noise = random.Random(job_id).randbytes(size // 2).hex()
    usage = {"credits": credits_billed}
    updated = (START - timedelta(hours=1)).isoformat()
    body = {"id": job_id, "status": status, "updated_at": updated, "extract_result": {"noise": noise}, "usage": usage}
    return Job.parse(json.dumps(body).encode())


@virtual
async def test_what_is_kept_comes_back_whole_small_or_large() -> None:
    store = JobCache(VirtualClock())
    for size in (0, 1_000_000):
        await store.put(KEY, job(size=size))
        kept = await store.get(KEY)
        assert kept is not None
        assert kept.dump() == job(size=size).dump()
        assert (kept.status, kept.updated_at) == ("COMPLETED", START - timedelta(hours=1))
    assert len(store) == 1


@virtual
async def test_what_belongs_to_another_is_not_shown() -> None:
    store = JobCache(VirtualClock())
    await store.put(KEY, job())
    others = [
        replace(KEY, identity="another"),
        replace(KEY, scope=Scope("p")),
        replace(KEY, scope=Scope(None, "o")),
        replace(KEY, job_id="ext-2"),
    ]
    assert [await store.get(other) for other in others] == [None] * 4


@virtual
async def test_a_job_that_has_not_ended_is_not_kept() -> None:
    store = JobCache(VirtualClock())
    await store.put(KEY, job(status="RUNNING"))
    assert (await store.get(KEY), len(store)) == (None, 0)


@virtual
async def test_the_least_recently_used_go_first_and_the_budget_holds() -> None:
    store = JobCache(VirtualClock(), max_bytes=120_000)
    keys = [replace(KEY, job_id=f"ext-{number}") for number in range(5)]
    for key in keys[:3]:
        await store.put(key, job(key.job_id, size=60_000))
    assert await store.get(keys[0]) is not None
    for key in keys[3:]:
        await store.put(key, job(key.job_id, size=60_000))
        assert store.num_bytes <= 120_000
    assert [key.job_id for key in keys if await store.get(key) is not None] == ["ext-0", "ext-3", "ext-4"]


@virtual
async def test_a_job_larger_than_the_budget_is_not_kept_and_drives_nothing_out() -> None:
    store = JobCache(VirtualClock(), max_bytes=50_000)
    await store.put(KEY, job(size=10_000))
    await store.put(replace(KEY, job_id="ext-2"), job("ext-2", size=1_000_000))
    assert len(store) == 1
    assert await store.get(KEY) is not None


@virtual
async def test_usage_that_is_not_billed_yet_is_asked_for_again() -> None:
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
async def test_a_job_that_was_never_billed_within_a_day_is_kept_all_the_same() -> None:
    clock = VirtualClock()
    store = JobCache(clock)
    await clock.sleep(86_400)
    await store.put(KEY, job(credits_billed=None))
    await clock.sleep(3_600)
    assert await store.get(KEY) is not None
