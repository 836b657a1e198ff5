"""One loop waits for all: few looks, early enough, together where that is allowed, through all that may pass."""

import gc
import random
import weakref
from collections import Counter
from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.answers.header import JobRequest
from llx_mcp.answers.wait_report import WaitRequest
from llx_mcp.errors import (
    ArgumentError,
    AuthenticationError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    UnavailableError,
    UnreachableError,
)
from llx_mcp.jobs.progress import WaitProgress, describe_progress
from llx_mcp.jobs.reader import JobReader, ReaderOptions
from llx_mcp.scope import Scope
from tests.jobs.service import Lists, Service, reading
from tests.jobs.virtual_time import VirtualClock, virtual

LONG = 3_600.0


def statuses(progress: WaitProgress) -> list[str | None]:
    """What is known of each job: its status, or its error's name."""
    return [
        type(snapshot.error).__name__ if snapshot.error else snapshot.job.status if snapshot.job else None
        for snapshot in progress.snapshots
    ]


async def is_idle(reader: JobReader) -> bool:
    """Whether nothing is left of any wait, once its loop has had its turn."""
    await anyio.sleep(0.001)
    assert reader._poller is not None
    return reader._poller.is_idle


@virtual
async def test_a_job_that_has_ended_costs_a_look_and_a_fetch_and_then_nothing() -> None:
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
async def test_a_fresh_job_is_looked_at_at_once_and_after_2_and_5_seconds() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 9)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=45)
    assert service.looks_at("ext-1") == pytest.approx([0.0, 2.0, 5.0, 12.5], abs=0.01)


@virtual
async def test_a_wait_that_begins_late_does_not_begin_fast() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 260, age=200)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=LONG)
    assert service.looks_at("ext-1")[1] >= 9.9


@virtual
async def test_a_job_of_ten_minutes_costs_half_of_the_official_clients_looks() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 600)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=LONG)
    # The official client looks after 1, 3, 6, 10 and then every 5 seconds.
    assert len(service.seen) <= 0.5 * 122


@virtual
async def test_the_time_that_is_up_gives_the_job_as_it_is_after_a_last_look() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=42)
        assert await is_idle(reader)
    assert statuses(progress) == ["RUNNING"]
    assert progress.waited_seconds == pytest.approx(42.0)
    assert service.looks_at("ext-1")[-1] >= 42 - 5.5


@virtual
async def test_no_time_at_all_is_one_look() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 100)
    async with reading(service) as reader:
        (snapshot,) = (await reader.wait_many(["ext-1"], timeout_seconds=0)).snapshots
    assert snapshot.job is not None
    assert (snapshot.job.status, len(service.seen)) == ("RUNNING", 1)


@virtual
async def test_any_number_of_waits_for_a_job_cost_what_one_costs() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 60)
    told: list[WaitProgress] = []

    async def wait(reader: JobReader) -> None:
        told.append(await reader.wait_many(["ext-1"], timeout_seconds=LONG))

    async with reading(service) as reader, anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(wait, reader)
    assert Counter(status for progress in told for status in statuses(progress)) == {"COMPLETED": 500}
    assert len(service.fetches_of("ext-1")) == 1
    assert len(service.looks_at("ext-1")) <= 15


@virtual
async def test_many_jobs_are_asked_for_together_and_each_is_fetched_once() -> None:
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
async def test_a_job_that_cannot_be_read_is_not_the_end_that_any_waits_for() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 30)
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-none", "ext-1"], until="any", timeout_seconds=LONG)
        alone = await reader.wait_many(["ext-none"], until="any", timeout_seconds=LONG)
    assert statuses(progress) == ["NotFoundError", "COMPLETED"]
    assert statuses(alone) == ["NotFoundError"]


@virtual
async def test_until_any_ends_with_the_first_end() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-slow", 500), service.add("ext-quick", 20)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, until="any", timeout_seconds=LONG)
    assert statuses(progress) == ["RUNNING", "COMPLETED"]
    assert 20 <= progress.waited_seconds <= 28


