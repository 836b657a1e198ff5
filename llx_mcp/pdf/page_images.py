"""A page as an image: drawn from a PDF with pdfium, or taken from an image of the page.

This runs in the bounded process of the package.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from llx_mcp.pdf.mark_layout import Rect
from llx_mcp.pdf.opening import UnreadableError, is_pdf, open_document

if TYPE_CHECKING:
    import pypdfium2

# Beyond this, an image is a decompression bomb. Decoded it takes 200 MB.
_MAX_PIXELS = 1 << 26
_FORMATS = ("PNG", "JPEG", "WEBP")
# A pixel is printed where it differs this much from the background, of 255.
_INK = 48


class PdfPage:
    """A page of a PDF as it is displayed: turned and cropped as the document says.

    Attributes:
        size: width and height in points.
        native_scale: None, because it can be drawn at any scale.
    """

    native_scale = None

    def __init__(self, page: "pypdfium2.PdfPage") -> None:
        self._page = page
        width, height = page.get_size()
        self.size = max(float(width), 1.0), max(float(height), 1.0)

    def draw(self, view: Rect, scale: float) -> Image.Image:
        """Return a part of the page."""
        width, height = self.size
        crop = (view.left, height - view.bottom, width - view.right, view.top)
        image: Image.Image = self._page.render(scale=scale, crop=crop).to_pil()
        return image.convert("RGB")


class ImagePage:
    """An image of a page.

    Attributes:
        size: width and height of the page in points; pixels where the points are not known.
        native_scale: pixels per point.
    """

    def __init__(self, content: bytes, page_size: tuple[float, float] | None) -> None:
        self._image = _open_image(content)
        self.size: tuple[float, float] = page_size or self._image.size
        self._scales = self._image.width / self.size[0], self._image.height / self.size[1]
        self.native_scale = self._scales[0]

    def draw(self, view: Rect, scale: float) -> Image.Image:
        """Return a part of the page."""
        across, down = self._scales
        box = (view.left * across, view.top * down, view.right * across, view.bottom * down)
        size = max(round(view.width * scale), 1), max(round(view.height * scale), 1)
        return self._image.resize(size, Image.Resampling.LANCZOS, box=box)


@contextmanager
def open_page(content: bytes, index: int, page_size: tuple[float, float] | None) -> Iterator[PdfPage | ImagePage]:
    """Open a page of a PDF, or an image of a page.

    Args:
        content: the PDF, PNG, JPEG or WebP.
        index: the page of the PDF, counted from 0.
        page_size: width and height in points of the page that an image shows.

    Raises:
        UnreadableError: the content cannot be opened, the PDF has no such page, or the image is too large.
    """
    if not is_pdf(content):
        yield ImagePage(content, page_size)
        return
    with open_document(content) as document:
        if not 0 <= index < len(document):
            raise UnreadableError(f"the document has {len(document)} pages, and no page {index + 1}")
        yield PdfPage(document[index])


def _open_image(content: bytes) -> Image.Image:
    # Pillow only warns up to twice its own limit. This limit is checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise UnreadableError("it is neither a PDF nor a PNG, JPEG or WebP image") from None
    if image.width * image.height > _MAX_PIXELS:
        raise UnreadableError(f"the image of the page is too large: {image.width} x {image.height} pixels")
    try:
        return _flatten(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError):
        raise UnreadableError("the image of the page is damaged") from None


def _flatten(image: Image.Image) -> Image.Image:
    """Return an image without transparent parts, which would become black, on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def find_ink(image: Image.Image) -> Image.Image:
    """Return where something is printed, as a gray image that is white there and black elsewhere."""
    gray = image.convert("L")
    histogram = gray.histogram()
    background = histogram.index(max(histogram))
    return gray.point([255 if abs(level - background) > _INK else 0 for level in range(256)])


def find_blank_rows(ink: Image.Image) -> list[bool]:
    """Return for each row of pixels whether nothing is printed there."""
    rows = ink.resize((1, ink.height), Image.Resampling.BOX).tobytes()
    return [level == 0 for level in rows]


def reduce_colors(image: Image.Image, num_colors: int, kept: Sequence[str]) -> Image.Image:
    """Return an image with a palette of so many colours, of which some are given: small marks would lose theirs."""
    own = image.quantize(num_colors - len(kept), dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*own[: 3 * (num_colors - len(kept))], *chain.from_iterable(map(ImageColor.getrgb, kept))])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def save_image(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return an image in a format that Pillow names."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()
