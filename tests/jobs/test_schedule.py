"""Looks are frequent while a job is fresh, and grow with its age."""

from llx_mcp.jobs.schedule import Schedule

STEADY = Schedule(jitter=0.0)


def test_a_fresh_job_is_looked_at_after_2_and_5_seconds() -> None:
    assert [STEADY.next_seconds(0.0, 1), STEADY.next_seconds(2.0, 2)] == [2.0, 3.0]
    assert STEADY.next_seconds(5.0, 3) == STEADY.shortest_seconds


def test_a_wait_that_begins_late_does_not_begin_fast() -> None:
    assert STEADY.next_seconds(200.0, 1) == 200.0 * STEADY.share_of_age


def test_intervals_grow_with_the_age_up_to_the_longest() -> None:
    ages = [0.0, 60.0, 100.0, 200.0, 300.0, 3_600.0, 1e9]
    seconds = [STEADY.next_seconds(age, 9) for age in ages]
    assert seconds == sorted(seconds)
    assert (seconds[0], seconds[-1]) == (STEADY.shortest_seconds, STEADY.longest_seconds)


def test_an_interval_varies_by_a_tenth_to_either_side() -> None:
    seconds = [Schedule().next_seconds(200.0, 9) for _ in range(500)]
    assert 9.9 <= min(seconds) < 10.3
    assert 11.7 < max(seconds) <= 12.1


def test_every_part_of_it_can_be_set() -> None:
    own = Schedule(fresh_seconds=(), share_of_age=0.5, shortest_seconds=1.0, longest_seconds=7.0, jitter=0.0)
    assert [own.next_seconds(age, 1) for age in (0.0, 4.0, 100.0)] == [1.0, 2.0, 7.0]
