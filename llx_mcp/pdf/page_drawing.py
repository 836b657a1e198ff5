"""Draws pages of a PDF with a bounded number of pixels. Runs in the pdfium process."""

import io
from typing import TYPE_CHECKING

from llx_mcp.pdf.frames import IMAGE, PAGES, Frames, build_frame

if TYPE_CHECKING:
    import pypdfium2

_PIXELS_PER_POINT = 2.0
# A page of A1 at two pixels per point. The bitmap takes four bytes per pixel.
MAX_PIXELS = 1 << 24
_MAX_SIDE_PIXELS = 1 << 14


def draw_pages(document: "pypdfium2.PdfDocument", first: int, last: int) -> Frames:
    """Yield the number of pages, then an image of each page from `first` to `last`, from 0, that exists."""
    yield PAGES, len(document), b""
    for index in range(first, min(last + 1, len(document))):
        yield build_frame(IMAGE, _draw_page(document[index]))


def _draw_page(page: "pypdfium2.PdfPage") -> bytes:
    """Return a page as PNG with two pixels per point, or fewer if it is very large."""
    width, height = (max(side, 1.0) for side in page.get_size())
    scale = min(_PIXELS_PER_POINT, (MAX_PIXELS / (width * height)) ** 0.5, _MAX_SIDE_PIXELS / max(width, height))
    image = page.render(scale=scale).to_pil()
    page.close()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
