"""The cache holds finished jobs within its budget, each for one credential and scope."""

import json
import random
from dataclasses import replace
from datetime import timedelta

import anyio
import anyio.lowlevel

from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.byte_cache import CachedBytes
from llx_mcp.jobs.cache import CachedJob, JobCache, JobKey, parse_cached
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.models import Job
from llx_mcp.scope import Scope
from tests.jobs.service import Service, reading
from tests.jobs.virtual_time import START, VirtualClock, virtual
from tests.threads import needs_thread

KEY = JobKey("digest", Scope(), "ext-1")


def job(job_id: str = "ext-1", *, size: int = 0, status: str = "COMPLETED", credits_billed: float | None = 1) -> Job:
    """Make a job whose result does not compress."""
    noise = random.Random(job_id).randbytes(size // 2).hex()
    usage = {"credits": credits_billed}
    updated = (START - timedelta(hours=1)).isoformat()
    body = {"id": job_id, "status": status, "updated_at": updated, "extract_result": {"noise": noise}, "usage": usage}
    return Job.parse(json.dumps(body).encode())


def cached_ids(cache: JobCache, keys: list[JobKey]) -> list[str]:
    """Return the ids of those jobs that are cached."""
    return [key.job_id for key in keys if cache.find(key, usage="any") is not None]


@virtual
async def test_cached_job_is_returned_whole_whether_small_or_large() -> None:
    cache = JobCache(VirtualClock())
    for size in (0, 1_000_000):
        await cache.put(KEY, job(size=size))
        cached = cache.find(KEY)
        assert cached is not None
        parsed = await parse_cached(cached)
        assert parsed.dump() == job(size=size).dump()
        assert (parsed.status, parsed.updated_at) == ("COMPLETED", START - timedelta(hours=1))


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
    assert [cache.find(other, usage="any") for other in others] == [None] * 4


@virtual
async def test_unfinished_job_is_not_cached() -> None:
    cache = JobCache(VirtualClock())
    await cache.put(KEY, job(status="RUNNING"))
    assert cache.find(KEY, usage="any") is None


@virtual
async def test_least_recently_used_jobs_are_evicted_and_the_budget_holds() -> None:
    cache = JobCache(VirtualClock(), max_bytes=120_000)
    keys = [replace(KEY, job_id=f"ext-{number}") for number in range(5)]
    for key in keys[:3]:
        await cache.put(key, job(key.job_id, size=60_000))
    assert cache.find(keys[0]) is not None
    for key in keys[3:]:
        await cache.put(key, job(key.job_id, size=60_000))
    assert cached_ids(cache, keys) == ["ext-0", "ext-3", "ext-4"]


@virtual
async def test_job_larger_than_the_budget_is_not_cached_and_evicts_nothing() -> None:
    cache = JobCache(VirtualClock(), max_bytes=50_000)
    await cache.put(KEY, job(size=10_000))
    await cache.put(replace(KEY, job_id="ext-2"), job("ext-2", size=1_000_000))
    assert cached_ids(cache, [KEY, replace(KEY, job_id="ext-2")]) == ["ext-1"]


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
    assert cache.find(KEY) is not None


@virtual
async def test_large_body_evicts_nothing_before_it_is_compressed() -> None:
    cache = JobCache(VirtualClock(), max_bytes=100_000)
    large = replace(KEY, job_id="ext-large")
    await cache.put(KEY, job(size=10_000))
    repetitive = Job.parse(
        json.dumps({"id": "ext-large", "status": "FAILED", "extract_result": "x" * 900_000}).encode()
    )
    await cache.put(large, repetitive, compressed=False)
    assert cached_ids(cache, [KEY, large]) == ["ext-1", "ext-large"]
    await cache.compress(large)
    assert cached_ids(cache, [KEY, large]) == ["ext-1", "ext-large"]


@virtual
async def test_body_that_is_too_large_when_compressed_evicts_only_itself() -> None:
    cache = JobCache(VirtualClock(), max_bytes=50_000)
    large = replace(KEY, job_id="ext-large")
    await cache.put(KEY, job(size=10_000))
    await cache.put(large, job("ext-large", size=1_000_000), compressed=False)
    await cache.compress(large)
    assert cached_ids(cache, [KEY, large]) == ["ext-1"]


@virtual
async def test_uncompressed_bodies_are_compressed_before_they_fill_the_memory() -> None:
    cache = JobCache(VirtualClock(), max_bytes=400_000)
    keys = [replace(KEY, job_id=f"ext-{number}") for number in range(12)]
    for key in keys:
        await cache.put(key, job(key.job_id, size=40_000), compressed=False)
        held = [cached for other in keys if (cached := cache.find(other))]
        uncompressed = [cached.num_cached_bytes for cached in held if not cached.is_compressed]
        assert sum(uncompressed) <= 100_000
        assert sum(cached.num_cached_bytes for cached in held) <= 500_000
    assert len(uncompressed) == 2
    for key in keys:
        await cache.compress(key)
    assert len(cached_ids(cache, keys)) == 12


@virtual
async def test_compressing_a_job_that_was_replaced_does_not_count_it_twice() -> None:
    cache = JobCache(VirtualClock(), max_bytes=700_000)
    others = [replace(KEY, job_id=f"ext-other-{number}") for number in range(2)]
    await cache.put(KEY, job(size=600_000), compressed=False)
    async with anyio.create_task_group() as group:
        group.start_soon(cache.compress, KEY)
        await anyio.lowlevel.checkpoint()
        await cache.put(KEY, job(size=100_000))
    for other in others:
        await cache.put(other, job(other.job_id, size=100_000))
    assert cached_ids(cache, [KEY, *others]) == ["ext-1", "ext-other-0", "ext-other-1"]
    for number in range(20):
        await cache.put(KEY, job(size=100_000 + number))
    assert cached_ids(cache, [KEY, *others]) == ["ext-1", "ext-other-0", "ext-other-1"]


@virtual
async def test_cache_of_no_size_holds_nothing() -> None:
    cache = JobCache(VirtualClock(), max_bytes=0)
    for compressed in (True, False):
        cached = await cache.put(KEY, job(), compressed=compressed)
        assert (cached_ids(cache, [KEY]), await cached.body()) == ([], job().body)


@virtual
async def test_unbilled_job_is_recent_for_a_minute_and_then_still_cached() -> None:
    clock = VirtualClock()
    cache = JobCache(clock)
    await clock.sleep(500)
    await cache.put(KEY, job(credits_billed=None))
    found = []
    for seconds in (0.0, 59.9, 0.1):
        await clock.sleep(seconds)
        found.append([cache.find(KEY, usage=usage) is not None for usage in ("billed", "recent", "any")])
    assert found == [[False, True, True], [False, True, True], [False, False, True]]


@virtual
async def test_compressing_a_job_that_was_evicted_does_nothing() -> None:
    cache = JobCache(VirtualClock())
    await cache.compress(KEY)
    assert cached_ids(cache, [KEY]) == []


@virtual
async def test_budget_is_used_to_the_last_byte() -> None:
    keys = [replace(KEY, job_id=f"ext-{number}") for number in range(2)]
    jobs = [job(key.job_id, size=5_000) for key in keys]
    first, second = [(await JobCache(VirtualClock()).put(KEY, each)).num_cached_bytes for each in jobs]
    found = []
    for num_jobs, max_bytes in ((1, first), (1, first - 1), (2, first + second), (2, first + second - 1)):
        cache = JobCache(VirtualClock(), max_bytes)
        for key, each in list(zip(keys, jobs, strict=True))[:num_jobs]:
            await cache.put(key, each)
        found.append(cached_ids(cache, keys))
    assert found == [["ext-0"], [], ["ext-0", "ext-1"], ["ext-1"]]


@virtual
async def test_uncompressed_body_does_not_count() -> None:
    keys = [replace(KEY, job_id=f"ext-{number}") for number in range(3)]
    jobs = [job(key.job_id, size=5_000) for key in keys]
    sizes = [(await JobCache(VirtualClock()).put(KEY, each)).num_cached_bytes for each in jobs[1:]]
    found = []
    for max_bytes in (sum(sizes), sum(sizes) - 1):
        cache = JobCache(VirtualClock(), max_bytes)
        await cache.put(keys[0], jobs[0], compressed=False)
        for key, each in zip(keys[1:], jobs[1:], strict=True):
            await cache.put(key, each)
        found.append(cached_ids(cache, keys))
    assert found == [["ext-0", "ext-1", "ext-2"], ["ext-2"]]


@virtual
async def test_uncompressed_bodies_take_a_quarter_of_the_budget_to_the_last_byte() -> None:
    size = len(job().body)
    found = []
    for max_bytes in (8 * size, 8 * size - 4):
        cache = JobCache(VirtualClock(), max_bytes)
        cached = [await cache.put(replace(KEY, job_id=name), job(), compressed=False) for name in ("a", "b")]
        found.append([each.is_compressed for each in cached])
    assert found == [[False, False], [True, False]]


@virtual
async def test_job_that_ended_a_day_ago_may_still_be_billed_and_an_older_one_not() -> None:
    clock = VirtualClock()
    cache = JobCache(clock)
    found = []
    for seconds in (23 * 3_600, 1):
        await clock.sleep(seconds)
        await cache.put(KEY, job(credits_billed=None))
        found.append(cache.find(KEY, usage="billed") is not None)
    assert found == [False, True]


async def test_only_large_bodies_are_compressed_and_read_in_a_thread() -> None:
    found = []
    for num_bytes in (200_000, 300_000):
        body = job().body.ljust(num_bytes)
        cached = CachedJob(Job.parse(body))
        found.append([await needs_thread(lambda: parse_cached(cached)), await needs_thread(cached.compress)])  # noqa: B023 - called at once
        noise = CachedBytes(random.Random(0).randbytes(num_bytes))
        await noise.compress()
        found[-1].append(await needs_thread(noise.body))
    assert found == [[False] * 3, [True] * 3]


def test_cache_of_a_server_holds_a_quarter_of_a_gibibyte() -> None:
    assert ReaderOptions().cache_bytes == 2**28


@virtual
async def test_credential_with_the_most_bytes_loses_its_jobs_first() -> None:
    size = (await JobCache(VirtualClock()).put(KEY, job("ext-0", size=40_000))).num_cached_bytes
    cache = JobCache(VirtualClock(), max_bytes=size * 4 + size // 2)
    small = [replace(KEY, identity="small", job_id=f"ext-{number}") for number in range(2)]
    large = [replace(KEY, identity="large", job_id=f"ext-{number}") for number in range(20)]
    for key in [*small, *large]:
        await cache.put(key, job(key.job_id, size=40_000))
    assert cached_ids(cache, small) == ["ext-0", "ext-1"]
    assert cached_ids(cache, large) == ["ext-18", "ext-19"]
    cache.forget_credential("small")
    assert (cache.job_ids("small"), cache.job_ids("large")) == ([], ["ext-19", "ext-18"])
