"""The picture of a citation shows the cited words, bright and outlined, in a readable size and within bounds."""

import functools
import io
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageColor, ImageDraw

from llx_mcp.local.samples import SAMPLES, read_document, read_sample
from llx_mcp.pdf.citation_drawing import draw_citation
from llx_mcp.pdf.mark_drawing import COLORS
from llx_mcp.pdf.mark_layout import Rect
from llx_mcp.pdf.opening import UnreadableError
from llx_mcp.pdf.pictures import MAX_BYTES, Mark, Picture, PictureOptions
from llx_mcp.result.normalize import normalize_text
from llx_mcp.result.quote_match import quotes_contain_value

CORPUS_DOCUMENTS = ("mmm-credit-agreement-2019-11-15", "adp-10q-fy2025q2", "resume-academic01", "ma-2023-sw-m-table1")
PER_DOCUMENT = 3
# The part of a page that is dimmed is darker than this, and the cited words are on a brighter ground.
DIMMED, BRIGHT = 215, 250
# In widths and heights of a box: where it stands, and beside that.
SHIFTS = ((0.0, 0.0), (0.25, 0.0), (-0.25, 0.0), (0.0, 0.5), (0.0, -0.5), (0.0, 1.0), (0.0, -1.0))
Box = tuple[float, float, float, float]


Citation = dict[str, Any]


def iter_cited(value: Any, metadata: Any) -> Iterator[tuple[Any, Citation]]:
    """Yield each scalar of a result that is cited, with its first citation."""
    if isinstance(value, dict) and isinstance(metadata, dict):
        for name, child in value.items():
            yield from iter_cited(child, metadata.get(name))
    elif isinstance(value, list) and isinstance(metadata, list):
        for child, entry in zip(value, metadata, strict=False):
            yield from iter_cited(child, entry)
    elif isinstance(metadata, dict) and metadata.get("citation"):
        yield value, metadata["citation"][0]


