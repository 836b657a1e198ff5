"""Polls come at fixed ages while a job is young, then at intervals that grow with its age."""

import pytest

from llx_mcp.jobs.poll_schedule import PollSchedule

STEADY = PollSchedule(jitter=0.0)


def test_new_job_is_polled_after_2_and_5_seconds_and_often_when_small_documents_end() -> None:
    ages = [0.0]
    while ages[-1] < 31:
        ages.append(round(ages[-1] + STEADY.next_interval_seconds(ages[-1]), 3))
    assert ages == [0.0, 2.0, 5.0, 12.5, 20.5, 23.3, 26.1, 28.9, 31.7]
    assert STEADY.next_interval_seconds(31.7) == STEADY.shortest_seconds


@pytest.mark.parametrize(("age", "seconds"), [(15.0, 5.5), (4.5, 8.0), (3.9, 1.1), (200.0, 11.0)])
def test_interval_follows_the_age_of_the_job_not_the_wait(age: float, seconds: float) -> None:
    assert STEADY.next_interval_seconds(age) == pytest.approx(seconds)


def test_intervals_grow_with_the_age_up_to_the_longest() -> None:
    ages = [32.0, 60.0, 130.0, 200.0, 300.0, 3_600.0, 1e9]
    seconds = [STEADY.next_interval_seconds(age) for age in ages]
    assert seconds == sorted(seconds)
    assert (seconds[0], seconds[-1]) == (STEADY.shortest_seconds, STEADY.longest_seconds)


def test_later_interval_varies_by_a_tenth_to_either_side() -> None:
    seconds = [PollSchedule().next_interval_seconds(200.0) for _ in range(500)]
    assert 9.9 <= min(seconds) < 10.3
    assert 11.7 < max(seconds) <= 12.1
    assert PollSchedule().mean_interval_seconds(200.0) == pytest.approx(11.0)


def test_every_field_changes_the_intervals() -> None:
    own = PollSchedule(
        early_poll_ages_seconds=(), share_of_age=0.5, shortest_seconds=1.0, longest_seconds=7.0, jitter=0.0
    )
    assert [own.next_interval_seconds(age) for age in (0.0, 4.0, 100.0)] == [1.0, 2.0, 7.0]
    assert PollSchedule(early_poll_ages_seconds=(3.0,)).mean_interval_seconds(0.0) == 3.0


def test_poll_less_than_a_second_before_a_fixed_age_skips_it() -> None:
    schedule = PollSchedule()
    assert schedule.mean_interval_seconds(4.0) == 1.0
    assert schedule.mean_interval_seconds(4.1) == 12.5 - 4.1


def test_later_intervals_are_a_share_of_the_age_within_bounds() -> None:
    schedule = PollSchedule()
    assert [schedule.mean_interval_seconds(age) for age in (40.0, 200.0, 5_000.0)] == [6.5, 11.0, 20.0]


def test_retries_double_up_to_the_longest_interval() -> None:
    assert [PollSchedule().retry_seconds(number) for number in range(1, 7)] == [2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert PollSchedule(longest_seconds=9_999.0).retry_seconds(50) == 2_048.0
