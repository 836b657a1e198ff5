"""What is to be marked on a page, and the picture that shows it; as values, and as JSON between the processes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class Mark:
    """One passage to mark.

    Attributes:
        number: shown beside its first box where there are several marks.
        boxes: each x, y, width and height, in points from the top left corner of the page; not validated.
    """

    number: int
    boxes: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """How to draw a picture.

    Attributes:
        page_index: the page, counted from 0.
        page_size: width and height of the page that the boxes refer to; None for that of the document.
        max_width: the maximum width in pixels.
        whole_page: show the whole page, not only the neighbourhood of the boxes.
        png_only: return PNG even where WebP would look better in the same size.
        max_bytes: the maximum size of the encoded picture.
    """

    page_index: int = 0
    page_size: tuple[float, float] | None = None
    max_width: int = 1_000
    whole_page: bool = False
    png_only: bool = False
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        content: the encoded image.
        mime_type: `image/png` or `image/webp`.
        width: in pixels.
        height: in pixels.
        boxes: by number, for each mark with a place on the page, its rectangles in pixels: left, top, right, bottom.
    """

    content: bytes
    mime_type: str
    width: int
    height: int
    boxes: dict[int, list[tuple[float, ...]]] = field(default_factory=dict)


def encode_request(marks: Sequence[Mark], options: PictureOptions) -> bytes:
    """Return what is to be drawn as JSON."""
    return json.dumps({"marks": [asdict(mark) for mark in marks], "options": asdict(options)}).encode()


def decode_request(data: bytes) -> tuple[list[Mark], PictureOptions]:
    """Return what `encode_request` encoded."""
    request: dict[str, Any] = json.loads(data)
    return [Mark(**mark) for mark in request["marks"]], PictureOptions(**request["options"])


def encode_caption(picture: Picture) -> bytes:
    """Return what is known of a picture, but not the picture itself, as JSON."""
    caption = asdict(picture)
    del caption["content"]
    return json.dumps(caption | {"boxes": list(picture.boxes.items())}).encode()


def decode_picture(caption: bytes, content: bytes) -> Picture:
    """Return a picture, given what `encode_caption` encoded."""
    known: dict[str, Any] = json.loads(caption)
    boxes = {number: [tuple(box) for box in found] for number, found in known.pop("boxes")}
    return Picture(content, boxes=boxes, **known)