@pytest.mark.parametrize("lists", ["are refused", "ignore ids", "ignore status", "take the last status"])
def test_where_lists_do_not_work_each_job_is_looked_at_alone_and_that_is_learnt(lists: Lists) -> None:
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
async def test_a_list_in_pages_is_read_to_its_end() -> None:
    service = Service(VirtualClock(), lists="come in pages of 3")
    ids = [service.add(f"ext-{number}", 30) for number in range(10)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"] * 10
    assert {len(service.fetches_of(job_id)) for job_id in ids} == {1}


@virtual
async def test_ids_that_would_make_the_address_too_long_are_asked_for_in_several_lists() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{'x' * 900}-{number}", 4) for number in range(12)]
    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"] * 12
    assert max(len(seen.ids) for seen in service.seen) == 5


@virtual
async def test_an_id_that_does_not_exist_is_told_and_the_others_are_waited_for() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 20) for number in range(11)]
    async with reading(service) as reader:
        progress = await reader.wait_many([*ids[:5], "ext-none", *ids[5:]], timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"] * 5 + ["NotFoundError"] + ["COMPLETED"] * 6
    assert "ext-none" in str(progress.snapshots[5].error)


@virtual
async def test_no_ids_and_too_many_are_refused_and_the_same_twice_counts_once() -> None:
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
async def test_a_blank_id_is_an_error_of_its_own() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1", " "], timeout_seconds=9)
    assert statuses(progress) == ["COMPLETED", "ArgumentError"]


@virtual
async def test_a_service_that_is_away_for_a_minute_is_ridden_out_and_told() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 90), service.add("ext-2", 90)]
    service.fault = lambda seen: (503, {}) if 10 <= seen.at < 70 else None
    told: list[WaitProgress] = []

    async def note(progress: WaitProgress) -> None:
        told.append(progress)

    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG, on_progress=note)
    assert statuses(progress) == ["COMPLETED"] * 2
    assert progress.waited_seconds <= 100
    failures = [snapshot.failure for progress in told for snapshot in progress.snapshots if snapshot.failure]
    assert {type(failure) for failure in failures} == {UnavailableError}
    assert any("the latest poll failed and is tried again" in describe_progress(progress) for progress in told)
    waited = [progress.waited_seconds for progress in told]
    assert waited == sorted(waited)
    assert len([seen for seen in service.seen if 10 <= seen.at < 70]) <= 12


@virtual
async def test_a_service_that_never_answers_is_an_error_and_not_a_job() -> None:
    service = Service(VirtualClock())
    service.fault = lambda _: (500, {})
    async with reading(service) as reader:
        with pytest.raises(UnavailableError):
            await reader.wait(WaitRequest(("ext-1",), is_many=False), 45)


@virtual
async def test_retry_after_of_an_unavailable_service_is_obeyed_by_all() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 200), service.add("ext-2", 200)]
    service.fault = lambda seen: (503, {"retry-after": "40"}) if 5 <= seen.at < 12 else None
    async with reading(service) as reader:
        await reader.wait_many(ids, timeout_seconds=LONG)
    refused = next(seen.at for seen in service.seen if 5 <= seen.at < 12)
    assert [seen for seen in service.seen if refused < seen.at < refused + 40] == []


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (402, OutOfCreditsError), (403, NotFoundError)]
)
@pytest.mark.parametrize("num_jobs", [1, 2])
def test_what_cannot_pass_ends_every_wait_at_once(status: int, error: type[Exception], num_jobs: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        ids = [service.add(f"ext-{number}", 100) for number in range(num_jobs)]
        service.fault = lambda seen: (status, {}) if seen.at >= 9 else None
        told: list[WaitProgress] = []

        async def wait(reader: JobReader) -> None:
            told.append(await reader.wait_many(ids, timeout_seconds=LONG))

        async with reading(service) as reader, anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(wait, reader)
        assert {type(snapshot.error) for progress in told for snapshot in progress.snapshots} == {error}
        assert len(told) == 20
        assert max(progress.waited_seconds for progress in told) <= 13

    run()


@virtual
async def test_a_job_that_is_deleted_while_it_is_waited_for_ends_its_wait_and_no_other() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 60), service.add("ext-2", 60), service.add("ext-3", 60)]

    async with reading(service) as reader, anyio.create_task_group() as group:

        async def delete() -> None:
            await anyio.sleep(20)
            service.deleted.add("ext-2")

        group.start_soon(delete)
        progress = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED", "NotFoundError", "COMPLETED"]


