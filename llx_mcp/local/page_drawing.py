"""The process that draws pages of a PDF with pdfium. The server ends it if it takes too long.

The server runs this file as a script, and it imports nothing of the package, so that it starts fast. Arguments: the
first page and the last page, counted from 0, and the maximum of processor time in seconds. The PDF comes on standard
input. Replies on standard output each begin with a kind (one byte) and a number (eight bytes, big-endian).
"""

import io
import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

# The number of pages, without a content; an image or an error, with its size in bytes and then its content.
PAGES, IMAGE, ERROR = b"P", b"I", b"E"
HEADER = struct.Struct(">cQ")

_PIXELS_PER_POINT = 2.0
# A page of A1 at two pixels per point. The bitmap takes four bytes per pixel.
MAX_PIXELS = 1 << 24
_MAX_SIDE_PIXELS = 1 << 14
_MAX_MEMORY_BYTES = 3 << 29


def main() -> None:
    """Draw pages as the arguments say."""
    first, last, seconds = (int(argument) for argument in sys.argv[1:])
    _limit_resources(seconds)
    replies = sys.stdout.buffer
    for kind, number, content in draw_pages(sys.stdin.buffer.read(), first, last):
        replies.write(HEADER.pack(kind, number))
        replies.write(content)
        replies.flush()


def draw_pages(content: bytes, first: int, last: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield the replies: the number of pages, then an image of each page from `first` to `last` that exists."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
        yield PAGES, len(document), b""
        for index in range(first, min(last + 1, len(document))):
            image = _draw_page(document[index])
            yield IMAGE, len(image), image
    except (pypdfium2.PdfiumError, ValueError, ArithmeticError, MemoryError) as exc:
        message = f"The file is not a PDF that can be rendered: {exc or type(exc).__name__}".encode()
        yield ERROR, len(message), message


def _draw_page(page: "pypdfium2.PdfPage") -> bytes:
    """Return a page as PNG with two pixels per point, or fewer if it is very large."""
    width, height = (max(side, 1.0) for side in page.get_size())
    scale = min(_PIXELS_PER_POINT, (MAX_PIXELS / (width * height)) ** 0.5, _MAX_SIDE_PIXELS / max(width, height))
    image = page.render(scale=scale).to_pil()
    page.close()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _limit_resources(seconds: int) -> None:
    """Limit memory and processor time, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))


if __name__ == "__main__":
    main()
