"""One poll request: what it asks for, how long it may take, and what its outcome changes."""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from llx_mcp.errors import (
    AuthenticationError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RejectedError,
    UnavailableError,
    UnreachableError,
    UpstreamError,
)
from llx_mcp.jobs.batching import PollRequest
from llx_mcp.jobs.cache import JobCache, JobKey
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob, Waiter
from llx_mcp.jobs.polling import PollRecorder
from llx_mcp.models import EXPANDABLE_SECTIONS, Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.sources import Bodies


class Service(Bodies):
    """A service that records what it is asked for.

    Attributes:
        status: status of every job.
        seconds: how long a response takes.
        error: what it raises instead.
        page_items: number of jobs on a page of a list; 0 for all.
        asked: the sections of each fetch, and the ids of each list.
        max_tries: the tries that each request allows.
    """

    def __init__(self, status: str = "RUNNING") -> None:
        super().__init__(lambda job_id: b'{"id":"%s","status":"%s"}' % (job_id.encode(), self.status.encode()))
        self.status = status
        self.seconds = 0.0
        self.error: Exception | None = None
        self.page_items = 0
        self.asked: list[tuple[str, ...]] = []
        self.max_tries: set[int | None] = set()

    async def fetch_job(self, job_id: str, expand: Sequence[str] = (), *_: Any, max_tries: int | None = None) -> Job:
        """Return one job."""
        await self._note(tuple(expand), max_tries)
        return await super().fetch_job(job_id)

    async def list_jobs(self, wanted: JobFilter, *_: Any, max_tries: int | None = None) -> JobPage:
        """Return one page of the jobs that have one of the statuses."""
        await self._note(wanted.job_ids, max_tries)
        items = (await super().list_jobs(wanted)).items
        if not self.page_items:
            return JobPage(items)
        begin = int(wanted.page_token or 0)
        return JobPage(items[begin : begin + self.page_items], str(begin + self.page_items))

    async def _note(self, asked: tuple[str, ...], max_tries: int | None) -> None:
        self.asked.append(asked)
        self.max_tries.add(max_tries)
        await anyio.sleep(self.seconds)
        if self.error is not None:
            raise self.error


def make(job_id: str = "ext-1", *, is_ended: bool = False, deadline: float = 1e9) -> PolledJob:
    """Make a job with one wait; `is_ended` if it has probably ended."""
    polled = PolledJob(JobKey("digest", DEFAULT_SCOPE, job_id), PollSchedule(), 0.0, 0.0)
    polled.add_waiter(Waiter((polled,), deadline, wants_every_poll=False), 0.0)
    polled.needs_full_fetch = is_ended
    polled.start_poll(0.0)
    return polled


def make_recorder(cache: JobCache | None = None) -> PollRecorder:
    """Make a recorder that has learned nothing."""
    return PollRecorder(cache or JobCache(VirtualClock()), VirtualClock())


async def poll(service: Service, *jobs: PolledJob, recorder: PollRecorder | None = None) -> PollRecorder:
    """Poll jobs in one request."""
    recorder = recorder or make_recorder()
    await recorder.poll(service, PollRequest(jobs, is_list=len(jobs) > 1))
    return recorder


@virtual
async def test_sections_are_asked_for_only_where_the_job_may_have_ended_or_no_other_poll_follows() -> None:
    service = Service()
    for polled in (make(), make(is_ended=True), make(deadline=0.0)):
        await poll(service, polled)
    assert service.asked == [(), EXPANDABLE_SECTIONS, EXPANDABLE_SECTIONS]
    assert service.max_tries == {1}


@virtual
async def test_ended_job_is_cached_once_it_came_with_its_sections() -> None:
    service, cache = Service("COMPLETED"), JobCache(VirtualClock())
    polled = make()
    recorder = await poll(service, polled, recorder=make_recorder(cache))
    assert (polled.needs_full_fetch, polled.has_ended, cache.find(polled.key, usage="any")) == (True, False, None)
    await poll(service, polled, recorder=recorder)
    assert polled.has_ended
    assert cache.find(polled.key, usage="any") is not None


@virtual
async def test_lists_are_not_relied_on_after_three_jobs_were_missing_from_them_by_mistake() -> None:
    service, recorder = Service(), make_recorder()
    found = []
    for _ in range(4):
        await poll(service, make(is_ended=True), recorder=recorder)
        found.append(recorder.allow_lists)
    assert found == [True, True, False, False]


@pytest.mark.parametrize(("status", "is_ended"), [("REHEATING", True), ("RUNNING", False)])
def test_job_that_lists_need_not_show_does_not_count_as_missing(status: str, *, is_ended: bool) -> None:
    @virtual
    async def run() -> None:
        service, recorder = Service(status), make_recorder()
        for _ in range(9):
            await poll(service, make(is_ended=is_ended), recorder=recorder)
        assert recorder.allow_lists

    run()


@virtual
async def test_list_is_read_up_to_its_tenth_page() -> None:
    service = Service()
    service.page_items = 1
    jobs = [make(f"ext-{number}") for number in range(20)]
    await poll(service, *jobs)
    assert (len(service.asked), service.max_tries) == (10, {1})
    assert [polled.needs_full_fetch for polled in jobs] == [False] * 10 + [True] * 10


@virtual
async def test_list_is_read_until_every_job_is_found() -> None:
    service = Service()
    service.page_items = 2
    await poll(service, make("ext-1"), make("ext-2"), make("ext-3"), make("ext-4"))
    assert len(service.asked) == 2


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_poll_that_hangs_fails_after_a_minute(num_jobs: int) -> None:
    @virtual
    async def run() -> None:
        service = Service()
        service.seconds = 1_000.0
        jobs = [make(f"ext-{number}") for number in range(num_jobs)]
        await poll(service, *jobs)
        assert VirtualClock().monotonic() == 60.0
        assert {type(polled.failure) for polled in jobs} == {UnreachableError}

    run()


@virtual
async def test_fetch_of_a_job_that_has_probably_ended_may_take_longer() -> None:
    service, polled = Service("COMPLETED"), make(is_ended=True)
    service.seconds = 1_000.0
    await poll(service, polled)
    assert (VirtualClock().monotonic(), polled.has_ended) == (1_000.0, True)


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_unexpected_error_ends_the_waits_for_these_jobs_and_is_not_quoted(num_jobs: int) -> None:
    @virtual
    async def run() -> None:
        service = Service()
        service.error = KeyError("secret")
        jobs = [make(f"ext-{number}") for number in range(num_jobs)]
        await poll(service, *jobs)
        assert {type(polled.error) for polled in jobs} == {UpstreamError}
        assert {str(polled.error) for polled in jobs} == {"The job could not be polled (KeyError)."}

    run()


@pytest.mark.parametrize(
    ("error", "is_permanent", "allows_lists"),
    [
        (AuthenticationError("The key is not accepted."), True, True),
        (OutOfCreditsError("no credits"), True, True),
        (UnavailableError("away"), False, True),
        (RejectedError("no such filter"), False, False),
        (NotFoundError("no list"), False, False),
    ],
)
def test_refused_list_ends_the_waits_only_if_the_key_is_the_reason(
    error: LlxError, *, is_permanent: bool, allows_lists: bool
) -> None:
    @virtual
    async def run() -> None:
        service = Service()
        service.error = error
        jobs = [make("ext-1"), make("ext-2")]
        recorder = await poll(service, *jobs)
        assert [polled.error for polled in jobs] == [error if is_permanent else None] * 2
        assert [polled.failure for polled in jobs] == [None if is_permanent or not allows_lists else error] * 2
        assert recorder.allow_lists == allows_lists

    run()
