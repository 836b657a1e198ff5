"""Writes files so that one which exists is replaced only when the new one is complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from llx_mcp.errors import ArgumentError


def check_target(path: Path) -> None:
    """Check that a file can be made at a path, before the work that fills it.

    Raises:
        ArgumentError: its folder does not exist, or the path is a folder.
    """
    if path.is_dir():
        raise ArgumentError(f"--output {path}: this is a folder. Give the path of a file.")
    if not path.parent.is_dir():
        raise ArgumentError(
            f"--output {path}: the folder {path.parent} does not exist. Create it, or give another path."
        )


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside `path`, and rename it to that at the end of the block; remove it if the block fails.

    Raises:
        OSError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as target:
            yield target
        partial.replace(path)
    except OSError as exc:
        # The partial file is not the one that the user named.
        exc.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)
