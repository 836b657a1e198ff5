"""A PDF canvas that returns the region of everything that it draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, TypedDict, Unpack

from fpdf import FPDF

WIDTH, HEIGHT = 595.0, 842.0
LEFT = 56.0
BLACK = 0
GREY = 178

# Helvetica's ascent above and descent below the baseline, as fractions of the font size.
_ASCENT = 0.80
_DESCENT = 0.22
_LINE_HEIGHT = 1.4

# Left, top, width and height in points, from the top left corner of the page.
Box: TypeAlias = tuple[float, float, float, float]


class Citation(TypedDict):
    """A citation in the service's format."""

    page: int
    matching_text: str
    bounding_boxes: list[dict[str, float]]
    page_dimensions: dict[str, float]


class TextStyle(TypedDict, total=False):
    """The style of a text: its size in points (10), and whether it is bold, or faint like a bad print."""

    size: float
    bold: bool
    faint: bool


@dataclass(frozen=True)
class Region:
    """A drawn text.

    Attributes:
        page: The page, counted from 1.
        text: The whole line or paragraph that contains the text.
        boxes: One box per line of the text.
        is_faint: Whether it is printed faintly.
    """

    page: int
    text: str
    boxes: tuple[Box, ...]
    is_faint: bool = False

    def to_citation(self) -> Citation:
        """Return the citation of the region."""
        return {
            "page": self.page,
            "matching_text": self.text,
            "bounding_boxes": [dict(zip("xywh", box, strict=True)) for box in self.boxes],
            "page_dimensions": {"width": WIDTH, "height": HEIGHT},
        }


@dataclass(frozen=True)
class Field:
    """A value of the result and the regions that it was read from. An inferred value has none."""

    value: str | float | bool
    regions: tuple[Region, ...] = ()


# A result whose values have regions.
Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | Field | None"
Record: TypeAlias = dict[str, Tree]


class Canvas:
    """A PDF that is being drawn. Positions are in points from the top left corner; `y` is the baseline of a text."""

    def __init__(self, title: str) -> None:
        self._pdf = FPDF(unit="pt", format=(WIDTH, HEIGHT))
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_creation_date(datetime(2026, 7, 1, 9, 0, tzinfo=UTC))
        self._pdf.set_title(title)
        self._pdf.set_producer("llx-mcp samples")
        self._page = 0

    def new_page(self) -> None:
        """Start the next page."""
        self._pdf.add_page()
        self._page += 1

    def write(self, text: str, x: float, y: float, *, line: str = "", **style: Unpack[TextStyle]) -> Region:
        """Draw a text.

        Args:
            text: The text.
            x: Where it starts.
            y: Its baseline.
            line: The whole line that the text is a part of, for the citation.
            style: Size, weight and faintness.
        """
        size, is_faint = style.get("size", 10), style.get("faint", False)
        self._pdf.set_font("Helvetica", "B" if style.get("bold") else "", size)
        self._pdf.set_text_color(GREY if is_faint else BLACK)
        self._pdf.text(x, y, text)
        return Region(self._page, line or text, (self._build_box(text, x, y, size),), is_faint)

    def write_right(self, text: str, right: float, y: float, *, line: str = "", **style: Unpack[TextStyle]) -> Region:
        """Draw a text that ends at `right`."""
        self._pdf.set_font("Helvetica", "B" if style.get("bold") else "", style.get("size", 10))
        return self.write(text, right - self._pdf.get_string_width(text), y, line=line, **style)

    def write_labelled(
        self, label: str, text: str, x: float, y: float, *, gap: float = 110, **style: Unpack[TextStyle]
    ) -> Region:
        """Draw a label and a text that starts `gap` points after it. Return the region of the text alone."""
        self.write(label, x, y, size=style.get("size", 10))
        return self.write(text, x + gap, y, line=f"{label} {text}", **style)

    def write_paragraph(self, paragraph: str, y: float) -> float:
        """Draw a paragraph and return the baseline of the next line."""
        for line in self._split_lines(paragraph):
            self.write(line, LEFT, y)
            y += 10 * _LINE_HEIGHT
        return y

    def write_paragraph_with(self, text: str, paragraph: str, y: float) -> tuple[Region, float]:
        """Draw a paragraph that contains a text, on one line or two.

        Returns:
            The region of the text, and the baseline of the next line.
        """
        boxes = []
        remaining = text
        for line in self._split_lines(paragraph):
            self.write(line, LEFT, y)
            part = _find_start(line, remaining) if remaining else ""
            if part:
                offset = self._pdf.get_string_width(line[: line.index(part)])
                boxes.append(self._build_box(part, LEFT + offset, y, 10))
                remaining = remaining[len(part) :].lstrip()
            y += 10 * _LINE_HEIGHT
        assert not remaining, f"{text!r} is not in the paragraph"
        return Region(self._page, paragraph, tuple(boxes)), y

    def draw_rule(self, y: float) -> None:
        """Draw a thin line across the page."""
        self._pdf.set_draw_color(150)
        self._pdf.line(LEFT, y, WIDTH - LEFT, y)

    def output(self) -> bytes:
        """Return the PDF. The same drawing always gives the same bytes."""
        return bytes(self._pdf.output())

    def _build_box(self, text: str, x: float, y: float, size: float) -> Box:
        width = self._pdf.get_string_width(text)
        return round(x, 2), round(y - size * _ASCENT, 2), round(width, 2), round(size * (_ASCENT + _DESCENT), 2)

    def _split_lines(self, paragraph: str) -> list[str]:
        self._pdf.set_font("Helvetica", "", 10)
        lines, line = [], ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if self._pdf.get_string_width(longer) > WIDTH - 2 * LEFT:
                lines.append(line)
                line = word
            else:
                line = longer
        return [*lines, line]


def _find_start(line: str, text: str) -> str:
    """Return the text if the line contains it, or else the longest start of it that the line ends with."""
    if text in line:
        return text
    words = text.split()
    for count in range(len(words) - 1, 0, -1):
        start = " ".join(words[:count])
        if line.endswith(start):
            return start
    return ""
