"""Which failures are tried again, and when: as the official clients do."""

import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from llx_mcp.errors import LlxError

MAX_TRIES = 6
# No pause begins later than this after the first try began.
MAX_RETRY_SECONDS = 90.0
LONGEST_RETRY_AFTER_SECONDS = 60.0

_RETRIED = frozenset({408, 409, 429})
_SERVER_ERROR = 500
_SAME_CLOCK_SECONDS = 2.0

_log = logging.getLogger("llx_mcp.llamacloud")


class AttemptFailed(Exception):  # noqa: N818 - it carries an error to where the tries end, and is none itself
    """One try failed.

    Attributes:
        error: what the caller is told if no further try is made.
        is_retryable: whether another try may help.
        after_seconds: how long the service asked to wait before it.
    """

    def __init__(self, error: LlxError, *, is_retryable: bool, after_seconds: float | None = None) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.is_retryable = is_retryable
        self.after_seconds = after_seconds


def _build_call(max_tries: int) -> stamina.AsyncRetryingCaller:
    return stamina.AsyncRetryingCaller(
        attempts=min(max_tries, MAX_TRIES), timeout=MAX_RETRY_SECONDS, wait_initial=0.5, wait_max=8.0, wait_jitter=0.5
    )


_call = _build_call(MAX_TRIES)


async def try_until_answered(attempt: Callable[[int], Awaitable[bytes]], max_tries: int | None = None) -> bytes:
    """What the first try that succeeds gives.

    Args:
        attempt: makes one try, told which it is, from 1; raises AttemptFailed.
        max_tries: fewer tries than the rule allows, for callers that ask again by themselves.

    Raises:
        LlxError: what the last try failed with.
    """
    tries = itertools.count(1)
    try:
        if max_tries == 1:
            return await attempt(1)
        call = _call if max_tries is None else _build_call(max_tries)
        return await call(backoff_of, lambda: attempt(next(tries)))
    except AttemptFailed as exc:
        error = exc.error
    # Raised here it has no context: the foreign exceptions under an attempt hold the request, and that the key.
    raise error


def backoff_of(exc: Exception) -> bool | float:
    """Whether to try again, and after how many seconds where the service said so."""
    if not isinstance(exc, AttemptFailed) or not exc.is_retryable:
        return False
    if not exc.after_seconds:
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


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """`Retry-After` in seconds from now, from either of its forms; None where it is absent or unreadable.

    Args:
        headers: of the answer, by lower-case name.
        now: the time of day, aware.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now)
    return max(seconds, 0.0) if seconds == seconds and seconds != float("inf") else None


def ahead_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How far the clock behind an answer is ahead of `now`, from its `Date`; None without a readable one.

    Less than two seconds is 0: `Date` counts whole seconds, and the answer took its time.
    """
    offset = _seconds_from(headers.get("date", ""), now)
    return 0.0 if offset is not None and abs(offset) < _SAME_CLOCK_SECONDS else offset


def _seconds_until(value: str, now: datetime) -> float | None:
    seconds = _seconds_from(value, now)
    return None if seconds is None else max(seconds, 0.0)


def _seconds_from(value: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    except (ValueError, OverflowError):
        return None


def _log_retry(details: RetryDetails) -> None:
    if isinstance(details.caused_by, AttemptFailed):
        _log.debug("Try %d gave %s; next in %.1f s", details.retry_num, details.caused_by, details.wait_for)


# By default each retry is a warning, on stderr even where no log was asked for. Hooks are the process's, not a call's.
set_on_retry_hooks((_log_retry,))
