"""Snapshots of jobs during a wait, and the progress of the wait."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llx_mcp.answers.requests import Until

if TYPE_CHECKING:
    from llx_mcp.errors import LlxError, UpstreamError
    from llx_mcp.models import Job

# Keeps the time that has passed below the weight of one job.
_ALMOST_ONE = 0.999


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """One job at one moment of a wait.

    Attributes:
        job_id: the id as the caller gave it.
        job: the job from the latest successful poll, with all its sections once it has ended; None before that.
        error: why the job cannot be read; polling it has stopped.
        failure: the transient error of the latest poll, if that failed.
        age_seconds: time since the job was created; None if unknown or if the job has ended.
    """

    job_id: str
    job: "Job | None" = None
    error: "LlxError | None" = None
    failure: "UpstreamError | None" = None
    age_seconds: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to wait for: the job has ended or cannot be read."""
        return self.error is not None or (self.job is not None and self.job.is_terminal)


@dataclass(frozen=True, slots=True)
class WaitProgress:
    """The state of a wait.

    Attributes:
        snapshots: one for each job, in the order of the request.
        waited_seconds: time since the wait began; never falls.
        next_poll_seconds: time until the next poll of any of the jobs; None if no poll is planned.
        is_over: whether the wait has ended, because enough jobs have ended or its time is up.
    """

    snapshots: tuple[JobSnapshot, ...]
    waited_seconds: float
    next_poll_seconds: float | None = None
    is_over: bool = False

    @property
    def num_jobs(self) -> int:
        """Number of jobs in the wait."""
        return len(self.snapshots)

    @property
    def num_ended(self) -> int:
        """Number of jobs that have ended or cannot be read."""
        return sum(snapshot.has_ended for snapshot in self.snapshots)


OnProgress = Callable[[WaitProgress], Awaitable[None]]


def is_enough(snapshots: Sequence[JobSnapshot], until: Until) -> bool:
    """Return whether enough jobs have ended for a wait until `all` or `any` of them.

    An unreadable job does not satisfy `any`, but a wait does not go on for unreadable jobs alone.
    """
    if until == "any" and any(snapshot.has_ended and snapshot.error is None for snapshot in snapshots):
        return True
    return all(snapshot.has_ended for snapshot in snapshots)


def describe_progress(progress: WaitProgress) -> str:
    """Describe a wait in one line: `RUNNING for 34 s; 3 of 12 done; next poll in 4 s`."""
    waiting = [snapshot for snapshot in progress.snapshots if not snapshot.has_ended]
    shown = waiting[0] if waiting else progress.snapshots[0]
    words = [_describe_snapshot(shown)]
    if progress.num_jobs > 1:
        words.append(f"{progress.num_ended} of {progress.num_jobs} done")
    if progress.next_poll_seconds is not None:
        words.append(f"next poll in {progress.next_poll_seconds:.0f} s")
    return "; ".join(words)


def measure_progress(progress: WaitProgress, timeout_seconds: float, until: Until) -> tuple[float, float | None]:
    """Return a rising number for a progress bar, and its total.

    The unit is seconds of the timeout. In a wait for all of several jobs it is jobs instead, and the time that has
    passed adds less than one.
    """
    if progress.num_jobs == 1 or until == "any":
        return progress.waited_seconds, timeout_seconds or None
    if progress.num_ended == progress.num_jobs:
        return progress.num_ended, progress.num_jobs
    share_of_time = min(progress.waited_seconds / (timeout_seconds + 1), 1.0)
    return progress.num_ended + share_of_time * _ALMOST_ONE, progress.num_jobs


def _describe_snapshot(snapshot: JobSnapshot) -> str:
    if snapshot.error is not None:
        return "cannot be read"
    if snapshot.job is None:
        words = "not polled yet"
    elif snapshot.age_seconds is None:
        words = snapshot.job.status
    else:
        words = f"{snapshot.job.status} for {snapshot.age_seconds:.0f} s"
    return words if snapshot.failure is None else f"{words}; the latest poll failed and is tried again"
