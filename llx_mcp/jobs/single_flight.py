"""One request for all who ask the same at the same time."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class _Call(Generic[Result]):
    is_done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    num_waiting: int = 0
    results: list[Result] = field(default_factory=list)
    error: Exception | None = None


class SingleFlight(Generic[Result]):
    """Calls under way, by what they ask. Each runs in the group: who leaves ends it for nobody else."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._calls: dict[Hashable, _Call[Result]] = {}

    async def ask(self, key: Hashable, call: Callable[[], Awaitable[Result]]) -> Result:
        """What the call gives, made once for all who ask for the key meanwhile; given up when the last one leaves."""
        shared = self._calls.get(key)
        if shared is None:
            shared = self._calls[key] = _Call()
            self._group.start_soon(self._run, key, shared, call)
        shared.num_waiting += 1
        try:
            await shared.is_done.wait()
        finally:
            shared.num_waiting -= 1
            if not shared.num_waiting:
                self._forget(key, shared)
                shared.scope.cancel()
        if shared.error is not None:
            raise shared.error.with_traceback(None)
        return shared.results[0]

    async def _run(self, key: Hashable, shared: _Call[Result], call: Callable[[], Awaitable[Result]]) -> None:
        try:
            with shared.scope:
                shared.results.append(await call())
        except Exception as exc:  # Whoever asked raises it.
            shared.error = exc
        finally:
            self._forget(key, shared)
            shared.is_done.set()

    def _forget(self, key: Hashable, shared: _Call[Result]) -> None:
        if self._calls.get(key) is shared:
            del self._calls[key]
