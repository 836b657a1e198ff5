"""Pages come from the service's screenshots or from the document, and an answer says why there is no picture."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from PIL import Image

from llx_mcp.answers.limits import MAX_PICTURES
from llx_mcp.answers.requests import CitationOptions, JobRequest
from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, UnavailableError
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.jobs.citation_pictures import ShownValues
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.pdf.pictures import Mark, Picture, PictureOptions
from llx_mcp.pdf.processes import PdfProcesses
from llx_mcp.turns import TurnQueue
from tests.jobs.cited_documents import BOX, PDF, RESULT, SIZE, TREE, build_source, cite
from tests.jobs.virtual_time import VirtualClock, run_virtual
from tests.pdf_files import build_text_pdf, write_lines
from tests.sources import Bodies, open_bodies

REQUEST = JobRequest("ext-1")


def take_screenshot(color: str = "white") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (1_200, 1_600), color).save(buffer, "PNG")
    return buffer.getvalue()


@asynccontextmanager
async def open_jobs(source: Bodies) -> AsyncIterator[JobReader]:
    async with open_reader(open_bodies(source), SystemClock()) as reader:
        yield reader


async def show(source: Bodies, *paths: str, **options: Any) -> ShownValues:
    async with open_jobs(source) as reader:
        return await reader.citations.show(REQUEST, CitationOptions(paths or ("total",), **options))


async def test_screenshot_of_the_service_comes_first() -> None:
    source = build_source()
    source.documents.screenshots = {("dfl-1", 0): take_screenshot("yellow")}
    shown = await show(source)
    (page,) = shown.pages
    assert (page.page, page.numbers, page.drawn_from) == (1, (1,), "the service's screenshot of the page")
    assert Image.open(io.BytesIO(page.picture.content)).convert("RGB").getpixel((5, 5)) == (199, 199, 0)


@pytest.mark.parametrize("screenshot", [None, b"\x89PNG\r\n\x1a\nbroken"])
async def test_page_is_drawn_from_the_document_where_there_is_no_usable_screenshot(screenshot: bytes | None) -> None:
    source = build_source()
    source.documents.files["dfl-1"] = PDF
    if screenshot is not None:
        source.documents.screenshots["dfl-1", 0] = screenshot
    shown = await show(source)
    assert [page.drawn_from for page in shown.pages] == ["drawn from the document"]
    assert shown.found.values[0].check == "verified"
    assert shown.reasons == ()


async def test_boxes_are_not_put_on_a_screenshot_of_a_page_whose_size_is_not_known() -> None:
    source = build_source({"total": cite(1, "net total 12.50 EUR", size=None)})
    source.documents.screenshots["dfl-1", 0] = take_screenshot()
    source.documents.files["dfl-1"] = PDF
    (page,) = (await show(source)).pages
    assert page.drawn_from == "drawn from the document"


async def test_values_of_one_page_share_a_picture_and_each_page_has_its_own() -> None:
    source = build_source({**TREE, "again": cite(1, "net total 12.50 EUR")}, {**RESULT, "again": 12.5})
    source.documents.files["dfl-1"] = PDF
    shown = await show(source, "total", "due", "again")
    assert [(page.page, page.numbers) for page in shown.pages] == [(1, (1, 3)), (2, (2,))]


async def test_blocks_of_a_parse_job_are_replaced_by_the_words_of_the_document() -> None:
    source = build_source({"total": cite(1, "net total 12.50 EUR", has_box=False)})
    words = ["net", "total", "12.50", "EUR"]
    block = (90.0, 50.0, 400.0, 300.0)
    source.documents.parse_jobs["pjb-1"] = SourceText(
        "parse_job", [SourcePage(1, words, [0], [block] * 4, 600.0, 800.0)], "block"
    )
    source.documents.files["dfl-1"] = PDF
    (value,) = (await show(source)).found.values
    ((x, y, width, height),) = value.boxes
    assert value.box_origin == "words"
    assert 130 < x < 200
    assert (round(y) in range(80, 100), width < 50, height < 20) == (True, True, True)


async def test_block_is_marked_where_the_document_has_no_text_layer() -> None:
    source = build_source({"total": cite(1, "net total 12.50 EUR", has_box=False)})
    block = (90.0, 50.0, 400.0, 300.0)
    source.documents.parse_jobs["pjb-1"] = SourceText(
        "parse_job", [SourcePage(1, ["net", "total", "12.50", "EUR"], [0], [block] * 4, 600.0, 800.0)], "block"
    )
    source.documents.screenshots["dfl-1", 0] = take_screenshot()
    shown = await show(source)
    assert [(value.box_origin, value.boxes) for value in shown.found.values] == [("block", [list(block)])]
    assert len(shown.pages) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (NotFoundError("The service has no such file."), "The service has no such file"),
        (UnavailableError("The service is down."), "The service is down"),
        (b"%PDF-1.7\nnothing", "it is damaged"),
        (b"GIF89a", "neither a PDF nor a PNG, JPEG or WebP image"),
    ],
    ids=["gone", "down", "damaged", "other"],
)
async def test_value_without_a_picture_has_its_quote_and_the_reason(content: bytes | LlxError, reason: str) -> None:
    source = build_source()
    source.documents.files["dfl-1"] = content
    shown = await show(source)
    assert shown.pages == ()
    assert len(shown.reasons) == 1
    assert reason in shown.reasons[0]
    answer = shown.build_answer(REQUEST)
    assert answer.structured["citations"]["rows"][0][:6] == [1, "total", 12.5, 0.9, 1, "net total 12.50 EUR"]
    assert reason in answer.text


async def test_job_from_a_parse_job_says_that_it_names_no_file() -> None:
    shown = await show(build_source(file_input="pjb-1"))
    assert "does not name its file" in shown.reasons[0]


async def test_page_that_the_document_lacks_is_named() -> None:
    source = build_source({"total": cite(9, "net total 12.50 EUR")})
    source.documents.files["dfl-1"] = build_text_pdf(write_lines("something else"))
    shown = await show(source)
    assert "page 9: The document cannot be read: the document has 1 pages, and no page 9" in shown.reasons[0]


async def test_value_without_a_citation_is_found_in_the_document() -> None:
    source = build_source({"total": {"confidence": 0.5}})
    source.documents.files["dfl-1"] = PDF
    shown = await show(source)
    assert shown.found.values[0].check == "not cited, found on page 1"
    assert [page.numbers for page in shown.pages] == [(1,)]


async def test_value_that_stands_nowhere_has_no_picture() -> None:
    source = build_source({"total": {"confidence": 0.5}}, {"total": "nowhere at all"})
    source.documents.files["dfl-1"] = PDF
    shown = await show(source)
    assert (shown.pages, shown.reasons) == ((), ("value 1: no page is known",))


async def test_number_of_pages_is_bounded_and_the_others_are_named() -> None:
    num_pages = MAX_PICTURES + 2
    tree = {f"v{number}": cite(number, f"word{number}") for number in range(1, num_pages + 1)}
    source = build_source(tree, {name: f"word{name[1:]}" for name in tree})
    source.documents.files["dfl-1"] = build_text_pdf(
        *(write_lines(f"word{number}") for number in range(1, num_pages + 1))
    )
    shown = await show(source, "$")
    assert [page.page for page in shown.pages] == list(range(1, MAX_PICTURES + 1))
    assert shown.reasons == (
        "value 5: only 4 pages are shown at once",
        "value 6: only 4 pages are shown at once",
    )


async def test_one_page_of_several_keeps_the_numbers_of_its_values() -> None:
    source = build_source({**TREE, "again": cite(2, "due 14 May 2026")}, {**RESULT, "again": "14 May 2026"})
    source.documents.files["dfl-1"] = PDF
    paths = ("total", "due", "again")
    shown, second = await show(source, *paths), await show(source, *paths, page=2)
    assert [(page.page, page.numbers) for page in second.pages] == [(2, (2, 3))]
    pictures = shown.build_answer(REQUEST).structured["pictures"]
    uri = "llx://jobs/ext-1/citations/total%2Cdue%2Cagain"
    assert [picture["resource"] for picture in pictures] == [f"{uri}?page=1", f"{uri}?page=2"]
    assert (await show(source, *paths, page=7)).reasons == ("no value is shown on page 7",)


class SlowPdfs(PdfProcesses):
    """Draws nothing, in some seconds a page, as on a busy machine."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def draw_citation(
        self, content: bytes, marks: Sequence[Mark], options: PictureOptions, *, total_seconds: float = 10
    ) -> Picture:
        """Return a picture with nothing on it."""
        await anyio.sleep(self._seconds)
        return Picture(b"", "image/png", 1, 1, {mark.number: [] for mark in marks})


