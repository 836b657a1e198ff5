"""A page to draw on, which remembers where each value was drawn."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fpdf import FPDF

WIDTH, HEIGHT = 595.0, 842.0
LEFT = 56.0
INK = 0
FAINT = 178

# Helvetica's ascent and descent over the baseline, as parts of the size.
_ASCENT = 0.80
_DESCENT = 0.22


@dataclass(frozen=True)
class Mark:
    """Where some words stand: 1-based page, the line they are part of, and boxes in points from the top left."""

    page: int
    text: str
    boxes: tuple[tuple[float, float, float, float], ...]
    is_faint: bool = False

    def citation(self) -> dict[str, Any]:
        """The mark as the service cites it."""
        return {
            "page": self.page,
            "matching_text": self.text,
            "bounding_boxes": [dict(zip("xywh", box, strict=True)) for box in self.boxes],
            "page_dimensions": {"width": WIDTH, "height": HEIGHT},
        }


@dataclass(frozen=True)
class Read:
    """A value of the result with the marks that it was read from; none, if it was inferred."""

    value: Any
    marks: tuple[Mark, ...] = ()


class Canvas:
    """One PDF in the making."""

    def __init__(self, title: str) -> None:
        self._pdf = FPDF(unit="pt", format=(WIDTH, HEIGHT))
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_creation_date(datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
        self._pdf.set_title(title)
        self._pdf.set_producer("llx-mcp samples")
        self._page = 0

    def new_page(self) -> None:
        """Begin the next page."""
        self._pdf.add_page()
        self._page += 1

    def write(
        self,
        words: str,
        x: float,
        y: float,
        *,
        size: float = 10,
        bold: bool = False,
        faint: bool = False,
        line: str = "",
    ) -> Mark:
        """Draw words with their baseline at `y` from the top; `line` is the whole line that they are part of."""
        self._pdf.set_font("Helvetica", "B" if bold else "", size)
        self._pdf.set_text_color(FAINT if faint else INK)
        self._pdf.text(x, y, words)
        width = self._pdf.get_string_width(words)
        box = (round(x, 2), round(y - size * _ASCENT, 2), round(width, 2), round(size * (_ASCENT + _DESCENT), 2))
        return Mark(self._page, line or words, (box,), faint)

    def write_right(
        self, words: str, right: float, y: float, *, size: float = 10, line: str = "", **style: Any
    ) -> Mark:
        """Draw words that end at `right`."""
        self._pdf.set_font("Helvetica", "B" if style.get("bold") else "", size)
        return self.write(words, right - self._pdf.get_string_width(words), y, size=size, line=line, **style)

    def write_labelled(self, label: str, words: str, x: float, y: float, *, gap: float = 110, **style: Any) -> Mark:
        """Draw a label and, behind it, the words that are marked."""
        self.write(label, x, y, size=style.get("size", 10))
        return self.write(words, x + gap, y, line=f"{label} {words}", **style)

    def write_paragraph(self, text: str, y: float, *, size: float = 10, width: float = WIDTH - 2 * LEFT) -> float:
        """Draw prose, broken into lines; returns the baseline of the line after it."""
        for line in self._lines(text, size, width):
            self.write(line, LEFT, y, size=size)
            y += size * 1.4
        return y

    def mark_in_paragraph(self, text: str, words: str, y: float, *, size: float = 10) -> tuple[Mark, float]:
        """Draw prose in which the words, on one line or two, are marked; returns the mark and the next baseline."""
        boxes = []
        remaining = words
        for line in self._lines(text, size, WIDTH - 2 * LEFT):
            self.write(line, LEFT, y, size=size)
            found = _overlap(line, remaining) if remaining else ""
            if found:
                before = self._pdf.get_string_width(line[: line.index(found)])
                width = self._pdf.get_string_width(found)
                boxes.append((round(LEFT + before, 2), round(y - size * _ASCENT, 2), round(width, 2),
                              round(size * (_ASCENT + _DESCENT), 2)))  # fmt: skip
                remaining = remaining[len(found) :].lstrip()
            y += size * 1.4
        assert not remaining, f"{words!r} is not in the paragraph"
        return Mark(self._page, text, tuple(boxes)), y

    def rule(self, y: float) -> None:
        """Draw a thin line over the width of the page."""
        self._pdf.set_draw_color(150)
        self._pdf.line(LEFT, y, WIDTH - LEFT, y)

    def output(self) -> bytes:
        """The PDF, the same bytes for the same drawing."""
        return bytes(self._pdf.output())

    def _lines(self, text: str, size: float, width: float) -> list[str]:
        self._pdf.set_font("Helvetica", "", size)
        lines, line = [], ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if self._pdf.get_string_width(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        return [*lines, line]


def _overlap(line: str, words: str) -> str:
    """The words, or as many of their beginning as the line ends with."""
    if words in line:
        return words
    parts = words.split()
    for count in range(len(parts) - 1, 0, -1):
        head = " ".join(parts[:count])
        if line.endswith(head):
            return head
    return ""
