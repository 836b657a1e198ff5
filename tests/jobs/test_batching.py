"""The plan of poll requests: which jobs share one, and which go first."""

from llx_mcp.jobs.batching import MAX_IDS, PollRequest, plan_requests
from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.polled_job import PolledJob, Waiter
from llx_mcp.models import Job
from llx_mcp.scope import Scope

NOW = 1_000.0


def polled(
    job_id: str, *, due_in: float = 0.0, polled_ago: float | None = 10.0, num_waiters: int = 1, status: str = "RUNNING"
) -> PolledJob:
    """Make a job that is polled every ten seconds; `polled_ago` is the time since its latest poll."""
    job = PolledJob(JobKey("digest", Scope(), job_id), PollSchedule(), NOW - 100, NOW + due_in, interval_seconds=10.0)
    if polled_ago is not None:
        job.polled_at = NOW - polled_ago
        job.job = Job(id=job_id, status=status)
    for _ in range(num_waiters):
        job.waiters.add(Waiter((job,), NOW + 100, wants_every_poll=False))
    return job


def plan(*jobs: PolledJob, allow_lists: bool = True) -> list[PollRequest]:
    """Return the plan at `NOW`."""
    return plan_requests(jobs, NOW, allow_lists=allow_lists)


def test_no_request_is_planned_before_a_job_is_due() -> None:
    assert plan(polled("a", due_in=1, polled_ago=9), polled("b", due_in=5, polled_ago=5)) == []


def test_one_job_is_polled_alone_and_several_in_a_list() -> None:
    a, b = polled("a"), polled("b")
    assert plan(a) == [PollRequest((a,), is_list=False)]
    assert plan(a, b) == [PollRequest((a, b), is_list=True)]


def test_list_includes_jobs_that_are_due_soon_but_none_that_was_just_polled() -> None:
    due, halfway, fresh = polled("a"), polled("b", due_in=5, polled_ago=5), polled("c", due_in=9, polled_ago=1)
    assert plan(due, halfway, fresh) == [PollRequest((due, halfway), is_list=True)]


def test_overdue_jobs_and_jobs_with_many_waiters_go_first_without_lists() -> None:
    few, many = polled("few"), polled("many", num_waiters=5)
    overdue = polled("overdue", polled_ago=80)
    plans = plan(few, many, overdue, allow_lists=False)
    assert [request.jobs[0].key.job_id for request in plans] == ["overdue", "many", "few"]


def test_job_that_has_probably_ended_is_fetched_before_others_are_polled() -> None:
    crowd, ended = [polled(f"{number}", num_waiters=9) for number in range(3)], polled("ended")
    ended.needs_full_fetch = True
    first, second = plan(*crowd, ended)
    assert first == PollRequest((ended,), is_list=False)
    assert (second.is_list, set(second.jobs)) == (True, set(crowd))


def test_job_with_an_unknown_status_is_never_listed() -> None:
    odd, a, b = polled("odd", status="REHEATING"), polled("a"), polled("b")
    assert plan(odd, a, b) == [PollRequest((a, b), is_list=True), PollRequest((odd,), is_list=False)]


def test_list_holds_at_most_the_allowed_number_of_ids() -> None:
    plans = plan(*(polled(f"ext-{number}") for number in range(250)))
    assert [(len(request.jobs), request.is_list) for request in plans] == [
        (MAX_IDS, True),
        (MAX_IDS, True),
        (50, True),
    ]


def test_job_that_is_being_polled_or_has_ended_is_left_out() -> None:
    out, ended = polled("out"), polled("ended")
    out.is_polling = True
    ended.has_ended = True
    assert plan(out, ended) == []


def test_limited_plan_is_the_beginning_of_the_whole_plan() -> None:
    ended = [polled(f"ext-{number}", polled_ago=number + 1.0) for number in range(9)]
    for each in ended:
        each.needs_full_fetch = True
    others = [polled("ext-a"), polled("ext-b")]
    whole = plan_requests([*others, *ended], NOW, allow_lists=True)
    for most in (1, 3, 9):
        assert plan_requests([*others, *ended], NOW, allow_lists=True, max_requests=most) == whole[:most]
    assert plan_requests([*others, *ended], NOW, allow_lists=True, max_requests=10) == whole


def test_id_of_another_format_is_polled_alone_until_the_job_is_known() -> None:
    odd, first, second = (
        polled("odd", polled_ago=None),
        polled("ext-1", polled_ago=None),
        polled("ext-2", polled_ago=None),
    )
    assert plan(odd, first, second) == [PollRequest((first, second), is_list=True), PollRequest((odd,), is_list=False)]
    known = polled("odd")
    (request,) = plan(known, first)
    assert request.is_list
