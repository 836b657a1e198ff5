"""Requests wait for their turn within the rate limit, and are sent again after errors that pass."""

import pytest

from llx_mcp.errors import (
    BadResponseError,
    LlxError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
    UnclearOutcomeError,
    UnreachableError,
)
from llx_mcp.jobs.creation_source import CreationSource
from llx_mcp.jobs.paced_requests import PacedRequests
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from tests.fake_clock import FakeClock
from tests.sources import Bodies


class Failing:
    """A request that fails some times, and the times at which it was sent."""

    def __init__(self, clock: FakeClock, error: LlxError, num_failures: int) -> None:
        self.sent_at: list[float] = []
        self._clock = clock
        self._error = error
        self._num_failures = num_failures

    async def __call__(self, _: CreationSource) -> str:
        self.sent_at.append(self._clock.seconds)
        if len(self.sent_at) <= self._num_failures:
            raise self._error
        return "answer"


def pace(clock: FakeClock, per_minute: float | None = None) -> PacedRequests:
    """Return paced requests of a source that creates nothing itself."""
    source = Bodies(lambda _: b"")
    source.creation = None  # type: ignore[assignment] # the requests of these tests do not use it
    return PacedRequests(RateLimitedSource(source, RateLimit(per_minute), clock), clock)


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("busy"), UnreachableError("away"), RateLimitedError("much"),
        BadResponseError("cut off", is_transient=True),
    ],
)  # fmt: skip
async def test_error_that_passes_is_followed_by_another_try(error: LlxError) -> None:
    clock = FakeClock()
    request = Failing(clock, error, 3)
    assert await pace(clock).send(request) == "answer"
    assert len(request.sent_at) == 4
    assert request.sent_at == sorted(set(request.sent_at))


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("no"), UnclearOutcomeError("?"), UnreachableError("tls", is_transient=False),
        BadResponseError("a web page. Retrying does not help."),
    ],
)  # fmt: skip
async def test_other_error_is_raised_at_once(error: LlxError) -> None:
    clock = FakeClock()
    request = Failing(clock, error, 1)
    with pytest.raises(type(error)):
        await pace(clock).send(request)
    assert request.sent_at == [0]


@pytest.mark.parametrize(("max_tries", "num_sent"), [(None, 6), (2, 2), (1, 1)])
async def test_number_of_tries_is_limited(max_tries: int | None, num_sent: int) -> None:
    clock = FakeClock()
    request = Failing(clock, UnavailableError("busy"), 99)
    with pytest.raises(UnavailableError):
        await (pace(clock).send(request) if max_tries is None else pace(clock).send(request, max_tries=max_tries))
    assert len(request.sent_at) == num_sent


async def test_known_rate_limit_is_kept() -> None:
    clock = FakeClock()
    requests = pace(clock, 20)
    request = Failing(clock, UnavailableError(""), 0)
    for _ in range(60):
        await requests.send(request)
    times = request.sent_at
    assert all(sum(start <= time < start + 60 for time in times) <= 20 for start in times)
    # The rate is used up, and not far below.
    assert times[-1] < 240


async def test_pause_that_the_service_asks_for_is_made() -> None:
    clock = FakeClock()
    request = Failing(clock, RateLimitedError("wait", retry_after_seconds=30), 1)
    await pace(clock).send(request)
    assert request.sent_at[1] >= 30
