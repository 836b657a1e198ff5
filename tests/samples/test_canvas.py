"""The boxes of a region contain its text and nothing else."""

import pypdfium2
import pytest

from samples.canvas import HEIGHT, LEFT, WIDTH, Canvas, Region

PROSE = (
    "The borrower shall supply to the agent its audited statements within 120 days of the end of each year, and it "
    "shall notify the agent of any default at once."
)


def read_boxes(canvas: Canvas, region: Region, widen: float = 0.5) -> list[str]:
    """Read the text in each box of a region with a PDF reader."""
    document = pypdfium2.PdfDocument(canvas.output())
    page = document[region.page - 1].get_textpage()
    texts = [
        page.get_text_bounded(x - widen, HEIGHT - y - h, x + w + widen, HEIGHT - y).strip()
        for x, y, w, h in region.boxes
    ]
    page.close()
    document.close()
    return texts


@pytest.fixture
def canvas() -> Canvas:
    """A canvas on its second page; the first is empty."""
    blank = Canvas("Test")
    blank.new_page()
    blank.new_page()
    return blank


@pytest.mark.parametrize("size", [8, 9, 10, 18])
@pytest.mark.parametrize("faint", [False, True])
@pytest.mark.parametrize("bold", [False, True])
def test_box_contains_only_its_text(canvas: Canvas, size: float, *, bold: bool, faint: bool) -> None:
    region = canvas.write("gross Total 1,234.50", LEFT, 100, size=size, bold=bold, faint=faint)
    canvas.write("above", LEFT, 100 - size * 1.4, size=size)
    canvas.write("below", LEFT, 100 + size * 1.4, size=size)
    assert read_boxes(canvas, region) == ["gross Total 1,234.50"]
    assert (region.page, region.is_faint) == (2, faint)


def test_right_aligned_text_ends_at_given_position(canvas: Canvas) -> None:
    region = canvas.write_right("-91.05", WIDTH - LEFT, 100, line="Rent -91.05")
    canvas.write("Rent", LEFT, 100)
    assert read_boxes(canvas, region) == ["-91.05"]
    assert sum(region.boxes[0][0:3:2]) == pytest.approx(WIDTH - LEFT, abs=0.02)
    assert region.text == "Rent -91.05"


def test_label_is_in_quote_but_not_in_box(canvas: Canvas) -> None:
    region = canvas.write_labelled("Due", "14 May 2026", LEFT, 100)
    assert (read_boxes(canvas, region), region.text) == (["14 May 2026"], "Due 14 May 2026")


def test_region_in_paragraph_excludes_neighbouring_words(canvas: Canvas) -> None:
    region, below = canvas.write_paragraph_with("within 120 days", PROSE, 100)
    assert (read_boxes(canvas, region), region.text) == (["within 120 days"], PROSE)
    assert below > 100


def test_text_over_two_lines_has_two_boxes(canvas: Canvas) -> None:
    text = "of the end of each year, and it shall notify"
    region, _ = canvas.write_paragraph_with(text, PROSE, 100)
    texts = read_boxes(canvas, region)
    assert len(texts) == 2
    assert " ".join(texts) == text
    assert region.boxes[1][0] == LEFT


def test_locating_text_outside_paragraph_fails(canvas: Canvas) -> None:
    with pytest.raises(AssertionError, match="is not in the paragraph"):
        canvas.write_paragraph_with("within 121 days", PROSE, 100)
