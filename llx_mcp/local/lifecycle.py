"""A job's life by the clock: its state is a function of its timeline and of the time since it began.

A job that was created begins then; one that was imported with a timeline begins when it is first asked
for, and so is seen to run by whoever asks. Nothing runs in the background, and a restart changes nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

_NULL = msgspec.Raw(b"null")
_UNBILLED = msgspec.Raw(b'{"credits":null,"extract_credits":null,"parse_credits":null}')
_CANCELLED = msgspec.Raw(b'"CANCELLED"')
# What the service does not know yet while a job runs.
_UNKNOWN_UNTIL_ENDED = ("extract_result", "extract_metadata", "error_message", "usage", "metadata")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Seconds that a job spends in each state before it ends, and from the end until `usage` is billed.

    Infinite seconds are a state that never ends.
    """

    pending_seconds: float = 0.0
    throttled_seconds: float = 0.0
    running_seconds: float = 0.0
    billing_seconds: float = 0.0

    @property
    def total_seconds(self) -> float:
        """From creation to the end."""
        return self.pending_seconds + self.throttled_seconds + self.running_seconds

    @property
    def is_alive(self) -> bool:
        """Whether anything changes with time."""
        return self.total_seconds + self.billing_seconds > 0

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


@dataclass(frozen=True, slots=True)
class Life:
    """One job's timeline, and what has happened to it.

    Attributes:
        ending: the status in which it ends, if it is left alone.
        began: when its timeline begins; None where nobody has asked for it yet.
        cancelled: when it was cancelled, if it was.
    """

    timeline: Timeline
    ending: str
    began: datetime | None = None
    cancelled: datetime | None = None

    def status_at(self, now: datetime) -> str:
        """The status at a time; a life that has not begun is in its first state."""
        if self.cancelled is not None and now >= self.cancelled:
            return "CANCELLED"
        elapsed_seconds = (now - self.began).total_seconds() if self.began else 0.0
        state = self.timeline.state_at(elapsed_seconds)
        return self.ending if state is None else state[0]

    def ended_at(self) -> datetime | None:
        """When it ends, or has ended; None where it never does or has not begun."""
        if self.cancelled is not None or self.began is None:
            return self.cancelled
        seconds = self.timeline.total_seconds
        return self.began + timedelta(seconds=seconds) if math.isfinite(seconds) else None


def seconds_since_1970(moment: datetime | None) -> float:
    """A time as a store keeps it; 0 where there is none, or none that can be read back."""
    if moment is None:
        return 0.0
    try:
        datetime.fromtimestamp(moment.timestamp(), UTC)
    except (ValueError, OverflowError, OSError):
        return 0.0
    return moment.timestamp()


def sections_at(sections: Mapping[str, msgspec.Raw], life: Life, now: datetime) -> dict[str, msgspec.Raw]:
    """The job as the service would answer it at a time: unfinished, or as it was stored with its own dates.

    Args:
        sections: the job as it ends.
        life: one that has begun.
        now: the time of day, aware.
    """
    assert life.began is not None  # noqa: S101 - the store begins a life before it asks
    live = dict(sections) | {"created_at": _time(life.began)}
    unknown = {name: _NULL for name in _UNKNOWN_UNTIL_ENDED if name in live}
    if life.cancelled is not None and now >= life.cancelled:
        return live | unknown | {"status": _CANCELLED, "updated_at": _time(life.cancelled)}
    state = life.timeline.state_at((now - life.began).total_seconds())
    if state is not None:
        status, began = state
        since = _time(life.began + timedelta(seconds=began))
        return live | unknown | {"status": msgspec.Raw(msgspec.json.encode(status)), "updated_at": since}
    ended = life.began + timedelta(seconds=life.timeline.total_seconds)
    live["updated_at"] = _time(ended)
    if (now - ended).total_seconds() < life.timeline.billing_seconds and "usage" in live:
        live["usage"] = _UNBILLED
    return live


def _time(moment: datetime) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(moment.isoformat().replace("+00:00", "Z")))
