"""Waits share one poll loop, which polls as rarely as it can and stops with the last wait."""

import gc
import weakref
from collections import Counter
from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import (
    ArgumentError,
    UnreachableError,
)
from llx_mcp.jobs.progress import WaitProgress
from llx_mcp.jobs.reader import JobReader
from tests.jobs.service import Service, reading
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.jobs.waits import LONG, is_idle, statuses, wait_for


@virtual
async def test_ended_job_costs_one_poll_and_one_fetch_and_is_then_cached() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    async with reading(service) as reader:
        first = await reader.wait_many(["ext-1"], timeout_seconds=45)
        second = await reader.wait_many(["ext-1"], timeout_seconds=45)
        job = await reader.fetch(JobRequest("ext-1"))
    assert statuses(first) == statuses(second) == ["COMPLETED"]
    assert bytes(job.sections["extract_metadata"]) != b"null"
    assert [(seen.at, bool(seen.expand)) for seen in service.seen] == [(0.0, False), (0.0, True)]


@virtual
async def test_new_job_is_polled_at_once_and_after_2_and_5_seconds() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 9)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=45)
    assert service.poll_times("ext-1") == pytest.approx([0.0, 2.0, 5.0, 12.5], abs=0.01)


@virtual
async def test_wait_for_an_old_job_begins_with_a_long_interval() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 260, age=200)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=LONG)
    assert service.poll_times("ext-1")[1] >= 9.9


@virtual
async def test_job_of_ten_minutes_costs_at_most_half_of_the_official_clients_polls() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 600)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=LONG)
    # The official client polls after 1, 3, 6, 10 and then every 5 seconds.
    assert len(service.seen) <= 0.5 * 122


@virtual
async def test_timeout_returns_the_job_after_a_last_poll() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=42)
        assert await is_idle(reader)
    assert statuses(progress) == ["RUNNING"]
    assert progress.waited_seconds == pytest.approx(42.0)
    assert service.poll_times("ext-1")[-1] >= 42 - 5.5


@virtual
async def test_timeout_of_zero_polls_once() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    async with reading(service) as reader:
        (snapshot,) = (await reader.wait_many(["ext-1"], timeout_seconds=0)).snapshots
    assert snapshot.job is not None
    assert (snapshot.job.status, len(service.seen)) == ("RUNNING", 1)


@pytest.mark.parametrize("timeout_seconds", [0.0, 3.0])
def test_ended_job_costs_one_request_after_the_timeout(timeout_seconds: float) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", timeout_seconds)
        service.answer_seconds = 4.0
        async with reading(service) as reader:
            progress = await reader.wait_many(["ext-1"], timeout_seconds=timeout_seconds)
            job = await reader.fetch(JobRequest("ext-1"))
            assert await is_idle(reader)
        assert statuses(progress) == ["COMPLETED"]
        assert bytes(job.sections["extract_metadata"]) != b"null"
        assert len([seen for seen in service.seen if seen.at >= timeout_seconds]) == 1

    run()


@pytest.mark.parametrize("num_jobs", [1, 5])
def test_wait_for_a_silent_service_ends_soon_after_its_timeout(num_jobs: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        ids = [service.add(f"ext-{number}") for number in range(num_jobs)]
        service.answer_seconds = 1_000.0
        async with reading(service) as reader:
            progress = await reader.wait_many(ids, timeout_seconds=5)
            assert await is_idle(reader)
        assert progress.waited_seconds == pytest.approx(15.0)

    run()


@virtual
async def test_last_poll_that_hangs_does_not_end_another_wait() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 30)
    service.answer_seconds = 200.0
    results: list[WaitProgress] = []

    async def wait(reader: JobReader, timeout_seconds: float) -> None:
        results.append(await reader.wait_many(["ext-1"], timeout_seconds=timeout_seconds))

    async with reading(service) as reader, anyio.create_task_group() as group:
        group.start_soon(wait, reader, 0)
        group.start_soon(wait, reader, LONG)
        await anyio.sleep(1)
        service.answer_seconds = 0.0
    assert [statuses(progress) for progress in results] == [[None], ["COMPLETED"]]
    assert [round(progress.waited_seconds) for progress in results] == [10, 62]


@virtual
async def test_concurrent_waits_for_a_job_share_its_polls() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 60)
    results: list[WaitProgress] = []

    async def wait(reader: JobReader) -> None:
        results.append(await reader.wait_many(["ext-1"], timeout_seconds=LONG))

    async with reading(service) as reader, anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(wait, reader)
    assert Counter(status for progress in results for status in statuses(progress)) == {"COMPLETED": 500}
    assert len(service.fetch_times("ext-1")) == 1
    assert len(service.poll_times("ext-1")) <= 15


@virtual
async def test_until_any_returns_when_the_first_job_ends() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-slow", 500), service.add("ext-quick", 20)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, until="any", timeout_seconds=LONG)
    assert statuses(progress) == ["RUNNING", "COMPLETED"]
    assert 20 <= progress.waited_seconds <= 28


@virtual
async def test_no_id_and_too_many_ids_are_refused_and_duplicates_count_once() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    async with reading(service) as reader:
        with pytest.raises(ArgumentError, match="No job is named"):
            await reader.wait_many([], timeout_seconds=1)
        with pytest.raises(ArgumentError, match="101 jobs are more"):
            await reader.wait_many([f"ext-{number}" for number in range(101)], timeout_seconds=1)
        progress = await reader.wait_many(["ext-1", " ext-1", "ext-1"], timeout_seconds=1)
    assert [snapshot.job_id for snapshot in progress.snapshots] == ["ext-1"]


