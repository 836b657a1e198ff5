"""Where things go in the picture of a citation: the boxes, the part of the page that is shown, and the numbers.

Pure geometry without a dependency, because the process that draws imports it. Rectangles are left, top, right and
bottom; on a page in PDF points from the top left corner, in a picture in pixels.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

# How much of the page is shown above and below the boxes: some seven lines.
_CONTEXT_POINTS = 90.0
_SIDE_POINTS = 14.0
# Text of eight points can be read from here on.
_READABLE_SCALE = 1.4
_MAX_SCALE = 2.5
# A picture is at most this much higher than its maximum width, so that clients do not reduce it.
_MAX_ASPECT = 1.5
# At most this much is cut off above and below, so that no line of text is cut in half.
_MAX_TRIM_POINTS = 20.0
# A row of pixels at an edge may be blank because it is only partly on the page.
_EDGE_ROWS = 2
# Boxes of one line with a smaller gap, in heights of a line, are one box.
_MAX_GAP = 1.5
_MIN_OVERLAP = 0.5
# A number is this much further from other boxes than from its own, in heights of the number.
_CLEARLY = 1 / 3
# How far from its box a number may be, in heights of the number.
_REACH_ACROSS, _REACH_DOWN = 6, 3

# From x and y to x and y.
Line = tuple[float, float, float, float]


class Rect(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """The horizontal extent."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """The vertical extent."""
        return self.bottom - self.top

    def join(self, other: "Rect") -> "Rect":
        """Return the smallest rectangle around both."""
        return Rect(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def clip(self, bounds: "Rect") -> "Rect":
        """Return the part within the bounds; it has no extent where there is none."""
        left, top = max(self.left, bounds.left), max(self.top, bounds.top)
        return Rect(left, top, max(min(self.right, bounds.right), left), max(min(self.bottom, bounds.bottom), top))

    def grow(self, horizontal: float, vertical: float) -> "Rect":
        """Return the rectangle with further space on each side."""
        return Rect(self.left - horizontal, self.top - vertical, self.right + horizontal, self.bottom + vertical)

    def overlaps(self, other: "Rect") -> bool:
        """Whether both have an area in common."""
        clipped = self.clip(other)
        return clipped.width > 0 and clipped.height > 0

    def distance(self, other: "Rect") -> float:
        """Return the distance between the nearest points of both; 0 where they touch or overlap."""
        across = max(self.left - other.right, other.left - self.right, 0)
        down = max(self.top - other.bottom, other.top - self.bottom, 0)
        return math.hypot(across, down)

    def scale(self, origin: "Rect", scale: float) -> "Rect":
        """Return the rectangle in a picture that shows `origin` at a scale."""
        left, top = (self.left - origin.left) * scale, (self.top - origin.top) * scale
        return Rect(left, top, left + self.width * scale, top + self.height * scale)


def clean_boxes(boxes: Iterable[Sequence[float]], factor: tuple[float, float], page: Rect) -> list[Rect]:
    """Return the boxes that can be drawn on a page, those of one line joined.

    Args:
        boxes: each x, y, width and height; not validated.
        factor: what x and y are multiplied with, where the boxes come from a page of another size.
        page: the page.

    Returns:
        Boxes without an area, outside of the page or with numbers that are not finite are left out.
    """
    found: list[Rect] = []
    for x, y, width, height in boxes:
        if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
            continue
        rect = Rect(x * factor[0], y * factor[1], (x + width) * factor[0], (y + height) * factor[1]).clip(page)
        if rect.width > 0 and rect.height > 0:
            found.append(rect)
    return _join_lines(found)


def _join_lines(rects: list[Rect]) -> list[Rect]:
    """Join neighbours of one line, as the boxes of single words are."""
    joined: list[Rect] = []
    for rect in rects:
        if joined and _is_same_line(joined[-1], rect):
            joined[-1] = joined[-1].join(rect)
        else:
            joined.append(rect)
    return joined


def _is_same_line(first: Rect, second: Rect) -> bool:
    height = min(first.height, second.height)
    overlap = min(first.bottom, second.bottom) - max(first.top, second.top)
    gap = max(first.left, second.left) - min(first.right, second.right)
    return overlap >= _MIN_OVERLAP * height and gap <= _MAX_GAP * height


def choose_band(rects: Sequence[Rect], page: Rect) -> Rect:
    """Return the part of a page, over its whole width, that the neighbourhood of the boxes may take."""
    around = _join_all(rects)
    return Rect(page.left, around.top - _CONTEXT_POINTS, page.right, around.bottom + _CONTEXT_POINTS).clip(page)


def trim_band(band: Rect, is_blank: Sequence[bool]) -> Rect:
    """Return a band that begins and ends where nothing is printed, if that is near.

    Args:
        band: what `choose_band` returned.
        is_blank: for each row of pixels of the band, whether nothing is printed there.
    """
    row_points = band.height / max(len(is_blank), 1)
    limit = min(int(_MAX_TRIM_POINTS / row_points) if row_points else 0, len(is_blank) // 2)
    above, below = (_find_blank_run(rows) * row_points for rows in (is_blank[:limit], is_blank[::-1][:limit]))
    return Rect(band.left, band.top + above, band.right, band.bottom - below)


def _find_blank_run(is_blank: Sequence[bool]) -> int:
    """Return the middle of the first rows without print; 0 where there are none, or the edge is one of them."""
    if all(is_blank[: _EDGE_ROWS + 1]):
        return 0
    start = next((row for row in range(_EDGE_ROWS, len(is_blank)) if is_blank[row]), 0)
    end = next((row for row in range(start, len(is_blank)) if not is_blank[row]), len(is_blank))
    return (start + end) // 2 if start else 0


def choose_view(rects: Sequence[Rect], band: Rect, text: Rect | None, max_width: int) -> Rect:
    """Return the readable neighbourhood of boxes: the whole text beside them, or as much as can be read.

    Args:
        rects: the boxes; at least one.
        band: what `choose_band` returned.
        text: the extent of everything that is printed there, or None where nothing is.
        max_width: the maximum width of the picture in pixels.
    """
    boxes = _join_all(rects)
    around = boxes if text is None else boxes.join(text)
    left, right = around.left - _SIDE_POINTS, around.right + _SIDE_POINTS
    # A high band is scaled down to its height, and then more of its width has room.
    readable = max(max_width / _READABLE_SCALE, band.height / _MAX_ASPECT)
    if right - left > readable:
        # A very wide page: the boxes alone, with as much on each side as can still be read.
        room = max(readable - boxes.width, 2 * _SIDE_POINTS)
        left = min(max(boxes.left - room / 2, left), max(right - boxes.width - room, left))
        right = left + boxes.width + room
    return Rect(left, band.top, right, band.bottom).clip(band)


def choose_scale(view: Rect, max_width: int, native_scale: float | None) -> float:
    """Return the pixels per point of a picture.

    Args:
        view: the part of the page that is shown.
        max_width: the maximum width of the picture in pixels.
        native_scale: pixels per point of the screenshot; None for a document, which can be drawn at any scale.
    """
    scale = min(max_width / view.width, max_width * _MAX_ASPECT / view.height, _MAX_SCALE)
    if native_scale is None:
        return scale
    # Larger pixels show no more than the screenshot does, and only help where its text is very small.
    return min(scale, max(native_scale, min(2 * native_scale, _READABLE_SCALE)))


def place_beside(
    box: Rect,
    size: tuple[float, float],
    picture: Rect,
    is_free: Callable[[Rect], bool],
    others: Sequence[Rect],
    gap: float,
) -> Rect | None:
    """Return a free place for a number directly beside its box, clearly nearer to it than to any other box.

    Args:
        box: the outline of the box.
        size: width and height of the number.
        picture: the bounds of the picture.
        is_free: whether nothing is printed or drawn at a place.
        others: the outlines of the boxes of other numbers.
        gap: pixels between the box and the number.

    Returns:
        The place; None where there is none.
    """
    width, height = size
    middle = (box.top + box.bottom - height) / 2
    beside = [(box.left - gap - width, middle), (box.right + gap, middle)]
    above, below = box.top - gap - height, box.bottom + gap
    corners = [(x, y) for y in (above, below) for x in (box.left, box.right - width, box.left - width, box.right)]
    for left, top in [*beside, *corners]:
        place = Rect(left, top, left + width, top + height)
        away = gap + height * _CLEARLY
        if place.clip(picture) == place and is_free(place) and all(place.distance(other) >= away for other in others):
            return place
    return None


def place_apart(
    box: Rect,
    size: tuple[float, float],
    picture: Rect,
    is_free: Callable[[Rect], bool],
    is_clear: Callable[[Line], bool],
    others: Sequence[Rect],
) -> tuple[Rect, Line] | None:
    """Return the nearest free place for a number around its box, with a line from the place to the box.

    A place that is nearer to its own box than to any other is better than one that is not.

    Args:
        box: the outline of the box.
        size: width and height of the number.
        picture: the bounds of the picture.
        is_free: whether nothing is printed or drawn at a place.
        is_clear: whether a line crosses nothing that is printed or drawn.
        others: the outlines of the boxes of other numbers.

    Returns:
        The place and the line; None where there is no such place.
    """
    away = size[1] * _CLEARLY
    fallback: tuple[Rect, Line] | None = None
    for place in sorted(_iter_around(box, size), key=box.distance):
        own = place.distance(box)
        if place.clip(picture) != place or not own or not is_free(place):
            continue
        nearest = min((place.distance(other) for other in others), default=math.inf)
        if nearest < away or (nearest <= own and fallback is not None):
            continue
        lines = sorted((_join_to(place, point) for point in _edge_points(box)), key=_measure_line)
        line = next(filter(is_clear, lines), None)
        if line is not None and nearest > own:
            return place, line
        fallback = fallback or (None if line is None else (place, line))
    return fallback


def _iter_around(box: Rect, size: tuple[float, float]) -> Iterator[Rect]:
    """Yield places on a grid around a box, in no order."""
    width, height = size
    step = height / 2
    reach = box.grow(_REACH_ACROSS * height + width, _REACH_DOWN * height + height)
    for row in range(int((reach.height - height) / step) + 1):
        for column in range(int((reach.width - width) / step) + 1):
            left, top = reach.left + column * step, reach.top + row * step
            yield Rect(left, top, left + width, top + height)


def _edge_points(box: Rect) -> Iterator[tuple[float, float]]:
    """Yield the corners of a box, and the middles of its sides."""
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    for x, y in product((box.left, across, box.right), (box.top, down, box.bottom)):
        if (x, y) != (across, down):
            yield x, y


def _join_to(place: Rect, point: tuple[float, float]) -> Line:
    """Return the shortest line from a place to a point."""
    x, y = point
    return min(max(x, place.left), place.right), min(max(y, place.top), place.bottom), x, y


def _measure_line(line: Line) -> float:
    left, top, right, bottom = line
    return math.hypot(right - left, bottom - top)


def _join_all(rects: Sequence[Rect]) -> Rect:
    joined = rects[0]
    for rect in rects[1:]:
        joined = joined.join(rect)
    return joined
