"""The process that works on one PDF with pdfium. The server ends it if it takes too long.

It imports nothing of the package but its siblings, so that it starts fast. Its first argument is the maximum of
processor time in seconds, the second says what to do, the others are whole numbers for that. The PDF comes on standard
input, and frames go to standard output.
"""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from llx_mcp.pdf.frames import ERROR, HEADER, Frames, build_frame
from llx_mcp.pdf.page_drawing import draw_pages
from llx_mcp.pdf.text_reading import read_pages

if TYPE_CHECKING:
    import pypdfium2

_MAX_MEMORY_BYTES = 3 << 29
_COMMANDS: Mapping[str, Callable[..., Frames]] = {"draw": draw_pages, "read": read_pages}
# pdfium finds the start of a PDF within this many bytes.
_SIGNATURE_BYTES = 1_024
_REASONS = {
    4: "it is encrypted and needs a password",
    5: "it is encrypted in a way that is not supported",
}


class UnreadableError(Exception):
    """The content cannot be opened. The message gives the reason."""


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
        yield from _COMMANDS[command](_open_document(content), *numbers)
    except (UnreadableError, pypdfium2.PdfiumError, ValueError, ArithmeticError, MemoryError) as exc:
        yield build_frame(ERROR, f"The document cannot be read: {exc or type(exc).__name__}".encode())


def _open_document(content: bytes) -> "pypdfium2.PdfDocument":
    import pypdfium2

    if not content:
        raise UnreadableError("it is empty")
    if b"%PDF-" not in content[:_SIGNATURE_BYTES]:
        raise UnreadableError("it is not a PDF")
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as exc:
        raise UnreadableError(_REASONS.get(exc.err_code or 0, "it is damaged")) from None


def _limit_resources(seconds: int) -> None:
    """Limit memory and processor time, and forbid writing files, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
