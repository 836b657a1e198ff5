"""Errors of the service: transient ones are retried, permanent ones end only the waits that they concern."""

import anyio
import anyio.lowlevel
import pytest

from llx_mcp.answers.requests import JobRequest, WaitRequest
from llx_mcp.errors import (
    AuthenticationError,
    BadResponseError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    UnavailableError,
)
from llx_mcp.jobs.progress import WaitProgress, describe_progress
from llx_mcp.jobs.reader import JobReader
from tests.jobs.service import Seen, Service, reading
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.jobs.waits import LONG, statuses


@virtual
async def test_unreadable_job_does_not_satisfy_until_any() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 30)
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-none", "ext-1"], until="any", timeout_seconds=LONG)
        alone = await reader.wait_many(["ext-none"], until="any", timeout_seconds=LONG)
    assert statuses(progress) == ["NotFoundError", "COMPLETED"]
    assert statuses(alone) == ["NotFoundError"]


@virtual
async def test_missing_job_gets_an_error_and_the_wait_goes_on_for_the_others() -> None:
    service = Service(VirtualClock())
    ids = [service.add(f"ext-{number}", 20) for number in range(11)]
    async with reading(service) as reader:
        progress = await reader.wait_many([*ids[:5], "ext-none", *ids[5:]], timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"] * 5 + ["NotFoundError"] + ["COMPLETED"] * 6
    assert "ext-none" in str(progress.snapshots[5].error)


@virtual
async def test_blank_id_gets_an_error_of_its_own() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1", " "], timeout_seconds=9)
    assert statuses(progress) == ["COMPLETED", "ArgumentError"]


@virtual
async def test_outage_of_a_minute_is_reported_and_does_not_end_the_wait() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 90), service.add("ext-2", 90)]
    service.fault = lambda seen: (503, {}) if 10 <= seen.at < 70 else None
    results: list[WaitProgress] = []

    async def note(progress: WaitProgress) -> None:
        results.append(progress)

    async with reading(service) as reader:
        progress = await reader.wait_many(ids, timeout_seconds=LONG, on_progress=note)
    assert statuses(progress) == ["COMPLETED"] * 2
    assert progress.waited_seconds <= 100
    failures = [snapshot.failure for progress in results for snapshot in progress.snapshots if snapshot.failure]
    assert {type(failure) for failure in failures} == {UnavailableError}
    assert any("the latest poll failed and is tried again" in describe_progress(progress) for progress in results)
    waited = [progress.waited_seconds for progress in results]
    assert waited == sorted(waited)
    assert len([seen for seen in service.seen if 10 <= seen.at < 70]) <= 12


@virtual
async def test_service_that_never_answers_raises_an_error() -> None:
    service = Service(VirtualClock())
    service.fault = lambda _: (500, {})
    async with reading(service) as reader:
        with pytest.raises(UnavailableError):
            await reader.wait(WaitRequest(("ext-1",), is_many=False), 45)


