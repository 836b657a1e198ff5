"""The processes that a process has started, as Linux shows them."""

import os
from pathlib import Path


def list_children(process_id: int | None = None) -> set[int]:
    """Return the ids of the processes that one has started and not waited for; none on other systems.

    Args:
        process_id: the process; by default this one.
    """
    threads = Path(f"/proc/{process_id or os.getpid()}/task").glob("*/children")
    return {int(child) for path in threads for child in _read(path).split()}


def is_running(process_id: int) -> bool:
    """Return whether a process exists and has not been killed."""
    status = _read(Path(f"/proc/{process_id}/stat"))
    # The state follows the name, which is in parentheses: Z is a zombie, X is dead.
    return status != "" and status.rpartition(")")[2].split()[0] not in "ZX"


def _read(path: Path) -> str:
    """Return a file about a process or thread; nothing for one that has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
