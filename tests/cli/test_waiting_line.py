"""A command that waits says so: on a terminal after 2 s, elsewhere where requests are repeated for 3 s."""

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator

import anyio
import pytest

from llx_mcp.cli.waiting_line import WaitingLine
from llx_mcp.errors import UnreachableError
from llx_mcp.llamacloud.retries import AttemptFailed, call_with_retries
from tests.jobs.virtual_time import VirtualClock, virtual

CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    """A stream that is a terminal, and remembers what was written to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of 70 columns."""
    controller, descriptor = pty.openpty()
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
    yield Terminal(descriptor)
    os.close(controller)
    os.close(descriptor)


async def run_for(seconds: float, stream: io.StringIO, *progress: str) -> str:
    """Do work that takes some seconds, with progress at each of them; return what was shown."""

    async def work(line: WaitingLine) -> str:
        await anyio.sleep(seconds)
        for text in progress:
            line.update(text)
            await anyio.sleep(seconds)
        return "done"

    assert await WaitingLine(stream, VirtualClock()).run(work) == "done"
    return stream.getvalue()


@virtual
async def test_short_command_shows_nothing(terminal: Terminal) -> None:
    assert await run_for(1.9, terminal) == ""


@virtual
async def test_line_counts_the_seconds_and_is_cleared(terminal: Terminal) -> None:
    shown = [f"{CLEAR}waiting for the service: {seconds} s" for seconds in (2, 3, 4)]
    assert await run_for(4.5, terminal) == "".join([*shown, CLEAR])


@virtual
async def test_progress_replaces_the_line_and_is_cut_to_the_terminal(terminal: Terminal) -> None:
    shown = await run_for(2.5, terminal, "RUNNING", "x" * 500)
    assert shown == f"{CLEAR}waiting for the service: 2 s{CLEAR}RUNNING{CLEAR}{'x' * 69}{CLEAR}"


@virtual
async def test_elsewhere_only_progress_is_printed_line_by_line() -> None:
    assert await run_for(60, io.StringIO(), "PENDING", "RUNNING") == "PENDING\nRUNNING\n"


@virtual
async def test_elsewhere_one_line_says_why_a_command_has_waited_for_3_s() -> None:
    stream = io.StringIO()

    async def work(_: WaitingLine) -> bytes:
        return await call_with_retries(fail, max_tries=6)

    with pytest.raises(UnreachableError):
        await WaitingLine(stream, VirtualClock()).run(work)
    assert stream.getvalue() == "llx-mcp: still trying: The host name api.example cannot be resolved.\n"


@virtual
async def test_short_retries_are_not_announced() -> None:
    stream = io.StringIO()

    async def work(_: WaitingLine) -> bytes:
        return await call_with_retries(fail, max_tries=2)

    with pytest.raises(UnreachableError):
        await WaitingLine(stream, VirtualClock()).run(work)
    assert stream.getvalue() == ""


async def fail(number: int) -> bytes:
    """Fail like a request to a host that does not exist."""
    text = f"The host name api.example cannot be resolved. Tried {number} times. Check the network."
    raise AttemptFailed(UnreachableError(text), is_retryable=True)


@virtual
async def test_error_of_the_work_is_raised_as_it_is(terminal: Terminal) -> None:
    async def work(_: WaitingLine) -> None:
        await anyio.sleep(3)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await WaitingLine(terminal, VirtualClock()).run(work)
    assert terminal.getvalue().endswith(CLEAR)
