"""Where things stand on a page as it is shown: turned, cropped, in points from the top left corner."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PageGeometry:
    """The visible part of a page.

    Attributes:
        left: its left edge in the document's coordinates, whose y grows upwards; `bottom`, `right` and `top` likewise.
        degrees: by how much the page is turned clockwise when it is shown: 0, 90, 180 or 270.
    """

    left: float
    bottom: float
    right: float
    top: float
    degrees: int = 0

    @classmethod
    def of(cls, page: "pypdfium2.PdfPage") -> "PageGeometry":
        """Return the geometry of a page."""
        left, bottom, right, top = page.get_bbox()
        return cls(left, bottom, right, top, page.get_rotation())

    @property
    def width(self) -> float:
        """Width of the shown page in points."""
        return self.top - self.bottom if self.degrees in (90, 270) else self.right - self.left

    @property
    def height(self) -> float:
        """Height of the shown page in points."""
        return self.right - self.left if self.degrees in (90, 270) else self.top - self.bottom

    def place(self, left: float, bottom: float, right: float, top: float) -> Box | None:
        """Return the visible part of a box of the document as x, y, width and height; None if it cannot be seen."""
        match self.degrees:
            case 90:
                edges = bottom - self.bottom, left - self.left, top - self.bottom, right - self.left
            case 180:
                edges = self.right - right, bottom - self.bottom, self.right - left, top - self.bottom
            case 270:
                edges = self.top - top, self.right - right, self.top - bottom, self.right - left
            case _:
                edges = left - self.left, self.top - top, right - self.left, self.top - bottom
        if not all(map(math.isfinite, edges)):
            return None
        x0, y0 = max(edges[0], 0.0), max(edges[1], 0.0)
        x1, y1 = min(edges[2], self.width), min(edges[3], self.height)
        if x1 < x0 or y1 < y0:
            return None
        return round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)
