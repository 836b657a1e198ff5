"""Draws the picture of a citation: a page of a document with its boxes outlined and everything else dimmed.

This runs in the bounded process of the package.
"""

import math
from collections.abc import Iterator, Sequence

from PIL import Image

from llx_mcp.pdf.frames import CAPTION, IMAGE, Frames, build_frame
from llx_mcp.pdf.mark_drawing import COLORS, MarkDrawing, join_marks, shift
from llx_mcp.pdf.mark_layout import Rect, choose_band, choose_scale, choose_view, clean_boxes, trim_band
from llx_mcp.pdf.page_images import ImagePage, PdfPage, find_blank_rows, find_ink, open_page, reduce_colors, save_image
from llx_mcp.pdf.pictures import Mark, Picture, PictureOptions, decode_request, encode_caption

# What is printed beside the boxes is looked for at this scale, and in at most this many pixels a side.
_PROBE_SCALE = 2.0
_PROBE_PIXELS = 1_200
_PALETTES = (256, 64, 24)
_WEBP_QUALITIES = (80, 60)
_SHRINK = 0.8


def draw_marked_page(content: bytes, request_bytes: int) -> Frames:
    """Yield what the picture shows, then the picture.

    Args:
        content: the request as `encode_request` writes it, then the document or the image.
        request_bytes: the size of the request.
    """
    marks, options = decode_request(content[:request_bytes])
    picture = draw_citation(content[request_bytes:], marks, options)
    yield build_frame(CAPTION, encode_caption(picture))
    yield build_frame(IMAGE, picture.content)


def draw_citation(content: bytes, marks: Sequence[Mark], options: PictureOptions) -> Picture:
    """Draw the marks on a page of a PDF, or on an image of the page.

    Raises:
        UnreadableError: the content cannot be opened, the PDF has no such page, or the image is too large.
    """
    size = options.page_size if options.page_size and _is_size(options.page_size) else None
    with open_page(content, options.page_index, size) as page:
        # An image does not say how many points its page has.
        drawn = {} if size is None and page.native_scale is not None else _clean(marks, page, size or page.size)
        # Which boxes are the same does not depend on the scale.
        drawing = MarkDrawing(options.max_width, join_marks(drawn) if len(marks) > 1 else [])
        max_width = max(options.max_width - drawing.gutter, 1)
        view = Rect(0, 0, *page.size) if options.whole_page or not drawn else _find_view(page, drawn, max_width)
        scale = choose_scale(view, max_width, page.native_scale)
        image = page.draw(view, scale)
    boxes = {number: [rect.scale(view, scale) for rect in rects] for number, rects in drawn.items()}
    picture, offset = drawing.draw(image, join_marks(boxes))
    return _finish(picture, {number: [shift(rect, offset) for rect in boxes[number]] for number in boxes}, options)


def _is_size(size: tuple[float, float]) -> bool:
    return all(math.isfinite(side) and side > 0 for side in size)


def _clean(marks: Sequence[Mark], page: PdfPage | ImagePage, size: tuple[float, float]) -> dict[int, list[Rect]]:
    """Return the boxes that can be drawn, by the number of their mark."""
    factor = page.size[0] / size[0], page.size[1] / size[1]
    boxes = {mark.number: clean_boxes(mark.boxes, factor, Rect(0, 0, *page.size)) for mark in marks}
    return {number: rects for number, rects in boxes.items() if rects}


def _find_view(page: PdfPage | ImagePage, drawn: dict[int, list[Rect]], max_width: int) -> Rect:
    rects = [rect for boxes in drawn.values() for rect in boxes]
    band = choose_band(rects, Rect(0, 0, *page.size))
    scale = min(_PROBE_PIXELS / max(band.width, band.height), _PROBE_SCALE)
    ink = find_ink(page.draw(band, scale))
    extent = ink.getbbox()
    trimmed = trim_band(band, find_blank_rows(ink))
    if extent is None:
        return choose_view(rects, trimmed, None, max_width)
    left, top, right, bottom = (side / scale for side in extent)
    text = Rect(band.left + left, band.top + top, band.left + right, band.top + bottom)
    return choose_view(rects, trimmed, text, max_width)


def _finish(picture: Image.Image, boxes: dict[int, list[Rect]], options: PictureOptions) -> Picture:
    content, mime_type, (width, height) = _encode(picture, options)
    shrunk = width / picture.width
    return Picture(
        content,
        mime_type,
        width,
        height,
        {
            number: [tuple(round(side * shrunk, 1) for side in rect) for rect in rects]
            for number, rects in boxes.items()
        },
    )


def _encode(picture: Image.Image, options: PictureOptions) -> tuple[bytes, str, tuple[int, int]]:
    """Return the picture within its maximum size, its type, and its width and height."""
    image = picture
    while True:
        for content, mime_type in _encode_all(image, png_only=options.png_only):
            if len(content) <= options.max_bytes or max(image.size) == 1:
                return content, mime_type, image.size
        width, height = (max(int(side * _SHRINK), 1) for side in image.size)
        image = picture.resize((width, height), Image.Resampling.LANCZOS)


def _encode_all(image: Image.Image, *, png_only: bool) -> Iterator[tuple[bytes, str]]:
    """Yield the encodings of an image, best first."""
    yield save_image(image, "PNG", optimize=True), "image/png"
    for quality in () if png_only else _WEBP_QUALITIES:
        yield save_image(image, "WEBP", quality=quality), "image/webp"
    for num_colors in _PALETTES if png_only else ():
        yield save_image(reduce_colors(image, num_colors, (*COLORS, "white")), "PNG", optimize=True), "image/png"