@virtual
async def test_a_job_that_goes_back_in_the_queue_is_waited_for_and_each_change_is_told() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 60), service.add("ext-2", 60)]
    service.shown["ext-1"] = lambda at: "RUNNING" if at < 12 else "PENDING" if at < 30 else "THROTTLED"
    seen: list[str] = []
    async with reading(service) as reader, anyio.create_task_group() as group:
        group.start_soon(_wait, reader, ids)
        async with aclosing(reader.watch("ext-1")) as snapshots:
            async for snapshot in snapshots:
                assert snapshot.job is not None
                seen.append(snapshot.job.status)
    assert seen == ["RUNNING", "PENDING", "THROTTLED", "COMPLETED"]


@virtual
async def test_an_unknown_status_is_shown_as_it_is_and_waited_on() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 60) for number in range(4)]
    service.shown = {job_id: lambda at: "REHEATING" for job_id in ids[:2]}
    async with reading(service) as reader:
        early = await reader.wait_many(ids, timeout_seconds=10)
        late = await reader.wait_many(ids, timeout_seconds=LONG)
    assert statuses(early) == ["REHEATING", "REHEATING", "RUNNING", "RUNNING"]
    assert statuses(late) == ["COMPLETED"] * 4


@pytest.mark.parametrize("ahead_seconds", [3_600.0, -3_600.0])
def test_a_clock_of_the_service_that_is_off_by_an_hour_changes_neither_ages_nor_intervals(ahead_seconds: float) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock(), ahead_seconds=ahead_seconds)
        service.add("ext-1", 300)
        told: list[WaitProgress] = []

        async def note(progress: WaitProgress) -> None:
            told.append(progress)

        async with reading(service) as reader:
            await reader.wait_many(["ext-1"], timeout_seconds=LONG, on_progress=note)
        off = [
            abs(snapshot.age_seconds - progress.waited_seconds)
            for progress in told
            for snapshot in progress.snapshots
            if snapshot.age_seconds is not None
        ]
        assert off
        assert max(off) <= 1.5
        assert service.looks_at("ext-1")[:3] == [0.0, 2.0, 5.0]
        assert 33 <= len(service.looks_at("ext-1")) <= 50

    run()


@virtual
async def test_a_wait_that_is_cancelled_ends_at_once_and_leaves_the_others_alone() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 30)
    async with reading(service) as reader:
        async with anyio.create_task_group() as group:
            told: list[WaitProgress] = []

            async def stay() -> None:
                told.append(await reader.wait_many(["ext-1"], timeout_seconds=LONG))

            group.start_soon(stay)
            with anyio.move_on_after(7.0) as scope:
                await reader.wait_many(["ext-1"], timeout_seconds=LONG)
            assert scope.cancelled_caught
            assert service.clock.monotonic() == pytest.approx(7.0)
        assert statuses(told[0]) == ["COMPLETED"]
        assert await is_idle(reader)


@virtual
async def test_the_last_who_leaves_ends_the_looking() -> None:
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
async def test_a_server_that_stops_answers_every_open_wait() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 300) for number in range(10)]
    told: list[WaitProgress] = []

    async def wait(reader: JobReader, job_id: str) -> None:
        told.append(await reader.wait_many([job_id], timeout_seconds=LONG))

    async with anyio.create_task_group() as group, reading(service) as reader:
        for number in range(100):
            group.start_soon(wait, reader, ids[number % 10])
        await anyio.sleep(10)
    assert service.clock.monotonic() == pytest.approx(10.0)
    assert [statuses(progress) for progress in told] == [["RUNNING"]] * 100


