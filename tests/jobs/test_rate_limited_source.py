"""Every request of a key is counted once, and its response teaches the rate limit."""

import pytest

from llx_mcp.errors import LlxError, RateLimitedError, UnavailableError
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from llx_mcp.scope import JobFilter
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.sources import Bodies

BODY = b'{"id": "ext-1", "status": "RUNNING"}'


def failing(error: LlxError) -> RateLimitedSource:
    """Make a source whose fetches raise an error."""

    def fail(_: str) -> bytes:
        raise error

    return RateLimitedSource(Bodies(fail), RateLimit(), VirtualClock())


class Ahead(Bodies):
    """A service whose clock is 90 s ahead."""

    @property
    def clock_offset_seconds(self) -> float:
        """Always 90."""
        return 90.0


def test_clock_and_key_are_those_of_the_service() -> None:
    source = RateLimitedSource(Ahead(lambda _: BODY), RateLimit(), VirtualClock())
    assert source.clock_offset_seconds == 90.0
    assert (source.identity(), source.derive_key("tasks")) == ("bodies", b"tasks")


@virtual
async def test_each_request_is_counted() -> None:
    source = RateLimitedSource(Bodies(lambda _: BODY), RateLimit(), VirtualClock())
    await source.fetch_job("ext-1")
    await source.list_jobs(JobFilter(("ext-1",)))
    await source.fetch_file_names(["dfl-1"])
    assert source.rate.num_recent(0.0) == 3


@virtual
async def test_reserved_request_is_counted_when_it_is_reserved_and_the_next_when_it_is_sent() -> None:
    source = RateLimitedSource(Bodies(lambda _: BODY), RateLimit(), VirtualClock())
    reserved = source.reserve_request()
    counts = [source.rate.num_recent(0.0)]
    for _ in range(2):
        await reserved.fetch_job("ext-1")
        counts.append(source.rate.num_recent(0.0))
    assert counts == [1, 1, 2]


@virtual
async def test_refusal_pauses_the_key_and_lowers_its_budget() -> None:
    source = failing(RateLimitedError("slow down", retry_after_seconds=30.0))
    with pytest.raises(RateLimitedError):
        await source.fetch_job("ext-1")
    assert source.rate.wait_seconds(0.0) == 30.0
    assert source.rate.per_minute is not None


@pytest.mark.parametrize(("retry_after_seconds", "pause"), [(30.0, 30.0), (None, 0.0)])
def test_unavailable_service_pauses_the_key_if_it_asks_for_that(
    retry_after_seconds: float | None, pause: float
) -> None:
    @virtual
    async def run() -> None:
        source = failing(UnavailableError("away", retry_after_seconds=retry_after_seconds))
        with pytest.raises(UnavailableError):
            await source.fetch_job("ext-1")
        assert source.rate.wait_seconds(0.0) == pause
        assert source.rate.per_minute is None

    run()
