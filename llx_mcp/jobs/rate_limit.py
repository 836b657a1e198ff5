"""The rate limit of a key: set by the operator, or learned from the service's refusals."""

from collections import deque
from collections.abc import Callable

_MINUTE_SECONDS = 60.0
# A token bucket that holds a quarter of a minute's budget, and fills with the other three quarters each minute, never
# lets more than the budget through in any 60 seconds, whenever the service begins to count.
_BURST_SHARE = 0.25
# A learned limit stays below the number of requests that passed before the refusal: the service's minute begins at
# another moment than ours, and other programs may use the same key.
_MARGIN = 0.9
# A refusal after fewer requests than this says little: no key allows fewer, so other programs have used the rest.
_LEAST_LIMIT = 20.0
_MIN_PER_MINUTE = 4.0
_RECOVERY_PER_MINUTE = 0.1
_FORGET_SECONDS = 3_600.0
_FIRST_PAUSE_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 60.0
_MAX_DOUBLINGS = 4


class RateLimit:
    """The requests that one key may make. Times are seconds of a monotonic clock.

    A refusal (HTTP 429) pauses all requests of the key for as long as the service says, at most 60 s, and lowers the
    budget to half of the learned limit. The budget then grows back slowly, up to a little less than what passed before
    the refusal. A learned budget never delays a request for longer than the service said at the latest refusal.

    Attributes:
        has_succeeded: whether the service has answered any request of the key.
        on_pause: called with the seconds of each pause that begins or grows here.
    """

    def __init__(self, per_minute: float | None = None) -> None:
        """Start with a known limit, or without one.

        Args:
            per_minute: requests a minute, if the limit is known.
        """
        self.has_succeeded = False
        self.on_pause: Callable[[float], None] = lambda _: None
        self._configured = per_minute
        self._ceiling = per_minute
        self._budget = per_minute
        self._tokens = per_minute * _BURST_SHARE if per_minute else 0.0
        self._updated_at = 0.0
        self._paused_until = 0.0
        self._refused_at: float | None = None
        # The longest time between two requests that the budget may ask for.
        self._max_gap_seconds = _MAX_PAUSE_SECONDS
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
        gap_ends_in = self._recent[-1] + self._max_gap_seconds - now if self._recent else 0.0
        return max(pause, min((1 - self._tokens) / _tokens_per_second(self._budget), gap_ends_in))

    def spend(self, now: float) -> None:
        """Count a request, whether or not it is within the budget."""
        self._update(now)
        self._recent.append(now)
        if self._budget is not None:
            self._tokens -= 1

    def note_success(self) -> None:
        """Record that the service answered; the pauses after refusals begin again with the shortest."""
        self._num_refusals = 0
        self.has_succeeded = True

    def pause(self, now: float, seconds: float) -> None:
        """Make no requests for a while, because the service asks for that; for at most 60 s."""
        if self.share_pause(now, seconds):
            self.on_pause(self._paused_until - now)

    def share_pause(self, now: float, seconds: float) -> bool:
        """Pause as another replica does, which has the same key; return whether that makes a pause longer."""
        until = now + min(seconds, _MAX_PAUSE_SECONDS)
        is_longer = until > max(self._paused_until, now)
        self._paused_until = max(self._paused_until, until)
        return is_longer

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
        default_seconds = _FIRST_PAUSE_SECONDS * 2 ** min(self._num_refusals - 1, _MAX_DOUBLINGS)
        self.pause(now, default_seconds if retry_after_seconds is None else retry_after_seconds)
        self._refused_at = now
        self._max_gap_seconds = self._choose_max_gap(retry_after_seconds)
        passed = max(len(self._recent) - 1, _LEAST_LIMIT) * _MARGIN
        self._ceiling = passed if self._ceiling is None else min(self._ceiling, passed)
        self._budget = max(self._ceiling / 2, min(self._ceiling, _MIN_PER_MINUTE))
        self._tokens = min(self._tokens, 0.0) if self._configured else 0.0

    def _choose_max_gap(self, retry_after_seconds: float | None) -> float:
        if not retry_after_seconds:
            return _MAX_PAUSE_SECONDS
        # What the operator has configured holds, whatever the service says.
        least = 1 / _tokens_per_second(self._configured) if self._configured else 0.0
        return min(max(retry_after_seconds, least), _MAX_PAUSE_SECONDS)

    def _update(self, now: float) -> None:
        """Bring the recent requests, the budget and the tokens up to date."""
        elapsed = max(now - self._updated_at, 0.0)
        self._updated_at = now
        while self._recent and self._recent[0] <= now - _MINUTE_SECONDS:
            self._recent.popleft()
        if self._refused_at is not None and now - self._refused_at > _FORGET_SECONDS:
            self._refused_at = None
            self._ceiling = self._budget = self._configured
            self._max_gap_seconds = _MAX_PAUSE_SECONDS
        if self._budget is None or self._ceiling is None:
            return
        gained = elapsed * _tokens_per_second(self._budget)
        self._tokens = min(self._tokens + gained, max(self._budget * _BURST_SHARE, 1.0))
        recovered = self._ceiling * _RECOVERY_PER_MINUTE * elapsed / _MINUTE_SECONDS
        self._budget = min(self._budget + recovered, self._ceiling)


def _tokens_per_second(per_minute: float) -> float:
    return per_minute * (1 - _BURST_SHARE) / _MINUTE_SECONDS
