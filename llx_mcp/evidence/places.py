"""Places in a document: the words of one page that a text was found in, and where they stand."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from llx_mcp.evidence.pages import SourcePage, WordBox

Match = Literal["exact", "grouped", "tokens", "fuzzy"]


class Rectangle(Protocol):
    """A rectangle in PDF points from the top left corner of the page."""

    @property
    def x(self) -> float:
        """The left edge."""
        ...

    @property
    def y(self) -> float:
        """The top edge."""
        ...

    @property
    def w(self) -> float:
        """The width."""
        ...

    @property
    def h(self) -> float:
        """The height."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Words of one page.

    Attributes:
        page: the page number, from 1.
        first: the index of the first word in `SourcePage.words`.
        last: the index of the last word.
        boxes: one box for each line; empty where the source has no boxes.
        score: how well the words fit what was looked for, 0 to 1.
        match: how they were found: character by character, also with digits grouped otherwise, by the same words in any
            order, or by similar words.
    """

    page: int
    first: int
    last: int
    boxes: tuple[WordBox, ...] = ()
    score: float = 1.0
    match: Match = "exact"


@dataclass(frozen=True, slots=True)
class Places:
    """Places where a text was found, best first.

    Attributes:
        places: the best places.
        total: how many there are, also those that are not listed; at least so many where the search was cut.
        num_pages: on how many pages.
        is_cut: whether the search ended early, because the time was up or there were too many.
        lacks_pages: whether pages were not searched, because they have no text.
    """

    places: tuple[Place, ...] = ()
    total: int = 0
    num_pages: int = 0
    is_cut: bool = False
    lacks_pages: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the whole document was searched."""
        return not (self.is_cut or self.lacks_pages)


@dataclass(frozen=True, slots=True)
class Span:
    """The words from `first` to `last` of a page, found with a score."""

    first: int
    last: int
    score: float = 1.0
    match: Match = "exact"


def build_place(page: SourcePage, span: Span, box_of: str = "word") -> Place:
    """Return the place of a span, with its boxes."""
    score = round(min(max(span.score, 0.0), 1.0), 3)
    return Place(page.number, span.first, span.last, merge_boxes(page, span, box_of), score, span.match)


def merge_boxes(page: SourcePage, span: Span, box_of: str = "word") -> tuple[WordBox, ...]:
    """Return one box for each line of a span; each block once where boxes surround blocks."""
    boxes = page.boxes[span.first : span.last + 1]
    if box_of == "block":
        return tuple(dict.fromkeys(boxes))
    lines: dict[int, list[WordBox]] = {}
    for offset, box in enumerate(boxes):
        lines.setdefault(bisect_right(page.line_starts, span.first + offset), []).append(box)
    return tuple(map(unite_boxes, lines.values()))


def share_covered(boxes: Iterable[WordBox], others: Sequence[Rectangle]) -> float:
    """Return the share of the area of `boxes` that lies on the other boxes, 0 to 1."""
    area = covered = 0.0
    for x, y, width, height in boxes:
        area += width * height
        for other in others:
            across = min(x + width, other.x + other.w) - max(x, other.x)
            down = min(y + height, other.y + other.h) - max(y, other.y)
            covered += max(across, 0.0) * max(down, 0.0)
    return min(covered / area, 1.0) if area > 0 else 0.0


def unite_boxes(boxes: list[WordBox]) -> WordBox:
    """Return the rectangle around some boxes, of which there must be one."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return (left, top, right - left, bottom - top)
