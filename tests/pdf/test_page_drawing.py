"""Pages are drawn with a bounded number of pixels."""

import io

import pytest
from PIL import Image

from llx_mcp.pdf.child import run
from llx_mcp.pdf.frames import ERROR, IMAGE, PAGES
from llx_mcp.pdf.page_drawing import MAX_PIXELS
from tests.pdf_files import build_pdf


def draw_size(width: float, height: float) -> tuple[int, int]:
    """Draw a page of a size in points, and return the size of the image in pixels."""
    ((kind, num_pages, _), (_, _, image)) = run("draw", build_pdf((width, height)), [0, 0])
    assert (kind, num_pages) == (PAGES, 1)
    return Image.open(io.BytesIO(image)).size


def test_page_has_two_pixels_per_point() -> None:
    assert draw_size(600, 800) == (1200, 1600)


@pytest.mark.parametrize("size", [(14_400, 14_400), (30_000, 30_000), (100_000, 1), (1, 100_000), (3_000, 1_000_000)])
def test_large_page_is_drawn_smaller(size: tuple[float, float]) -> None:
    width, height = draw_size(*size)
    assert width * height <= MAX_PIXELS * 1.01
    assert (width > height) == (size[0] > size[1])


def test_only_requested_pages_that_exist_are_drawn() -> None:
    pdf = build_pdf((100, 100), (200, 100), (300, 100))
    (pages, *images) = run("draw", pdf, [1, 7])
    assert pages == (PAGES, 3, b"")
    assert [kind for kind, _, _ in images] == [IMAGE, IMAGE]
    assert [Image.open(io.BytesIO(image)).width for _, _, image in images] == [400, 600]
    assert [size for _, size, _ in images] == [len(image) for _, _, image in images]


@pytest.mark.parametrize("content", [b"", b"plain", b"%PDF-1.7\n", build_pdf((100, 100))[:-200]])
def test_broken_file_is_an_error(content: bytes) -> None:
    *_, (kind, size, message) = run("draw", content, [0, 0])
    if kind != IMAGE:
        assert (kind, size) == (ERROR, len(message))
        assert message.startswith(b"The document cannot be read: it is ")
