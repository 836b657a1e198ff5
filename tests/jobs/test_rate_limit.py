"""The requests of a key stay within its configured or learned rate limit."""

import bisect
import itertools

import pytest

from llx_mcp.jobs.rate_limit import RateLimit


def spend_all(rate: RateLimit, seconds: float, *, start: float = 0.0) -> list[float]:
    """Make every request that the limit allows; return the time of each."""
    made = []
    now = start
    while now < start + seconds:
        wait = rate.wait_seconds(now)
        if wait > 0:
            now += wait
            continue
        rate.spend(now)
        made.append(now)
    return [at for at in made if at < start + seconds]


def busiest_minute(made: list[float]) -> int:
    """Return the largest number of requests in any 60 seconds."""
    return max(bisect.bisect_left(made, begin + 60) - index for index, begin in enumerate(made))


@pytest.mark.parametrize("per_minute", [4, 20, 60, 600])
def test_no_minute_has_more_requests_than_the_budget(per_minute: int) -> None:
    made = spend_all(RateLimit(per_minute), 600)
    assert busiest_minute(made) <= per_minute
    assert len(made) >= per_minute * 0.7 * 10


def test_no_request_waits_while_no_limit_is_known() -> None:
    rate = RateLimit()
    for _ in range(1_000):
        assert rate.wait_seconds(1.0) == 0
        rate.spend(1.0)
    assert rate.per_minute is None


def test_refusal_pauses_for_as_long_as_retry_after_says() -> None:
    rate = RateLimit()
    rate.spend(0.0)
    rate.note_refusal(0.0, 30.0)
    assert rate.wait_seconds(0.0) >= 30.0


def test_refusals_without_retry_after_pause_longer_each_time() -> None:
    rate = RateLimit(600)
    pauses = []
    now = 0.0
    for _ in range(6):
        rate.note_refusal(now, None)
        pauses.append(rate.wait_seconds(now))
        now += pauses[-1]
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_refusal_halves_the_budget_which_grows_back_slowly_to_a_learned_ceiling() -> None:
    rate = RateLimit()
    for second in range(20):
        rate.spend(float(second))
    rate.spend(20.0)
    rate.note_refusal(20.0, None)
    assert rate.per_minute == 9.0
    rate.wait_seconds(20.0 + 120)
    assert rate.per_minute == pytest.approx(9.0 + 2 * 1.8)
    rate.wait_seconds(20.0 + 1_200)
    assert rate.per_minute == 18.0
    assert busiest_minute(spend_all(rate, 600, start=1_300.0)) <= 18


def test_refusals_of_concurrent_requests_count_once() -> None:
    rate = RateLimit()
    for _ in range(21):
        rate.spend(0.0)
    rate.note_refusal(0.0, None)
    learned = rate.per_minute
    rate.note_refusal(0.1, None)
    assert rate.per_minute == pytest.approx(learned, rel=0.01)


def test_learned_limit_is_forgotten_after_an_hour_and_a_configured_one_is_not() -> None:
    learned, configured = RateLimit(), RateLimit(20)
    for rate in (learned, configured):
        rate.note_refusal(0.0, None)
        rate.wait_seconds(4_000.0)
    assert (learned.per_minute, configured.per_minute) == (None, 20)


def test_budget_never_falls_to_zero() -> None:
    rate = RateLimit()
    for minute in range(50):
        rate.note_refusal(minute * 61.0, None)
    assert len(spend_all(rate, 600, start=4_000.0)) >= 25


@pytest.mark.parametrize("said", [0.25, 1.0, 7.0, 30.0])
def test_learned_budget_delays_no_request_for_longer_than_the_service_said(said: float) -> None:
    rate = RateLimit()
    rate.spend(0.0)
    rate.note_refusal(0.0, said)
    made = spend_all(rate, 300, start=0.1)
    assert made[0] == pytest.approx(said)
    assert max(after - before for before, after in itertools.pairwise(made)) <= said + 1e-6


