"""PDFs for tests: with text, of any size, and pages that take minutes to draw."""

import zlib
from collections.abc import Sequence

# Fills the page again and again with a transparent color.
_FILL = b"0 0 10000 10000 re f "
_HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_STATE = b"<</ca .01/BM/Luminosity>>"


def build_pdf(*sizes: tuple[float, float], num_fills: int = 1) -> bytes:
    """Build a PDF with one page for each size in points, each filled a number of times."""
    pages = [(b"/G gs " + _FILL * num_fills, b"/MediaBox[0 0 %g %g]/UserUnit 1" % size) for size in sizes]
    return build_pages(pages)


def build_heavy_pdf(num_pages: int = 1) -> bytes:
    """Build a small PDF whose pages each take minutes to draw."""
    return build_pdf(*[(800, 800)] * num_pages, num_fills=1_000)


def write_lines(*lines: str, x: float = 100, y: float = 700, size: float = 12) -> bytes:
    """Write the content of a page: lines of Helvetica, the first at a place in points from the bottom left corner."""
    escaped = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252") for line in lines]
    shown = b" ".join(b"(%b) Tj 0 %g Td" % (line, -1.2 * size) for line in escaped)
    return b"BT /F %g Tf %g %g Td %b ET " % (size, x, y, shown)


def build_text_pdf(
    *contents: bytes,
    attributes: bytes = b"/MediaBox[0 0 600 800]",
    font: bytes = _HELVETICA,
    catalog: bytes = b"",
    streams: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """Build a PDF with a page for each content, all with the same attributes."""
    pages = [(content, attributes) for content in contents]
    return build_pages(pages, font=font, catalog=catalog, streams=streams)


def build_pages(
    pages: Sequence[tuple[bytes, bytes]],
    *,
    catalog: bytes = b"",
    tree: bytes = b"",
    font: bytes = _HELVETICA,
    streams: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """Build a PDF.

    Args:
        pages: The content and the attributes of each page. Contents that are the same object are written once.
        catalog: Entries that the catalog has too.
        tree: Entries of the tree of pages, instead of its kids and their count.
        font: The font `/F` of all pages.
        streams: The attributes and the content of further streams: objects 5, 6, and so on.
    """
    objects = [b"<</Type/Catalog/Pages 2 0 R%b>>" % catalog, b"", font, _STATE]
    objects += [_build_stream(content, attributes) for attributes, content in streams]
    numbers: dict[int, int] = {}
    for content, _ in pages:
        if id(content) not in numbers:
            objects.append(_build_stream(content))
            numbers[id(content)] = len(objects)
    first = len(objects) + 1
    kids = b" ".join(b"%d 0 R" % (first + index) for index in range(len(pages)))
    objects[1] = b"<</Type/Pages%b>>" % (tree or b"/Kids[%b]/Count %d" % (kids, len(pages)))
    objects += [
        b"<</Type/Page/Parent 2 0 R/Contents %d 0 R/Resources<</Font<</F 3 0 R>>/ExtGState<</G 4 0 R>>"
        b"/XObject<</X 5 0 R>>>>%b>>" % (numbers[id(content)], attributes)
        for content, attributes in pages
    ]
    return _join_objects(objects)


def _build_stream(content: bytes, attributes: bytes = b"") -> bytes:
    data = zlib.compress(content)
    return b"<</Filter/FlateDecode/Length %d%b>>stream\n%b\nendstream" % (len(data), attributes, data)


def _join_objects(objects: Sequence[bytes]) -> bytes:
    body = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj%b endobj\n" % (number, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, entries)
    body += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(body)
