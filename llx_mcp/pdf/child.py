"""The process that works on one PDF with pdfium. The server ends it if it takes too long.

It imports nothing of the package but its siblings, so that it starts fast. Its first argument is the maximum of
processor time in seconds, the second says what to do, the others are whole numbers for that. The content comes on
standard input, and frames go to standard output.
"""

import sys
from collections.abc import Callable, Mapping

from llx_mcp.pdf.frames import ERROR, HEADER, Frames, build_frame
from llx_mcp.pdf.opening import UnreadableError, open_document
from llx_mcp.pdf.page_drawing import draw_pages
from llx_mcp.pdf.text_reading import read_pages

_MAX_MEMORY_BYTES = 3 << 29
_COMMANDS: Mapping[str, Callable[..., Frames]] = {"draw": draw_pages, "read": read_pages}


def main() -> None:
    """Do what the arguments say."""
    seconds, command, *numbers = sys.argv[1:]
    _limit_resources(int(seconds))
    replies = sys.stdout.buffer
    for kind, number, content in run(command, sys.stdin.buffer.read(), [int(each) for each in numbers]):
        replies.write(HEADER.pack(kind, number))
        replies.write(content)
        replies.flush()


def run(command: str, content: bytes, numbers: list[int]) -> Frames:
    """Yield the frames of a command; an error frame in place of those that are left, if the document has a fault."""
    import pypdfium2

    try:
        if command == "cite":
            # Imported late, because Pillow takes longer to import than most pages take to read.
            from llx_mcp.pdf.citation_drawing import draw_marked_page

            yield from draw_marked_page(content, *numbers)
        else:
            yield from _COMMANDS[command](open_document(content), *numbers)
    except (UnreadableError, pypdfium2.PdfiumError, ValueError, ArithmeticError, MemoryError, OSError) as exc:
        yield build_frame(ERROR, f"The document cannot be read: {exc or type(exc).__name__}".encode())


def _limit_resources(seconds: int) -> None:
    """Limit memory and processor time, and forbid writing files, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    _set_limit(resource.RLIMIT_CPU, seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        _set_limit(resource.RLIMIT_AS, _MAX_MEMORY_BYTES)


def _set_limit(kind: int, limit: int) -> None:
    """Set a limit, or the one that the system has set if that is lower."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(kind)
    lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (lowest, lowest))
