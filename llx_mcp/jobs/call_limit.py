"""The time that one call may take, whatever the service does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from llx_mcp.errors import ArgumentError, UnreachableError, UpstreamError


@dataclass(slots=True)
class CallState:
    """How far a call is.

    Attributes:
        is_fetched: whether everything that it needs of the service has arrived.
    """

    is_fetched: bool = False


@contextmanager
def limit_call(seconds: float) -> Iterator[CallState]:
    """Cancel the body once the time is up. What it shares with other calls goes on for these.

    Raises:
        UnreachableError: the time was up before the service had answered.
        ArgumentError: the time was up after that, while the answer was being built.
    """
    state = CallState()
    with anyio.move_on_after(seconds) as scope:
        yield state
    if not scope.cancelled_caught:
        return
    if state.is_fetched:
        raise ArgumentError(
            f"The answer took longer than {seconds:g} s, the time for one call, and was stopped. Ask for less at once. "
            "LLX_MCP_CALL_SECONDS sets the time."
        )
    raise UnreachableError(
        f"The service did not answer in time: the call was stopped after {seconds:g} s. Try again later. If the result "
        "is large, call wait_for_extract_job with a longer timeout_seconds: it waits for the download too. "
        "LLX_MCP_CALL_SECONDS sets the time for one call."
    )


@contextmanager
def limit_creation(seconds: float, build_error: Callable[[], UpstreamError]) -> Iterator[None]:
    """Cancel the body once the time is up.

    Args:
        seconds: the time for the body.
        build_error: builds the error that says what is known then, and what to do.

    Raises:
        UpstreamError: the time was up.
    """
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise build_error()
