"""What is known of jobs while they are waited for."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llx_mcp.answers.requests import Until

if TYPE_CHECKING:
    from llx_mcp.errors import LlxError, UpstreamError
    from llx_mcp.models import Job


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """One job as far as it is known.

    Attributes:
        job_id: as it was asked for.
        job: as last seen, with all its sections once it has ended; None before the first success.
        error: why this job is waited for no longer, where that is not its end.
        failure: why the latest look gave nothing, where that may pass.
        age_seconds: since the job was created; None where it is not known or the job has ended.
    """

    job_id: str
    job: "Job | None" = None
    error: "LlxError | None" = None
    failure: "UpstreamError | None" = None
    age_seconds: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to wait for: the job has ended, or cannot be read."""
        return self.error is not None or (self.job is not None and self.job.is_terminal)


@dataclass(frozen=True, slots=True)
class WaitProgress:
    """A wait as it stands.

    Attributes:
        sights: in the order asked.
        waited_seconds: since the wait began; never falls.
        next_seconds: until the next look at any of the jobs; None once the wait is over.
    """

    snapshots: tuple[JobSnapshot, ...]
    waited_seconds: float
    next_seconds: float | None

    @property
    def num_jobs(self) -> int:
        """How many jobs are waited for."""
        return len(self.snapshots)

    @property
    def num_ended(self) -> int:
        """How many of them have ended, or cannot be read."""
        return sum(snapshot.has_ended for snapshot in self.snapshots)


OnProgress = Callable[[WaitProgress], Awaitable[None]]


def is_enough(snapshots: Sequence[JobSnapshot], until: Until) -> bool:
    """Whether a wait for `all` or `any` of the jobs is over by itself.

    One that cannot be read is waited for no longer, and is not thereby the one end that was waited for.
    """
    if until == "any" and any(snapshot.has_ended and snapshot.error is None for snapshot in snapshots):
        return True
    return all(snapshot.has_ended for snapshot in snapshots)


def describe_progress(progress: WaitProgress) -> str:
    """A wait in words: `RUNNING for 34 s; 3 of 12 done; next look in 4 s`."""
    waiting = [snapshot for snapshot in progress.snapshots if not snapshot.has_ended]
    shown = waiting[0] if waiting else progress.snapshots[0]
    words = [_describe_snapshot(shown)]
    if progress.num_jobs > 1:
        words.append(f"{progress.num_ended} of {progress.num_jobs} done")
    if progress.next_seconds is not None:
        words.append(f"next look in {progress.next_seconds:.0f} s")
    return "; ".join(words)


def measure_progress(progress: WaitProgress, timeout_seconds: float, until: Until) -> tuple[float, float | None]:
    """How far a wait has come, as a number that rises with the time and its total.

    Where all of many jobs are waited for these are jobs, the time that passes counting for less than one; else
    seconds of the timeout.
    """
    if progress.num_jobs == 1 or until == "any":
        return progress.waited_seconds, timeout_seconds or None
    share = min(progress.waited_seconds / (timeout_seconds + 1), 1.0) * 0.999
    return progress.num_ended + (share if progress.num_ended < progress.num_jobs else 0.0), progress.num_jobs


def _describe_snapshot(snapshot: JobSnapshot) -> str:
    if snapshot.error is not None:
        return "cannot be read"
    words = "not seen yet"
    if snapshot.job is not None:
        words = (
            snapshot.job.status
            if snapshot.age_seconds is None
            else f"{snapshot.job.status} for {snapshot.age_seconds:.0f} s"
        )
    return words if snapshot.failure is None else f"{words}; this look failed and is tried again"
