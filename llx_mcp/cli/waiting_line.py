"""A line on the terminal that says what a command waits for."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Self, TextIO, TypeVar

import anyio

from llx_mcp.errors import LlxError
from llx_mcp.jobs.clock import Clock, SystemClock

T = TypeVar("T")

# Most commands end before this, and a line that flickers would only distract.
_QUIET_SECONDS = 2.0
_TICK_SECONDS = 1.0
# Where there is no terminal, a retry that begins later than this is announced, once.
_RETRY_SECONDS = 3.0
_USUAL_COLUMNS = 80
_CLEAR = "\r\033[K"


class WaitingLine:
    """Shows on a terminal that a command waits for the service, once it has waited for 2 s.

    Progress of the command replaces that line. Elsewhere, progress is printed line by line, and one line says why the
    service has not answered for 3 s.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._is_shown = False
        self._has_progress = False
        self._started_at = clock.monotonic()
        self._has_announced = False

    async def run(self, work: Callable[["WaitingLine"], Awaitable[T]]) -> T:
        """Do some work, and return what it returns. The line is cleared at the end."""
        from llx_mcp.llamacloud.retries import on_retry

        outcome: T | Exception
        if not self._is_terminal:
            # The event loop ends with the command, and this with it.
            on_retry.set(self._announce_retry)
        async with anyio.create_task_group() as group:
            if self._is_terminal:
                group.start_soon(self._tick)
            try:
                outcome = await work(self)
            except Exception as exc:  # noqa: BLE001 - it is raised again below
                # Inside the task group it would become an exception group.
                outcome = exc
            finally:
                self.clear()
                group.cancel_scope.cancel()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def update(self, text: str) -> None:
        """Show progress."""
        self._has_progress = True
        if self._is_terminal:
            self._draw(text)
        else:
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Clear the line, and do not draw it again before there is progress."""
        self._has_progress = True
        if self._is_shown:
            print(_CLEAR, end="", file=self._stream, flush=True)
            self._is_shown = False

    def _announce_retry(self, error: LlxError, pause_seconds: float) -> None:
        seconds = self._clock.monotonic() - self._started_at + pause_seconds
        if self._has_announced or seconds < _RETRY_SECONDS:
            return
        self._has_announced = True
        reason = str(error).partition(". ")[0].rstrip(".")
        print(f"llx-mcp: still trying: {reason}.", file=self._stream, flush=True)

    async def _tick(self) -> None:
        await self._clock.sleep(_QUIET_SECONDS)
        while not self._has_progress:
            self._draw(f"waiting for the service: {self._clock.monotonic() - self._started_at:.0f} s")
            await self._clock.sleep(_TICK_SECONDS)

    def _draw(self, text: str) -> None:
        self._is_shown = True
        # A line that wraps could not be cleared.
        print(f"{_CLEAR}{text[: _get_columns(self._stream) - 1]}", end="", file=self._stream, flush=True)


def _get_columns(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS


def run_waiting(work: Callable[[WaitingLine], Awaitable[T]]) -> T:
    """Run a command's requests on an event loop of its own, with a waiting line on stderr."""
    return anyio.run(WaitingLine(sys.stderr, SystemClock()).run, work)


class LiveTable:
    """A table on stderr that is drawn again and again, and removed at the end."""

    def __init__(self, line: WaitingLine) -> None:
        from rich.console import Console
        from rich.live import Live

        self._line = line
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