@virtual
async def test_watch_yields_every_change_of_status_even_backwards() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 60), service.add("ext-2", 60)]
    service.shown["ext-1"] = lambda at: "RUNNING" if at < 12 else "PENDING" if at < 30 else "THROTTLED"
    seen: list[str] = []
    async with reading(service) as reader, anyio.create_task_group() as group:
        group.start_soon(wait_for, reader, ids)
        async with aclosing(reader.watch("ext-1")) as snapshots:
            async for snapshot in snapshots:
                assert snapshot.job is not None
                seen.append(snapshot.job.status)
    assert seen == ["RUNNING", "PENDING", "THROTTLED", "COMPLETED"]


@virtual
async def test_unknown_status_is_shown_unchanged_and_counts_as_unfinished() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 60) for number in range(4)]
    service.shown = {job_id: lambda at: "REHEATING" for job_id in ids[:2]}
    async with reading(service) as reader:
        early = await reader.wait_many(ids, timeout_seconds=10)
        late = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(early) == ["REHEATING", "REHEATING", "RUNNING", "RUNNING"]
    assert statuses(late) == ["COMPLETED"] * 4


@pytest.mark.parametrize("ahead_seconds", [3_600.0, -3_600.0])
def test_service_clock_that_is_off_by_an_hour_changes_neither_ages_nor_intervals(ahead_seconds: float) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock(), ahead_seconds=ahead_seconds)
        service.add("ext-1", 300)
        results: list[WaitProgress] = []

        async def note(progress: WaitProgress) -> None:
            results.append(progress)

        async with reading(service) as reader:
            await reader.wait_many(["ext-1"], timeout_seconds=LONG, on_progress=note)
        off = [
            abs(snapshot.age_seconds - progress.waited_seconds)
            for progress in results
            for snapshot in progress.snapshots
            if snapshot.age_seconds is not None
        ]
        assert off
        assert max(off) <= 1.5
        assert service.poll_times("ext-1")[:3] == [0.0, 2.0, 5.0]
        assert 33 <= len(service.poll_times("ext-1")) <= 50

    run()


@virtual
async def test_cancelled_wait_ends_at_once_and_the_others_go_on() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 30)
    async with reading(service) as reader:
        async with anyio.create_task_group() as group:
            results: list[WaitProgress] = []

            async def stay() -> None:
                results.append(await reader.wait_many(["ext-1"], timeout_seconds=LONG))

            group.start_soon(stay)
            with anyio.move_on_after(7.0) as scope:
                await reader.wait_many(["ext-1"], timeout_seconds=LONG)
            assert scope.cancelled_caught
            assert service.clock.monotonic() == pytest.approx(7.0)
        assert statuses(results[0]) == ["COMPLETED"]
        assert await is_idle(reader)


@virtual
async def test_polling_stops_when_the_last_wait_is_cancelled() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 300), service.add("ext-2", 300)]
    async with reading(service) as reader:
        with anyio.move_on_after(7.0):
            await reader.wait_many(ids, timeout_seconds=LONG)
        await anyio.sleep(0.1)
        assert await is_idle(reader)
        num_seen = len(service.seen)
        await anyio.sleep(100)
    assert len(service.seen) == num_seen


@virtual
async def test_stopping_server_ends_every_open_wait_with_its_progress() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 300) for number in range(10)]
    results: list[WaitProgress] = []

    async def wait(reader: JobReader, job_id: str) -> None:
        results.append(await reader.wait_many([job_id], timeout_seconds=LONG))

    async with anyio.create_task_group() as group, reading(service) as reader:
        for number in range(100):
            group.start_soon(wait, reader, ids[number % 10])
        await anyio.sleep(10)
    assert service.clock.monotonic() == pytest.approx(10.0)
    assert [statuses(progress) for progress in results] == [["RUNNING"]] * 100


@virtual
async def test_stopped_server_refuses_new_waits() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 300)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=0)
        await reader.close()
        with pytest.raises(UnreachableError, match="is stopping"):
            await reader.wait_many(["ext-1"], timeout_seconds=0)


@virtual
async def test_finished_wait_leaves_no_job_in_memory() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 30)
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=LONG)
        left = weakref.ref(progress.snapshots[0].job)
        del progress
        await anyio.lowlevel.checkpoint()
        gc.collect()
        assert left() is None
        assert await is_idle(reader)


@virtual
async def test_new_wait_is_polled_at_once_while_another_waits_for_its_next_poll() -> None:
    service = Service(VirtualClock())
    service.add("ext-old", 1_000, age=300)
    service.add("ext-new")
    async with reading(service) as reader, anyio.create_task_group() as group:
        group.start_soon(wait_for, reader, ["ext-old"])
        await anyio.sleep(3)
        progress = await reader.wait_many(["ext-new"], timeout_seconds=LONG)
        group.cancel_scope.cancel()
    assert (statuses(progress), progress.waited_seconds) == (["COMPLETED"], 0.0)


@virtual
async def test_job_that_only_a_cancelled_wait_wanted_is_not_polled_any_more() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 60), service.add("ext-2", 60)]
    async with reading(service) as reader, anyio.create_task_group() as group:
        group.start_soon(wait_for, reader, ids[:1])
        with anyio.move_on_after(7.0):
            await reader.wait_many(ids, timeout_seconds=LONG)
    assert max(service.poll_times("ext-2")) < 7.0
    assert max(service.poll_times("ext-1")) >= 60.0