@virtual
async def test_retry_after_of_an_unavailable_service_pauses_all_polls() -> None:
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
def test_permanent_error_ends_every_wait_at_once(status: int, error: type[Exception], num_jobs: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        ids = [service.add(f"ext-{number}", 100) for number in range(num_jobs)]
        service.fault = lambda seen: (status, {}) if seen.at >= 9 else None
        results: list[WaitProgress] = []

        async def wait(reader: JobReader) -> None:
            results.append(await reader.wait_many(ids, timeout_seconds=LONG))

        async with reading(service) as reader, anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(wait, reader)
        assert {type(snapshot.error) for progress in results for snapshot in progress.snapshots} == {error}
        assert len(results) == 20
        assert max(progress.waited_seconds for progress in results) <= 13

    run()


@virtual
async def test_deleted_job_gets_an_error_and_the_wait_goes_on_for_the_others() -> None:
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
async def test_error_is_not_cached_for_later_waits() -> None:
    service = Service(VirtualClock())
    async with reading(service) as reader, anyio.create_task_group() as group:
        service.add("ext-slow", 60)
        results: list[WaitProgress] = []

        async def wait_for_both() -> None:
            results.append(await reader.wait_many(["ext-late", "ext-slow"], timeout_seconds=LONG))

        group.start_soon(wait_for_both)
        await anyio.sleep(10)
        service.add("ext-late", 5)
        progress = await reader.wait_many(["ext-late"], timeout_seconds=LONG)
    assert statuses(progress) == ["COMPLETED"]
    assert statuses(results[0]) == ["NotFoundError", "COMPLETED"]


@pytest.mark.parametrize("retry_after", ["1", "3"])
def test_refusal_with_a_short_retry_after_does_not_stall_a_later_wait(retry_after: str) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.add("ext-1")
        service.fault = lambda seen: (429, {"retry-after": retry_after}) if len(service.seen) == 1 else None
        async with reading(service) as reader:
            refused = await reader.wait_many(["ext-none"], timeout_seconds=0)
            progress = await reader.wait_many(["ext-1"], timeout_seconds=45)
        assert isinstance(refused.snapshots[0].failure, RateLimitedError)
        assert statuses(progress) == ["COMPLETED"]
        assert progress.waited_seconds <= 2 * float(retry_after) + 0.1

    run()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", ["1e9", "86399", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_absurd_retry_after_delays_polls_by_at_most_a_minute(status: int, retry_after: str) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 5)
        service.fault = lambda seen: (status, {"retry-after": retry_after}) if len(service.seen) == 1 else None
        async with reading(service) as reader:
            progress = await reader.wait_many(["ext-1"], timeout_seconds=LONG)
        assert statuses(progress) == ["COMPLETED"]
        assert progress.waited_seconds <= 75

    run()


@pytest.mark.parametrize("status", [429, 503])
def test_wait_without_a_request_ends_at_its_timeout(status: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", 300)
        service.fault = lambda seen: (status, {"retry-after": "50"})
        async with reading(service) as reader:
            await reader.wait_many(["ext-none"], timeout_seconds=0)
            num_seen = len(service.seen)
            progress = await reader.wait_many(["ext-1"], timeout_seconds=3)
        assert progress.waited_seconds == pytest.approx(3.0)
        assert (statuses(progress), len(service.seen)) == ([None], num_seen)

    run()


@virtual
async def test_cached_job_is_returned_at_once_while_the_key_is_refused() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", credits_billed=None)
    service.add("ext-2")
    async with reading(service) as reader:
        await reader.wait_many(["ext-1", "ext-2"], timeout_seconds=45)
        # By now the usage of the first would be fetched again.
        await service.clock.sleep(70)
        service.fault = lambda _: (429, {"retry-after": "50"})
        await reader.wait_many(["ext-none"], timeout_seconds=0)
        num_seen, started_at = len(service.seen), service.clock.monotonic()
        for job_id in ("ext-1", "ext-2"):
            waited = await reader.wait(WaitRequest((job_id,), is_many=False), 45)
            got = await reader.get(JobRequest(job_id))
            assert (waited.structured["status"], got.structured["status"]) == ("COMPLETED", "COMPLETED")
        both = await reader.wait(WaitRequest(("ext-1", "ext-2"), is_many=True), 45)
        assert [row[1] for row in both.structured["jobs"]["rows"]] == ["COMPLETED"] * 2
        assert (len(service.seen), service.clock.monotonic()) == (num_seen, started_at)


@pytest.mark.parametrize("status", [503, 404])
def test_job_without_usage_is_returned_as_it_was_if_the_service_cannot_answer(status: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", credits_billed=None)
        async with reading(service) as reader:
            await reader.fetch(JobRequest("ext-1"))
            await service.clock.sleep(70)
            service.fault = lambda _: (status, {})
            if status == 404:
                with pytest.raises(NotFoundError):
                    await reader.fetch(JobRequest("ext-1"))
            else:
                assert (await reader.fetch(JobRequest("ext-1"))).is_success
            assert service.clock.monotonic() <= 70 + 10.1

    run()


@virtual
async def test_late_wait_that_is_cancelled_does_not_end_another() -> None:
    service = Service(VirtualClock())
    ids = [service.add("ext-1", 100), service.add("ext-2", 100)]
    service.answer_seconds = 4.0
    results: list[WaitProgress] = []

    async def wait(reader: JobReader, job_id: str) -> None:
        results.append(await reader.wait_many([job_id], timeout_seconds=1))

    async with reading(service) as reader, anyio.create_task_group() as group:
        cancelled = anyio.CancelScope()

        async def wait_and_leave() -> None:
            with cancelled:
                await wait(reader, ids[0])

        group.start_soon(wait_and_leave)
        group.start_soon(wait, reader, ids[1])
        await anyio.sleep(2)
        cancelled.cancel()
    assert [statuses(progress) for progress in results] == [["RUNNING"]]
    assert results[0].waited_seconds == pytest.approx(4.0)


@virtual
async def test_failed_fetch_before_the_end_leaves_no_failure_behind() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    service.fault = lambda seen: (503, {}) if seen.expand and len(service.seen) < 4 else None
    results: list[WaitProgress] = []

    async def note(progress: WaitProgress) -> None:
        results.append(progress)

    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=LONG, on_progress=note)
    assert any(snapshot.failure for earlier in results for snapshot in earlier.snapshots)
    assert (statuses(progress), progress.snapshots[0].failure) == (["COMPLETED"], None)


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_job_with_another_id_is_neither_shown_nor_cached(seconds: float) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        ids = [service.add(f"ext-{number}", seconds) for number in range(4)]
        service.mixed_up = {"ext-1": "ext-other"}
        service.add("ext-other", seconds)
        async with reading(service) as reader:
            with pytest.raises(BadResponseError, match='sent job "ext-other" instead of "ext-1"'):
                await reader.get(JobRequest("ext-1"))
            alone = await reader.wait_many(["ext-1"], timeout_seconds=LONG)
            progress = await reader.wait_many(ids, timeout_seconds=LONG)
            service.mixed_up = {}
            assert (await reader.fetch(JobRequest("ext-1"))).id == "ext-1"
        assert statuses(alone) == ["BadResponseError"]
        assert statuses(progress) == ["COMPLETED", "BadResponseError", "COMPLETED", "COMPLETED"]

    run()


@virtual
async def test_job_that_is_mixed_up_once_it_has_ended_is_neither_shown_nor_cached() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 5)
    service.add("ext-other")
    service.fault = lambda seen: service.mixed_up.update({"ext-1": "ext-other"}) if seen.expand else None
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=LONG)
        service.fault, service.mixed_up = lambda _: None, {}
        again = await reader.wait_many(["ext-1"], timeout_seconds=LONG)
    assert (statuses(progress), statuses(again)) == (["BadResponseError"], ["COMPLETED"])
    assert again.snapshots[0].job is not None
    assert again.snapshots[0].job.id == "ext-1"


