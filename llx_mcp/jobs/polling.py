"""Looks at jobs, one try each, and what the service taught on the way about lists and limits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from llx_mcp.errors import (
    AuthenticationError,
    LlxError,
    OutOfCreditsError,
    RateLimitedError,
    UnavailableError,
    UnreachableError,
    UpstreamError,
)
from llx_mcp.jobs.batching import UNFINISHED
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.polled_job import PolledJob
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.source import JobSource
from llx_mcp.scope import JobFilter

if TYPE_CHECKING:
    from llx_mcp.models import Job

# A look that hangs is given up; the client's own limits are longer, for results of any size.
POLL_TIMEOUT_SECONDS = 60.0
# An unfinished job can be missing from one list by chance, as pages move; not from many.
_MAX_CONTRADICTIONS = 3
_MAX_PAGES = 10


@dataclass(slots=True)
class ServiceLimits:
    """What is known of the service for one key.

    Attributes:
        rate: its requests a minute.
        allow_lists: whether lists by id and status can be relied upon.
    """

    rate: RateLimit = field(default_factory=RateLimit)
    allow_lists: bool = True
    _num_contradictions: int = 0

    def note_contradiction(self) -> None:
        """A job was missing from the list of unfinished ones, and is unfinished."""
        self._num_contradictions += 1
        if self._num_contradictions >= _MAX_CONTRADICTIONS:
            self.allow_lists = False


class ListUnusableError(Exception):
    """The list endpoint does not answer for the jobs that it was asked for."""


async def poll_one(
    source: JobSource, entry: PolledJob, service_limits: ServiceLimits, clock: Clock
) -> "Job | LlxError":
    """The job, or why there is none; with all its sections if it is to be fetched. Whoever calls counts the request."""
    from llx_mcp.models import EXPANDABLE_SECTIONS

    key = entry.key
    expand = EXPANDABLE_SECTIONS if entry.is_to_fetch else ()
    try:
        with anyio.fail_after(None if entry.is_to_fetch else POLL_TIMEOUT_SECONDS):
            job = await source.fetch_job(key.job_id, expand, key.scope, max_tries=1)
    except TimeoutError:
        return UnreachableError("LlamaCloud did not answer while the job was waited for. Try again later.")
    except LlxError as exc:
        _note_failure(exc, service_limits.rate, clock)
        return exc
    service_limits.rate.note_success()
    return job


async def poll_many(
    source: JobSource, entries: Sequence[PolledJob], service_limits: ServiceLimits, clock: Clock
) -> "dict[str, Job] | LlxError":
    """The unfinished ones among the jobs by id, or why there is no answer. One that is absent is not thereby done.

    Whoever calls counts the first request, this the further pages.

    Raises:
        ListsUselessError: the service refuses or ignores what it was asked; single looks are the way.
    """
    key = entries[0].key
    ids = [entry.key.job_id for entry in entries]
    seen: dict[str, Job] = {}
    token: str | None = None
    try:
        with anyio.fail_after(POLL_TIMEOUT_SECONDS):
            for number in range(_MAX_PAGES):
                if number:
                    service_limits.rate.spend(clock.monotonic())
                wanted = JobFilter(tuple(ids), UNFINISHED, page_size=len(ids), page_token=token)
                page = await source.list_jobs(wanted, key.scope, max_tries=1)
                if any(job.id not in ids or job.is_terminal for job in page.items):
                    raise ListUnusableError
                seen |= {job.id: job for job in page.items}
                token = page.next_page_token
                if token is None or len(seen) == len(ids):
                    break
    except TimeoutError:
        return UnreachableError("LlamaCloud did not answer while jobs were waited for. Try again later.")
    except LlxError as exc:
        _note_failure(exc, service_limits.rate, clock)
        if (
            exc.is_transient
            or isinstance(exc, AuthenticationError | OutOfCreditsError)
            or not isinstance(exc, UpstreamError)
        ):
            return exc
        raise ListUnusableError from None
    service_limits.rate.note_success()
    return seen


def _note_failure(exc: LlxError, rate: RateLimit, clock: Clock) -> None:
    if isinstance(exc, RateLimitedError):
        rate.note_refusal(clock.monotonic(), exc.retry_after_seconds)
    elif isinstance(exc, UnavailableError) and exc.retry_after_seconds:
        rate.pause(clock.monotonic(), exc.retry_after_seconds)