class BusyPdfs(PdfProcesses):
    """All of its processes are working for others."""

    def __init__(self) -> None:
        super().__init__(TurnQueue(0))


def build_three_pages() -> Bodies:
    """Return a job with a value on each of three pages, whose parse job and screenshots are there."""
    words = {number: f"word{number}" for number in (1, 2, 3)}
    source = build_source(
        {f"v{number}": cite(number, word) for number, word in words.items()},
        {f"v{number}": word for number, word in words.items()},
    )
    pages = [
        SourcePage(number, [word], [0], [(100.0, 88.0, 60.0, 14.0)], 600.0, 800.0) for number, word in words.items()
    ]
    source.documents.parse_jobs["pjb-1"] = SourceText("parse_job", pages, "word")
    source.documents.screenshots = {("dfl-1", index): take_screenshot() for index in range(3)}
    return source


async def show_slowly(source: Bodies, pdfs: PdfProcesses) -> ShownValues:
    async with open_reader(open_bodies(source), VirtualClock(), ReaderOptions(call_seconds=50)) as reader:
        reader.evidence.pdfs = pdfs
        return await reader.citations.show(REQUEST, CitationOptions(("$",)))


def test_pages_that_are_not_drawn_in_time_are_named_and_the_others_are_kept() -> None:
    async def main() -> None:
        shown = await show_slowly(build_three_pages(), SlowPdfs(20))
        assert [page.page for page in shown.pages] == [1, 2]
        assert shown.reasons[0].startswith("value 3, page 3: not drawn in the time for one call")
        assert [value.check for value in shown.found.values] == ["verified"] * 3
        assert not shown.is_final

    run_virtual(main)


