"""When a job is looked at: soon while it is fresh, then at intervals that grow with its own age.

The interval follows the job and not the wait, so that a wait which begins late does not begin fast.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Intervals between looks.

    The defaults keep the median delay after the end under 3 % of a job's duration, with less than half of the
    official client's looks at a job of 10 minutes.

    Attributes:
        fresh_seconds: the first intervals of a job that is young.
        share_of_age: later intervals, as a part of the job's age.
        shortest_seconds: no later interval is shorter.
        longest_seconds: no interval is longer.
        jitter: the part of an interval by which it varies, to either side.
    """

    fresh_seconds: tuple[float, ...] = (2.0, 3.0)
    share_of_age: float = 0.055
    shortest_seconds: float = 5.5
    longest_seconds: float = 20.0
    jitter: float = 0.1

    def interval_seconds(self, age_seconds: float) -> float:
        """Seconds between looks at a job of this age, without jitter."""
        return min(max(age_seconds * self.share_of_age, self.shortest_seconds), self.longest_seconds)

    def next_seconds(self, age_seconds: float, num_looks: int) -> float:
        """Seconds from a look to the next.

        Args:
            age_seconds: of the job, at the look.
            num_looks: how many there were, this one included.
        """
        if num_looks <= len(self.fresh_seconds) and age_seconds * self.share_of_age < self.shortest_seconds:
            return self.fresh_seconds[num_looks - 1]
        seconds = self.interval_seconds(age_seconds)
        return seconds * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - spreads requests, keeps no secret