def choose_cited(job: bytes) -> list[tuple[Any, Citation]]:
    """Return a few values from all over a job."""
    decoded = json.loads(job)
    metadata = decoded["extract_metadata"]["field_metadata"]["document_metadata"]
    cited = list(iter_cited(decoded["extract_result"], metadata))
    return cited[:: max(len(cited) // PER_DOCUMENT, 1)][:PER_DOCUMENT]


def boxes_of(citation: Citation) -> list[Box]:
    return [(box["x"], box["y"], box["w"], box["h"]) for box in citation["bounding_boxes"]]


def page_size(citation: Citation) -> tuple[float, float]:
    return citation["page_dimensions"]["width"], citation["page_dimensions"]["height"]


def draw(content: bytes, citation: Citation, **options: Any) -> Picture:
    return draw_citation(
        content,
        [Mark(1, boxes_of(citation))],
        PictureOptions(citation["page"] - 1, page_size(citation), **options),
    )


def read_text(content: bytes, citation: Citation) -> str:
    """Return the words of the text layer within the boxes."""
    with pypdfium2.PdfDocument(content) as document:
        page = document[citation["page"] - 1]
        height = page.get_height()
        texts = [
            page.get_textpage().get_text_bounded(x - 1, height - y - h - 1, x + w + 1, height - y + 1)
            for x, y, w, h in boxes_of(citation)
        ]
    return normalize_text(" ".join(texts))


def check_stands_on_words(content: bytes, value: Any, citation: Citation) -> None:
    """Fail unless the words within the boxes are part of the quote, and contain the value."""
    words = read_text(content, citation)
    assert words.replace(" ", "") in normalize_text(citation["matching_text"]).replace(" ", "")
    assert quotes_contain_value(value, [words])


def open_picture(picture: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.content)).convert("RGB")
    assert image.size == (picture.width, picture.height)
    return image


def check_shows_words(content: bytes, citation: Citation) -> None:
    """Fail unless the picture shows the page within the first box as it is, bright, and the rest dimmed."""
    picture = draw(content, citation)
    image = open_picture(picture)
    assert len(picture.content) <= MAX_BYTES
    assert picture.width <= 1_000
    (x, y, w, h), (left, top, right, bottom) = boxes_of(citation)[0], picture.boxes[1][0]
    shown = image.crop((round(left), round(top), round(right), round(bottom)))
    assert brightest(shown) >= BRIGHT
    assert brightest(image.crop((0, 0, image.width, 3))) <= DIMMED
    if len(boxes_of(citation)) != len(picture.boxes[1]):
        # Several boxes of one line are drawn as one.
        return
    scale = (bottom - top) / h
    places = {(across, down): (x + across * w, y + down * h, w, h) for across, down in SHIFTS}
    differences = {
        shift: difference(shown, draw_box(content, citation, place, scale)) for shift, place in places.items()
    }
    assert min(differences, key=differences.__getitem__) == (0, 0)


def draw_box(content: bytes, citation: Citation, place: Box, scale: float) -> Image.Image:
    """Return a part of the page of a citation, as pdfium draws it."""
    with pypdfium2.PdfDocument(content) as document:
        page = document[citation["page"] - 1]
        width, height = page.get_size()
        image = Image.new("RGB", (round(width * scale), round(height * scale)), "white")
        image.paste(page.render(scale=scale).to_pil())
    x, y, w, h = (side * scale for side in place)
    return image.crop((round(x), round(y), round(x + w), round(y + h)))


def brightest(image: Image.Image) -> int:
    return max(image.convert("L").tobytes())


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of two images, 0 to 255, in cells so large that a shift by a pixel is no matter."""
    size = max(second.width // 4, 1), max(second.height // 4, 1)
    cells = [image.convert("L").resize(size, Image.Resampling.BOX).tobytes() for image in (first, second)]
    differences: list[int] = [abs(a - b) for a, b in zip(*cells, strict=True)]
    return sum(differences) / len(differences)


@pytest.mark.parametrize("name", CORPUS_DOCUMENTS)
def test_boxes_stand_on_the_words_of_real_documents(corpus: Path, name: str) -> None:
    job = (corpus / f"{name}.job.json").read_bytes()
    content = (corpus / f"{name}.pdf").read_bytes()
    for value, citation in choose_cited(job):
        check_stands_on_words(content, value, citation)
        check_shows_words(content, citation)


@pytest.mark.parametrize("name", ["invoice", "statement", "lab_report", "loan_agreement"])
def test_boxes_stand_on_the_words_of_samples(name: str) -> None:
    sample = next(sample for sample in SAMPLES if sample.name == name)
    content = read_document(sample)
    for value, citation in choose_cited(read_sample(sample)):
        check_stands_on_words(content, value, citation)
        check_shows_words(content, citation)


def build_page(width: int = 1_200, height: int = 1_600) -> Image.Image:
    """Return a picture of a page of 600 x 800 points with lines of text."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for row in range(10, 76):
        pen.text((140, row * 20), "the words of a line " * 8, fill="black")
    return image


def encode(image: Image.Image, name: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name)
    return buffer.getvalue()


PAGE = (600.0, 800.0)
BOX = (100.0, 400.0, 50.0, 10.0)
# Large enough for a PNG with all colours.
EXACT = PictureOptions(page_size=PAGE, whole_page=True, max_bytes=10_000_000)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP"])
def test_screenshot_is_marked_in_points(name: str) -> None:
    picture = draw_citation(encode(build_page(), name), [Mark(1, [BOX])], PictureOptions(page_size=PAGE))
    ((left, top, right, bottom),) = picture.boxes[1]
    # Two pixels per point, and what is left of the text is not shown.
    assert (right - left, bottom - top) == (100, 20)
    image = open_picture(picture)
    assert brightest(image.crop((round(left), round(top), round(right), round(bottom)))) >= BRIGHT
    assert brightest(image.crop((0, 0, 3, 3))) <= DIMMED


def test_whole_page_is_shown_where_it_is_asked_for() -> None:
    picture = draw_citation(encode(build_page()), [Mark(1, [BOX])], PictureOptions(page_size=PAGE, whole_page=True))
    assert (picture.width, picture.height) == (1_000, 1_333)


def test_page_without_a_box_is_shown_whole_and_not_dimmed() -> None:
    marks = [Mark(1, [(math.nan, 0, 1, 1)]), Mark(2, []), Mark(3, [(900, 900, 5, 5)])]
    picture = draw_citation(encode(build_page()), marks, PictureOptions(page_size=PAGE))
    assert picture.boxes == {}
    # Nothing is dimmed where nothing is marked.
    assert open_picture(picture).getpixel((2, 2)) == (255, 255, 255)


def test_numbers_are_never_over_words() -> None:
    marks = [Mark(number, [(80 + 60 * number, 300.0, 50, 10)]) for number in range(1, 7)]
    picture = draw_citation(encode(build_page()), marks, EXACT)
    assert picture.width <= 1_000
    scale = (picture.boxes[1][0][2] - picture.boxes[1][0][0]) / 50
    gutter = round(picture.boxes[1][0][0] - 140 * scale)
    # There is no room on the line, so some numbers are beside the page.
    assert gutter > 20
    plain = draw_citation(encode(build_page()), [], replace(EXACT, max_width=picture.width - gutter))
    dark = open_picture(plain).convert("L").point([255 if level < 60 else 0 for level in range(256)])
    for rects in picture.boxes.values():
        for left, top, right, bottom in rects:
            dark.paste(0, (round(left) - gutter - 6, round(top) - 6, round(right) - gutter + 6, round(bottom) + 6))
    words = open_picture(picture).crop((gutter, 0, picture.width, picture.height)).convert("L")
    # What was dark is dark: nothing covers it.
    assert dark.getbbox() is not None
    assert max(Image.composite(words, Image.new("L", words.size), dark).tobytes()) < 75
    shown = open_picture(picture).getcolors(1 << 20) or []
    assert all({color: count for count, color in shown}[color_of(picture, mark.number)] > 200 for mark in marks)


def test_number_stands_beside_its_box_where_nothing_is_printed() -> None:
    marks = [Mark(1, [BOX]), Mark(2, [(100.0, 20.0, 50.0, 10.0)])]
    picture = draw_citation(encode(build_page()), marks, EXACT)
    left, top, _, bottom = picture.boxes[2][0]
    beside = open_picture(picture).crop((round(left) - 28, round(top), round(left) - 5, round(bottom)))
    counts = {color: count for count, color in beside.getcolors(1 << 20) or []}
    assert counts.get(color_of(picture, 2), 0) > 50


def test_number_without_room_beside_its_box_has_a_line_to_it() -> None:
    image = Image.new("RGB", (1_200, 1_600), "white")
    pen = ImageDraw.Draw(image)
    # Three short boxes, one below the other, with words close on both sides.
    for top in (600, 632, 664):
        pen.rectangle((180, top, 232, top + 18), fill="black")
        pen.rectangle((290, top, 350, top + 18), fill="black")
    marks = [Mark(number, [(120.0, 284.0 + 16 * number, 20.0, 9.0)]) for number in (1, 2, 3)]
    picture = draw_citation(encode(image), marks, EXACT)
    boxes = {number: Rect(*rects[0]) for number, rects in picture.boxes.items()}
    drawn = find_color(open_picture(picture), color_of(picture, 2))
    left, _, right, _ = drawn.getbbox() or (0, 0, 0, 0)
    # The colour of the second mark reaches from its box to beyond the words beside it, and is at no other box.
    assert right - left > 2 * boxes[2].width
    for other in (boxes[1], boxes[3]):
        assert (
            drawn.crop((round(other.left), round(other.top), round(other.right), round(other.bottom))).getbbox() is None
        )


def find_color(image: Image.Image, color: float | tuple[int, ...]) -> Image.Image:
    """Return a gray image that is white where an image has a colour, and black elsewhere."""
    assert isinstance(color, tuple)
    parts = zip(image.split(), color, strict=True)
    masks = [channel.point([255 if value == level else 0 for value in range(256)]) for channel, level in parts]
    return functools.reduce(ImageChops.darker, masks)


def color_of(picture: Picture, number: int) -> float | tuple[int, ...]:
    """Return the colour of the outline of a mark."""
    left, top, _, _ = picture.boxes[number][0]
    color = open_picture(picture).getpixel((round(left), round(top) - 3))
    assert color is not None
    return color


def test_values_that_cite_the_same_words_share_one_number_plate() -> None:
    marks = [Mark(number, [BOX]) for number in (1, 2, 3)]
    together = draw_citation(encode(build_page()), marks, PictureOptions(page_size=PAGE))
    assert together.boxes[1] == together.boxes[2] == together.boxes[3]


@pytest.mark.parametrize("width", [200, 400, 1_000])
def test_numbers_leave_most_of_the_width_to_the_page(width: int) -> None:
    # Two places, each cited for every second of 20 values.
    marks = [Mark(number, [(100.0, 400.0 + 30 * (number % 2), 300, 10)]) for number in range(1, 21)]
    options = PictureOptions(page_size=PAGE, max_width=width)
    picture = draw_citation(encode(build_page()), marks, options)
    alone = draw_citation(encode(build_page()), marks[:1], options)
    assert picture.width <= width
    assert max(box[0][2] for box in picture.boxes.values()) <= width
    # The words are at least three quarters as large as without numbers.
    shown, most = (one.boxes[1][0][2] - one.boxes[1][0][0] for one in (picture, alone))
    assert shown >= 0.74 * most


def test_column_of_values_on_a_narrow_picture_is_shown_with_what_is_beside_it() -> None:
    marks = [Mark(number, [(450.0, 60.0 + 30 * number, 50, 10)]) for number in range(1, 21)]
    picture = draw_citation(encode(build_page()), marks, PictureOptions(page_size=PAGE, max_width=200))
    assert picture.width >= 180
    # What is printed at the left of the boxes is shown, too.
    assert picture.boxes[1][0][0] > 100


def test_numbers_of_one_line_are_all_in_the_picture() -> None:
    # Words stand around most boxes, so most numbers are at the left, one below the other.
    marks = [Mark(number, [(40.0 + 20 * number, 400.0, 18, 10)]) for number in range(1, 21)]
    picture = draw_citation(encode(build_page()), marks, PictureOptions(page_size=PAGE, max_width=200))
    column = open_picture(picture).crop((26, 0, 27, picture.height)).convert("HSV")
    is_colored = [saturation > 150 for saturation in column.getchannel("S").tobytes()]
    assert sum(second > first for first, second in itertools.pairwise([False, *is_colored])) >= 15


@pytest.mark.parametrize("png_only", [False, True])
def test_picture_of_a_photo_stays_within_its_size(png_only: bool) -> None:
    noise = Image.effect_noise((1_200, 1_600), 90).convert("RGB")
    picture = draw_citation(
        encode(noise), [Mark(1, [BOX])], PictureOptions(page_size=PAGE, whole_page=True, png_only=png_only)
    )
    assert len(picture.content) <= MAX_BYTES
    assert picture.mime_type == ("image/png" if png_only else "image/webp")
    image = open_picture(picture)
    assert all(right <= image.width and bottom <= image.height for _, _, right, bottom in picture.boxes[1])


def test_marks_keep_their_colours_in_a_picture_of_few_colours() -> None:
    noise = Image.effect_noise((1_200, 1_600), 90).convert("RGB")
    marks = [Mark(number, [(100.0, 100.0 * number, 50, 10)]) for number in (1, 2, 3)]
    picture = draw_citation(encode(noise), marks, PictureOptions(page_size=PAGE, png_only=True))
    image = Image.open(io.BytesIO(picture.content))
    assert (image.format, image.mode) == ("PNG", "P")
    shown = {color for _, color in image.convert("RGB").getcolors(256) or []}
    assert {ImageColor.getrgb(color) for color in COLORS[:3]} <= shown


def test_rotated_page_is_marked_as_it_is_displayed(corpus: Path) -> None:
    with pypdfium2.PdfDocument(corpus / "adp-10q-fy2025q2.pdf") as document:
        document[0].set_rotation(90)
        width, height = document[0].get_size()
        buffer = io.BytesIO()
        document.save(buffer)
    assert width > height
    mark = Mark(1, [(width - 20, height / 2, 10, 10)])
    picture = draw_citation(buffer.getvalue(), [mark], PictureOptions(0, (width, height), whole_page=True))
    assert picture.width > picture.height
    ((left, _, right, _),) = picture.boxes[1]
    assert picture.width * 0.9 < left < right < picture.width


def test_image_that_is_a_decompression_bomb_is_refused() -> None:
    bomb = encode(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    with pytest.raises(UnreadableError, match="20000 x 20000 pixels"):
        draw_citation(bomb, [Mark(1, [BOX])], PictureOptions(page_size=PAGE))


def test_page_that_does_not_exist_is_said_to_be_missing() -> None:
    with pytest.raises(UnreadableError, match="2 pages, and no page 8"):
        draw_citation(read_document(SAMPLES[0]), [], PictureOptions(7))


def test_content_that_is_no_picture_is_refused() -> None:
    with pytest.raises(UnreadableError, match="neither a PDF nor a PNG"):
        draw_citation(b"GIF89a nothing", [], PictureOptions())


def test_transparent_screenshot_is_shown_on_white() -> None:
    picture = draw_citation(encode(Image.new("RGBA", (600, 800))), [], PictureOptions(page_size=PAGE))
    assert open_picture(picture).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("size", [(math.nan, 800.0), (0.0, 800.0), (-600.0, 800.0)])
def test_page_size_that_is_not_valid_is_ignored(size: tuple[float, float]) -> None:
    options = PictureOptions(page_size=size)
    assert draw_citation(read_document(SAMPLES[0]), [Mark(1, [BOX])], options).boxes.keys() == {1}
    # A screenshot has no size in points, so nothing can be marked on it.
    assert draw_citation(encode(build_page(600, 800)), [Mark(1, [BOX])], options).boxes == {}
