"""A value is shown where the service cites it, or else where its words stand in the document."""

import json
from typing import Any

import pytest

from llx_mcp.answers.cited_values import MAX_VALUES, CitedValue, CitedValues, find_cited_values
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.result.jsonpath import PathError
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job

# On the words `total 12.50` of the first page.
BOX = {"x": 50, "y": 2, "w": 90, "h": 8}
SIZE = {"width": 600.0, "height": 800.0}


def cite(page: object, quote: str | None, *boxes: dict[str, Any], size: object = SIZE) -> dict[str, Any]:
    """Return the metadata of one value."""
    citation = {"page": page, "matching_text": quote, "bounding_boxes": list(boxes), "page_dimensions": size}
    return {"confidence": 0.9, "citation": [citation]}


def build_page(number: int, *lines: str, has_boxes: bool = True) -> SourcePage:
    words: list[str] = []
    starts: list[int] = []
    boxes: list[tuple[float, float, float, float]] = []
    for row, line in enumerate(lines):
        starts.append(len(words))
        for column, word in enumerate(line.split()):
            words.append(word)
            boxes.append((50.0 * column, 20.0 * row, 40.0, 10.0))
    return SourcePage(number, words, starts, boxes if has_boxes else [], 600.0, 800.0)


def find(result: Any, tree: Any, source: SourceText | None, *paths: str) -> CitedValues:
    sections = JobSections(build_job(result, tree).sections)
    return find_cited_values(sections, paths or ("$",), source, None if source is None else Grounder(source))


def find_one(result: Any, tree: Any, source: SourceText | None) -> CitedValue:
    (value,) = find({"total": result}, {"total": tree}, source).values
    return value


SOURCE = SourceText("document", [build_page(1, "net total 12.50 EUR", "other words"), build_page(2, "due 14 May 2026")])


def test_cited_boxes_are_shown_where_the_quote_stands_on_its_page() -> None:
    assert find_one(12.5, cite(1, "total 12.50", BOX), SOURCE) == CitedValue(
        "total", 12.5, 0.9, 1, "total 12.50", "verified", 1, [[50, 2, 90, 8]], (600.0, 800.0), "cited"
    )


def test_quote_on_another_page_is_shown_there_and_the_service_page_is_kept() -> None:
    value = find_one("14 May 2026", cite(1, "due 14 May 2026", BOX), SOURCE)
    assert (value.page, value.check) == (1, "not on page 1, but on page 2")
    assert (value.shown_page, value.box_origin) == (2, "words")
    # The words of the line are one box.
    assert value.boxes == [[0.0, 0.0, 190.0, 10.0]]


def test_quote_that_stands_nowhere_is_shown_where_it_is_cited() -> None:
    value = find_one("absent", cite(1, "something quite absent", BOX), SOURCE)
    assert value.check == "not on page 1, and found nowhere else"
    assert (value.shown_page, value.boxes, value.box_origin) == (1, [[50, 2, 90, 8]], "cited")


def test_citation_without_boxes_is_marked_by_its_words() -> None:
    value = find_one(12.5, cite(1, "net total 12.50 EUR"), SOURCE)
    assert (value.check, value.shown_page, value.box_origin) == ("verified", 1, "words")
    # The words of the value, not the whole quote.
    assert value.boxes == [[100.0, 0.0, 40.0, 10.0]]
    assert value.page_size == (600.0, 800.0)


def test_cited_box_that_is_beside_its_words_is_not_marked() -> None:
    beside = BOX | {"x": 400, "y": 700}
    value = find_one(12.5, cite(1, "total 12.50", beside), SOURCE)
    assert value.check == "verified; the cited box does not touch the words"
    assert (value.shown_page, value.box_origin, value.boxes) == (1, "words", [[100.0, 0.0, 40.0, 10.0]])


def test_box_on_a_page_of_another_size_is_not_beside_its_words() -> None:
    # The same place, in units of a page twice as large.
    cited = cite(1, "net total", {"x": 0, "y": 0, "w": 180, "h": 20}, size={"width": 1200, "height": 1600})
    assert find_one("net total", cited, SOURCE).box_origin == "cited"
    assert find_one(12.5, cite(1, "total 12.50", BOX | {"y": 700}, size=None), SOURCE).box_origin == "cited"


