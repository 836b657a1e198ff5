"""Clocks for tests: time passes at once in sleep, or only when the test moves it."""

from datetime import UTC, datetime

import anyio
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


class StandingClock(FakeClock):
    """A clock that only the test moves. Every sleep lasts until it is cancelled.

    Attributes:
        sleep_started: set when the first sleep begins.
        sleep_cancelled: set when the first sleep is cancelled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sleep_started = anyio.Event()
        self.sleep_cancelled = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        """Sleep until cancelled."""
        self.sleep_started.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.sleep_cancelled.set()
