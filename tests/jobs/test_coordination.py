"""The poll loop polls only in its turn, shows the state of other replicas, and fetches a job that has ended itself."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from llx_mcp.jobs.cache import JobCache, JobKey
from llx_mcp.jobs.coordination import ALWAYS, JobNews, JobState, LocalCoordination, OnNews, Turn
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.progress import WaitProgress
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from llx_mcp.scope import DEFAULT_SCOPE
from tests.jobs.service import Service, source_of
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.jobs.waits import nothing_left

NEVER = Turn(math.inf, math.inf)
EVERY_SECOND = PollSchedule((), shortest_seconds=1.0, longest_seconds=1.0, jitter=0.0)


class Scripted:
    """A coordination of one key, whose turns the test sets.

    Attributes:
        turn: the turn of a job that is added.
        keys: the jobs that are coordinated now.
        told: what the poll loop told.
    """

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.keys: dict[str, JobKey] = {}
        self.told: list[tuple[str, str, bool]] = []
        self.is_closed = False
        self.rate = RateLimit()
        self._on_news: OnNews = lambda _: None

    def join(self, secret: bytes, rate: RateLimit) -> "Scripted":
        assert len(secret) == 32
        self.rate = rate
        return self

    def start(self, on_news: OnNews) -> None:
        self._on_news = on_news

    def add(self, key: JobKey) -> Turn:
        self.keys[key.job_id] = key
        return self.turn

    def remove(self, key: JobKey) -> None:
        self.keys.pop(key.job_id, None)

    def tell(self, states: Sequence[tuple[JobKey, JobState]]) -> None:
        self.told += [(key.job_id, state.status, state.has_ended) for key, state in states]

    def close(self) -> None:
        self.is_closed = True

    def set_turn(self, job_id: str, turn: Turn) -> None:
        self._on_news([JobNews(self.keys[job_id], turn)])

    def say(self, job_id: str, status: str, clock: VirtualClock, *, has_ended: bool = False) -> None:
        now = clock.now().timestamp()
        state = JobState(status, now, now - 30, 1.0, has_ended)
        self._on_news([JobNews(self.keys[job_id], state=state)])

    def want(self, job_id: str, seconds: float) -> None:
        identity = next(iter(self.keys.values())).identity if self.keys else "nobody"
        self._on_news([JobNews(JobKey(identity, DEFAULT_SCOPE, job_id), wanted_seconds=seconds)])

    def hasten(self, job_id: str) -> None:
        self._on_news([JobNews(self.keys[job_id], is_hastened=True)])


@asynccontextmanager
async def coordinated(
    service: Service, coordination: Scripted | LocalCoordination, schedule: PollSchedule = EVERY_SECOND
) -> AsyncIterator[JobReader]:
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        stack.callback(service.close)
        shared = SharedResources(JobCache(service.clock), SharedWorkers(group, stack), coordination=coordination)
        options = ReaderOptions(schedule, requests_per_minute=6_000)
        async with open_reader(source_of(service), service.clock, options, shared) as reader:
            yield reader


async def start_wait(reader: JobReader, group: anyio.abc.TaskGroup, *ids: str) -> list[WaitProgress]:
    """Begin a wait; return the list that its last progress is added to."""
    found: list[WaitProgress] = []

    async def run() -> None:
        found.append(await reader.wait_many(ids, timeout_seconds=3_600))

    group.start_soon(run)
    await anyio.sleep(0.1)
    return found


@asynccontextmanager
async def waiting_for_own_job(service: Service, script: Scripted) -> AsyncIterator[JobReader]:
    """Wait for `ext-own`, which does not end, until the block ends."""
    service.add("ext-own", 600)
    async with coordinated(service, script) as reader, anyio.create_task_group() as group:
        await start_wait(reader, group, "ext-own")
        yield reader
        group.cancel_scope.cancel()


@virtual
async def test_job_is_polled_in_its_turn_alone() -> None:
    service, script = Service(VirtualClock()), Scripted(NEVER)
    service.add("ext-1", 600)
    async with coordinated(service, script) as reader, anyio.create_task_group() as group:
        await start_wait(reader, group, "ext-1")
        await anyio.sleep(30)
        assert service.seen == []
        now = service.clock.monotonic()
        script.set_turn("ext-1", Turn(now + 5, now + 10))
        await anyio.sleep(60)
        times = service.poll_times("ext-1")
        assert times[0] == pytest.approx(now + 5)
        assert times[-1] < now + 10
        # A turn that is over is not taken up again without news.
        assert len(times) == 5
        script.set_turn("ext-1", ALWAYS)
        await anyio.sleep(10)
        assert len(service.poll_times("ext-1")) >= 14
        group.cancel_scope.cancel()


@virtual
async def test_turn_that_begins_later_is_waited_for() -> None:
    service, script = Service(VirtualClock()), Scripted(Turn(7.0, math.inf))
    service.add("ext-1", 20)
    async with coordinated(service, script) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=600)
        assert progress.num_ended == 1
        assert service.poll_times("ext-1")[0] == pytest.approx(7)
        # The poll after the end says that the job has ended, and so does its fetch.
        assert script.told[-2:] == [("ext-1", "RUNNING", True), ("ext-1", "COMPLETED", True)]
        assert set(script.told[:-2]) == {("ext-1", "RUNNING", False)}
        assert script.keys == {}
    assert script.is_closed


@virtual
async def test_other_replicas_state_is_shown_and_its_end_is_fetched_once() -> None:
    service, script = Service(VirtualClock()), Scripted(NEVER)
    service.add("ext-1", 40)
    async with coordinated(service, script) as reader, anyio.create_task_group() as group:
        found = await start_wait(reader, group, "ext-1")
        statuses: list[tuple[str, float | None]] = []

        async def watch() -> None:
            async for snapshot in reader.watch("ext-1"):
                status = snapshot.job.status if snapshot.job else ""
                statuses.append((status, snapshot.age_seconds))

        group.start_soon(watch)
        for status in ("PENDING", "PENDING", "RUNNING"):
            await anyio.sleep(10)
            script.say("ext-1", status, VirtualClock())
        assert service.seen == []
        await anyio.sleep(10)
        script.say("ext-1", "COMPLETED", VirtualClock(), has_ended=True)
        await anyio.sleep(1)
        assert len(service.seen) == len(service.fetch_times("ext-1")) == 1
        assert [status for status, _ in statuses] == ["PENDING", "RUNNING", "COMPLETED"]
        assert statuses[0][1] == pytest.approx(30)
        assert found[0].num_ended == 1


@virtual
async def test_end_that_is_not_true_ends_no_wait_and_no_list_requests() -> None:
    service, script = Service(VirtualClock()), Scripted(NEVER)
    ids = [service.add(f"ext-{number}", 60) for number in range(5)]
    async with coordinated(service, script) as reader, anyio.create_task_group() as group:
        found = await start_wait(reader, group, *ids)
        for job_id in ids:
            script.say(job_id, "COMPLETED", VirtualClock(), has_ended=True)
        await anyio.sleep(2)
        assert [len(service.fetch_times(job_id)) for job_id in ids] == [1] * 5
        assert found == []
        for job_id in ids:
            script.set_turn(job_id, ALWAYS)
        await anyio.sleep(5)
        # Lists contradict nothing: it was the other replica that was wrong.
        assert any(seen.is_list for seen in service.seen)
        group.cancel_scope.cancel()


@virtual
async def test_end_is_told_before_the_job_is_fetched() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    ids = [service.add(f"ext-{number}", 20) for number in range(2)]
    async with coordinated(service, script) as reader, anyio.create_task_group() as group:
        await start_wait(reader, group, *ids)
        await anyio.sleep(10)
        service.answer_seconds = 8
        await anyio.sleep(20)
        assert [told for told in script.told if told[2]] == [(job_id, "RUNNING", True) for job_id in ids]
        assert [seen.at for seen in service.seen if seen.expand] == pytest.approx([27, 27], abs=3)
        group.cancel_scope.cancel()


@virtual
async def test_end_that_is_told_during_a_poll_is_fetched_after_it() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    service.add("ext-1", 6)
    service.answer_seconds = 5
    async with coordinated(service, script) as reader, anyio.create_task_group() as group:
        found = await start_wait(reader, group, "ext-1")
        # The poll is answered when the job has not ended yet, and another replica polls from now on.
        script.set_turn("ext-1", NEVER)
        script.say("ext-1", "COMPLETED", VirtualClock(), has_ended=True)
        await anyio.sleep(11)
        assert [seen.expand != () for seen in service.seen] == [False, True]
        assert found[0].num_ended == 1


@virtual
async def test_wait_of_no_time_waits_for_its_turn_if_nothing_is_known() -> None:
    service, script = Service(VirtualClock()), Scripted(Turn(1.0, math.inf))
    service.add("ext-1", 600)
    async with coordinated(service, script) as reader:
        progress = await reader.wait_many(["ext-1"], timeout_seconds=0)
        assert progress.snapshots[0].job is not None
        assert progress.snapshots[0].job.status == "RUNNING"


@virtual
async def test_jobs_of_others_share_the_list_request_and_are_not_fetched() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    service.add("ext-guest", 20)
    service.add("ext-gone", 600)
    async with waiting_for_own_job(service, script):
        script.want("ext-guest", 60)
        script.want("ext-gone", 60)
        await anyio.sleep(5)
        service.deleted.add("ext-gone")
        service.seen.clear()
        await anyio.sleep(10)
        assert {frozenset(seen.ids) for seen in service.seen[2:] if seen.is_list} == {
            frozenset({"ext-own", "ext-guest"})
        }
        await anyio.sleep(20)
        assert service.fetch_times("ext-guest") == []
        assert [told for told in script.told if told[2]] == [
            ("ext-gone", "RUNNING", True),
            ("ext-guest", "RUNNING", True),
        ]
        assert set(script.keys) == {"ext-own"}


@virtual
async def test_job_of_others_whose_end_they_report_is_not_fetched() -> None:
    service, script = Service(VirtualClock()), Scripted(NEVER)
    service.add("ext-guest", 1)
    async with waiting_for_own_job(service, script):
        script.want("ext-guest", 60)
        await anyio.sleep(5)
        script.say("ext-guest", "COMPLETED", VirtualClock(), has_ended=True)
        await anyio.sleep(5)
        assert service.seen == []
        assert set(script.keys) == {"ext-own"}


@virtual
async def test_job_of_others_whose_end_they_report_during_a_poll_is_not_fetched() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    service.add("ext-guest", 6)
    async with waiting_for_own_job(service, script):
        service.answer_seconds = 3
        script.want("ext-guest", 60)
        await anyio.sleep(1)
        # The poll is answered when the job has not ended yet.
        script.say("ext-guest", "COMPLETED", VirtualClock(), has_ended=True)
        await anyio.sleep(20)
        assert script.told[-1] == ("ext-own", "RUNNING", False)
        assert len(service.poll_times("ext-guest")) == 1
        assert service.fetch_times("ext-guest") == []
        assert set(script.keys) == {"ext-own"}


@virtual
async def test_ended_job_is_left_to_others_when_the_last_caller_here_leaves() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    service.add("ext-guest", 600)
    async with waiting_for_own_job(service, script) as reader:
        script.want("ext-guest", 60)
        async with anyio.create_task_group() as callers:
            await start_wait(reader, callers, "ext-guest")
            script.say("ext-guest", "COMPLETED", VirtualClock(), has_ended=True)
            callers.cancel_scope.cancel()
        await anyio.sleep(5)
        assert service.fetch_times("ext-guest") == []
        assert set(script.keys) == {"ext-own"}


@virtual
async def test_job_of_others_is_polled_as_long_as_they_ask() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    service.add("ext-guest", 600)
    async with waiting_for_own_job(service, script):
        for _ in range(3):
            script.want("ext-guest", 10)
            await anyio.sleep(5)
        await anyio.sleep(20)
        times = service.poll_times("ext-guest")
        assert times[-1] == pytest.approx(20, abs=1.5)
        assert set(script.keys) == {"ext-own"}


@virtual
async def test_replica_without_callers_polls_for_nobody() -> None:
    service, script = Service(VirtualClock()), Scripted(ALWAYS)
    service.add("ext-own", 10)
    guests = [service.add(f"ext-guest-{number}", 600) for number in range(400)]
    async with coordinated(service, script) as reader:
        async with anyio.create_task_group() as group:
            await start_wait(reader, group, "ext-own")
            for guest in guests:
                script.want(guest, 1_000)
            await anyio.sleep(3)
            assert len(script.keys) == 401
        service.seen.clear()
        script.want(guests[0], 1_000)
        await anyio.sleep(60)
        assert service.seen == []
        assert reader._poller is not None
        assert nothing_left(reader._poller)


@virtual
async def test_hint_moves_the_next_poll_forward_but_not_far() -> None:
    slow = PollSchedule((), shortest_seconds=600, longest_seconds=600, jitter=0.0)
    service, coordination = Service(VirtualClock()), LocalCoordination()
    service.add("ext-1", 3_000)
    async with coordinated(service, coordination, slow) as reader, anyio.create_task_group() as group:
        await start_wait(reader, group, "ext-1")
        await anyio.sleep(10)
        for _ in range(20):
            coordination.hasten("ext-1")
            coordination.hasten("ext-unknown")
            await anyio.sleep(0.1)
        times = service.poll_times("ext-1")
        assert times[1] == pytest.approx(10.1)
        # Within 2 s, one poll a second.
        assert 2 <= len(times) - 1 <= 3
        group.cancel_scope.cancel()


@virtual
async def test_hint_during_a_poll_makes_another_one() -> None:
    slow = PollSchedule((), shortest_seconds=600, longest_seconds=600, jitter=0.0)
    service, coordination = Service(VirtualClock()), LocalCoordination()
    service.add("ext-1", 3_000)
    service.answer_seconds = 5
    async with coordinated(service, coordination, slow) as reader, anyio.create_task_group() as group:
        await start_wait(reader, group, "ext-1")
        coordination.hasten("ext-1")
        await anyio.sleep(20)
        assert len(service.poll_times("ext-1")) == 2
        group.cancel_scope.cancel()


@virtual
async def test_closed_reader_leaves_no_coordinator() -> None:
    service, coordination = Service(VirtualClock()), LocalCoordination()
    service.add("ext-1")
    async with coordinated(service, coordination) as reader:
        await reader.wait_many(["ext-1"], timeout_seconds=60)
        (coordinator,) = coordination._coordinators
        assert coordinator.keys == {}
    assert coordination._coordinators == set()


def test_pause_is_shared_once_and_not_passed_on() -> None:
    rate, told = RateLimit(), list[float]()
    rate.on_pause = told.append
    rate.share_pause(0.0, 10.0)
    assert rate.wait_seconds(4.0) == 6.0
    assert told == []
    rate.note_refusal(20.0, 8.0)
    rate.pause(20.0, 3.0)
    assert told == [8.0]
    # However long another replica says.
    rate.share_pause(30.0, 1e9)
    assert rate.wait_seconds(30.0) == 60.0
