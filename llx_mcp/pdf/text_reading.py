"""Reads the words of a PDF, and where they stand. Runs in the pdfium process."""

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from llx_mcp.pdf.frames import END, PAGES, TEXT, Frames, build_frame
from llx_mcp.pdf.page_geometry import PageGeometry

if TYPE_CHECKING:
    import pypdfium2

MAX_PAGE_CHARS = 200_000
MAX_CHARS = 6_000_000
MAX_WORDS = 800_000
NOT_READ = "not read: "
NO_TEXT = "no text layer: the page may be scanned"

_MAX_LABEL_CHARS = 40
_MAX_ANNOTATIONS = 1_000
_MAX_CHARACTER = 0x10FFFF
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# A hyphen at the end of a line, which pdfium reports as either of two codes, joined to the next line.
_HYPHEN = "\ufffe"
_HYPHEN_CODES = (2, 0xFFFE)
_CHARACTERS = {code: _UNKNOWN for code in range(32) if not chr(code).isspace()} | {
    0x7F: _UNKNOWN,
    # A document draws it only where it means a hyphen.
    0xAD: "-",
}
# These end a word in scripts without spaces, so that a label and its value have boxes of their own.
_STOPS = "，、。：；"
_TOKEN = re.compile(rf"\n|[^\s{_HYPHEN}{_STOPS}]*[{_HYPHEN}{_STOPS}]|[^\s{_HYPHEN}{_STOPS}]+")
_SURROGATE = re.compile("[\ud800-\udfff]")

_encode = msgspec.msgpack.Encoder().encode


def read_pages(document: "pypdfium2.PdfDocument", max_pages: int) -> Frames:
    """Yield the number of pages, the text of each page as a `SourcePage` in MessagePack, and the end."""
    num_pages = len(document)
    yield PAGES, num_pages, b""
    num_chars = num_words = 0
    for index in range(min(num_pages, max_pages)):
        if num_chars >= MAX_CHARS or num_words >= MAX_WORDS:
            reason = f"the pages before have {num_chars:,} characters, and no more are read"
            yield build_frame(END, reason.encode())
            return
        page, page_chars = _read_page(document, index)
        num_chars += page_chars
        num_words += len(page.get("words", ()))
        yield build_frame(TEXT, _encode(page))
    reason = f"only the first {max_pages:,} pages are" if num_pages > max_pages else ""
    yield build_frame(END, reason.encode())


def _read_page(document: "pypdfium2.PdfDocument", index: int) -> tuple[dict[str, Any], int]:
    """Return the fields of a `SourcePage`, and the number of characters that were read."""
    import pypdfium2

    page: dict[str, Any] = {"number": index + 1}
    num_read = 0
    try:
        page["printed_number"] = _read_label(document, index)
        loaded = _load_page(document, index)
        geometry = PageGeometry.of(loaded)
        page |= {"width": geometry.width, "height": geometry.height}
        text_page = loaded.get_textpage()
        num_chars = text_page.count_chars()
        num_read = min(num_chars, MAX_PAGE_CHARS)
        page |= _read_words(text_page, num_read, geometry)
        if num_chars > num_read:
            page["problem"] = f"only the first {num_read:,} of its {num_chars:,} characters are read"
        text_page.close()
        loaded.close()
    except (pypdfium2.PdfiumError, ValueError, ArithmeticError, MemoryError):
        page["problem"] = f"{NOT_READ}the page is damaged, or needs too much memory"
    return page, num_read


def _load_page(document: "pypdfium2.PdfDocument", index: int) -> "pypdfium2.PdfPage":
    """Load a page, with the texts of form fields, notes and stamps as part of its content."""
    import pypdfium2.raw

    page = document[index]
    if not _has_texts(page):
        return page
    pypdfium2.raw.FPDFPage_Flatten(page.raw, pypdfium2.raw.FLAT_NORMALDISPLAY)
    page.close()
    return document[index]


def _has_texts(page: "pypdfium2.PdfPage") -> bool:
    """Return whether one of the first annotations of a page may have a text that the page shows."""
    import pypdfium2.raw as pdfium

    kinds = (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page.raw), _MAX_ANNOTATIONS)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in kinds:
            return True
    return False


def _read_label(document: "pypdfium2.PdfDocument", index: int) -> str | None:
    """Return the page's label in the document, if it is not just its number."""
    try:
        label = document.get_page_label(index).strip()[:_MAX_LABEL_CHARS]
    except ValueError:
        # It has half a surrogate pair. The text of the page does not depend on it.
        return None
    return label if label and label != str(index + 1) else None


def _read_words(text_page: "pypdfium2.PdfTextPage", num_chars: int, geometry: PageGeometry) -> dict[str, Any]:
    """Return the fields `words`, `line_starts`, `boxes` and `problem` of a page."""
    words: list[str] = []
    boxes: list[tuple[float, float, float, float]] = []
    line_starts: list[int] = []
    starts_line = True
    text = _read_characters(text_page, num_chars)
    measure = _build_measure(text_page)
    for match in _TOKEN.finditer(text):
        word = match[0]
        if word == "\n":
            starts_line = True
            continue
        box = geometry.place(*measure(*match.span()))
        if box is not None:
            if starts_line:
                line_starts.append(len(words))
            words.append(_clean(word))
            boxes.append(box)
            starts_line = False
        if word[-1] == _HYPHEN:
            starts_line = True
    return {"words": words, "line_starts": line_starts, "boxes": boxes, "problem": _explain_words(words)}


def _read_characters(text_page: "pypdfium2.PdfTextPage", num_chars: int) -> str:
    """Return one character for each of pdfium's, so that indices agree."""
    import pypdfium2.raw

    get_code, is_hyphen, raw = pypdfium2.raw.FPDFText_GetUnicode, pypdfium2.raw.FPDFText_IsHyphen, text_page.raw
    codes = [get_code(raw, index) for index in range(num_chars)]
    for index in [index for index, code in enumerate(codes) if code in _HYPHEN_CODES or code > _MAX_CHARACTER]:
        codes[index] = ord(_HYPHEN if is_hyphen(raw, index) == 1 else _UNKNOWN)
    return "".join(map(chr, codes)).translate(_CHARACTERS)


def _build_measure(text_page: "pypdfium2.PdfTextPage") -> Any:
    """Return a function that measures the characters from one index to another: left, bottom, right, top."""
    import ctypes

    import pypdfium2.raw

    get_box, raw = pypdfium2.raw.FPDFText_GetLooseCharBox, text_page.raw
    rectangle = pypdfium2.raw.FS_RECTF()
    reference = ctypes.byref(rectangle)

    def measure(start: int, end: int) -> tuple[float, float, float, float]:
        left = bottom = math.inf
        right = top = -math.inf
        for index in range(start, end):
            if get_box(raw, index, reference):
                left, bottom = min(left, rectangle.left), min(bottom, rectangle.bottom)
                right, top = max(right, rectangle.right), max(top, rectangle.top)
        return left, bottom, right, top

    return measure


def _clean(word: str) -> str:
    word = word.replace(_HYPHEN, "-")
    if _SURROGATE.search(word):
        word = word.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return word


def _explain_words(words: list[str]) -> str:
    """Return why words are missing, or nothing."""
    if not words:
        return NO_TEXT
    num_chars = sum(map(len, words))
    num_unknown = sum(word.count(_UNKNOWN) for word in words)
    if num_unknown * 2 > num_chars:
        return "the fonts of the page do not say which characters they show"
    return ""
