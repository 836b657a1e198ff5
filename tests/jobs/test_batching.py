"""The plan of poll requests: which jobs share one, and which go first."""

from llx_mcp.jobs.batching import MAX_IDS, MAX_RUNNING_FETCHES, MAX_RUNNING_REQUESTS, PollRequest, plan_requests
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


def fetches(number: int, due_ago: float = 0.0) -> list[PolledJob]:
    """Make jobs that have probably ended, each due a second longer than the one before."""
    ended = [polled(f"ext-{index}", due_in=-due_ago - index) for index in range(number)]
    for job in ended:
        job.needs_full_fetch = True
    return ended


def run(*jobs: PolledJob) -> list[PollRequest]:
    """Return running requests for jobs."""
    return [PollRequest((job,), is_list=False) for job in jobs]


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


def test_plan_has_as_many_fetches_as_can_be_sent_and_those_that_are_due_the_longest() -> None:
    ended = fetches(12)
    expected = [PollRequest((job,), is_list=False) for job in reversed(ended)]
    assert plan(*ended) == expected[:MAX_RUNNING_REQUESTS]
    for number in range(MAX_RUNNING_REQUESTS + 1):
        free = MAX_RUNNING_REQUESTS - number
        assert plan_requests(ended, NOW, allow_lists=True, running=run(*fetches(number))) == expected[:free]


def test_fetches_leave_some_requests_to_jobs_that_are_due() -> None:
    ended, others = fetches(12), (polled("ext-a"), polled("ext-b"))
    listed = PollRequest(others, is_list=True)
    first = plan(*ended, *others)
    assert ([request.is_fetch for request in first], first[-1]) == ([True] * MAX_RUNNING_FETCHES + [False], listed)
    for number in range(MAX_RUNNING_REQUESTS + 1):
        running = run(*fetches(number))
        planned = plan_requests([*ended, *others], NOW, allow_lists=True, running=running)
        assert sum(request.is_fetch for request in planned) == max(MAX_RUNNING_FETCHES - number, 0)
        assert planned[-1] == listed
    # A list that runs is no fetch.
    planned = plan_requests([*ended, *others], NOW, allow_lists=True, running=[PollRequest(others, is_list=True)])
    assert sum(request.is_fetch for request in planned) == MAX_RUNNING_FETCHES


def test_jobs_that_ended_first_are_fetched_first_whatever_their_interval() -> None:
    early, late = fetches(2, due_ago=5.0), fetches(9)
    for job in late:
        job.due_at, job.interval_seconds = NOW - 1, 0.5
    assert {request.jobs[0] for request in plan(*late, *early)[:2]} == set(early)


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


def test_list_holds_as_many_ids_as_fit_into_the_url() -> None:
    # Each id takes nine characters more, for `&job_ids=`.
    fitting = [polled(f"{number}".rjust(991, "x")) for number in range(6)]
    assert [len(request.jobs) for request in plan(*fitting)] == [5, 1]
    longer = [*fitting[:4], polled("y" * 992)]
    assert [len(request.jobs) for request in plan(*longer)] == [4, 1]


def test_last_job_that_is_left_over_is_polled_alone() -> None:
    plans = plan(*(polled(f"ext-{number}") for number in range(MAX_IDS + 1)))
    assert [(len(request.jobs), request.is_list) for request in plans] == [(MAX_IDS, True), (1, False)]


def test_job_joins_a_list_once_three_tenths_of_its_interval_have_passed() -> None:
    due, ready, fresh = polled("a"), polled("b", due_in=7, polled_ago=3.0), polled("c", due_in=7.1, polled_ago=2.9)
    assert plan(due, ready, fresh) == [PollRequest((due, ready), is_list=True)]


def test_list_is_filled_with_the_jobs_that_are_due_first() -> None:
    soon = [polled(f"ext-{number}", due_in=6.0 - number / 100, polled_ago=5.0) for number in range(150)]
    due = polled("ext-due")
    (request,) = plan(*soon, due)
    assert request.jobs == (due, *soon[:50:-1])


def test_job_of_another_scope_or_that_cannot_be_listed_does_not_fill_a_list() -> None:
    due = polled("ext-due")
    other = polled("ext-1", due_in=5.0, polled_ago=5.0)
    other.key = JobKey("digest", Scope("p"), "ext-1")
    odd = polled("ext-2", due_in=5.0, polled_ago=5.0, status="REHEATING")
    assert plan(due, other, odd) == [PollRequest((due,), is_list=False)]


def test_job_that_waits_for_its_first_poll_becomes_more_urgent_each_second() -> None:
    # It has waited for 100 s; the others are 100 and 102 intervals after their latest poll.
    first, less, more = polled("first", polled_ago=None), polled("less", polled_ago=1_000), polled("more")
    more.polled_at = NOW - 1_020
    plans = plan(first, less, more, allow_lists=False)
    assert [request.jobs[0] for request in plans] == [more, first, less]


def test_job_whose_retry_is_due_at_once_is_planned_like_one_with_a_short_interval() -> None:
    refused, short, long = (polled(name, polled_ago=1.0) for name in ("refused", "short", "long"))
    refused.interval_seconds, short.interval_seconds, long.interval_seconds = 0.0, 0.09, 0.11
    few = polled("few", polled_ago=99.0)
    plans = plan(long, few, short, refused, allow_lists=False)
    assert [request.jobs[0] for request in plans] == [short, refused, few, long]
