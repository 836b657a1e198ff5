"""In every order of events, each wait gets exactly one right answer, and nothing is left."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.errors import NotFoundError, RateLimitedError, UnavailableError
from llx_mcp.jobs.creation_source import CreationSource
from llx_mcp.jobs.progress import WaitProgress
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.source import JobSource
from llx_mcp.models import TERMINAL_STATUSES, Job, JobPage
from llx_mcp.scope import JobFilter
from tests.jobs.virtual_time import START, VirtualClock, run_virtual, virtual
from tests.jobs.waits import nothing_left
from tests.sources import Documents

NUM_JOBS = 6
NUM_EXAMPLES = 1_000
SECONDS = st.floats(0, 120, allow_nan=False).map(lambda seconds: round(seconds, 2))


@dataclass(frozen=True)
class Life:
    """When and how a job ends, and when it is deleted."""

    ends_at: float
    ends_as: str
    deleted_at: float | None


@dataclass(frozen=True)
class Wait:
    """One wait: when it begins, for which jobs, its timeout, and when its caller cancels it."""

    starts_at: float
    jobs: tuple[int, ...]
    until: str
    timeout_seconds: float
    cancelled_after: float | None
    wants_progress: bool


@dataclass(frozen=True)
class Outage:
    """When and how the service fails."""

    begins_at: float
    seconds: float
    kind: str


LIVES = st.lists(
    st.builds(Life, SECONDS, st.sampled_from(sorted(TERMINAL_STATUSES)), st.none() | SECONDS),
    min_size=NUM_JOBS,
    max_size=NUM_JOBS,
)
WAITS = st.lists(
    st.builds(
        Wait,
        SECONDS,
        st.lists(st.integers(0, NUM_JOBS), min_size=1, max_size=NUM_JOBS, unique=True).map(tuple),
        st.sampled_from(["all", "any"]),
        st.sampled_from([0.0, 3.0, 45.0, 600.0]),
        st.none() | SECONDS,
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
OUTAGES = st.lists(st.builds(Outage, SECONDS, SECONDS, st.sampled_from(["503", "429", "hang"])), max_size=3)
LISTS = st.sampled_from(["work", "are refused", "ignore status"])


class Script:
    """A job source that follows the example; each response takes 50 ms."""

    clock_offset_seconds = 0.0
    creation: CreationSource

    def __init__(self, lives: list[Life], outages: list[Outage], lists: str, clock: VirtualClock) -> None:
        self._lives = {f"ext-{number}": life for number, life in enumerate(lives)}
        self._outages = outages
        self._lists = lists
        self._clock = clock

    def identity(self) -> str:
        """Return the same identity for all."""
        return "digest"

    @property
    def documents(self) -> Documents:
        """No documents."""
        return Documents()

    def derive_key(self, purpose: str) -> bytes:
        """Return the purpose itself, which is no secret."""
        return purpose.encode()

    def status_at(self, job_id: str, at: float) -> str | None:
        """Return the status of a job at a time; None if it does not exist."""
        life = self._lives.get(job_id)
        if life is None or (life.deleted_at is not None and at >= life.deleted_at):
            return None
        return life.ends_as if at >= life.ends_at else "RUNNING" if at >= life.ends_at / 2 else "PENDING"

    async def fetch_job(self, job_id: str, expand: Sequence[str] = (), *_: Any, **__: Any) -> Job:
        """Return one job."""
        await self._answer()
        job = self._job(job_id, expand=bool(expand))
        if job is None:
            raise NotFoundError(f"no {job_id}")
        return job

    async def list_jobs(self, wanted: JobFilter, *_: Any, **__: Any) -> JobPage:
        """Return the jobs that have one of the statuses."""
        await self._answer()
        if self._lists == "are refused":
            raise NotFoundError("no list")
        jobs = [job for job_id in wanted.job_ids if (job := self._job(job_id, expand=False))]
        return JobPage(tuple(job for job in jobs if job.status in wanted.statuses or self._lists == "ignore status"))

    async def fetch_file_names(self, *_: Any, **__: Any) -> dict[str, str]:
        """Return no names."""
        return {}

    async def _answer(self) -> None:
        now = self._clock.monotonic()
        for outage in self._outages:
            if outage.begins_at <= now < outage.begins_at + outage.seconds:
                if outage.kind == "hang":
                    await anyio.sleep(30)
                elif outage.kind == "429":
                    raise RateLimitedError("slow down", retry_after_seconds=7)
                else:
                    raise UnavailableError("away")
        await anyio.sleep(0.05)

    def _job(self, job_id: str, *, expand: bool) -> Job | None:
        status = self.status_at(job_id, self._clock.monotonic())
        if status is None:
            return None
        job = {"id": job_id, "status": status, "created_at": START.isoformat(), "configuration_id": None}
        return Job.parse(json.dumps({**job, "configuration_id": "expanded"} if expand else job).encode())


class Example:
    """Runs one example."""

    def __init__(self, lives: list[Life], waits: list[Wait], outages: list[Outage], lists: str) -> None:
        self._clock = VirtualClock()
        self._script = Script(lives, outages, lists, self._clock)
        self._waits = waits
        self._answers: list[int] = []

    async def run(self) -> None:
        """Run it, check every answer, and check that nothing is left."""

        @asynccontextmanager
        async def open_source() -> AsyncIterator[JobSource]:
            yield self._script

        async with open_reader(open_source, self._clock) as reader:
            async with anyio.create_task_group() as group:
                for number, wait in enumerate(self._waits):
                    group.start_soon(self._wait, reader, number, wait)
            await anyio.sleep(0.001)
            assert reader._poller is None or nothing_left(reader._poller)
        assert sorted(self._answers) == list(range(len(self._waits)))

    async def _wait(self, reader: JobReader, number: int, wait: Wait) -> None:
        await anyio.sleep(wait.starts_at)
        waited: list[float] = []

        async def note(progress: WaitProgress) -> None:
            waited.append(progress.waited_seconds)

        with anyio.move_on_after(wait.cancelled_after) as scope:
            progress = await reader.wait_many(
                [f"ext-{job}" for job in wait.jobs],
                until="any" if wait.until == "any" else "all",
                timeout_seconds=wait.timeout_seconds,
                on_progress=note if wait.wants_progress else None,
            )
            self._check(progress, wait)
        if scope.cancelled_caught:
            assert wait.cancelled_after is not None
            assert self._clock.monotonic() - wait.starts_at <= wait.cancelled_after + 0.1
        assert waited == sorted(waited)
        self._answers.append(number)

    def _check(self, progress: WaitProgress, wait: Wait) -> None:
        now = self._clock.monotonic()
        assert [snapshot.job_id for snapshot in progress.snapshots] == [f"ext-{job}" for job in wait.jobs]
        ended = [snapshot for snapshot in progress.snapshots if snapshot.has_ended]
        for snapshot in ended:
            # An ended job has its true status and all its sections; a cached one outlives its deletion.
            if snapshot.error is not None:
                assert isinstance(snapshot.error, NotFoundError)
                assert self._script.status_at(snapshot.job_id, now) is None
            elif (truth := self._script.status_at(snapshot.job_id, now)) is not None:
                assert snapshot.job is not None
                assert (snapshot.job.status, snapshot.job.configuration_id) == (truth, "expanded")
        is_complete = len(ended) == len(progress.snapshots) or (
            wait.until == "any" and any(snapshot.error is None for snapshot in ended)
        )
        is_in_time = progress.waited_seconds <= wait.timeout_seconds + 10.1
        assert is_in_time
        assert is_complete or progress.waited_seconds >= wait.timeout_seconds - 1e-6


@given(LIVES, WAITS, OUTAGES, LISTS)
@settings(max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_wait_gets_one_right_answer_and_nothing_is_left(
    lives: list[Life], waits: list[Wait], outages: list[Outage], lists: str
) -> None:
    run_virtual(Example(lives, waits, outages, lists).run)


@virtual
async def test_expired_wait_does_not_retry_one_job_while_it_waits_for_the_poll_of_another() -> None:
    clock = VirtualClock()

    class Uneven(Script):
        """The second job hangs, and the first cannot be fetched with its sections."""

        num_refused = 0

        async def fetch_job(self, job_id: str, expand: Sequence[str] = (), *_: Any, **__: Any) -> Job:
            if job_id == "ext-1":
                await anyio.sleep(30)
            elif expand:
                self.num_refused += 1
                raise UnavailableError("away")
            return await super().fetch_job(job_id, expand)

    script = Uneven([Life(1.0, "COMPLETED", None), Life(1.0, "COMPLETED", None)], [], "are refused", clock)

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        yield script

    async with open_reader(open_source, clock) as reader:
        progress = await reader.wait_many(["ext-0", "ext-1"], timeout_seconds=3)
    assert progress.waited_seconds <= 13.1
    assert 1 <= script.num_refused <= 6


def test_script_follows_the_lives_of_its_jobs() -> None:
    script = Script([Life(10.0, "FAILED", 20.0)], [], "work", VirtualClock())
    assert [script.status_at("ext-0", at) for at in (0, 5, 10, 20)] == ["PENDING", "RUNNING", "FAILED", None]
    assert START + timedelta(0) == datetime(2026, 1, 1, tzinfo=UTC)
