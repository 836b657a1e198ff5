"""The lifecycle of a job: its status is a function of its timeline and of the time since it started.

A created job starts at once. An imported job with a timeline starts at the first request for it, so a client can watch
it run. Nothing runs in the background, and a restart of the server changes nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from llx_mcp.local.section_values import NULL, encode_value
from llx_mcp.local.timestamps import format_time
from llx_mcp.models import TERMINAL_STATUSES

_UNBILLED = msgspec.Raw(b'{"credits":null,"extract_credits":null,"parse_credits":null}')
# Sections that are null in the service's answers until the job ends.
_NULL_UNTIL_ENDED = ("extract_result", "extract_metadata", "error_message", "usage", "metadata")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Seconds that a job spends in each status before it ends, and then until `usage` is billed.

    A status of infinite seconds never ends.
    """

    pending_seconds: float = 0.0
    throttled_seconds: float = 0.0
    running_seconds: float = 0.0
    billing_seconds: float = 0.0

    @property
    def total_seconds(self) -> float:
        """Seconds from the start to the end."""
        return self.pending_seconds + self.throttled_seconds + self.running_seconds

    @property
    def changes_over_time(self) -> bool:
        """Whether any part of the job depends on the time."""
        return self.total_seconds + self.billing_seconds > 0

    def state_at(self, elapsed_seconds: float) -> tuple[str, float] | None:
        """Return the status at a time, and the seconds from the start to that status; None if the job has ended."""
        status_start = 0.0
        for status, seconds in (
            ("PENDING", self.pending_seconds),
            ("THROTTLED", self.throttled_seconds),
            ("RUNNING", self.running_seconds),
        ):
            if elapsed_seconds < status_start + seconds:
                return status, status_start
            status_start += seconds
        return None


@dataclass(frozen=True, slots=True)
class JobLifecycle:
    """The timeline of one job and the events that have happened to it.

    Attributes:
        final_status: The status at the end, unless the job is cancelled.
        started_at: The start of the timeline; None if the job has not started.
        cancelled_at: The time of cancellation; None if it was not cancelled.
    """

    timeline: Timeline
    final_status: str
    started_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def end_status(self) -> str:
        """The status at the end."""
        return self.final_status if self.cancelled_at is None else "CANCELLED"

    def status_at(self, now: datetime) -> str:
        """Return the status at a time. A job that has not started has the first status of its timeline."""
        if self.cancelled_at is not None and now >= self.cancelled_at:
            return "CANCELLED"
        elapsed_seconds = (now - self.started_at).total_seconds() if self.started_at else 0.0
        state = self.timeline.state_at(elapsed_seconds)
        return self.final_status if state is None else state[0]

    def has_ended(self, now: datetime) -> bool:
        """Return whether the status at a time is a terminal one."""
        return self.status_at(now) in TERMINAL_STATUSES

    def ended_at(self) -> datetime | None:
        """Return when the job ends or ended; None if it never ends or has not started."""
        if self.cancelled_at is not None or self.started_at is None:
            return self.cancelled_at
        seconds = self.timeline.total_seconds
        return self.started_at + timedelta(seconds=seconds) if math.isfinite(seconds) else None


def sections_at(sections: Mapping[str, msgspec.Raw], lifecycle: JobLifecycle, now: datetime) -> dict[str, msgspec.Raw]:
    """Return the job as the service would answer it at a time, with the dates of its lifecycle.

    Args:
        sections: The sections of the ended job.
        lifecycle: A lifecycle that has started.
        now: The current time, aware.
    """
    started_at = lifecycle.started_at
    assert started_at is not None  # noqa: S101 - the store starts a lifecycle before it calls this
    current = dict(sections) | {"created_at": encode_value(format_time(started_at))}
    hidden = {name: NULL for name in _NULL_UNTIL_ENDED if name in current}
    if lifecycle.cancelled_at is not None and now >= lifecycle.cancelled_at:
        return current | hidden | _encode_status("CANCELLED", lifecycle.cancelled_at)
    state = lifecycle.timeline.state_at((now - started_at).total_seconds())
    if state is not None:
        status, status_start = state
        return current | hidden | _encode_status(status, started_at + timedelta(seconds=status_start))
    ended_at = started_at + timedelta(seconds=lifecycle.timeline.total_seconds)
    current["updated_at"] = encode_value(format_time(ended_at))
    if (now - ended_at).total_seconds() < lifecycle.timeline.billing_seconds and "usage" in current:
        current["usage"] = _UNBILLED
    return current


def _encode_status(status: str, updated_at: datetime) -> dict[str, msgspec.Raw]:
    return {"status": encode_value(status), "updated_at": encode_value(format_time(updated_at))}
