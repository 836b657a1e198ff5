"""Pictures of a document's pages, drawn by pdfium: an extra, `llx-mcp[local]`."""

import io
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

_DOTS_PER_POINT = 2.0
# pdfium is not made for threads.
_lock = threading.Lock()


class ScreenshotError(Exception):
    """No picture can be drawn; the message says why and what to do.

    Attributes:
        is_missing: whether what draws is not installed, rather than the file being no PDF.
    """

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing


def count_pages(content: bytes) -> int:
    """How many pages a PDF has.

    Raises:
        ScreenshotError: it is none, or what draws is not installed.
    """
    with _lock:
        document = _open(content)
        try:
            return len(document)
        finally:
            document.close()


@lru_cache(maxsize=32)
def draw_page(content: bytes, page_index: int) -> bytes | None:
    """A page as PNG, two dots a point; None where there is no such page.

    Args:
        content: the PDF.
        page_index: from 0.

    Raises:
        ScreenshotError: it is none, or what draws is not installed.
    """
    with _lock:
        document = _open(content)
        try:
            if not 0 <= page_index < len(document):
                return None
            picture = document[page_index].render(scale=_DOTS_PER_POINT).to_pil()
        except ImportError:
            raise _not_installed() from None
        finally:
            document.close()
    drawn = io.BytesIO()
    picture.save(drawn, "PNG")
    return drawn.getvalue()


def _open(content: bytes) -> "pypdfium2.PdfDocument":
    try:
        import pypdfium2
    except ImportError:
        raise _not_installed() from None
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as exc:
        raise ScreenshotError(f"The file is not a PDF that can be drawn: {exc}") from None


def _not_installed() -> ScreenshotError:
    return ScreenshotError("Page screenshots need pypdfium2 and pillow: pip install 'llx-mcp[local]'.", is_missing=True)
