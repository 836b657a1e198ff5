"""Plans which poll requests to send: several jobs in one list request where possible, the most urgent first."""

import heapq
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from llx_mcp.jobs.polled_job import PolledJob

# List requests ask for these statuses only: the row of a job that has ended could be of any size.
UNFINISHED = ("PENDING", "THROTTLED", "RUNNING")

MAX_RUNNING_REQUESTS = 8
# While other jobs are due, no more of them fetch jobs that have ended, so that many of those do not delay every poll.
MAX_RUNNING_FETCHES = 6
MAX_IDS = 100
# URLs of 8 KB are accepted everywhere.
_MAX_ID_CHARS = 5_000
_ID_OVERHEAD = len("&job_ids=")
_ID_PREFIX = "ext-"
# A list request includes jobs that are not due yet, once this share of their interval has passed.
_EARLY_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class PollRequest:
    """One request to send: a list of several jobs, or one job with or without its sections."""

    jobs: tuple[PolledJob, ...]
    is_list: bool

    @property
    def is_fetch(self) -> bool:
        """Whether it fetches a job that has probably ended, with its sections."""
        return not self.is_list and self.jobs[0].needs_full_fetch


def plan_requests(
    jobs: Iterable[PolledJob],
    now: float,
    *,
    allow_lists: bool,
    running: Collection[PollRequest] = (),
) -> list[PollRequest]:
    """Return the requests that are due, in the order in which to send them; at least those that can be sent now.

    Args:
        jobs: all jobs of the poll loop.
        now: time of the monotonic clock, in seconds.
        allow_lists: whether several jobs may share a list request.
        running: the requests that run.
    """
    idle = [job for job in jobs if not (job.is_polling or job.has_ended) and job.may_poll(now)]
    due = [job for job in idle if job.due_at <= now]
    ended = [job for job in due if job.needs_full_fetch]
    others = [job for job in due if not job.needs_full_fetch]
    # With many ended jobs this saves sorting them all at each turn of the loop.
    first = heapq.nlargest(_count_free(running, others), ended, key=lambda job: len(job.waiters) * (now - job.due_at))
    requests = [_single(job) for job in first]
    others.sort(key=lambda job: len(job.waiters) * _share_of_interval(job, now), reverse=True)
    requests += _plan_lists([job for job in others if allow_lists and _can_be_listed(job)], idle, now)
    requests += [_single(job) for job in others if not (allow_lists and _can_be_listed(job))]
    return requests


def _count_free(running: Collection[PollRequest], others: Sequence[PolledJob]) -> int:
    """Return how many jobs that have ended can be fetched now, when others are due, or none is."""
    num_free = MAX_RUNNING_REQUESTS - len(running)
    if others:
        num_free = min(num_free, MAX_RUNNING_FETCHES - sum(request.is_fetch for request in running))
    return max(num_free, 0)


def _single(job: PolledJob) -> PollRequest:
    return PollRequest((job,), is_list=False)


def _plan_lists(due: list[PolledJob], idle: list[PolledJob], now: float) -> list[PollRequest]:
    """Plan list requests for the due jobs, one or more for each scope; fill the last with jobs that are due soon."""
    requests = []
    for scope in dict.fromkeys(job.key.scope for job in due):
        members = [job for job in due if job.key.scope == scope]
        chosen = set(members)
        others = [
            job
            for job in idle
            if job not in chosen
            and job.key.scope == scope
            and _can_be_listed(job)
            and _share_of_interval(job, now) >= _EARLY_SHARE
        ]
        others.sort(key=lambda job: job.due_at)
        batches = _split(members)
        batches[-1] = _split([*batches[-1], *others])[0]
        requests += [PollRequest(tuple(batch), is_list=len(batch) > 1) for batch in batches]
    return requests


def _split(jobs: Sequence[PolledJob]) -> list[list[PolledJob]]:
    """Split jobs into batches whose ids fit into one URL."""
    batches: list[list[PolledJob]] = [[]]
    num_chars = 0
    for job in jobs:
        added = len(job.key.job_id) + _ID_OVERHEAD
        if batches[-1] and (len(batches[-1]) >= MAX_IDS or num_chars + added > _MAX_ID_CHARS):
            batches.append([])
            num_chars = 0
        batches[-1].append(job)
        num_chars += added
    return batches


def _can_be_listed(job: PolledJob) -> bool:
    if job.needs_full_fetch:
        return False
    if job.job is None:
        # One malformed id could make the service refuse the whole list.
        return job.key.job_id.startswith(_ID_PREFIX)
    # A job in another status would be missing from the list, and so look as if it had ended.
    return job.job.status in UNFINISHED


def _share_of_interval(job: PolledJob, now: float) -> float:
    """Return the share of the poll interval that has passed; more than 1 while a poll is overdue."""
    if job.polled_at is None:
        return 1.0 + (now - job.added_at)
    return (now - job.polled_at) / max(job.interval_seconds, 0.1)
