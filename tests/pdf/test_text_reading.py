"""Words are read with the boxes in which they are shown."""

import io
from typing import Any

import pytest
from PIL import Image

from llx_mcp.evidence.pages import SourcePage
from llx_mcp.pdf import text_reading
from llx_mcp.pdf.child import run
from llx_mcp.pdf.text_reading import MAX_PAGE_CHARS, NO_TEXT
from tests.pdf.reading import read_pages, read_some_pages
from tests.pdf_files import build_pages, build_text_pdf, write_lines

A4 = b"/MediaBox[0 0 600 800]"


def read_lines(page: SourcePage) -> list[list[str]]:
    """Return the words of each line."""
    ends = [*page.line_starts[1:], len(page.words)]
    return [page.words[start:end] for start, end in zip(page.line_starts, ends, strict=True)]


def find_ink(pdf: bytes) -> tuple[float, ...]:
    """Return where the first page has ink: left, top, right, bottom, in points from the top left corner."""
    _, (_, _, image) = run("draw", pdf, [0, 0])
    with Image.open(io.BytesIO(image)) as picture:
        edges = picture.convert("L").point(lambda light: 255 * (light < 128)).getbbox()
    assert edges is not None
    return tuple(pixel / 2 for pixel in edges)


def build_form_pdf(field: bytes, *, flags: int = 4, attributes: bytes = b"") -> bytes:
    """Build a PDF with a field that is filled in, and nothing else."""
    common = b"/Type/Annot/FT/Tx/T(name)/V(HHHH)/Rect[100 500 300 520]/F %d/DA(/F 12 Tf 0 g)" % flags
    return build_text_pdf(
        b"",
        attributes=A4 + attributes + b"/Annots[<<%b>>]" % (common + field),
        streams=[
            (
                b"/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F 3 0 R>>>>",
                write_lines("HHHH", x=2, y=5),
            )
        ],
        catalog=b"/AcroForm<</Fields[7 0 R]/NeedAppearances true/DR<</Font<</F 3 0 R>>>>>>",
    )


def check_ink(pdf: bytes, page: SourcePage) -> None:
    """Check that the one word of a page stands where the page has ink."""
    ((x, y, width, height),) = page.boxes
    left, top, right, bottom = find_ink(pdf)
    assert x - 0.5 <= left < right <= x + width + 0.5
    assert y - 0.5 <= top < bottom <= y + height + 0.5
    # A box has the height of its font, and the letter H has two thirds of that.
    assert (right - left) * (bottom - top) > 0.5 * width * height


def test_words_come_by_line() -> None:
    (page,) = read_pages(build_text_pdf(write_lines("Total due  119.00", "Paid 0.00")))
    assert read_lines(page) == [["Total", "due", "119.00"], ["Paid", "0.00"]]
    assert (page.number, page.width, page.height, page.printed_number, page.problem) == (1, 600, 800, None, "")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90, 450])
@pytest.mark.parametrize("crop", [b"", b"/CropBox[50 100 500 750]", b"/CropBox[50 100 5000 7500]"])
def test_boxes_stand_where_a_turned_and_cropped_page_shows_the_words(degrees: int, crop: bytes) -> None:
    pdf = build_text_pdf(write_lines("HHHH"), attributes=A4 + crop + b"/Rotate %d" % degrees)
    (page,) = read_pages(pdf)
    check_ink(pdf, page)
    _, (_, _, image) = run("draw", pdf, [0, 0])
    assert Image.open(io.BytesIO(image)).size == (2 * page.width, 2 * page.height)


def test_page_that_does_not_begin_at_zero_is_measured_from_its_own_corner() -> None:
    moved = build_text_pdf(write_lines("moved", x=-100, y=1_700), attributes=b"/MediaBox[-200 1000 400 1800]")
    plain = build_text_pdf(write_lines("moved", x=100, y=700))
    assert read_pages(moved)[0].boxes[0] == pytest.approx(read_pages(plain)[0].boxes[0])


