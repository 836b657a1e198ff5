"""Page screenshots, rendered by pdfium. This needs the extra `llx-mcp[local]`."""

import io
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

_PIXELS_PER_POINT = 2.0
# pdfium is not thread-safe.
_lock = threading.Lock()


class ScreenshotError(Exception):
    """A page cannot be rendered. The message gives the reason and the next step.

    Attributes:
        is_not_installed: Whether pypdfium2 or pillow is missing. Otherwise the file is not a PDF.
    """

    def __init__(self, message: str, *, is_not_installed: bool = False) -> None:
        super().__init__(message)
        self.is_not_installed = is_not_installed


def count_pages(content: bytes) -> int:
    """Return the number of pages of a PDF.

    Raises:
        ScreenshotError: The content is not a PDF, or the extra is not installed.
    """
    with _lock:
        document = _open(content)
        try:
            return len(document)
        finally:
            document.close()


@lru_cache(maxsize=32)
def render_page(content: bytes, page_index: int) -> bytes | None:
    """Return a page as PNG with two pixels per point; None if the page does not exist.

    Args:
        content: The PDF.
        page_index: The page, counted from 0.

    Raises:
        ScreenshotError: The content is not a PDF, or the extra is not installed.
    """
    with _lock:
        document = _open(content)
        try:
            if not 0 <= page_index < len(document):
                return None
            image = document[page_index].render(scale=_PIXELS_PER_POINT).to_pil()
        except ImportError:
            raise _not_installed() from None
        finally:
            document.close()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _open(content: bytes) -> "pypdfium2.PdfDocument":
    try:
        import pypdfium2
    except ImportError:
        raise _not_installed() from None
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as exc:
        raise ScreenshotError(f"The file is not a PDF that can be rendered: {exc}") from None


def _not_installed() -> ScreenshotError:
    message = "Page screenshots need pypdfium2 and pillow: pip install 'llx-mcp[local]'."
    return ScreenshotError(message, is_not_installed=True)
