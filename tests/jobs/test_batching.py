"""What goes out together, and what goes out first."""

from llx_mcp.jobs.batching import MAX_IDS, PollRequest, plan_requests
from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob, Waiter
from llx_mcp.models import Job
from llx_mcp.scope import Scope

NOW = 1_000.0


def entry(
    job_id: str, *, due_in: float = 0.0, looked: float | None = 10.0, num_waiters: int = 1, status: str = "RUNNING"
) -> PolledJob:
    """A job that was looked at so many seconds ago, every ten seconds."""
    made = PolledJob(JobKey("digest", Scope(), job_id), PollSchedule(), NOW - 100, NOW + due_in, interval_seconds=10.0)
    if looked is not None:
        made.polled_at = NOW - looked
        made.job = Job(id=job_id, status=status)
    for _ in range(num_waiters):
        made.waiters.add(Waiter((made,), NOW + 100, wants_every_poll=False))
    return made


def plan(*entries: PolledJob, allow_lists: bool = True) -> list[PollRequest]:
    """The plan now."""
    return plan_requests(entries, NOW, allow_lists=allow_lists)


def test_nothing_goes_out_before_something_is_due() -> None:
    assert plan(entry("a", due_in=1, looked=9), entry("b", due_in=5, looked=5)) == []


def test_one_job_is_looked_at_alone_and_several_in_a_list() -> None:
    a, b = entry("a"), entry("b")
    assert plan(a) == [PollRequest((a,), is_list=False)]
    assert plan(a, b) == [PollRequest((a, b), is_list=True)]


def test_a_list_takes_along_who_is_on_the_way_and_leaves_who_was_just_looked_at() -> None:
    due, halfway, fresh = entry("a"), entry("b", due_in=5, looked=5), entry("c", due_in=9, looked=1)
    assert plan(due, halfway, fresh) == [PollRequest((due, halfway), is_list=True)]


def test_without_lists_the_job_with_most_waiters_and_nearest_its_interval_goes_first() -> None:
    few, many = entry("few"), entry("many", num_waiters=5)
    overdue = entry("overdue", looked=80)
    plans = plan(few, many, overdue, allow_lists=False)
    assert [request.jobs[0].key.job_id for request in plans] == ["overdue", "many", "few"]


def test_a_job_that_has_probably_ended_is_fetched_before_others_are_looked_at() -> None:
    crowd, ended = [entry(f"{number}", num_waiters=9) for number in range(3)], entry("ended")
    ended.needs_full_fetch = True
    first, second = plan(*crowd, ended)
    assert first == PollRequest((ended,), is_list=False)
    assert (second.is_list, set(second.jobs)) == (True, set(crowd))


def test_a_job_in_an_unknown_status_is_never_listed() -> None:
    odd, a, b = entry("odd", status="REHEATING"), entry("a"), entry("b")
    assert plan(odd, a, b) == [PollRequest((a, b), is_list=True), PollRequest((odd,), is_list=False)]


def test_a_list_holds_no_more_ids_than_it_may() -> None:
    plans = plan(*(entry(f"ext-{number}") for number in range(250)))
    assert [(len(request.jobs), request.is_list) for request in plans] == [
        (MAX_IDS, True),
        (MAX_IDS, True),
        (50, True),
    ]


def test_what_is_under_way_or_has_ended_is_left_alone() -> None:
    out, ended = entry("out"), entry("ended")
    out.is_polling = True
    ended.has_ended = True
    assert plan(out, ended) == []


def test_no_more_is_planned_than_can_go_out_and_it_is_the_same_that_would_come_first() -> None:
    ended = [entry(f"ext-{number}", looked=number + 1.0) for number in range(9)]
    for each in ended:
        each.needs_full_fetch = True
    others = [entry("ext-a"), entry("ext-b")]
    whole = plan_requests([*others, *ended], NOW, allow_lists=True)
    for most in (1, 3, 9):
        assert plan_requests([*others, *ended], NOW, allow_lists=True, max_requests=most) == whole[:most]
    assert plan_requests([*others, *ended], NOW, allow_lists=True, max_requests=10) == whole


def test_an_id_of_another_shape_is_looked_at_alone_until_it_is_known() -> None:
    odd, first, second = entry("odd", looked=None), entry("ext-1", looked=None), entry("ext-2", looked=None)
    assert plan(odd, first, second) == [PollRequest((first, second), is_list=True), PollRequest((odd,), is_list=False)]
    known = entry("odd")
    (request,) = plan(known, first)
    assert request.is_list
