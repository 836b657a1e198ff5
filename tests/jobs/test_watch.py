"""Waiting looks seldom, ends in time, and rides out what may pass."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llx_mcp.errors import LlxError, NotFoundError, RateLimitedError, UnavailableError
from llx_mcp.jobs.watch import Look, describe_look, wait_for_end
from llx_mcp.models import Job

START = datetime(2026, 1, 1, tzinfo=UTC)


class TestClock:
    """A clock that only sleeping moves."""

    __test__ = False

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


class Service:
    """A job that ends at a given second, and faults at given looks."""

    def __init__(
        self, clock: TestClock, ends_at: float, *, age: float = 0.0, faults: dict[int, LlxError] | None = None
    ):
        self.clock = clock
        self.ends_at = ends_at
        self.created = START - timedelta(seconds=age)
        self.faults = faults or {}
        self.looked_at: list[float] = []

    async def look(self) -> Job:
        self.looked_at.append(self.clock.elapsed)
        if fault := self.faults.get(len(self.looked_at)):
            raise fault
        has_ended = self.clock.elapsed >= self.ends_at
        return Job(id="ext-1", status="COMPLETED" if has_ended else "RUNNING", created_at=self.created)


async def wait(service: Service, timeout_seconds: float) -> tuple[Look, list[Look]]:
    """Wait for the service's job; the last look, and all."""
    looks: list[Look] = []

    async def note(look: Look) -> None:
        looks.append(look)

    last = await wait_for_end(service.look, timeout_seconds=timeout_seconds, clock=service.clock, on_look=note)
    return last, looks


async def test_a_job_that_has_ended_costs_one_look() -> None:
    service = Service(TestClock(), ends_at=0)
    last, looks = await wait(service, 45)
    assert service.looked_at == [0.0]
    assert looks == [last]
    assert last.next_seconds is None


async def test_a_fresh_job_is_looked_at_at_once_and_after_2_and_5_seconds() -> None:
    service = Service(TestClock(), ends_at=8)
    await wait(service, 45)
    assert service.looked_at[:3] == [0.0, 2.0, 5.0]
    assert 8.6 <= service.looked_at[3] <= 9.4


async def test_looks_grow_with_the_age_of_the_job_up_to_15_seconds() -> None:
    service = Service(TestClock(), ends_at=590)
    await wait(service, 3_600)
    gaps = [later - earlier for earlier, later in zip(service.looked_at, service.looked_at[1:], strict=False)]
    assert max(gaps) <= 16.5
    assert gaps[-1] >= 13.5
    # The official client sleeps 1, 2, 3, 4 and then 5 seconds: 121 looks for the same job.
    assert len(service.looked_at) <= 121 * 0.6


async def test_a_wait_that_begins_late_does_not_begin_fast() -> None:
    service = Service(TestClock(), ends_at=60, age=200)
    await wait(service, 600)
    assert service.looked_at[1] >= 9.0


async def test_the_time_that_is_up_gives_the_job_as_it_is() -> None:
    service = Service(TestClock(), ends_at=100)
    last, _ = await wait(service, 45)
    assert service.looked_at[-1] == pytest.approx(45.0)
    assert last.job is not None
    assert last.job.status == "RUNNING"


async def test_no_time_at_all_is_one_look() -> None:
    service = Service(TestClock(), ends_at=100)
    await wait(service, 0)
    assert service.looked_at == [0.0]


async def test_what_may_pass_is_ridden_out_and_told() -> None:
    fault = UnavailableError("away", status_code=503)
    service = Service(TestClock(), ends_at=20, faults={2: fault, 3: fault})
    last, looks = await wait(service, 45)
    assert last.job is not None
    assert last.job.is_success
    assert [look.failure for look in looks[:4]] == [None, fault, fault, None]


async def test_what_cannot_pass_ends_the_wait_at_once() -> None:
    service = Service(TestClock(), ends_at=20, faults={2: NotFoundError("gone", status_code=404)})
    with pytest.raises(NotFoundError, match="gone"):
        await wait(service, 45)
    assert len(service.looked_at) == 2


async def test_a_service_that_never_answers_is_an_error_and_not_a_job() -> None:
    faults: dict[int, Any] = dict.fromkeys(range(1, 100), UnavailableError("away", status_code=503))
    with pytest.raises(UnavailableError):
        await wait(Service(TestClock(), ends_at=20, faults=faults), 45)


async def test_a_rate_limit_is_waited_out_as_long_as_the_service_says() -> None:
    fault = RateLimitedError("slow down", retry_after_seconds=30)
    service = Service(TestClock(), ends_at=0, faults={1: fault})
    await wait(service, 120)
    assert service.looked_at[1] >= 27.0


async def test_progress_rises_from_look_to_look() -> None:
    _, looks = await wait(Service(TestClock(), ends_at=100), 45)
    waited = [look.waited_seconds for look in looks]
    assert waited == sorted(set(waited))


async def test_a_look_is_described_in_words() -> None:
    _, looks = await wait(Service(TestClock(), ends_at=2, age=30, faults={}), 45)
    assert describe_look(looks[0]) == "RUNNING for 30 s; next look in 2 s"
    assert describe_look(looks[-1]) == "COMPLETED"
