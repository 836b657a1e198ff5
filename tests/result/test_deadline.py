"""Work stops at its deadline, and looks at the clock often enough for that."""

import itertools

import pytest

from llx_mcp.result.deadline import Deadline, DeadlineReachedError, give_up_after


def test_time_is_over_from_the_deadline_on() -> None:
    times = iter([10.0, 14.9, 15.0, 15.1])
    deadline = Deadline(5, lambda: next(times))
    assert [deadline.is_over, deadline.is_over, deadline.is_over] == [False, True, True]


def test_share_is_a_part_of_what_is_left() -> None:
    now = [100.0]
    deadline = Deadline(10, lambda: now[0])
    now[0] = 104.0
    share = deadline.share(0.5)
    found = []
    for now[0] in (106.9, 107.0, 120.0):
        found.append((share.is_over, deadline.is_over, deadline.share(0.5).is_over))
    assert found == [(False, False, False), (True, False, False), (True, True, True)]
    now[0] = 0.0
    assert not Deadline(1, lambda: now[0]).share(0.5).is_over


def test_items_are_yielded_until_the_time_is_up() -> None:
    looks = itertools.count()
    assert list(Deadline(3, lambda: next(looks)).limit(range(1_000))) == list(range(128))
    assert list(Deadline(0, lambda: 1.0).limit("abc")) == []
    assert list(Deadline(1, lambda: 1.0).limit(range(1_000))) == list(range(1_000))


def test_default_clock_counts_the_work_of_this_thread() -> None:
    deadline = Deadline(0.02)
    num_items = sum(1 for _ in deadline.limit(itertools.count()))
    assert deadline.is_over
    assert num_items > 0


def test_work_is_given_up_before_its_deadline() -> None:
    with give_up_after(0.01):
        deadline = Deadline(3_600)
        with pytest.raises(DeadlineReachedError):
            for _ in deadline.limit(itertools.count()):
                pass
        with pytest.raises(DeadlineReachedError):
            _ = deadline.share(0.5).is_over
    assert not Deadline(3_600).is_over


def test_work_with_time_left_is_not_given_up() -> None:
    with give_up_after(3_600):
        assert not Deadline(3_600).is_over
        assert Deadline(0).is_over
