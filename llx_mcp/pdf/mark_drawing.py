"""Draws marks on the image of a page: their boxes outlined, a number beside each, and everything else dimmed.

This runs in the bounded process of the package.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from llx_mcp.pdf.mark_layout import Line, Rect, place_apart, place_beside
from llx_mcp.pdf.page_images import find_ink

_DIM = 0.78
# The numbers beside a page take at most this share of the width.
_GUTTER_SHARE = 0.25
# The most runs of numbers that a label lists; of more it has the first two and the last number.
_MAX_RUNS = 3
_BLOCKED = 255
# White numbers can be read on each of these.
COLORS = ("#c2410c", "#1d4ed8", "#047857", "#7e22ce", "#0e7490", "#be185d")


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """What is marked.

    Attributes:
        numbers: the numbers of the values that cite it; shown where there are several marks.
        boxes: its rectangles in pixels.
    """

    numbers: tuple[int, ...]
    boxes: tuple[Rect, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The numbers as text, longest first, such as `1-3, 6 … 20`, `1 … 20` and `1…`."""
        runs = list(_format_runs(self.numbers))
        first, last = self.numbers[0], self.numbers[-1]
        if first == last:
            return (runs[0],)
        longest = ", ".join(runs) if len(runs) <= _MAX_RUNS else f"{', '.join(runs[:2])} … {last}"
        return longest, f"{first} … {last}", f"{first}…"

    @property
    def color(self) -> str:
        """The colour of its outlines."""
        return COLORS[(self.numbers[0] - 1) % len(COLORS)]


def join_marks(boxes: dict[int, list[Rect]]) -> list[PlacedMark]:
    """Return one mark for each place, because several values may cite the same words."""
    numbers: dict[tuple[Rect, ...], list[int]] = {}
    for number, rects in boxes.items():
        numbers.setdefault(tuple(rects), []).append(number)
    return [PlacedMark(tuple(found), rects) for rects, found in numbers.items()]


class Label(NamedTuple):
    """Where the number of a mark goes.

    Attributes:
        place: the place.
        line: from there to its box; None where it stands beside the box.
    """

    place: Rect
    line: Line | None = None


class _Labels:
    """Finds places for numbers, where nothing is printed and nothing is drawn yet."""

    def __init__(self, image: Image.Image, outlines: Sequence[Sequence[Rect]], line: int) -> None:
        """Start with the boxes.

        Args:
            image: the page.
            outlines: the outlines of the boxes of each mark.
            line: the width of outlines in pixels. So much room is left around what is printed.
        """
        self._outlines = outlines
        self._gap = line
        self._bounds = Rect(0, 0, *image.size)
        self._blocked = find_ink(image).filter(ImageFilter.MaxFilter(2 * line + 1))
        self._draw = ImageDraw.Draw(self._blocked)
        for rect in chain.from_iterable(outlines):
            self._draw.rectangle(rect, fill=_BLOCKED)

    def place_beside(self, index: int, size: tuple[float, float]) -> Label | None:
        """Return a place beside the first box of a mark; None where there is none."""
        box, others = self._outlines[index][0], self._list_others(index)
        place = place_beside(box, size, self._bounds, self._is_free, others, self._gap)
        return None if place is None else self._take(Label(place))

    def place_apart(self, index: int, size: tuple[float, float]) -> Label | None:
        """Return a place near the first box of a mark, with a line to it; None where there is none."""
        box, others = self._outlines[index][0].grow(1, 1), self._list_others(index)
        found = place_apart(box, size, self._bounds, self._is_free, self._is_clear, others)
        return None if found is None else self._take(Label(*found))

    def _list_others(self, index: int) -> list[Rect]:
        return [rect for other, rects in enumerate(self._outlines) if other != index for rect in rects]

    def _take(self, label: Label) -> Label:
        self._draw.rectangle(label.place.grow(self._gap, self._gap), fill=_BLOCKED)
        if label.line is not None:
            self._draw.line(label.line, fill=_BLOCKED, width=2 * self._gap)
        return label

    def _is_free(self, place: Rect) -> bool:
        return self._blocked.crop(_to_pixels(place.grow(self._gap - 1, self._gap - 1))).getbbox() is None

    def _is_clear(self, line: Line) -> bool:
        left, top, right, bottom = line
        steps = max(math.ceil(max(abs(right - left), abs(bottom - top))), 1)
        points = ((left + (right - left) * n / steps, top + (bottom - top) * n / steps) for n in range(steps + 1))
        return all(
            0 <= x < self._bounds.right
            and 0 <= y < self._bounds.bottom
            and not self._blocked.getpixel((int(x), int(y)))
            for x, y in points
        )


