"""Polls share list requests where the service allows it, and stay within the rate limit of the key."""

import itertools
import random
from collections import Counter

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.answers.requests import WaitRequest
from llx_mcp.errors import (
    RateLimitedError,
)
from llx_mcp.jobs.progress import WaitProgress
from llx_mcp.jobs.reader import JobReader
from llx_mcp.jobs.reader_options import ReaderOptions
from tests.jobs.service import Lists, Service, reading
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.jobs.waits import LONG, is_idle, statuses, wait_for


@virtual
async def test_many_jobs_share_list_requests_and_each_is_fetched_once() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 20 + number) for number in range(100)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG)
        assert await is_idle(reader)
    assert statuses(progress) == ["COMPLETED"] * 100
    assert all(
        snapshot.job and bytes(snapshot.job.sections["extract_metadata"]) != b"null" for snapshot in progress.snapshots
    )
    lists = [seen for seen in service.seen if seen.is_list]
    gets = [seen for seen in service.seen if not seen.is_list]
    assert Counter(seen.ids[0] for seen in gets if seen.expand) == dict.fromkeys(ids, 1)
    assert len([seen for seen in gets if not seen.expand]) <= 3
    assert len(lists) <= 40


@virtual
async def test_many_jobs_that_end_at_once_do_not_delay_the_polls_of_others() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 20 if number < 80 else 600) for number in range(90)]
    async with reading(service) as reader, anyio.create_task_group() as group:
        group.start_soon(wait_for, reader, ids)
        await anyio.sleep(20)
        service.answer_seconds = 2
        await anyio.sleep(20)
        # The fetches take 20 s and more.
        assert len([seen for seen in service.seen if seen.expand]) < 80
        assert [at for at in service.poll_times(ids[-1]) if at > 20] == pytest.approx([20.5, 26.5, 32.5])
        group.cancel_scope.cancel()


@pytest.mark.parametrize("lists", ["are refused", "ignore ids", "ignore status", "take the last status"])
def test_jobs_are_polled_one_by_one_once_lists_prove_unusable(lists: Lists) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock(), lists=lists)
        service.shown = {"ext-1": lambda at: "PENDING", "ext-2": lambda at: "PENDING"}
        ids = [service.add(f"ext-{number}", 120 if number else 0) for number in range(6)]
        service.add("ext-other", 500)
        async with reading(service) as reader:
            progress = await reader.wait_many(ids, timeout_seconds=LONG)
            again = [service.add(f"ext-again-{number}", 5) for number in range(6)]
            num_lists = sum(seen.is_list for seen in service.seen)
            await reader.wait_many(again, timeout_seconds=LONG)
        assert statuses(progress) == ["COMPLETED"] * 6
        assert progress.waited_seconds <= 132
        assert num_lists <= 3
        assert sum(seen.is_list for seen in service.seen) == num_lists

    run()


@virtual
async def test_paged_list_is_read_to_its_end() -> None:
    service = Service(VirtualClock(), lists="come in pages of 3")
    ids = [service.add(f"ext-{number}", 30) for number in range(10)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"] * 10
    assert {len(service.fetch_times(job_id)) for job_id in ids} == {1}


@virtual
async def test_ids_that_would_make_the_url_too_long_go_into_several_lists() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{'x' * 900}-{number}", 4) for number in range(12)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"] * 12
    assert max(len(seen.ids) for seen in service.seen) == 5


@pytest.mark.parametrize("seed", [1, 7])
def test_ten_agents_with_forty_jobs_need_at_most_twenty_requests_a_minute(seed: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.limit_per_minute = 20
        generator = random.Random(seed)
        ids = [service.add(f"ext-{number}", generator.uniform(94, 590)) for number in range(40)]
        results: list[WaitProgress] = []

        async def work(reader: JobReader) -> None:
            progress = await reader.wait_many(ids, timeout_seconds=45)
            while progress.num_ended < len(ids):
                assert progress.waited_seconds <= 45 + 0.1
                progress = await reader.wait_many(ids, timeout_seconds=45)
            results.append(progress)

        async with reading(service) as reader, anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(work, reader)
        assert [statuses(progress) for progress in results] == [["COMPLETED"] * 40] * 10
        assert service.num_refused == 0

    run()


@pytest.mark.parametrize("per_minute", [None, 20])
def test_rate_limit_holds_without_lists_whether_configured_or_learned(per_minute: int | None) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock(), lists="are refused")
        service.limit_per_minute = 20
        ids = [service.add(f"ext-{number}", 40 + 12 * number) for number in range(40)]
        async with reading(service, ReaderOptions(requests_per_minute=per_minute)) as reader:
            with anyio.move_on_after(60):
                await reader.wait_many(ids, timeout_seconds=LONG)
            num_refused = service.num_refused
            progress = await reader.wait_many(ids, timeout_seconds=LONG)
        assert statuses(progress) == ["COMPLETED"] * 40
        assert service.num_refused == num_refused
        assert (num_refused == 0) == (per_minute is not None)

    run()


@virtual
async def test_wait_without_a_request_left_says_so() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 300)
    async with reading(service, ReaderOptions(requests_per_minute=4)) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=0)
        with pytest.raises(RateLimitedError, match="used up"):
            await reader.wait(WaitRequest(("ext-2",), is_many=False), 1)


@virtual
async def test_list_request_never_mixes_projects() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 30) for number in range(6)]
    projects = ["5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90", "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a91"]
    async with reading(service) as reader, anyio.create_task_group() as group:
        for project, wanted in zip(projects, (ids[:3], ids[3:]), strict=True):
            group.start_soon(wait_for, reader, wanted, project)
    assert {frozenset(seen.ids) for seen in service.seen if seen.is_list} == {frozenset(ids[:3]), frozenset(ids[3:])}


@pytest.mark.parametrize("per_minute", [None, 600])
def test_lists_are_spaced_out_once_most_of_the_minute_of_a_free_key_is_used(per_minute: int | None) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        ids = [service.add(f"ext-{number}", 0 if number < 14 else 100) for number in range(16)]
        later = [service.add(f"ext-later-{number}", 100) for number in range(2)]
        options = ReaderOptions(requests_per_minute=per_minute)
        async with reading(service, options) as reader, anyio.create_task_group() as group:
            group.start_soon(wait_for, reader, ids)
            await anyio.sleep(24.0)
            group.start_soon(wait_for, reader, later)
            await anyio.sleep(0.5)
            # A job that was not polled yet does not wait.
            assert [seen.at for seen in service.seen if set(later) <= set(seen.ids)] == [24.0]
            group.cancel_scope.cancel()
        times = [seen.at for seen in service.seen if seen.is_list and 0 < seen.at < 24.0]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert (min(gaps) >= 10.0) == (per_minute is None)

    run()
