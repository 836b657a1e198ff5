"""Whether a call needs a worker thread."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import anyio.to_thread


async def needs_thread(call: Callable[[], Awaitable[object]]) -> bool:
    """Return whether a call has to wait while no thread is free."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    threads = [object() for _ in range(int(limiter.available_tokens))]
    has_ended = False

    async def run() -> None:
        nonlocal has_ended
        await call()
        has_ended = True

    for thread in threads:
        limiter.acquire_on_behalf_of_nowait(thread)
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        while not has_ended and not limiter.statistics().tasks_waiting:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    for thread in threads:
        limiter.release_on_behalf_of(thread)
    return not has_ended
