"""The clock of tests: time passes only in sleep, and then at once."""

from datetime import UTC, datetime

import anyio.lowlevel

START_SECONDS = 1_767_225_600  # 2026-01-01T00:00:00Z


class FakeClock:
    """A clock that starts at midnight of 2026-01-01, UTC. A test moves it by `sleep`, or by setting `seconds`.

    Attributes:
        seconds: seconds since the start.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.fromtimestamp(START_SECONDS + self.seconds, UTC)

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Move the clock, and let other tasks run."""
        await anyio.lowlevel.checkpoint()
        self.seconds += seconds
