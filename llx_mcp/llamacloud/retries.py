"""Which failures are tried again, and when: as the official clients do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llx_mcp.errors import UpstreamError

LONGEST_RETRY_AFTER_SECONDS = 60.0

_RETRIED = frozenset({408, 409, 429})
_SERVER_ERROR = 500


class AttemptFailed(Exception):  # noqa: N818 - it carries an error to where the tries end, and is none itself
    """One try failed.

    Attributes:
        error: what the caller is told if no further try is made.
        is_retryable: whether another try may help.
        after_seconds: how long the service asked to wait before it.
    """

    def __init__(self, error: UpstreamError, *, is_retryable: bool, after_seconds: float | None = None) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.is_retryable = is_retryable
        self.after_seconds = after_seconds


def backoff_of(exc: Exception) -> bool | float:
    """Whether to try again, and after how many seconds where the service said so."""
    if not isinstance(exc, AttemptFailed) or not exc.is_retryable:
        return False
    if exc.after_seconds is None:
        return True
    return exc.after_seconds if exc.after_seconds <= LONGEST_RETRY_AFTER_SECONDS else False


def is_retried(status_code: int, headers: Mapping[str, str]) -> bool:
    """Whether a status is tried again; the service's own word goes before the rule."""
    match headers.get("x-should-retry", "").strip().lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            return status_code in _RETRIED or status_code >= _SERVER_ERROR


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds from now, from either of its forms; None where it is absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        return _until(value)
    return max(seconds, 0.0) if seconds == seconds and seconds != float("inf") else None


def _until(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