@pytest.mark.parametrize("kind", ["Widget", "FreeText", "Stamp"])
@pytest.mark.parametrize("degrees", [0, 90])
def test_text_that_was_filled_in_or_added_is_read_where_it_is_drawn(kind: str, degrees: int) -> None:
    pdf = build_form_pdf(b"/Subtype/%b/AP<</N 5 0 R>>" % kind.encode(), attributes=b"/Rotate %d" % degrees)
    (page,) = read_pages(pdf)
    assert page.words == ["HHHH"]
    check_ink(pdf, page)


def test_field_without_an_appearance_is_read() -> None:
    (page,) = read_pages(build_form_pdf(b"/Subtype/Widget"))
    assert page.words == ["HHHH"]


def test_hidden_field_is_not_read() -> None:
    (page,) = read_pages(build_form_pdf(b"/Subtype/Widget/AP<</N 5 0 R>>", flags=2))
    assert page.words == []


def test_words_outside_of_the_shown_page_are_left_out() -> None:
    content = write_lines("shown", y=400) + write_lines("hidden", y=780) + write_lines("gone", y=-40)
    (page,) = read_pages(build_text_pdf(content, attributes=A4 + b"/CropBox[0 0 600 700]"))
    assert page.words == ["shown"]


def test_box_ends_at_the_edge_of_the_page() -> None:
    (page,) = read_pages(build_text_pdf(write_lines("W" * 60, x=300)))
    ((x, _, width, _),) = page.boxes
    assert x + width == pytest.approx(600)


def test_hyphen_at_the_end_of_a_line_ends_its_word() -> None:
    (page,) = read_pages(build_text_pdf(write_lines("The agree-", "ment ends in mid-May")))
    assert read_lines(page) == [["The", "agree-"], ["ment", "ends", "in", "mid-May"]]
    first, second = page.boxes[1:3]
    assert first[1] + 5 < second[1]


def test_words_of_a_script_without_spaces_end_at_its_punctuation() -> None:
    descendant = (
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/X/DW 1000/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)"
        b"/Supplement 4>>/FontDescriptor<</Type/FontDescriptor/FontName/X/Flags 4/Ascent 880/Descent -120>>>>"
    )
    font = b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/UniJIS-UCS2-H/DescendantFonts[%b]>>" % descendant
    text = "住所：東京都、千代田区".encode("utf-16-be").hex().encode()
    (page,) = read_pages(build_text_pdf(b"BT /F 10 Tf 100 700 Td <%b> Tj ET" % text, font=font))
    assert read_lines(page) == [["住所：", "東京都、", "千代田区"]]
    assert [(x, width) for x, _, width, _ in page.boxes] == [(100, 30), (130, 40), (170, 40)]


def test_characters_that_are_no_text_are_replaced() -> None:
    to_unicode = (
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
        b"3 beginbfchar <41> <D83DDE00> <42> <D800> <43> <0001> endbfchar endcmap"
    )
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 5 0 R>>"
    (page,) = read_pages(build_text_pdf(write_lines("zAz zBz zCz"), font=font, streams=[(b"", to_unicode)]))
    assert page.words[0] == "z\N{GRINNING FACE}z"
    assert len(page.words) == len(page.boxes) == 3
    assert "".join(page.words).encode().decode().isprintable()


def test_label_that_cannot_be_decoded_leaves_the_text_of_its_page() -> None:
    labels = b"/PageLabels<</Nums[0<</P <FEFFD800>>>]>>"
    (page,) = read_pages(build_text_pdf(write_lines("page"), catalog=labels))
    assert (page.printed_number, page.words, page.problem) == (None, ["page"], "")


def test_labels_are_printed_numbers_where_they_differ() -> None:
    labels = b"/PageLabels<</Nums[0<</S/r>>2<</S/D/St 3>>3<</S/D/P(A-)>>]>>"
    pages = read_pages(build_text_pdf(*[write_lines("page")] * 4, catalog=labels))
    assert [page.printed_number for page in pages] == ["i", "ii", None, "A-1"]


