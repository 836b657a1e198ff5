"""The sections of a parse job's answer, built from the text of its document."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from llx_mcp.pdf.processes import SourcePage, SourceText
from llx_mcp.pdf.text_reading import NOT_READ

_TEXT_SEPARATOR = "\n\n"
_MARKDOWN_SEPARATOR = "\n\n---\n\n"
# What would be taken for emphasis, code, a link, a tag or a cell; at the start of a line, for a heading, quote or list.
_MARKDOWN = re.compile(r"[\\`*_\[\]<|~]|^[#>]|^[+-](?=\s|-)")


def build_sections(text: SourceText, expand: list[str]) -> dict[str, Any]:
    """Build the sections that a request asks for. Those that are not known are left out."""
    return {name: build(text) for name, build in _SECTIONS.items() if name in expand}


def _build_text(text: SourceText) -> dict[str, Any]:
    # The service's model has no form for a page that failed.
    return {
        "pages": [{"page_number": page.number, "text": _join(page)} for page in text.pages if not _has_failed(page)]
    }


def _build_markdown(text: SourceText) -> dict[str, Any]:
    return _build_pages(text, lambda page: {"markdown": _join_markdown(page), "header": None, "footer": None})


def _build_items(text: SourceText) -> dict[str, Any]:
    return _build_pages(
        text,
        lambda page: {"page_width": page.width, "page_height": page.height, "items": list(_build_lines(page))},
    )


def _build_metadata(text: SourceText) -> dict[str, Any]:
    pages = [
        {"page_number": page.number, "confidence": None, "printed_page_number": page.printed_number}
        for page in text.pages
    ]
    return {"pages": pages, "document": None}


def _build_full_text(text: SourceText) -> str:
    return _TEXT_SEPARATOR.join(_join(page) for page in text.pages if not _has_failed(page))


def _build_full_markdown(text: SourceText) -> str:
    return _MARKDOWN_SEPARATOR.join(_join_markdown(page) for page in text.pages if not _has_failed(page))


_SECTIONS: Mapping[str, Callable[[SourceText], object]] = {
    "text": _build_text,
    "markdown": _build_markdown,
    "items": _build_items,
    "metadata": _build_metadata,
    "text_full": _build_full_text,
    "markdown_full": _build_full_markdown,
}


def _build_pages(text: SourceText, build: Callable[[SourcePage], dict[str, Any]]) -> dict[str, Any]:
    return {
        "pages": [
            {"page_number": page.number, "success": False, "error": page.problem}
            if _has_failed(page)
            else {"page_number": page.number, "success": True, **build(page)}
            for page in text.pages
        ]
    }


def _has_failed(page: SourcePage) -> bool:
    """Return whether a page could not be read. A scanned page is an empty one."""
    return page.problem.startswith(NOT_READ)


def _build_lines(page: SourcePage) -> Iterator[dict[str, Any]]:
    for start, end in _iterate_lines(page):
        value = " ".join(page.words[start:end])
        boxes = page.boxes[start:end]
        left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
        box = {"x": left, "y": top, "w": round(right - left, 2), "h": round(bottom - top, 2)}
        yield {"type": "text", "md": _escape(value), "value": value, "bbox": [box]}


def _iterate_lines(page: SourcePage) -> Iterator[tuple[int, int]]:
    return pairwise([*page.line_starts, len(page.words)])


def _join(page: SourcePage) -> str:
    return "\n".join(" ".join(page.words[start:end]) for start, end in _iterate_lines(page))


def _join_markdown(page: SourcePage) -> str:
    return "\n".join(_escape(" ".join(page.words[start:end])) for start, end in _iterate_lines(page))


def _escape(line: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", line)
