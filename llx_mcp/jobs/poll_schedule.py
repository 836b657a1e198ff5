"""When to poll a job: at fixed ages while it is young, then at intervals that grow with its age.

Both follow the age of the job, not the start of the wait, so a wait that begins late does not poll fast.
"""

import random
from dataclasses import dataclass, replace

# A poll this soon after another one would show nothing new.
_MIN_GAP_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 2.0
_MAX_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """Poll intervals by the age of the job.

    The defaults come from measurements. Small documents take 22 s and more, so there is a poll every 2.8 s between
    20 and 32 s, and few before that. The later intervals keep the median delay after the end of a job under 3 % of
    its duration, with less than half of the official client's polls for a job of 10 minutes.

    Attributes:
        early_poll_ages_seconds: ages at which a young job is polled, ascending.
        share_of_age: length of later intervals, as a share of the job's age.
        shortest_seconds: shortest later interval.
        longest_seconds: longest interval, before jitter.
        jitter: random variation of later intervals, as a share to either side.
    """

    early_poll_ages_seconds: tuple[float, ...] = (2.0, 5.0, 12.5, 20.5, 23.3, 26.1, 28.9, 31.7)
    share_of_age: float = 0.055
    shortest_seconds: float = 6.5
    longest_seconds: float = 20.0
    jitter: float = 0.1

    def with_longest(self, longest_seconds: float) -> "PollSchedule":
        """Return this schedule with no interval longer than `longest_seconds`."""
        shortest_seconds = min(self.shortest_seconds, longest_seconds)
        return replace(self, longest_seconds=longest_seconds, shortest_seconds=shortest_seconds)

    def next_interval_seconds(self, age_seconds: float) -> float:
        """Return the seconds from a poll of a job of this age to the next poll."""
        early = self._early_interval_seconds(age_seconds)
        if early is not None:
            return early
        factor = random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - spreads requests, keeps no secret
        return self._later_interval_seconds(age_seconds) * factor

    def mean_interval_seconds(self, age_seconds: float) -> float:
        """Return the interval without jitter."""
        early = self._early_interval_seconds(age_seconds)
        return self._later_interval_seconds(age_seconds) if early is None else early

    def retry_seconds(self, num_failures: int) -> float:
        """Return the seconds from a failed poll to the next one, given how many in a row have failed."""
        return min(_FIRST_RETRY_SECONDS * 2.0 ** min(num_failures - 1, _MAX_DOUBLINGS), self.longest_seconds)

    def _early_interval_seconds(self, age_seconds: float) -> float | None:
        earliest = age_seconds + _MIN_GAP_SECONDS
        gaps = (age - age_seconds for age in self.early_poll_ages_seconds if age >= earliest)
        gap: float | None = next(gaps, None)
        return None if gap is None else min(gap, self.longest_seconds)

    def _later_interval_seconds(self, age_seconds: float) -> float:
        return min(max(age_seconds * self.share_of_age, self.shortest_seconds), self.longest_seconds)