class MarkDrawing:
    """Draws marks in the size that suits the width of a picture.

    Attributes:
        gutter: the pixels at the left of a picture for numbers that have no place beside their boxes.
    """

    def __init__(self, max_width: int, numbered: Sequence[PlacedMark]) -> None:
        """Choose the sizes.

        Args:
            max_width: the maximum width of the picture in pixels.
            numbered: the marks whose numbers are shown, wherever their boxes are; none where there is only one mark.
        """
        self._line = max(2, round(max_width / 450))
        self._font = ImageFont.load_default(max(12, round(max_width / 55)))
        self._label_width = max_width * _GUTTER_SHARE - 6 * self._line
        widths = [self._measure(self._choose_label(mark))[0] for mark in numbered]
        self.gutter = int(max(widths) + 6 * self._line) if widths else 0

    def draw(self, image: Image.Image, marks: Sequence[PlacedMark]) -> tuple[Image.Image, int]:
        """Return the image with marks, and how many pixels were added at its left."""
        if not marks:
            return image, 0
        labels = self._place_labels(image, marks) if self.gutter else {}
        gutter = self.gutter if None in labels.values() else 0
        plates = self._place_plates(labels, gutter)
        # Many numbers beside few lines need more height than these.
        height = max([image.height, *(math.ceil(plate.bottom + self._line) for plate in plates.values())])
        picture = Image.new("RGB", (image.width + gutter, height), "white")
        picture.paste(self._dim(image, marks), (gutter, 0))
        draw = ImageDraw.Draw(picture)
        for mark in marks:
            for rect in mark.boxes:
                draw.rectangle(shift(self._outline(rect), gutter), outline=mark.color, width=self._line)
        for mark, label in labels.items():
            if label is not None and label.line is not None:
                draw.line(_shift_line(label.line, gutter), fill=mark.color, width=max(self._line // 2, 1))
        for mark, plate in plates.items():
            self._draw_number(draw, plate, mark)
        return picture, gutter

    def _dim(self, image: Image.Image, marks: Sequence[PlacedMark]) -> Image.Image:
        dimmed = image.point([round(level * _DIM) for level in range(256)] * 3)
        bounds = Rect(0, 0, *image.size)
        for mark in marks:
            for rect in mark.boxes:
                area = _to_pixels(self._outline(rect).clip(bounds))
                dimmed.paste(image.crop(area), area)
        return dimmed

    def _outline(self, rect: Rect) -> Rect:
        """Return the outline of a box, which leaves a little room around the words."""
        return rect.grow(2 * self._line, self._line + 1)

    def _choose_label(self, mark: PlacedMark) -> str:
        """Return the longest label of a mark that has room; the shortest where none has."""
        return next((label for label in mark.labels if self._measure(label)[0] <= self._label_width), mark.labels[-1])

    def _measure(self, label: str) -> tuple[float, float]:
        left, top, right, bottom = self._font.getbbox(label)
        return right - left + 4 * self._line, bottom - top + 3 * self._line

    def _place_labels(self, image: Image.Image, marks: Sequence[PlacedMark]) -> dict[PlacedMark, Label | None]:
        """Return where the label of each mark goes; None for the gutter."""
        labels = _Labels(image, [[self._outline(rect) for rect in mark.boxes] for mark in marks], self._line)
        sizes = [self._measure(self._choose_label(mark)) for mark in marks]
        places = [labels.place_beside(index, size) for index, size in enumerate(sizes)]
        # The others need lines, and these must not take the places beside boxes.
        return {
            mark: place or labels.place_apart(index, sizes[index])
            for index, (mark, place) in enumerate(zip(marks, places, strict=True))
        }

    def _place_plates(self, labels: dict[PlacedMark, Label | None], gutter: int) -> dict[PlacedMark, Rect]:
        """Return where each number goes in the picture, those in the gutter one below the other."""
        plates: dict[PlacedMark, Rect] = {}
        free_from = 0.0
        # From the top down, so that each number in the gutter can move down below the one above.
        for mark in sorted(labels, key=lambda mark: mark.boxes[0].top):
            label = labels[mark]
            if label is not None:
                plates[mark] = shift(label.place, gutter)
                continue
            # Its colour is that of its outline. A line to it would run through words.
            plates[mark] = self._gutter_place(mark, max(self._outline(mark.boxes[0]).top, free_from))
            free_from = plates[mark].bottom + self._line
        return plates

    def _gutter_place(self, mark: PlacedMark, top: float) -> Rect:
        width, height = self._measure(self._choose_label(mark))
        left = self.gutter - width - 3 * self._line
        return Rect(left, top, left + width, top + height)

    def _draw_number(self, draw: ImageDraw.ImageDraw, place: Rect, mark: PlacedMark) -> None:
        draw.rounded_rectangle(place, radius=2 * self._line, fill=mark.color)
        middle = (place.left + place.right) / 2, (place.top + place.bottom) / 2
        draw.text(middle, self._choose_label(mark), fill="white", font=self._font, anchor="mm")


def _format_runs(numbers: Sequence[int]) -> Iterator[str]:
    start = previous = numbers[0]
    for number in [*numbers[1:], -1]:
        if number != previous + 1:
            yield str(start) if start == previous else f"{start}{'-' if previous > start + 1 else ', '}{previous}"
            start = number
        previous = number


def shift(rect: Rect, offset: float) -> Rect:
    """Return a rectangle that is moved to the right."""
    return Rect(rect.left + offset, rect.top, rect.right + offset, rect.bottom)


def _shift_line(line: Line, offset: float) -> Line:
    left, top, right, bottom = line
    return left + offset, top, right + offset, bottom


def _to_pixels(rect: Rect) -> tuple[int, int, int, int]:
    return int(rect.left), int(rect.top), int(rect.right) + 1, int(rect.bottom) + 1
