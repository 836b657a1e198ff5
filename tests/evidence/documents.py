"""Documents whose citations are checked: the text layer of a PDF, or pages with given texts."""

from collections.abc import Iterator
from functools import lru_cache

import pypdfium2

from llx_mcp.evidence.pages import SourcePage, SourceText, WordBox


@lru_cache(maxsize=32)
def read_source(pdf: bytes) -> SourceText:
    """Return the words of a PDF with their boxes."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return SourceText("document", [_read_page(document, index) for index in range(len(document))])
    finally:
        document.close()


def build_source(*texts: str) -> SourceText:
    """Return a document of pages with these texts, without boxes."""
    return SourceText("document", [_build_page(number, text) for number, text in enumerate(texts, 1)])


def _build_page(number: int, text: str) -> SourcePage:
    words: list[str] = []
    line_starts: list[int] = []
    for line in filter(str.split, text.splitlines()):
        line_starts.append(len(words))
        words += line.split()
    return SourcePage(number, words, line_starts)


def _read_page(document: pypdfium2.PdfDocument, index: int) -> SourcePage:
    page = document[index]
    width, height = page.get_size()
    text_page = page.get_textpage()
    words: list[str] = []
    boxes: list[WordBox] = []
    line_starts: list[int] = []
    for line in _split_lines(text_page.get_text_range()):
        line_starts.append(len(words))
        for start, word in line:
            words.append(word)
            boxes.append(_find_box(text_page, start, len(word), height))
    text_page.close()
    page.close()
    return SourcePage(index + 1, words, line_starts, boxes, width, height)


def _split_lines(text: str) -> Iterator[list[tuple[int, str]]]:
    """Yield the words of each line that has some, each with the index of its first character."""
    line: list[tuple[int, str]] = []
    start: int | None = None
    for index, char in enumerate(text + "\n"):
        if not char.isspace():
            start = index if start is None else start
            continue
        if start is not None:
            line.append((start, text[start:index]))
            start = None
        if char == "\n" and line:
            yield line
            line = []


def _find_box(text_page: pypdfium2.PdfTextPage, start: int, count: int, height: float) -> WordBox:
    boxes = [text_page.get_charbox(index) for index in range(start, start + count)]
    left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
    return (left, height - top, right - left, top - bottom)
