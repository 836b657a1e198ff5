"""Pictures of citations are drawn in a process of their own, whatever the document or the image is."""

import io
import math
from collections.abc import Callable

import anyio
import pytest
from PIL import Image

from llx_mcp.local.samples import SAMPLES, read_document
from llx_mcp.pdf.pictures import (
    MAX_BYTES,
    Mark,
    Picture,
    PictureOptions,
    decode_picture,
    decode_request,
    encode_caption,
    encode_request,
)
from llx_mcp.pdf.processes import PdfError, PdfProcesses
from tests.pdf_files import build_heavy_pdf, build_pdf, build_text_pdf, write_lines
from tests.platforms import HAS_PROC
from tests.processes import list_children

MARKS = [Mark(1, [(100.0, 88.0, 60.0, 14.0)])]
TEXT_PDF = build_text_pdf(write_lines("cited words and others", "another line"))


async def draw(content: bytes, options: PictureOptions | None = None, *, total_seconds: float = 60) -> Picture:
    return await PdfProcesses().draw_citation(content, MARKS, options or PictureOptions(), total_seconds=total_seconds)


def encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_request_and_picture_are_the_same_after_json() -> None:
    options = PictureOptions(3, (600.5, 800.0), 700, whole_page=True, png_only=True)
    marks = [Mark(2, [[1.0, 2.0, 3.0, 4.0]]), Mark(3, [])]
    assert decode_request(encode_request(marks, options)) == (
        marks,
        PictureOptions(3, [600.5, 800.0], 700, whole_page=True, png_only=True),  # type: ignore[arg-type]
    )
    picture = Picture(b"image", "image/png", 10, 20, {2: [(1.0, 2.0, 3.0, 4.0)]})
    assert decode_picture(encode_caption(picture), b"image") == picture


async def test_picture_of_a_pdf_is_drawn() -> None:
    picture = await draw(TEXT_PDF)
    image = Image.open(io.BytesIO(picture.content))
    assert image.format == "PNG"
    assert image.size == (picture.width, picture.height)
    assert list(picture.boxes) == [1]


async def test_marks_with_numbers_that_are_not_finite_cross_the_pipe() -> None:
    marks = [Mark(1, [(math.nan, math.inf, -math.inf, 1.0)])]
    picture = await PdfProcesses().draw_citation(TEXT_PDF, marks, PictureOptions(), total_seconds=60)
    assert picture.boxes == {}


@pytest.mark.parametrize("size", [(30_000.0, 30_000.0), (30_000.0, 1.0), (1.0, 30_000.0), (1.0, 1.0)])
@pytest.mark.parametrize("whole_page", [True, False])
async def test_page_of_any_size_has_a_bounded_picture(size: tuple[float, float], whole_page: bool) -> None:
    picture = await draw(build_pdf(size), PictureOptions(whole_page=whole_page))
    assert picture.width <= 1_000
    assert picture.height <= 1_500
    assert len(picture.content) <= MAX_BYTES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"", "neither a PDF nor a PNG, JPEG or WebP image"),
        (lambda: b"GIF89a", "neither a PDF nor a PNG, JPEG or WebP image"),
        (lambda: b"%PDF-1.7\nnothing", "it is damaged"),
        (lambda: encode(Image.new("1", (20_000, 20_000))), "20000 x 20000 pixels"),
        (lambda: encode(Image.new("RGB", (400, 400), "red"))[:600], "the image of the page is damaged"),
    ],
    ids=["empty", "gif", "damaged_pdf", "bomb", "damaged_png"],
)
async def test_content_that_cannot_be_shown_has_a_reason(content: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(PdfError, match=reason):
        await draw(content())


async def test_page_that_does_not_exist_is_named() -> None:
    with pytest.raises(PdfError, match="the document has 1 pages, and no page 5"):
        await draw(TEXT_PDF, PictureOptions(4))


@HAS_PROC
async def test_page_that_takes_too_long_is_given_up_with_its_process() -> None:
    with pytest.raises(PdfError, match="Page 1 cannot be drawn"):
        await draw(build_heavy_pdf(), total_seconds=1)
    assert not list_children()


@HAS_PROC
async def test_process_ends_with_its_caller() -> None:
    with anyio.move_on_after(1):
        await draw(build_heavy_pdf())
    assert not list_children()


async def test_two_documents_are_drawn_at_once() -> None:
    pdfs = PdfProcesses()
    pictures: list[Picture] = []

    async def draw_sample(content: bytes) -> None:
        pictures.append(await pdfs.draw_citation(content, MARKS, PictureOptions(), total_seconds=60))

    async with anyio.create_task_group() as tasks:
        for sample in SAMPLES[:4]:
            tasks.start_soon(draw_sample, read_document(sample))
    assert len(pictures) == 4
