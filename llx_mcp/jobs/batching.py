"""Which requests to make next: several jobs in one where the service allows it, the most wanted first."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llx_mcp.jobs.polled_job import PolledJob

# What the list endpoint is asked for: a row of a job that has ended could be of any size.
UNFINISHED = ("PENDING", "THROTTLED", "RUNNING")

MAX_IDS = 100
# Addresses of 8 KB pass everywhere.
_MAX_ID_CHARS = 5_000
_ID_OVERHEAD = len("&job_ids=")
_ID_PREFIX = "ext-"
# A list that goes out anyway takes along whoever is this far on the way to its own look.
_TAKEN_ALONG = 0.3


@dataclass(frozen=True, slots=True)
class Request:
    """One request to make: a list for several jobs, or a single job with or without its sections."""

    entries: tuple[PolledJob, ...]
    is_list: bool


def plan_requests(
    entries: Iterable[PolledJob], now: float, *, allow_lists: bool, most: int | None = None
) -> list[Request]:
    """The requests that are due, in the order in which they should go out.

    Args:
        entries: all that are waited for.
        now: of the rising clock.
        allow_lists: whether the service answers for several jobs at once.
        most: how many of them can go out now; what comes behind these need not be planned.
    """
    idle = [entry for entry in entries if not (entry.is_under_way or entry.has_ended)]
    due = [entry for entry in idle if entry.due_at <= now]
    if not due:
        return []
    ended = [entry for entry in due if entry.is_to_fetch]
    if most is not None and len(ended) >= most:
        first = heapq.nlargest(most, ended, key=lambda entry: _urgency(entry, now))
        return [Request((entry,), is_list=False) for entry in first]
    due.sort(key=lambda entry: _urgency(entry, now), reverse=True)
    listed = [entry for entry in due if allow_lists and _can_be_listed(entry)]
    single = [entry for entry in due if not (allow_lists and _can_be_listed(entry))]
    requests = [Request((entry,), is_list=False) for entry in single if entry.is_to_fetch]
    requests += _batch(listed, idle, now) if listed else []
    requests += [Request((entry,), is_list=False) for entry in single if not entry.is_to_fetch]
    return requests


def _batch(listed: list[PolledJob], idle: list[PolledJob], now: float) -> list[Request]:
    requests = []
    for scope in dict.fromkeys(entry.key.scope for entry in listed):
        members = [entry for entry in listed if entry.key.scope == scope]
        chosen = set(members)
        others = [
            entry
            for entry in idle
            if entry not in chosen
            and entry.key.scope == scope
            and _can_be_listed(entry)
            and _progress(entry, now) >= _TAKEN_ALONG
        ]
        others.sort(key=lambda entry: entry.due_at)
        batches = _split(members)
        batches[-1] = _split([*batches[-1], *others])[0]
        requests += [Request(tuple(batch), is_list=len(batch) > 1) for batch in batches]
    return requests


def _split(entries: Sequence[PolledJob]) -> list[list[PolledJob]]:
    batches: list[list[PolledJob]] = [[]]
    size = 0
    for entry in entries:
        chars = len(entry.key.job_id) + _ID_OVERHEAD
        if batches[-1] and (len(batches[-1]) >= MAX_IDS or size + chars > _MAX_ID_CHARS):
            batches.append([])
            size = 0
        batches[-1].append(entry)
        size += chars
    return batches


def _can_be_listed(entry: PolledJob) -> bool:
    if entry.job is None:
        # One id that the service does not take could have it refuse the whole list.
        return not entry.is_to_fetch and entry.key.job_id.startswith(_ID_PREFIX)
    # A status that the list is not asked for would be taken for an end.
    return not entry.is_to_fetch and entry.job.status in UNFINISHED


def _progress(entry: PolledJob, now: float) -> float:
    """The part of its interval that has passed; grows beyond 1 while a look is overdue."""
    if entry.polled_at is None:
        return 1.0 + (now - entry.first_at)
    return (now - entry.polled_at) / max(entry.interval_seconds, 0.1)


def _urgency(entry: PolledJob, now: float) -> tuple[bool, float]:
    return entry.is_to_fetch, len(entry.waiters) * _progress(entry, now)
