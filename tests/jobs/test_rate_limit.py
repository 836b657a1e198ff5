"""A key's requests stay within what the service allows."""

import pytest

from llx_mcp.jobs.rate_limit import RateLimit


def spend_all(rate: RateLimit, seconds: float, *, start: float = 0.0) -> list[float]:
    """Make every request that the rate allows; when each was made."""
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
    """The most requests in any 60 seconds."""
    return max(sum(begin <= at < begin + 60 for at in made) for begin in made)


@pytest.mark.parametrize("per_minute", [4, 20, 60, 600])
def test_no_minute_has_more_requests_than_the_budget(per_minute: int) -> None:
    made = spend_all(RateLimit(per_minute), 600)
    assert busiest_minute(made) <= per_minute
    assert len(made) >= per_minute * 0.7 * 10


def test_without_a_known_limit_nothing_is_held_back() -> None:
    rate = RateLimit()
    for _ in range(1_000):
        assert rate.wait_seconds(1.0) == 0
        rate.spend(1.0)
    assert rate.per_minute is None


def test_a_refusal_pauses_as_long_as_the_service_says() -> None:
    rate = RateLimit()
    rate.spend(0.0)
    rate.note_refusal(0.0, 30.0)
    assert rate.wait_seconds(0.0) >= 30.0


def test_refusals_without_a_word_pause_longer_each_time() -> None:
    rate = RateLimit(600)
    pauses = []
    now = 0.0
    for _ in range(6):
        rate.note_refusal(now, None)
        pauses.append(rate.wait_seconds(now))
        now += pauses[-1]
    # The first ones are the learnt budget's, which is then at its least.
    assert pauses == [20.0, 20.0, 20.0, 40.0, 60.0, 60.0]


def test_a_limit_is_learnt_from_a_refusal_and_speed_is_given_back_slowly_and_not_beyond_it() -> None:
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


def test_refusals_of_requests_that_were_under_way_together_count_once() -> None:
    rate = RateLimit()
    for _ in range(21):
        rate.spend(0.0)
    rate.note_refusal(0.0, None)
    learnt = rate.per_minute
    rate.note_refusal(0.1, None)
    assert rate.per_minute == pytest.approx(learnt, rel=0.01)


def test_a_limit_that_was_learnt_is_forgotten_after_an_hour_and_one_that_was_set_is_not() -> None:
    learnt, told = RateLimit(), RateLimit(20)
    for rate in (learnt, told):
        rate.note_refusal(0.0, None)
        rate.wait_seconds(4_000.0)
    assert (learnt.per_minute, told.per_minute) == (None, 20)


def test_a_budget_never_falls_to_nothing() -> None:
    rate = RateLimit()
    for minute in range(50):
        rate.note_refusal(minute * 61.0, None)
    assert len(spend_all(rate, 600, start=4_000.0)) >= 25