def test_value_without_a_citation_is_shown_where_it_stands() -> None:
    value = find_one(12.5, {"confidence": 0.4}, SOURCE)
    assert (value.page, value.quote, value.check) == (None, None, "not cited, found on page 1")
    assert (value.shown_page, value.box_origin) == (1, "words")


def test_value_that_stands_nowhere_has_no_page() -> None:
    value = find_one("nothing like it", {"confidence": 0.4}, SOURCE)
    assert value.check == "not cited, not found in the document"
    assert (value.shown_page, value.boxes, value.box_origin) == (None, [], "")


def test_without_a_text_of_the_document_the_citation_is_shown_unchecked() -> None:
    value = find_one(12.5, cite(1, "total 12.50", BOX), None)
    assert value.check == "not checked: the text of the document is not at hand"
    assert (value.shown_page, value.box_origin) == (1, "cited")


def test_reason_why_there_is_no_text_is_said() -> None:
    value = find_one(12.5, cite(1, "total 12.50", BOX), SourceText(problem="it is encrypted"))
    assert value.check == "not checked: it is encrypted"
    assert find_one(12.5, {"confidence": 0.4}, SourceText(problem="it is encrypted")).check == "not cited"


def test_quote_without_the_value_says_so() -> None:
    value = find_one(99, cite(1, "other words", BOX | {"x": 0, "y": 22}), SOURCE)
    assert (value.check, value.box_origin) == ("does not contain the value", "cited")


@pytest.mark.parametrize(
    ("box_of", "has_boxes", "origin"), [("block", True, "block"), ("word", False, ""), ("word", True, "words")]
)
def test_origin_of_the_boxes_says_how_precise_they_are(box_of: Any, has_boxes: bool, origin: str) -> None:
    source = SourceText("parse_job", [build_page(1, "total 12.50", has_boxes=has_boxes)], box_of)
    value = find_one(12.5, cite(1, "total 12.50"), source)
    assert (value.shown_page, value.box_origin, bool(value.boxes)) == (1, origin, has_boxes)


@pytest.mark.parametrize("size", [None, {"width": "600", "height": 800}, {"width": 600.0}])
def test_page_size_that_is_not_valid_is_left_out(size: object) -> None:
    assert find_one(12.5, cite(1, "total 12.50", BOX, size=size), SOURCE).page_size is None


@pytest.mark.parametrize("page", [None, "one", 1.5])
def test_citation_without_a_page_number_is_shown_where_it_is_found(page: object) -> None:
    value = find_one(12.5, cite(page, "total 12.50", BOX), SOURCE)
    assert (value.shown_page, value.box_origin) == (1, "words")


def test_boxes_of_several_citations_of_one_page_belong_together() -> None:
    citations = [cite(1, quote, box)["citation"][0] for quote, box in (("net total", BOX), ("12.50", BOX | {"x": 100}))]
    value = find_one(12.5, {"citation": [*citations, cite(2, "due", BOX)["citation"][0]]}, SOURCE)
    assert (value.shown_page, [box[0] for box in value.boxes]) == (1, [50, 100])


def test_null_has_nothing_to_show() -> None:
    (value,) = find({"total": None}, {}, SOURCE, "total").values
    assert (value.value, value.check, value.shown_page) == (None, "null", None)


def test_each_value_is_shown_once_in_the_order_of_the_paths() -> None:
    result = {"items": [{"a": 1, "b": None}, {"a": 2}], "total": 3}
    found = find(result, {}, SOURCE, "total", "items[1]", "items[*].a")
    assert [value.path for value in found.values] == ["total", "items[1].a", "items[0].a"]
    assert found.total == 3


def test_many_values_are_counted_and_the_first_are_shown() -> None:
    found = find([{"n": index} for index in range(100)], {}, None)
    assert (len(found.values), found.total) == (MAX_VALUES, 100)


def test_path_without_a_value_is_an_error() -> None:
    with pytest.raises(PathError, match="missing"):
        find({"total": 1}, {}, None, "missing")


def test_values_cross_to_another_process() -> None:
    found = find({"total": 12.5}, {"total": cite(1, "total 12.50", BOX)}, SOURCE)
    answer = found.as_answer()
    answer.structured.update(json.loads(json.dumps(answer.structured)))
    assert CitedValues.of_answer(answer) == found
