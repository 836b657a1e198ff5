"""One call for all callers that want the same result at the same time."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class _SharedCall(Generic[Result]):
    is_done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    num_waiting: int = 0
    is_kept: bool = False
    # Holds the result once there is one, which may itself be None.
    results: list[Result] = field(default_factory=list)
    error: Exception | None = None


class SingleFlight(Generic[Result]):
    """Running calls by key. Each runs in the task group, so a cancelled caller does not end it for the others."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._calls: dict[Hashable, _SharedCall[Result]] = {}

    async def run(self, key: Hashable, call: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result of the running call for a key, or of `call` if none is running.

        The call is cancelled when its last caller is, unless it is kept.

        Raises:
            Exception: the error that the call raised, for each of its callers.
        """
        shared = self._calls.get(key)
        if shared is None:
            shared = self._calls[key] = _SharedCall()
            self._group.start_soon(self._run, key, shared, call)
        shared.num_waiting += 1
        try:
            await shared.is_done.wait()
        finally:
            shared.num_waiting -= 1
            if not shared.num_waiting and not shared.is_kept:
                self._forget(key, shared)
                shared.scope.cancel()
        if shared.error is not None:
            raise shared.error.with_traceback(None)
        return shared.results[0]

    def keep(self, key: Hashable) -> None:
        """Let the running call for a key go on from now on without callers, for those that come later."""
        if key in self._calls:
            self._calls[key].is_kept = True

    def has_callers(self, key: Hashable) -> bool:
        """Return whether anyone waits for the running call for a key."""
        return key in self._calls and self._calls[key].num_waiting > 0

    async def _run(self, key: Hashable, shared: _SharedCall[Result], call: Callable[[], Awaitable[Result]]) -> None:
        try:
            with shared.scope:
                shared.results.append(await call())
        except Exception as exc:  # noqa: BLE001 - the callers raise it
            shared.error = exc
        finally:
            self._forget(key, shared)
            shared.is_done.set()

    def _forget(self, key: Hashable, shared: _SharedCall[Result]) -> None:
        if self._calls.get(key) is shared:
            del self._calls[key]
