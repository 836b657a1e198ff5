"""Runs the command on a pseudo-terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class TerminalRun:
    """What a command showed on its terminal.

    Attributes:
        raw: its output, with the control sequences.
        exit_status: its exit status.
    """

    raw: str
    exit_status: int

    @property
    def lines(self) -> list[str]:
        """The lines without control sequences and trailing spaces; one that is overwritten counts too."""
        return [line.rstrip() for line in _CONTROLS.sub("", self.raw).splitlines()]


def run_on_terminal(
    *arguments: str, columns: int = 100, typed: str | None = None, environment: Mapping[str, str] | None = None
) -> TerminalRun:
    """Run `llx-mcp` to its end with standard output and standard error on a terminal of this width.

    Args:
        arguments: of the command.
        columns: width of the terminal.
        typed: what a person types; None if standard input is no terminal.
        environment: further variables.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    variables = inherited | {"TERM": "xterm"} | dict(environment or {})
    command = [sys.executable, "-m", "llx_mcp", *arguments]
    try:
        stdin = subprocess.DEVNULL if typed is None else terminal
        with subprocess.Popen(command, stdin=stdin, stdout=terminal, stderr=terminal, env=variables) as process:
            os.close(terminal)
            os.write(controller, (typed or "").encode())
            output = b"".join(iter(lambda: read_terminal(controller), b""))
        return TerminalRun(output.decode(), process.returncode)
    finally:
        os.close(controller)


def read_terminal(controller: int) -> bytes:
    """Read what a terminal shows next; empty at its end."""
    try:
        return os.read(controller, 1 << 16)
    except OSError:
        # Linux reports the end of a terminal as an error.
        return b""
