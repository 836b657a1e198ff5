"""How many requests a key may make: told by a setting, or learnt from what the service refuses."""

from collections import deque

_MINUTE = 60.0
# A bucket that holds a quarter of a minute's budget and fills with the other three quarters never lets more than
# the budget through in any minute, wherever the service begins to count.
_BURST_SHARE = 0.25
# Below what was let through before a refusal: the service's minute is not ours, and others may share the key.
_MARGIN = 0.9
_LEAST_PER_MINUTE = 4.0
_RECOVERED_PER_MINUTE = 0.1
_FORGOTTEN_SECONDS = 3_600.0
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0


class RateLimit:
    """The requests of one key. Times are seconds of a clock that only rises.

    A refusal (429) stops all loops of the key for as long as the service says, halves what they may do, and is
    made good slowly, up to a little less than what was let through before it.
    """

    def __init__(self, per_minute: float | None = None) -> None:
        self._fixed = per_minute
        self._ceiling = per_minute
        self._budget = per_minute
        self._tokens = per_minute * _BURST_SHARE if per_minute else 0.0
        self._updated = 0.0
        self._paused_until = 0.0
        self._refused_at: float | None = None
        self._num_refusals = 0
        self._recent: deque[float] = deque()

    @property
    def per_minute(self) -> float | None:
        """The budget now; None while no limit is known."""
        return self._budget

    def num_recent(self, now: float) -> int:
        """How many requests were made in the last minute."""
        self._update(now)
        return len(self._recent)

    def wait_seconds(self, now: float) -> float:
        """How long until a request may be made; 0 where one may be made at once."""
        self._update(now)
        pause = max(self._paused_until - now, 0.0)
        if self._budget is None or self._tokens >= 1 - 1e-9:
            return pause
        return max(pause, (1 - self._tokens) / self._per_second())

    def spend(self, now: float) -> None:
        """Count a request, whether or not it was within the budget."""
        self._update(now)
        self._recent.append(now)
        if self._budget is not None:
            self._tokens -= 1

    def note_success(self) -> None:
        """The service answered: the next refusal is the first of its kind again."""
        self._num_refusals = 0

    def pause(self, now: float, seconds: float) -> None:
        """Make no request for a while, because the service asked for that."""
        self._paused_until = max(self._paused_until, now + seconds)

    def note_refusal(self, now: float, retry_after_seconds: float | None) -> None:
        """Learn from a 429."""
        self._update(now)
        self._num_refusals += 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (self._num_refusals - 1), _LONGEST_PAUSE_SECONDS)
        is_known = now < self._paused_until
        self._paused_until = max(self._paused_until, now + (retry_after_seconds or pause))
        if is_known:
            # Requests that were under way when the first of them was refused tell nothing new.
            return
        self._refused_at = now
        passed = max((len(self._recent) - 1) * _MARGIN, _LEAST_PER_MINUTE)
        ceiling = passed if self._ceiling is None else min(self._ceiling, passed)
        self._ceiling = max(ceiling, _LEAST_PER_MINUTE)
        self._budget = max(self._ceiling / 2, _LEAST_PER_MINUTE)
        self._tokens = min(self._tokens, 0.0) if self._fixed else 0.0

    def _update(self, now: float) -> None:
        elapsed = max(now - self._updated, 0.0)
        self._updated = now
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        if self._refused_at is not None and now - self._refused_at > _FORGOTTEN_SECONDS:
            self._refused_at = None
            self._ceiling = self._budget = self._fixed
        if self._budget is None or self._ceiling is None:
            return
        self._tokens = min(self._tokens + elapsed * self._per_second(), max(self._budget * _BURST_SHARE, 1.0))
        self._budget = min(self._budget + self._ceiling * _RECOVERED_PER_MINUTE * elapsed / _MINUTE, self._ceiling)

    def _per_second(self) -> float:
        return (self._budget or 0.0) * (1 - _BURST_SHARE) / _MINUTE