def test_page_without_text_has_a_problem() -> None:
    pages = read_pages(build_text_pdf(b"0 0 100 100 re f", write_lines("text")))
    assert [(page.words, page.problem) for page in pages] == [([], NO_TEXT), (["text"], "")]
    assert pages[0].width == 600


def test_font_that_does_not_say_its_characters_is_a_problem() -> None:
    font = (
        b"<</Type/Font/Subtype/TrueType/BaseFont/AAAAAA+X/FirstChar 1/LastChar 4/Widths[600 600 600 600]"
        b"/FontDescriptor<</Type/FontDescriptor/FontName/AAAAAA+X/Flags 4>>>>"
    )
    content = rb"BT /F 12 Tf 100 700 Td (\001\002\003) Tj 0 -20 Td (\004\002\001) Tj ET"
    (page,) = read_pages(build_text_pdf(content, font=font))
    assert page.problem == "the fonts of the page do not say which characters they show"
    assert len(page.words) == len(page.boxes)


def test_damaged_page_does_not_hide_the_others() -> None:
    pages = read_pages(build_pages([(write_lines("text"), A4)] * 2, tree=b"/Kids[6 0 R 99 0 R 7 0 R]/Count 3"))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.words for page in pages] == [["text"], [], ["text"]]
    assert pages[1].problem == "not read: the page is damaged, or needs too much memory"


def test_characters_of_a_page_beyond_the_limit_are_left_out() -> None:
    (page, other) = read_pages(build_text_pdf(write_lines(*["abcd " * 5_000] * 12, size=1), write_lines("next")))
    assert sum(map(len, page.words)) <= MAX_PAGE_CHARS
    assert page.problem.startswith("only the first 200,000 of its 300,0")
    assert (other.words, other.problem) == (["next"], "")


@pytest.mark.parametrize("limit", ["MAX_CHARS", "MAX_WORDS"])
def test_pages_beyond_the_limits_of_the_document_are_left_out(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reading, limit, 3)
    pages, reason = read_some_pages(build_text_pdf(*[write_lines("a b")] * 5))
    assert [page.words for page in pages] == [["a", "b"]] * (1 if limit == "MAX_CHARS" else 2)
    assert "no more are read" in reason


def test_pages_beyond_the_maximum_are_left_out() -> None:
    pages, reason = read_some_pages(build_text_pdf(*[write_lines("text")] * 3), max_pages=2)
    assert ([page.number for page in pages], reason) == ([1, 2], "only the first 2 pages are")


@pytest.mark.parametrize(
    ("parts", "words"),
    [({"attributes": b"/MediaBox[0 0 0 0]"}, ["text"]),
     ({"attributes": b"/MediaBox[600 800 0 0]"}, ["text"]),
     ({"attributes": b"/MediaBox[0 0 1e400 800]"}, ["text"]),
     ({"attributes": b"/MediaBox[0 0 30000 30000]"}, ["text"]),
     ({"font": b"<</Type/Font/Subtype/TrueType/BaseFont/X/FontDescriptor 99 0 R>>"}, ["text"]),
     ({"font": b"null"}, ["text"])],
    ids=["zero", "reversed", "infinite", "large", "broken font", "no font"],
)  # fmt: skip
def test_odd_page_is_read(parts: dict[str, Any], words: list[str]) -> None:
    (page,) = read_pages(build_text_pdf(write_lines("text"), **parts))
    assert page.words == words
    for x, y, width, height in page.boxes:
        assert 0 <= x <= x + width <= page.width
        assert 0 <= y <= y + height <= page.height


@pytest.mark.parametrize("size", [1e30, 1e-30, 0])
def test_text_of_an_impossible_size_is_left_out_or_within_the_page(size: float) -> None:
    (page,) = read_pages(build_text_pdf(write_lines("text", size=size) + write_lines("plain", y=300)))
    assert "plain" in page.words
    assert all(x + width <= 600 and y + height <= 800 for x, y, width, height in page.boxes)
