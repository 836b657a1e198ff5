"""When a job is looked at: at certain ages while it is young, then at intervals that grow with its age.

Both follow the job and not the wait, so that a wait which begins late does not begin fast.
"""

import random
from dataclasses import dataclass

# A look that is due this soon after another would tell nothing new.
_SOON_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """When to look.

    Of the defaults: small documents were measured to take 22 s and more, so between 20 and 32 s there is a look every
    2.8 s, and few before; the later intervals keep the median delay after the end under 3 % of a job's duration, with
    less than half of the official client's looks at a job of 10 minutes.

    Attributes:
        fresh_seconds: the ages at which a young job is looked at.
        share_of_age: later intervals, as a part of the job's age.
        shortest_seconds: no later interval is shorter.
        longest_seconds: no later interval is longer.
        jitter: the part of a later interval by which it varies, to either side.
    """

    fresh_seconds: tuple[float, ...] = (2.0, 5.0, 12.5, 20.5, 23.3, 26.1, 28.9, 31.7)
    share_of_age: float = 0.055
    shortest_seconds: float = 6.5
    longest_seconds: float = 20.0
    jitter: float = 0.1

    def next_seconds(self, age_seconds: float) -> float:
        """Seconds from a look at a job of this age to the next."""
        fresh = self._fresh_seconds(age_seconds)
        if fresh is not None:
            return fresh
        spread = random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - spreads requests, keeps no secret
        return self._later_seconds(age_seconds) * spread

    def mean_seconds(self, age_seconds: float) -> float:
        """The same without jitter."""
        fresh = self._fresh_seconds(age_seconds)
        return self._later_seconds(age_seconds) if fresh is None else fresh

    def _fresh_seconds(self, age_seconds: float) -> float | None:
        return next((at - age_seconds for at in self.fresh_seconds if at >= age_seconds + _SOON_SECONDS), None)

    def _later_seconds(self, age_seconds: float) -> float:
        return min(max(age_seconds * self.share_of_age, self.shortest_seconds), self.longest_seconds)
