"""Waits for what sets no event, such as another process or the state of a server."""

import inspect
import time
from collections.abc import Awaitable, Callable

import anyio

# No wait takes so long, unless something hangs.
ENOUGH_SECONDS = 60.0


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = ENOUGH_SECONDS) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: It does not hold within the time.
    """
    with anyio.fail_after(seconds):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await anyio.sleep(0.01)


def block_until(condition: Callable[[], object], seconds: float = ENOUGH_SECONDS) -> None:
    """Block this thread until a condition holds.

    Raises:
        TimeoutError: It does not hold within the time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition does not hold within the time")
        time.sleep(0.02)
