"""A job's life by the clock: its state is a function of its timeline and of the time since it began.

A job with a timeline begins when it is first asked for, and so is seen to run by whoever asks; once ended
it stays so. Nothing runs in the background, and a restart changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

_NULL = msgspec.Raw(b"null")
# What the service does not know yet while a job runs.
_UNKNOWN_UNTIL_ENDED = ("extract_result", "extract_metadata", "error_message", "usage", "metadata")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Seconds that a job spends in each state before it ends."""

    pending_seconds: float = 0.0
    throttled_seconds: float = 0.0
    running_seconds: float = 0.0

    @property
    def total_seconds(self) -> float:
        """From creation to the end."""
        return self.pending_seconds + self.throttled_seconds + self.running_seconds

    def state_at(self, elapsed_seconds: float) -> tuple[str, float] | None:
        """The status at a time and when it began, in seconds since creation; None once the job has ended."""
        began = 0.0
        for status, seconds in (
            ("PENDING", self.pending_seconds),
            ("THROTTLED", self.throttled_seconds),
            ("RUNNING", self.running_seconds),
        ):
            if elapsed_seconds < began + seconds:
                return status, began
            began += seconds
        return None


def sections_at(
    sections: Mapping[str, msgspec.Raw], timeline: Timeline, started: datetime, now: datetime
) -> dict[str, msgspec.Raw]:
    """The job as the service would answer it at a time: unfinished, or as it was stored with its own dates."""
    state = timeline.state_at((now - started).total_seconds())
    live = dict(sections) | {"created_at": _time(started)}
    if state is None:
        return live | {"updated_at": _time(started + timedelta(seconds=timeline.total_seconds))}
    status, began = state
    live |= {name: _NULL for name in _UNKNOWN_UNTIL_ENDED if name in live}
    return live | {
        "status": msgspec.Raw(msgspec.json.encode(status)),
        "updated_at": _time(started + timedelta(seconds=began)),
    }


def _time(moment: datetime) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(moment.isoformat().replace("+00:00", "Z")))
