"""PDFs for tests: of any size, and pages that take minutes to draw."""

import zlib

# Fills the page again and again with a transparent color.
_FILL = b"0 0 10000 10000 re f "
_RESOURCES = b"<</ExtGState<</G<</ca .01/BM/Luminosity>>>>>>"


def build_pdf(*sizes: tuple[float, float], num_fills: int = 1) -> bytes:
    """Build a PDF with one page for each size in points, each filled a number of times."""
    stream = zlib.compress(b"/G gs " + _FILL * num_fills)
    kids = b" ".join(b"%d 0 R" % (4 + index) for index in range(len(sizes)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, len(sizes)),
        b"<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        *(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %b %b]/UserUnit 1/Contents 3 0 R/Resources %b>>"
            % (b"%g" % width, b"%g" % height, _RESOURCES)
            for width, height in sizes
        ),
    ]
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


def build_heavy_pdf(num_pages: int = 1) -> bytes:
    """Build a small PDF whose pages each take minutes to draw."""
    return build_pdf(*[(800, 800)] * num_pages, num_fills=1_000)
