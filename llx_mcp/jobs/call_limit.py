"""The time that one call may take, whatever the service does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from llx_mcp.errors import ArgumentError, UnclearOutcomeError, UnreachableError


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
        f"LlamaCloud did not answer in time: the call was stopped after {seconds:g} s. Try again later. If the result "
        "is large, call wait_for_extract_job with a longer timeout_seconds: it waits for the download too. "
        "LLX_MCP_CALL_SECONDS sets the time for one call."
    )


@contextmanager
def limit_creation(seconds: float | None, more_seconds: float = 0.0) -> Iterator[None]:
    """Cancel the body once the time is up. None sets no limit.

    Args:
        seconds: the time for one call.
        more_seconds: time for an upload.

    Raises:
        UnclearOutcomeError: the time was up. The message says that the same call goes on where this one ended.
    """
    with anyio.move_on_after(None if seconds is None else seconds + more_seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise UnclearOutcomeError(
            "LlamaCloud did not answer in time, and the call was stopped. Call again with the same arguments: it goes "
            "on where this one ended, and answers with the job if there is one."
        )
