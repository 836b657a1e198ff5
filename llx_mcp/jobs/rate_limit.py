"""The rate limit of a key: set by the operator, or learned from the service's refusals."""

from collections import deque

_MINUTE_SECONDS = 60.0
# A token bucket that holds a quarter of a minute's budget, and fills with the other three quarters each minute, never
# lets more than the budget through in any 60 seconds, whenever the service begins to count.
_BURST_SHARE = 0.25
# A learned limit stays below the number of requests that passed before the refusal: the service's minute begins at
# another moment than ours, and other programs may use the same key.
_MARGIN = 0.9
_MIN_PER_MINUTE = 4.0
_RECOVERY_PER_MINUTE = 0.1
_FORGET_SECONDS = 3_600.0
_FIRST_PAUSE_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 60.0


class RateLimit:
    """The requests that one key may make. Times are seconds of a monotonic clock.

    A refusal (HTTP 429) pauses all requests of the key for as long as the service says, and lowers the budget to half
    of the learned limit. The budget then grows back slowly, up to a little less than what passed before the refusal.
    """

    def __init__(self, per_minute: float | None = None) -> None:
        """Start with a known limit, or without one.

        Args:
            per_minute: requests a minute, if the limit is known.
        """
        self._configured = per_minute
        self._ceiling = per_minute
        self._budget = per_minute
        self._tokens = per_minute * _BURST_SHARE if per_minute else 0.0
        self._updated_at = 0.0
        self._paused_until = 0.0
        self._refused_at: float | None = None
        self._num_refusals = 0
        self._recent: deque[float] = deque()

    @property
    def per_minute(self) -> float | None:
        """The budget now, in requests a minute; None while no limit is known."""
        return self._budget

    def num_recent(self, now: float) -> int:
        """Return the number of requests in the last minute."""
        self._update(now)
        return len(self._recent)

    def wait_seconds(self, now: float) -> float:
        """Return how long to wait before the next request; 0 if it may be made now."""
        self._update(now)
        pause = max(self._paused_until - now, 0.0)
        if self._budget is None or self._tokens >= 1 - 1e-9:
            return pause
        return max(pause, (1 - self._tokens) / self._tokens_per_second())

    def spend(self, now: float) -> None:
        """Count a request, whether or not it is within the budget."""
        self._update(now)
        self._recent.append(now)
        if self._budget is not None:
            self._tokens -= 1

    def note_success(self) -> None:
        """Record that the service answered; the pauses after refusals begin again with the shortest."""
        self._num_refusals = 0

    def pause(self, now: float, seconds: float) -> None:
        """Make no requests for a while, because the service asks for that."""
        self._paused_until = max(self._paused_until, now + seconds)

    def note_refusal(self, now: float, retry_after_seconds: float | None) -> None:
        """Record a 429: pause, and lower the budget.

        Args:
            now: time of the refusal.
            retry_after_seconds: how long the service asks to wait, if it says so.
        """
        self._update(now)
        if now < self._paused_until:
            # Requests that were already running at the first refusal add no information.
            self.pause(now, retry_after_seconds or 0.0)
            return
        self._num_refusals += 1
        default_seconds = min(_FIRST_PAUSE_SECONDS * 2 ** (self._num_refusals - 1), _MAX_PAUSE_SECONDS)
        self.pause(now, retry_after_seconds or default_seconds)
        self._refused_at = now
        passed = max((len(self._recent) - 1) * _MARGIN, _MIN_PER_MINUTE)
        ceiling = passed if self._ceiling is None else min(self._ceiling, passed)
        self._ceiling = max(ceiling, _MIN_PER_MINUTE)
        self._budget = max(self._ceiling / 2, _MIN_PER_MINUTE)
        self._tokens = min(self._tokens, 0.0) if self._configured else 0.0

    def _update(self, now: float) -> None:
        """Bring the recent requests, the budget and the tokens up to date."""
        elapsed = max(now - self._updated_at, 0.0)
        self._updated_at = now
        while self._recent and self._recent[0] <= now - _MINUTE_SECONDS:
            self._recent.popleft()
        if self._refused_at is not None and now - self._refused_at > _FORGET_SECONDS:
            self._refused_at = None
            self._ceiling = self._budget = self._configured
        if self._budget is None or self._ceiling is None:
            return
        self._tokens = min(self._tokens + elapsed * self._tokens_per_second(), max(self._budget * _BURST_SHARE, 1.0))
        recovered = self._ceiling * _RECOVERY_PER_MINUTE * elapsed / _MINUTE_SECONDS
        self._budget = min(self._budget + recovered, self._ceiling)

    def _tokens_per_second(self) -> float:
        return (self._budget or 0.0) * (1 - _BURST_SHARE) / _MINUTE_SECONDS
