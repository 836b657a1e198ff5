"""The items of a parsed page as lines of words, each word with the box of its item."""

import math
from collections.abc import Iterator
from typing import Any

from llx_mcp.evidence.markup import strip_markup
from llx_mcp.evidence.pages import WordBox
from llx_mcp.evidence.places import unite_boxes

Line = tuple[list[str], WordBox | None]

# Items contain items: lists in lists, and headers. The service nests two or three levels.
_MAX_DEPTH = 16


def read_items(items: object) -> Iterator[Line]:
    """Yield the lines of some items in their order, each with the box of its item or of the item around it.

    Args:
        items: `items` of a page, decoded. What has another type than expected is left out.
    """
    stack: list[tuple[Iterator[Any], WordBox | None]] = [(_iterate(items), None)]
    while stack:
        children, around = stack[-1]
        item = next(children, None)
        if item is None:
            stack.pop()
        elif isinstance(item, str):
            yield from _lines(item, around)
        elif isinstance(item, dict):
            box = _read_box(item.get("bbox")) or around
            nested = item.get("items")
            if isinstance(nested, list) and nested and len(stack) < _MAX_DEPTH:
                stack.append((_iterate(nested), box))
            else:
                yield from _lines(_text_of(item), box)


def _iterate(items: object) -> Iterator[Any]:
    # None ends the walk, so it must not be among the items.
    return (item for item in (items if isinstance(items, list) else ()) if item is not None)


def _lines(text: str, box: WordBox | None) -> Iterator[Line]:
    for line in text.splitlines():
        if words := line.split():
            yield words, box


def _text_of(item: dict[str, Any]) -> str:
    rows = item.get("rows")
    if isinstance(rows, list) and rows:
        return "\n".join(_text_of_row(row) for row in rows)
    for name in ("value", "text", "caption"):
        if isinstance(text := item.get(name), str) and text.strip():
            return text
    markdown = item.get("md")
    return strip_markup(markdown) if isinstance(markdown, str) else ""


def _text_of_row(row: object) -> str:
    cells = row if isinstance(row, list) else [row]
    texts = (cell if isinstance(cell, str) else str(cell) for cell in cells if isinstance(cell, str | int | float))
    return " ".join(" ".join(strip_markup(text).split()) for text in texts)


def _read_box(boxes: object) -> WordBox | None:
    """Return the rectangle around all boxes of an item; None where it has none that can be used."""
    found = [box for each in (boxes if isinstance(boxes, list) else [boxes]) if (box := _read_one_box(each))]
    return unite_boxes(found) if found else None


def _read_one_box(box: object) -> WordBox | None:
    if not isinstance(box, dict):
        return None
    x, y, width, height = (read_number(box.get(name)) for name in ("x", "y", "w", "h"))
    if x is None or y is None or not width or not height or width < 0 or height < 0:
        return None
    return x, y, width, height


def read_number(value: object) -> float | None:
    """Return a finite number of a size that a page can have; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 1e6 else None
