"""What the poll loop makes of the news of other replicas, and what it tells them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.coordination import JobNews, JobState
from llx_mcp.jobs.polled_job import PolledJob
from llx_mcp.models import Job
from llx_mcp.scope import KNOWN_STATUSES


def apply_news(polled: PolledJob, news: JobNews, clock: Clock) -> None:
    """Record news of a job."""
    now = clock.monotonic()
    if news.turn is not None:
        polled.turn = news.turn
    if news.state is not None:
        _record_state(polled, news.state, clock)
    if news.is_hastened:
        polled.hasten(now)


def _record_state(polled: PolledJob, state: JobState, clock: Clock) -> None:
    now = clock.monotonic()
    if state.has_ended:
        # The state is a hint. The job is fetched here, with a key of this replica.
        polled.report_end(now)
        return
    if polled.has_ended or polled.is_polling or polled.needs_full_fetch:
        return
    # Clocks of machines differ a little; no poll is in the future.
    polled_at = now - max(clock.now().timestamp() - state.polled_at, 0.0)
    if polled.polled_at is not None and polled.polled_at >= polled_at:
        return
    job = polled.job
    if job is None or job.status != state.status:
        created_at = None if state.created_at is None else datetime.fromtimestamp(state.created_at, UTC)
        job = Job(id=polled.key.job_id, status=state.status, created_at=created_at)
    polled.record_state(job, polled_at, state.interval_seconds, now)


def list_states(jobs: Iterable[PolledJob], clock: Clock) -> list[tuple[JobKey, JobState]]:
    """Return the states of jobs that were just polled, without those whose poll failed or says nothing.

    One that has probably ended counts as ended, so that the other replicas fetch it while this one does.
    """
    states = []
    for polled in jobs:
        has_ended = polled.has_ended or polled.needs_full_fetch
        if polled.failure is not None:
            continue
        status = polled.job.status if polled.job is not None else "FAILED"
        if not (polled.is_known or has_ended) or status not in KNOWN_STATUSES:
            continue
        created = polled.job.created_at if polled.job is not None else None
        created_at = None if created is None else created.timestamp()
        state = JobState(status, clock.now().timestamp(), created_at, polled.interval_seconds, has_ended)
        states.append((polled.key, state))
    return states