def test_values_are_shown_without_pictures_where_all_processes_are_busy() -> None:
    async def main() -> None:
        shown = await show_slowly(build_three_pages(), BusyPdfs())
        assert (shown.pages, len(shown.reasons)) == ((), 3)
        assert [value.check for value in shown.found.values] == ["verified"] * 3

    run_virtual(main)


def test_values_are_shown_where_a_better_text_takes_too_long() -> None:
    async def main() -> None:
        source = build_three_pages()
        block = SourcePage(1, ["word1"], [0], [(90.0, 50.0, 400.0, 300.0)], 600.0, 800.0)
        source.documents.parse_jobs["pjb-1"] = SourceText("parse_job", [block], "block")
        source.documents.files["dfl-1"] = PDF
        source.body_of = build_source({"v1": cite(1, "word1", has_box=False)}, {"v1": "word1"}).body_of
        async with open_reader(open_bodies(source), VirtualClock(), ReaderOptions(call_seconds=8)) as reader:
            reader.evidence.pdfs = SlowPdfs(0)
            await reader.read(REQUEST, "$", None, ())
            source.documents.seconds = 60
            shown = await reader.citations.show(REQUEST, CitationOptions(("$",)))
        assert ([page.numbers for page in shown.pages], shown.is_final) == ([(1,)], False)
        assert [value.box_origin for value in shown.found.values] == ["block"]

    run_virtual(main)


async def test_only_what_cannot_become_better_is_final() -> None:
    source = build_three_pages()
    assert (await show(source, "v1")).is_final
    source.documents.parse_jobs["pjb-1"] = source.documents.files["dfl-1"] = UnavailableError("The service is down.")
    shown = await show(source, "v1")
    assert ([page.numbers for page in shown.pages], shown.is_final) == ([(1,)], False)
    source.documents.parse_jobs["pjb-1"] = NotFoundError("There is no such job.")
    source.documents.files["dfl-1"] = NotFoundError("There is no such file.")
    shown = await show(source, "v1")
    assert ([page.numbers for page in shown.pages], shown.is_final) == ([(1,)], True)


async def test_picture_can_be_wide_whole_and_png() -> None:
    source = build_source()
    source.documents.files["dfl-1"] = PDF
    (page,) = (await show(source, max_width=600, whole_page=True, png_only=True)).pages
    assert (page.picture.width, page.picture.height, page.picture.mime_type) == (600, 800, "image/png")


async def test_job_without_a_result_is_not_looked_for_in_its_document() -> None:
    source = build_source(status="RUNNING", extract_result=None)
    shown = await show(source)
    assert (shown.pages, shown.found.values, source.documents.fetched) == ((), [], [])


async def test_path_without_a_value_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="no_such_field"):
        await show(build_source(), "no_such_field")


async def test_listed_values_are_checked() -> None:
    source = build_source()
    source.documents.files["dfl-1"] = PDF
    async with open_jobs(source) as reader:
        listed = await reader.citations.list_values(REQUEST, 0.8, 10)
    assert [(row.path, row.check) for row in listed.rows] == [("total", "verified"), ("due", "verified")]


async def test_job_without_a_result_has_no_values_to_list() -> None:
    async with open_jobs(build_source(status="FAILED", extract_result=None)) as reader:
        assert (await reader.citations.list_values(REQUEST, 0.8, 10)).rows == []


async def test_service_without_a_screenshot_is_asked_once_for_all_pages() -> None:
    source = build_source()
    source.documents.files["dfl-1"] = PDF
    source.documents.parse_jobs["pjb-1"] = SourceText("parse_job", [SourcePage(1, ["net"], [0])], "block")
    shown = await show(source, "total", "due")
    assert len(shown.pages) == 2
    # The text of the parse job, one screenshot, and the file.
    assert source.documents.fetched == ["pjb-1", "dfl-1", "dfl-1"]


async def test_box_outside_of_its_page_is_said_not_to_be_marked() -> None:
    citation = {"page": 1, "matching_text": "absent", "bounding_boxes": [BOX | {"x": 5_000}], "page_dimensions": SIZE}
    source = build_source({"total": {"citation": [citation]}})
    source.documents.files["dfl-1"] = PDF
    shown = await show(source)
    assert ([page.numbers for page in shown.pages], shown.is_final) == ([()], False)
    assert shown.reasons == ("value 1, page 1: not marked, because no place on it is known",)
    assert shown.build_answer(REQUEST).structured["citations"]["rows"][0][-1] is None


async def test_path_to_an_empty_list_says_that_there_is_no_value() -> None:
    shown = await show(build_source({}, {"items": [], "total": 1}), "items")
    assert shown.build_answer(REQUEST).structured["not_shown"] == ["the path leads to no value"]
