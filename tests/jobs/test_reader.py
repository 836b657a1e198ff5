"""Concurrent requests share one fetch, and a cancelled one does not end it for the others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import ConfigurationError, NotFoundError, UnavailableError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.source import JobSource
from llx_mcp.models import Job
from llx_mcp.scope import JobFilter
from tests.jobs.service import Service, reading, source_of
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.sources import Bodies, open_bodies


@virtual
async def test_concurrent_requests_for_a_job_share_one_fetch() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    seen: list[str] = []

    async def fetch(reader: JobReader) -> None:
        seen.append((await reader.fetch(JobRequest("ext-1"))).status)

    async with reading(service) as reader, anyio.create_task_group() as group:
        await reader.fetcher.identity()
        for _ in range(50):
            group.start_soon(fetch, reader)
    assert (seen, len(service.seen)) == (["RUNNING"] * 50, 1)


@virtual
async def test_error_reaches_every_concurrent_request_and_is_not_cached() -> None:
    service = Service(VirtualClock())
    seen: list[str] = []

    async def fetch(reader: JobReader) -> None:
        with pytest.raises(NotFoundError) as caught:
            await reader.fetch(JobRequest("ext-1"))
        seen.append(str(caught.value))

    async with reading(service) as reader:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(fetch, reader)
        service.add("ext-1")
        assert (await reader.fetch(JobRequest("ext-1"))).is_success
    assert len(set(seen)) == 1
    assert (len(seen), len(service.seen)) == (5, 2)


@virtual
async def test_cancelled_request_does_not_end_the_shared_fetch() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    service.fault = lambda seen: (503, {}) if seen.at < 1 else None
    async with reading(service) as reader, anyio.create_task_group() as group:
        statuses: list[str] = []

        async def stay() -> None:
            statuses.append((await reader.fetch(JobRequest("ext-1"))).status)

        with anyio.move_on_after(0.2):
            group.start_soon(stay)
            await reader.fetch(JobRequest("ext-1"))
    assert statuses == ["COMPLETED"]


@virtual
async def test_fetch_is_cancelled_with_its_last_request() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    service.fault = lambda _: (503, {})
    async with reading(service) as reader:
        with anyio.move_on_after(0.2):
            await reader.fetch(JobRequest("ext-1"))
        await anyio.sleep(0.1)
        num_seen = len(service.seen)
        await anyio.sleep(100)
    assert len(service.seen) == num_seen


@virtual
async def test_identity_is_the_same_for_the_same_key_only() -> None:
    service = Service(VirtualClock())
    identities = []
    for key in ("llx-one-one", "llx-two-two", "llx-one-one"):
        async with open_reader(source_of(service, key), service.clock) as reader:
            identities.append(await reader.fetcher.identity())
    service.close()
    assert identities[0] == identities[2] != identities[1]
    assert "llx-one" not in identities[0]


async def test_wait_without_a_key_says_so() -> None:
    service = Service(SystemClock())
    async with open_reader(source_of(service, ""), SystemClock()) as reader:
        with pytest.raises(ConfigurationError, match="No LlamaCloud key is set"):
            await reader.wait_many(["ext-1"], timeout_seconds=1)
    service.close()


@virtual
async def test_error_inside_a_reader_is_raised_unchanged() -> None:
    service = Service(VirtualClock())
    with pytest.raises(UnavailableError, match="mine"):
        async with reading(service):
            raise UnavailableError("mine")


@virtual
async def test_page_holds_the_jobs_that_pass_the_filters() -> None:
    service = Service(VirtualClock())
    for number in range(4):
        service.add(f"ext-{number}", 100 * (number % 2))
    async with reading(service) as reader:
        running = await reader.fetcher.fetch_page(JobFilter(statuses=("RUNNING",)))
        first = await reader.fetcher.fetch_page(JobFilter(page_size=3))
        second = await reader.fetcher.fetch_page(JobFilter(page_size=3, page_token=first.next_page_token))
    assert [job.id for job in running.items] == ["ext-1", "ext-3"]
    assert [job.id for page in (first, second) for job in page.items] == [f"ext-{number}" for number in range(4)]
    assert second.next_page_token is None


@virtual
async def test_only_a_small_job_is_compressed_before_its_first_answer() -> None:
    found = []
    for num_bytes in (65_535, 65_536):
        source = Bodies(lambda _: b'{"id":"ext-1","status":"COMPLETED"}'.ljust(num_bytes))  # noqa: B023 - called at once
        async with open_reader(open_bodies(source), VirtualClock()) as reader:
            found.append((await reader.fetcher.fetch_job(JobRequest("ext-1"))).is_compressed)
    assert found == [True, False]


@virtual
async def test_job_that_is_fetched_again_for_its_usage_is_returned_as_it_was_after_ten_seconds() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", credits_billed=None)
    async with reading(service) as reader:
        await reader.fetch(JobRequest("ext-1"))
        await anyio.sleep(60)
        service.answer_seconds = 1_000
        assert (await reader.fetch(JobRequest("ext-1"))).is_success
    assert (service.clock.monotonic(), len(service.seen)) == (70.0, 2)


@virtual
async def test_job_is_not_fetched_again_for_its_usage_while_the_key_is_paused() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", credits_billed=None)
    async with reading(service) as reader:
        await reader.fetch(JobRequest("ext-1"))
        await anyio.sleep(60)
        (await reader.fetcher.open()).rate.pause(60.0, 0.5)
        assert (await reader.fetch(JobRequest("ext-1"))).is_success
        assert len(service.seen) == 1
        await anyio.sleep(0.5)
        await reader.fetch(JobRequest("ext-1"))
    assert len(service.seen) == 2


@virtual
async def test_source_is_opened_once_for_concurrent_requests() -> None:
    num_opened = 0

    @asynccontextmanager
    async def open_slowly() -> AsyncIterator[JobSource]:
        nonlocal num_opened
        num_opened += 1
        await anyio.sleep(1)
        yield Bodies(lambda job_id: b'{"id":"%s","status":"RUNNING"}' % job_id.encode())

    async with open_reader(open_slowly, VirtualClock()) as reader:
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(reader.fetch, JobRequest(f"ext-{number}"))
        await reader.fetch(JobRequest("ext-1"))
    assert num_opened == 1


@virtual
async def test_job_of_a_wait_is_fetched_only_if_its_sections_are_missing() -> None:
    source = Bodies(lambda _: b'{"id":"ext-1","status":"COMPLETED","extract_result":{"a":1}}')
    async with open_reader(open_bodies(source), VirtualClock()) as reader:
        job = Job.parse(source.body_of("ext-1"))
        whole = await reader.fetcher.fetch_polled_job(JobRequest("ext-1"), job)
        assert (await whole.body(), source.num_fetches) == (job.body, 0)
        for _ in range(2):
            fetched = await reader.fetcher.fetch_polled_job(JobRequest("ext-1"), job.without_sections())
            assert (await fetched.body(), source.num_fetches) == (job.body, 1)


@virtual
async def test_names_of_no_file_need_no_request() -> None:
    service = Service(VirtualClock())
    async with reading(service) as reader:
        assert await reader.fetcher.fetch_file_names([]) == {}
    assert service.seen == []


@virtual
async def test_time_of_the_service_is_ours_until_it_has_answered() -> None:
    service = Service(VirtualClock(), ahead_seconds=3_600.0)
    service.add("ext-1")
    ahead = []
    async with reading(service) as reader:
        for _ in range(2):
            ahead.append(round((reader.fetcher.service_now() - service.clock.now()).total_seconds() / 60))
            await reader.fetch(JobRequest("ext-1"))
    # The client compares the header `Date` with the clock of this machine, not with the virtual one.
    assert ahead[0] == 0
    assert ahead[1] != 0
