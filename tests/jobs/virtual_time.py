"""An event loop in virtual time: when it has nothing to do, it jumps to the next timer. Hours take milliseconds."""

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec

import anyio
import anyio.to_thread

START = datetime(2026, 1, 1, tzinfo=UTC)
P = ParamSpec("P")

_DEADLOCK_SECONDS = 20.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while it or one of its threads has work, and jumps when there is none."""

    def __init__(self) -> None:
        self.virtual_seconds = 0.0
        self.limiter: anyio.CapacityLimiter | None = None
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the seconds since the loop began."""
        return self.virtual_seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        has_threads = self._loop.limiter is not None and self._loop.limiter.borrowed_tokens > 0
        if timeout is None or has_threads:
            events = super().select(_DEADLOCK_SECONDS)
            if not events:
                raise RuntimeError("deadlock: no timer is set, and no event has come")
            return events
        self._loop.virtual_seconds += timeout
        return []


class VirtualClock:
    """The clock of the running virtual loop."""

    def now(self) -> datetime:
        """Return the time of day, with a time zone."""
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the seconds since the loop began."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let virtual seconds pass."""
        await anyio.sleep(seconds)


def run_virtual(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in virtual time; fail if it leaves tasks behind."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.limiter = anyio.to_thread.current_default_thread_limiter()
        await main()
        # Async generators that nothing refers to any more are closed by tasks of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Decorate a test to run in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        run_virtual(main)

    return run