@pytest.mark.parametrize("seconds", [61.0, 1e9, 251_630_017_199.0])
def test_no_pause_is_longer_than_a_minute(seconds: float) -> None:
    refused, unavailable = RateLimit(), RateLimit()
    refused.note_refusal(0.0, seconds)
    refused.note_refusal(0.5, seconds)
    unavailable.pause(0.0, seconds)
    assert (refused.wait_seconds(0.5), unavailable.wait_seconds(0.0)) == (60.0, 60.0)


def test_configured_limit_holds_whatever_the_service_says() -> None:
    rate = RateLimit(4)
    rate.note_refusal(0.0, 1.0)
    assert busiest_minute(spend_all(rate, 600, start=0.0)) <= 4
    one = RateLimit(1)
    one.note_refusal(0.0, None)
    assert one.per_minute == 1.0


def test_requests_beyond_the_budget_delay_the_next_by_at_most_a_minute() -> None:
    rate = RateLimit(20)
    for _ in range(100):
        rate.spend(0.0)
    assert rate.wait_seconds(0.0) == 60.0
    assert rate.wait_seconds(60.0) == 0.0


def test_few_requests_before_a_refusal_do_not_teach_a_lower_limit_than_any_key_has() -> None:
    rate = RateLimit()
    rate.spend(0.0)
    rate.note_refusal(0.0, None)
    assert rate.per_minute == 9.0


def test_refusal_long_ago_no_longer_bounds_the_pauses() -> None:
    rate = RateLimit(20)
    rate.note_refusal(0.0, 5.0)
    rate.wait_seconds(4_000.0)
    assert busiest_minute(spend_all(rate, 600, start=4_000.0)) <= 20


def test_next_pause_begins_with_the_shortest_again_after_a_success() -> None:
    rate = RateLimit()
    for now in (0.0, 100.0):
        rate.note_refusal(now, None)
    rate.note_success()
    rate.note_refusal(200.0, None)
    assert rate.wait_seconds(200.0) == 5.0


def test_budget_allows_a_burst_of_a_quarter_and_then_even_gaps() -> None:
    assert spend_all(RateLimit(20), 9) == pytest.approx([0.0] * 5 + [4.0, 8.0])


def test_requests_of_the_last_minute_are_counted() -> None:
    rate = RateLimit()
    rate.spend(0.0)
    rate.spend(30.0)
    assert [rate.num_recent(now) for now in (30.0, 59.9, 60.0, 89.9, 90.0)] == [2, 2, 1, 1, 0]


@pytest.mark.parametrize("per_minute", [None, 20])
def test_refused_key_begins_again_without_a_burst(per_minute: int | None) -> None:
    rate = RateLimit(per_minute)
    rate.spend(0.0)
    rate.note_refusal(0.0, None)
    assert rate.per_minute == 9.0
    assert rate.wait_seconds(0.0) == pytest.approx(60 / (9 * 0.75))


def test_limit_is_learned_from_the_requests_of_the_last_minute_that_passed() -> None:
    busy, idle = RateLimit(), RateLimit()
    for rate in (busy, idle):
        for _ in range(41):
            rate.spend(0.0)
    busy.note_refusal(59.0, None)
    idle.note_refusal(61.0, None)
    assert (busy.per_minute, idle.per_minute) == (18.0, 9.0)


def test_learned_budget_delays_a_configured_key_by_no_more_than_its_own_gap() -> None:
    rate = RateLimit(20)
    rate.spend(0.0)
    rate.note_refusal(0.0, 1.0)
    assert rate.wait_seconds(0.0) == 4.0


def test_refusals_of_concurrent_requests_do_not_lengthen_the_pause() -> None:
    rate = RateLimit()
    for _ in range(4):
        rate.note_refusal(0.0, None)
    assert rate.wait_seconds(0.0) == 5.0
    rate.note_refusal(1.0, 30.0)
    assert rate.wait_seconds(1.0) == 30.0


def test_learned_limit_is_remembered_for_an_hour_to_the_second() -> None:
    rate = RateLimit()
    rate.note_refusal(0.0, None)
    found = []
    for now in (3_600.0, 3_600.5):
        rate.wait_seconds(now)
        found.append(rate.per_minute is None)
    assert found == [False, True]
