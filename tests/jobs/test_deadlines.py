"""Deadlines of waits: which waits end, when the next one does, and what is forgotten."""

import math

from llx_mcp.jobs.deadlines import GRACE_SECONDS, Deadlines
from llx_mcp.jobs.polled_job import Waiter


def make(deadline: float) -> Waiter:
    """Make a wait that ends at a time."""
    return Waiter((), deadline, wants_every_poll=False)


def run(deadlines: Deadlines, now: float, *expecting: Waiter) -> None:
    """End the waits whose time is up, except those that expect a poll."""
    deadlines.collect_late(now)
    deadlines.end_late(now, lambda waiter, _: waiter in expecting)


def test_wait_ends_at_its_deadline_and_not_before() -> None:
    deadlines, first, second = Deadlines(), make(5), make(7)
    deadlines.add(second)
    deadlines.add(first)
    assert deadlines.next_expiry(2) == 5
    run(deadlines, 4.9)
    assert not first.is_over
    run(deadlines, 5)
    assert (first.is_over, second.is_over) == (True, False)
    assert deadlines.next_expiry(1) == 7
    run(deadlines, 9)
    assert second.is_over
    assert (deadlines.next_expiry(0), len(deadlines)) == (math.inf, 0)


def test_wait_that_expects_a_poll_ends_when_it_does_not_any_more() -> None:
    deadlines, waiter = Deadlines(), make(5)
    deadlines.add(waiter)
    run(deadlines, 6, waiter)
    assert (waiter.is_over, deadlines.has_late) == (False, True)
    assert deadlines.next_expiry(1) == 5 + GRACE_SECONDS
    run(deadlines, 8)
    assert (waiter.is_over, deadlines.has_late) == (True, False)


def test_wait_expects_a_poll_no_longer_than_its_grace() -> None:
    deadlines, waiter = Deadlines(), make(5)
    deadlines.add(waiter)
    run(deadlines, 5, waiter)
    run(deadlines, 4.9 + GRACE_SECONDS, waiter)
    assert not waiter.is_over
    run(deadlines, 5 + GRACE_SECONDS, waiter)
    assert waiter.is_over


def test_wait_that_was_left_is_not_late() -> None:
    deadlines, left, late = Deadlines(), make(5), make(6)
    deadlines.add(left)
    deadlines.add(late)
    left.is_over = True
    run(deadlines, 3)
    assert (deadlines.next_expiry(1), len(deadlines)) == (6, 1)
    run(deadlines, 7, late)
    late.is_over = True
    run(deadlines, 8, late)
    assert len(deadlines) == 0


def test_deadline_that_becomes_earlier_holds() -> None:
    deadlines, waiter = Deadlines(), make(100)
    deadlines.add(waiter)
    waiter.deadline = 3
    deadlines.add(waiter)
    assert deadlines.next_expiry(1) == 3
    run(deadlines, 3)
    assert waiter.is_over


def test_wait_without_a_deadline_is_not_held() -> None:
    deadlines = Deadlines()
    deadlines.add(make(math.inf))
    assert (deadlines.next_expiry(1), len(deadlines)) == (math.inf, 0)


def test_waits_that_ended_early_are_forgotten() -> None:
    deadlines, opened = Deadlines(), make(500)
    deadlines.add(make(400))
    for number in range(1_000):
        waiter = make(1_000 - number)
        deadlines.add(waiter)
        waiter.is_over = True
    deadlines.add(opened)
    assert deadlines.next_expiry(2) == 400
    assert len(deadlines) == 2


def test_nothing_is_left_after_clear() -> None:
    deadlines, late = Deadlines(), make(1)
    deadlines.add(late)
    deadlines.add(make(100))
    run(deadlines, 2, late)
    deadlines.clear()
    assert (len(deadlines), deadlines.next_expiry(0)) == (0, math.inf)
