"""One call takes no longer than its time, and does not end what it shares with others."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from llx_mcp.answers.requests import JobListRequest, JobRequest, WaitRequest
from llx_mcp.errors import ArgumentError, RateLimitedError, UnreachableError
from llx_mcp.jobs.call_limit import limit_call
from llx_mcp.jobs.progress import JobSnapshot, WaitProgress
from llx_mcp.jobs.reader import JobReader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.models import Job
from llx_mcp.scope import JobFilter
from tests.jobs.service import Seen, Service, reading
from tests.jobs.virtual_time import VirtualClock, virtual

JOB = JobRequest("ext-1")
CALLS: dict[str, Callable[[JobReader], Awaitable[object]]] = {
    "fetch": lambda reader: reader.fetch(JOB),
    "get": lambda reader: reader.get(JOB),
    "read": lambda reader: reader.read(JOB, "$", None, ()),
    "find": lambda reader: reader.find(JOB, "x", 5),
    "query": lambda reader: reader.query(JOB, "SELECT 1"),
    "review": lambda reader: reader.review(JOB, 0.8),
    "list": lambda reader: reader.list(JobListRequest(), None),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("call_seconds", [50.0, 5.0])
def test_call_to_a_silent_service_ends_in_time(
    call: Callable[[JobReader], Awaitable[object]], call_seconds: float
) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.answer_seconds = 1_000
        async with reading(service, ReaderOptions(call_seconds=call_seconds)) as reader:
            with pytest.raises(UnreachableError) as caught:
                await call(reader)
            assert service.clock.monotonic() == pytest.approx(call_seconds)
        assert str(caught.value) == (
            f"The service did not answer in time: the call was stopped after {call_seconds:g} s. Try again later. If "
            "the result is large, call wait_for_extract_job with a longer timeout_seconds: it waits for the download "
            "too. LLX_MCP_CALL_SECONDS sets the time for one call."
        )

    run()


@virtual
async def test_refused_call_ends_in_time_with_the_reason() -> None:
    service = Service(VirtualClock())
    service.fault = lambda _: (429, {"retry-after": "30"})
    async with reading(service) as reader:
        with pytest.raises(RateLimitedError, match="Wait 30 s"):
            await reader.get(JOB)
    assert service.clock.monotonic() == pytest.approx(30.0)


@virtual
async def test_fetch_goes_on_for_a_caller_that_came_later() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    service.answer_seconds = 70
    ended: list[tuple[float, str]] = []

    async with reading(service) as reader, anyio.create_task_group() as group:

        async def fetch() -> None:
            try:
                status = (await reader.fetch(JOB)).status
            except UnreachableError:
                status = "stopped"
            ended.append((round(service.clock.monotonic()), status))

        group.start_soon(fetch)
        await anyio.sleep(30)
        group.start_soon(fetch)
    assert ended == [(50, "stopped"), (70, "COMPLETED")]
    assert len(service.seen) == 1


@virtual
async def test_wait_outlives_the_time_of_a_call() -> None:
    service = Service(VirtualClock())
    service.add("ext-1", 80)
    async with reading(service, ReaderOptions(call_seconds=5)) as reader:
        answer = await reader.wait(WaitRequest(("ext-1",), is_many=False), 300)
    assert answer.structured["status"] == "COMPLETED"


@virtual
async def test_wait_downloads_what_takes_longer_than_a_call() -> None:
    service = Service(VirtualClock())
    service.add("ext-1")
    service.answer_seconds = 20
    async with reading(service, ReaderOptions(call_seconds=5)) as reader:
        answer = await reader.wait(WaitRequest(("ext-1",), is_many=False), 60)
        assert (await reader.get(JOB)).structured["status"] == "COMPLETED"
    assert answer.structured["status"] == "COMPLETED"


async def answer_slowly() -> None:
    """Take 6 s to answer, once everything is fetched."""
    with limit_call(5) as call:
        call.is_fetched = True
        await anyio.sleep(6)


@virtual
async def test_answer_that_takes_too_long_says_so() -> None:
    with pytest.raises(ArgumentError, match=r"took longer than 5 s, the time for one call, and was stopped\. Ask"):
        await answer_slowly()


@virtual
async def test_report_about_many_jobs_counts_those_without_a_summary_when_the_time_is_up() -> None:
    service = Service(VirtualClock())
    ids = ("ext-0", "ext-1", "ext-2")
    jobs = [Job.parse(b'{"id":"%s","status":"COMPLETED","extract_result":{"a":1}}' % name.encode()) for name in ids]
    # The second and the third must be fetched again.
    jobs[1:] = [job.without_sections() for job in jobs[1:]]
    progress = WaitProgress(tuple(JobSnapshot(job.id, job) for job in jobs), 1.0, is_over=True)
    service.answer_seconds = 1_000
    async with reading(service) as reader:
        answer = await reader.build_wait_answer(WaitRequest(ids, is_many=True), progress)
    assert service.clock.monotonic() == pytest.approx(50.0)
    assert [row[:2] for row in answer.structured["jobs"]["rows"]] == [[job_id, "COMPLETED"] for job_id in ids]
    assert len(answer.structured["summaries"]) == 1
    (omission,) = answer.structured["omitted"]
    assert (omission["what"], omission["count"]) == ("summaries of finished jobs", 2)


@pytest.mark.parametrize("is_silent", [True, False])
def test_list_that_the_service_breaks_off_ends_with_a_cursor_for_the_rest(*, is_silent: bool) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock(), lists="come in pages of 3")
        ids = [service.add(f"ext-{number}") for number in range(10)]

        def fail_after_two(_: Seen) -> tuple[int, dict[str, str]] | None:
            if len(service.seen) < 2:
                return None
            service.answer_seconds = 1_000 if is_silent else 0
            return None if is_silent else (429, {"retry-after": "60"})

        service.fault = fail_after_two
        async with reading(service) as reader:
            first = await reader.list(JobListRequest(), None)
            service.answer_seconds, service.fault = 0, lambda _: None
            second = await reader.list(JobListRequest(), first.structured["cursor"])
        shown = [[row[0] for row in answer.structured["jobs"]["rows"]] for answer in (first, second)]
        assert [*shown[0], *shown[1]] == ids
        assert shown[1]

    run()


@virtual
async def test_names_that_take_too_long_are_left_out_and_not_asked_for_again_at_once() -> None:
    service = Service(VirtualClock())
    async with reading(service) as reader:
        service.answer_seconds = 1_000
        for _ in range(2):
            assert await reader.fetcher.fetch_file_names(["dfl-1"]) == {}
        assert (len(service.seen), service.clock.monotonic()) == (1, 10.0)
        for seconds, num_requests in ((59.5, 1), (0.5, 2)):
            await anyio.sleep(seconds)
            await reader.fetcher.fetch_file_names(["dfl-1"])
            assert len(service.seen) == num_requests


@pytest.mark.parametrize(("status", "num_requests"), [(404, 1), (422, 1), (503, 3), (429, 3)])
def test_names_are_not_asked_for_after_a_refusal(status: int, num_requests: int) -> None:
    @virtual
    async def run() -> None:
        service = Service(VirtualClock())
        service.fault = lambda seen: None if seen.is_list else (status, {})
        async with reading(service) as reader:
            for _ in range(3):
                assert await reader.fetcher.fetch_file_names(["dfl-1"]) == {}
            assert (await reader.fetcher.fetch_page(JobFilter())).items == ()
        assert len([seen for seen in service.seen if not seen.is_list]) == num_requests

    run()
