"""Which failed requests are sent again, and when. The rules are those of the official clients."""

import functools
import itertools
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from llx_mcp.errors import LlxError

MAX_TRIES = 6
# No retry begins later than this after the first try.
MAX_RETRY_SECONDS = 90.0
MAX_RETRY_AFTER_SECONDS = 60.0
# A longer `Retry-After` is taken for a mistake.
_MAX_BELIEVABLE_SECONDS = 86_400.0

_RETRYABLE_STATUSES = frozenset({408, 409, 429})
_FIRST_SERVER_ERROR = 500
# `Date` counts whole seconds, and the response takes some time to arrive.
_MIN_CLOCK_OFFSET_SECONDS = 2.0
# A `Date` further away than ten years is a mistake of the service, and times computed with it could overflow.
_MAX_CLOCK_OFFSET_SECONDS = 10 * 366 * 86_400.0

_log = logging.getLogger("llx_mcp.llamacloud")

# Called before the pause that follows a failed try, with the error and the seconds of the pause.
on_retry: ContextVar[Callable[[LlxError, float], None] | None] = ContextVar("on_retry", default=None)


class AttemptFailed(Exception):  # noqa: N818 - it reports one attempt and carries the error, and callers never see it
    """One attempt failed.

    Attributes:
        error: what the caller gets if there is no further attempt.
        is_retryable: whether another attempt may succeed.
        retry_after_seconds: how long the service asked to wait before it; None where it did not ask.
        is_refused: whether the service certainly did not act on the request: it never got it, or refused it.
        has_ended: whether the service itself reported an error, and does not work on the request any more.
    """

    def __init__(
        self,
        error: LlxError,
        *,
        is_retryable: bool,
        retry_after_seconds: float | None = None,
        is_refused: bool = False,
        has_ended: bool = False,
    ) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.is_retryable = is_retryable
        self.retry_after_seconds = retry_after_seconds
        self.is_refused = is_refused
        self.has_ended = has_ended


async def call_with_retries(
    attempt: Callable[[int], Awaitable[bytes]], max_tries: int | None = None, max_seconds: float = MAX_RETRY_SECONDS
) -> bytes:
    """Run attempts until one succeeds, and return its result.

    Args:
        attempt: makes one attempt; takes its number, from 1; raises AttemptFailed.
        max_tries: fewer attempts than the default, for callers that retry by themselves.
        max_seconds: how long after the first try a retry may begin.

    Raises:
        LlxError: the error of the last attempt.
    """
    numbers = itertools.count(1)
    started_at = anyio.current_time()

    def backoff(exc: Exception) -> bool | float:
        wait = get_backoff(exc)
        return anyio.current_time() - started_at + wait <= max_seconds and wait

    try:
        if max_tries == 1:
            return await attempt(1)
        caller = _build_caller(MAX_TRIES if max_tries is None else min(max_tries, MAX_TRIES), max_seconds)
        return await caller(backoff, lambda: attempt(next(numbers)))
    except AttemptFailed as exc:
        error = exc.error
    # Raised outside of the handler, so that it has no context: httpx's exceptions hold the request, which has the key.
    raise error


@functools.cache
def _build_caller(max_tries: int, max_seconds: float) -> stamina.AsyncRetryingCaller:
    return stamina.AsyncRetryingCaller(
        attempts=max_tries, timeout=max_seconds, wait_initial=0.5, wait_max=8.0, wait_jitter=0.5
    )


def get_backoff(exc: Exception) -> bool | float:
    """Return whether to try again, or after how many seconds where the service said so."""
    if not isinstance(exc, AttemptFailed) or not exc.is_retryable:
        return False
    if not exc.retry_after_seconds:
        return True
    return exc.retry_after_seconds if exc.retry_after_seconds <= MAX_RETRY_AFTER_SECONDS else False


def is_retryable_status(status_code: int, headers: Mapping[str, str]) -> bool:
    """Return whether a status is retried. The service can override the rule with `x-should-retry`."""
    match headers.get("x-should-retry", "").strip().lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            return status_code in _RETRYABLE_STATUSES or status_code >= _FIRST_SERVER_ERROR


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return `Retry-After` in seconds from now, or None where it is absent, invalid or longer than a day.

    Args:
        headers: the response's headers, by lower-case name.
        now: the current time, with a time zone.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds: float | None = float(value)
    except ValueError:
        seconds = _parse_seconds_until(value, now)
    if seconds is None or not math.isfinite(seconds) or seconds > _MAX_BELIEVABLE_SECONDS:
        return None
    return max(seconds, 0.0)


def parse_clock_offset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds the service's clock is ahead of `now`, or None without a plausible `Date` header.

    An offset of less than two seconds is 0. One of more than ten years is not valid.
    """
    offset = _parse_seconds_until(headers.get("date", ""), now)
    if offset is None or abs(offset) > _MAX_CLOCK_OFFSET_SECONDS:
        return None
    return 0.0 if abs(offset) < _MIN_CLOCK_OFFSET_SECONDS else offset


def _parse_seconds_until(value: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    except (ValueError, OverflowError):
        return None


def _log_retry(details: RetryDetails) -> None:
    if isinstance(details.caused_by, AttemptFailed):
        _log.debug("Try %d gave %s; next in %.1f s", details.retry_num, details.caused_by, details.wait_for)
        if (notify := on_retry.get()) is not None:
            notify(details.caused_by.error, details.wait_for)


# By default stamina logs each retry as a warning, which reaches stderr even without logging set up. Its hooks are
# global: they cannot be set for a single call.
set_on_retry_hooks((_log_retry,))
