"""Reports what the server does to observers that count it or trace it. By default there is none.

A step has a name and attributes from short fixed lists: no id, no key, no path, no word of a document.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, Protocol

StepName = Literal["call", "upstream_request", "poll", "cache", "worker"]
# What a step ended with, where it says nothing else.
OK, CANCELLED = "ok", "cancelled"


@dataclass(slots=True)
class Step:
    """One thing that the server does.

    Attributes:
        name: what it is.
        attributes: more about it, such as the method of a request. Each value is one of few.
        outcome: how it ended: one of few words, or the name of an exception's class. It can be set until the step ends.
        size: characters of what it returned, where they are counted.
    """

    name: StepName
    attributes: dict[str, str | int] = field(default_factory=dict)
    outcome: str = OK
    size: int | None = None


class Observer(Protocol):
    """Receives the steps."""

    def watch(self, step: Step) -> AbstractContextManager[None]:
        """Return a context manager that is entered when the step begins and left when it has ended.

        It sees no exception: `outcome` says how the step ended.
        """
        ...


_observers: ContextVar[tuple[Observer, ...]] = ContextVar("llx_mcp_observers", default=())
_request_id: ContextVar[str | None] = ContextVar("llx_mcp_request_id", default=None)


def set_request_id(request_id: str | None) -> None:
    """Set the id of the current request, for the log. Tasks that it starts inherit it."""
    _request_id.set(request_id)


def get_request_id() -> str | None:
    """Return the id of the current request, or of the request that started the current task."""
    return _request_id.get()


def set_observers(*observers: Observer) -> None:
    """Set the observers of the current task, and of the tasks that it starts."""
    _observers.set(observers)


@contextmanager
def observe(name: StepName, **attributes: str | int) -> Iterator[Step]:
    """Report to the observers that a step begins and, at the end of the block, how it ended.

    Args:
        name: what it is.
        attributes: more about it; each value is one of few.
    """
    step = Step(name, attributes)
    observers = _observers.get()
    if not observers:
        yield step
        return
    failure: BaseException | None = None
    with ExitStack() as stack:
        for observer in observers:
            stack.enter_context(observer.watch(step))
        try:
            yield step
        except BaseException as exc:  # noqa: BLE001 - it is raised again below, out of sight of the observers
            failure = exc
            if step.outcome == OK:
                step.outcome = type(exc).__name__ if isinstance(exc, Exception) else CANCELLED
    if failure is not None:
        raise failure