@virtual
async def test_a_server_that_has_stopped_begins_no_wait() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 300)
    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=0)
        await reader.close()
        with pytest.raises(UnreachableError, match="is stopping"):
            await reader.wait_many(["ext-1"], timeout_seconds=0)


@virtual
async def test_a_wait_that_is_over_leaves_nothing_in_memory() -> None:
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


@pytest.mark.parametrize("seed", [1, 7])
def test_ten_agents_and_forty_jobs_need_no_more_than_twenty_requests_a_minute(seed: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.limit_per_minute = 20
        generator = random.Random(seed)
        ids = [service.add(f"ext-{number}", generator.uniform(94, 590)) for number in range(40)]
        told: list[WaitProgress] = []

        async def work(reader: JobReader) -> None:
            progress = await reader.wait_many(ids, timeout_seconds=45)
            while progress.num_ended < len(ids):
                assert progress.waited_seconds <= 45 + 0.1
                progress = await reader.wait_many(ids, timeout_seconds=45)
            told.append(progress)

        async with reading(service) as reader, anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(work, reader)
        assert [statuses(progress) for progress in told] == [["COMPLETED"] * 40] * 10
        assert service.num_refused == 0

    run()


@pytest.mark.parametrize("per_minute", [None, 20])
def test_a_limit_is_kept_to_where_lists_do_not_work_and_it_is_told_or_learnt(per_minute: int | None) -> None:
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
async def test_a_wait_for_which_no_request_was_left_says_so() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 300)
    async with reading(service, ReaderOptions(requests_per_minute=4)) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=0)
        with pytest.raises(RateLimitedError, match="used up"):
            await reader.wait(WaitRequest(("ext-2",), is_many=False), 1)


@virtual
async def test_projects_are_not_mixed_in_a_list() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 30) for number in range(6)]
    projects = ["5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90", "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a91"]
    async with reading(service) as reader, anyio.create_task_group() as group:
        for project, wanted in zip(projects, (ids[:3], ids[3:]), strict=True):
            group.start_soon(_wait, reader, wanted, project)
    assert {frozenset(seen.ids) for seen in service.seen if seen.is_list} == {frozenset(ids[:3]), frozenset(ids[3:])}


@virtual
async def test_an_error_ends_only_the_waits_that_saw_it() -> None:
    service = Service(VirtualClock())
    async with reading(service) as reader, anyio.create_task_group() as group:
        service.add("ext-slow", 60)
        told: list[WaitProgress] = []

        async def wait_for_both() -> None:
            told.append(await reader.wait_many(["ext-late", "ext-slow"], timeout_seconds=LONG))

        group.start_soon(wait_for_both)
        await anyio.sleep(10)
        service.add("ext-late", 5)
        progress = await reader.wait_many(["ext-late"], timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"]
    assert statuses(told[0]) == ["NotFoundError", "COMPLETED"]


def test_progress_is_described_in_words() -> None:
    from llx_mcp.jobs.progress import JobSnapshot
    from llx_mcp.models import Job

    running = JobSnapshot("ext-1", Job(id="ext-1", status="RUNNING"), age_seconds=34.2)
    done = JobSnapshot("ext-2", Job(id="ext-2", status="COMPLETED"))
    assert describe_progress(WaitProgress((running,), 3.0, 4.4)) == "RUNNING for 34 s; next poll in 4 s"
    assert describe_progress(WaitProgress((done,), 3.0, is_over=True)) == "COMPLETED"
    many = WaitProgress((done, running, JobSnapshot("ext-3")), 3.0, 4.0)
    assert describe_progress(many) == "RUNNING for 34 s; 1 of 3 done; next poll in 4 s"
    assert describe_progress(WaitProgress((JobSnapshot("ext-3"),), 0.0)) == "not seen yet"


async def _wait(reader: JobReader, job_ids: list[str], project_id: str | None = None) -> Any:
    return await reader.wait_many(job_ids, timeout_seconds=LONG, scope=Scope(project_id))