@virtual
async def test_successful_poll_clears_the_failure_of_the_one_before() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 12)
    service.fault = lambda seen: (503, {}) if 1 < seen.at < 8 else None
    results: list[tuple[float, bool]] = []

    async def note(progress: WaitProgress) -> None:
        results.append((progress.waited_seconds, progress.snapshots[0].failure is not None))

    async with reading(service) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=LONG, on_progress=note)
    assert [has_failed for waited, has_failed in results if 1 < waited < 8] == [True] * 2
    assert [has_failed for waited, has_failed in results if waited >= 8] == [False] * 2


@virtual
async def test_poll_that_finds_the_end_clears_the_failure_of_the_one_before() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")

    def fail_first_and_hang_later(_: Seen) -> tuple[int, dict[str, str]] | None:
        if len(service.seen) == 1:
            return 503, {}
        service.answer_seconds = 1_000.0
        return None

    service.fault = fail_first_and_hang_later
    async with reading(service) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=5)
    assert [(seen.at, bool(seen.expand)) for seen in service.seen] == [(0.0, False), (2.0, False), (2.0, True)]
    assert progress.waited_seconds == pytest.approx(15.0)
    assert progress.snapshots[0].failure is None


@pytest.mark.parametrize("ends_after", [0.0, 30.0])
def test_first_retry_after_a_success_is_soon_again(ends_after: float) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.add("ext-1", ends_after)
        # Three failures in a row, a success, and one more failure.
        service.fault = lambda _: (503, {}) if len(service.seen) in (1, 2, 3, 5) else None
        async with reading(service) as reader:
            await reader.wait_many(["ext-1"], timeout_seconds=LONG)
        times = [seen.at for seen in service.seen]
        assert times[:4] == pytest.approx([0.0, 2.0, 6.0, 14.0])
        assert times[5] - times[4] == pytest.approx(2.0)

    run()
