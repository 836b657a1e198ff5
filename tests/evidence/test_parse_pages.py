"""The answer of a parse job becomes words with boxes, whatever of it is missing or of another type."""

import json
from typing import Any

import pytest

from llx_mcp.evidence.pages import SourcePage, SourceText, decode_source, encode_source
from llx_mcp.evidence.parse_pages import UNFINISHED, ParsedPages, build_source

BOX = {"x": 10, "y": 20, "w": 100, "h": 12.5}
ODD: list[Any] = [None, 7, -1.5, True, "text", [], [1], {}, {"pages": 3}, [[]], [None], {"a": {"b": []}}]


def read(**sections: Any) -> list[SourcePage]:
    """Read all pages of an answer with these sections."""
    parsed = ParsedPages(json.dumps({"job": {"status": "COMPLETED"}, **sections}).encode())
    return [parsed.read_page(number) for number in parsed.numbers]


def texts(*pages: tuple[Any, Any]) -> dict[str, Any]:
    """Make the section `text` of pages with these numbers and texts."""
    return {"pages": [{"page_number": number, "text": text} for number, text in pages]}


def items(*found: dict[str, Any], number: Any = 1, **facts: Any) -> dict[str, Any]:
    """Make the section `items` of one page."""
    return {"pages": [{"page_number": number, "success": True, "items": list(found), **facts}]}


def item(text: str, **facts: Any) -> dict[str, Any]:
    """Make an item with a box."""
    return {"type": "text", "value": text, "md": text, "bbox": [BOX], **facts}


def test_words_come_from_items_with_the_box_of_their_item() -> None:
    heading = item("Invoice 7", type="heading", level=1, bbox=[BOX, {"x": 0, "y": 40, "w": 50, "h": 10}])
    (page,) = read(
        text=texts((1, "Invoice 7\nTotal due\n12.50")),
        items=items(heading, item("Total due\n12.50"), page_width=612, page_height=792),
        metadata={"pages": [{"page_number": 1, "printed_page_number": " iv "}]},
    )
    block = (10.0, 20.0, 100.0, 12.5)
    both = (0.0, 20.0, 110.0, 30.0)
    assert page == SourcePage(
        1, ["Invoice", "7", "Total", "due", "12.50"], [0, 2, 4], [both, both, *[block] * 3], 612.0, 792.0, "iv"
    )


def test_text_without_items_keeps_its_lines_and_has_no_boxes() -> None:
    (page,) = read(text=texts((1, "Invoice 7\n\n  Total   due\n")))
    assert (page.words, page.line_starts, page.boxes) == (["Invoice", "7", "Total", "due"], [0, 2], [])


def test_items_that_do_not_cover_the_text_are_not_used() -> None:
    (page,) = read(text=texts((1, "Invoice 7 and a footnote")), items=items(item("Invoice 7"), page_width=612))
    assert (page.words, page.boxes, page.width) == (["Invoice", "7", "and", "a", "footnote"], [], 612.0)


def test_items_stand_for_a_page_whose_text_is_null() -> None:
    (page,) = read(text=texts((1, None)), items=items(item("Invoice 7")))
    assert (page.words, page.problem) == (["Invoice", "7"], "")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (item("", rows=[["a", "**b**"], [1, 2.5], None, "c"], type="table"), "a b 1 2.5 c"),
        ({"type": "list", "items": [item("x"), {"type": "list", "items": [item("y")]}], "bbox": [BOX]}, "x y"),
        ({"type": "header", "items": [{"type": "text", "value": "head"}], "bbox": [BOX]}, "head"),
        ({"type": "link", "text": "site", "url": "https://e.com", "bbox": [BOX]}, "site"),
        ({"type": "image", "caption": "A chart", "url": "x", "bbox": [BOX]}, "A chart"),
        ({"type": "text", "md": "**Net** <b>sum</b> of [a](b)", "bbox": [BOX]}, "Net sum of a"),
        ({"type": "list", "items": ["plain", None, 3], "bbox": [BOX]}, "plain"),
    ],
)
def test_every_kind_of_item_is_read_with_a_box(found: dict[str, Any], words: str) -> None:
    (page,) = read(text=texts((1, words)), items=items(found))
    assert page.words == words.split()
    assert len(page.boxes) == len(page.words)


def test_a_page_where_an_item_has_no_box_has_no_boxes() -> None:
    (page,) = read(text=texts((1, "a b")), items=items(item("a"), item("b", bbox=None)))
    assert (page.words, page.boxes) == (["a", "b"], [])


@pytest.mark.parametrize(
    "box",
    [None, {}, {"x": 1, "y": 1, "w": 0, "h": 1}, {**BOX, "w": -5}, {**BOX, "x": None}, {**BOX, "h": 1e300}, "x", [3]],
)
def test_box_that_cannot_be_used_is_no_box(box: Any) -> None:
    (page,) = read(text=texts((1, "a")), items=items(item("a", bbox=[box])))
    assert (page.words, page.boxes) == (["a"], [])


def test_pages_are_matched_by_their_number_and_come_in_its_order() -> None:
    pages = read(
        text=texts((7, "seven"), (3.0, "three"), (None, "x"), (0, "x"), ("5", "x"), (True, "x"), (3, "again")),
        items={"pages": [{"page_number": 3, "items": [item("three")]}, {"page_number": 7, "items": [item("seven")]}]},
    )
    assert [(page.number, page.words, len(page.boxes)) for page in pages] == [(3, ["three"], 1), (7, ["seven"], 1)]


def test_pages_without_text_say_why() -> None:
    pages = read(
        text=texts((1, "a"), (2, None), (3, "")),
        items={"pages": [{"page_number": 3, "success": False, "error": "x"}]},
        metadata={"pages": [{"page_number": 4}]},
    )
    assert [page.problem for page in pages] == [
        "",
        "the parse job has no text of this page: it may be empty or a picture",
        "the parse job could not read this page",
        "the parse job left this page out",
    ]


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ("PENDING", UNFINISHED),
        ("running", UNFINISHED),
        ("FAILED", "the parse job failed"),
        ("CANCELLED", "the parse job was cancelled"),
        ("COMPLETED", ""),
        ("NEW_STATUS", ""),
        (None, ""),
        (["FAILED"], ""),
    ],
)
def test_status_says_whether_there_is_text(status: Any, problem: str) -> None:
    body = json.dumps({"job": {"status": status}, "text": texts((1, "a"))}).encode()
    assert ParsedPages(body).problem == problem


@pytest.mark.parametrize("section", [*ODD, {"pages": None}, {"pages": {}}])
def test_section_of_another_type_has_no_pages(section: Any) -> None:
    assert read(text=section, items=section, metadata=section) == []
    body = json.dumps({"job": section, "text": section}).encode()
    assert ParsedPages(body).problem == "the parse job has no pages"


@pytest.mark.parametrize("odd", ODD)
def test_page_with_values_of_other_types_is_read_as_far_as_it_goes(odd: Any) -> None:
    names = ("page_width", "page_height", "items", "success")
    pages = [{"page_number": 1, **dict.fromkeys(names, odd)}, odd, {"page_number": 2, "items": [odd, item("b")]}]
    nested = [{"page_number": 3, "items": [item("c", items=odd, rows=odd, bbox=odd)]}]
    read_pages = read(
        text=texts((1, odd), (2, "b")),
        items={"pages": pages + nested},
        metadata={"pages": [{"page_number": 2, "printed_page_number": odd}]},
    )
    assert [page.number for page in read_pages] == [1, 2, 3]
    assert "b" in read_pages[1].words
    source = build_source(read_pages)
    assert decode_source(encode_source(source)) == source


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'{"text": ', b"\xff"])
def test_body_that_is_no_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ParsedPages(body)


def test_items_that_are_nested_too_deeply_are_left_out() -> None:
    deep = item("b")
    for _ in range(100):
        deep = {"items": [deep]}
    (page,) = read(text=texts((1, "a")), items=items(item("a"), deep))
    assert page.words == ["a"]


def test_lone_surrogates_do_not_stop_a_page_from_being_sent_to_a_worker() -> None:
    parsed = ParsedPages(b'{"text": {"pages": [{"page_number": 1, "text": "a \\ud800 b"}]}}')
    source = build_source([parsed.read_page(1)])
    assert decode_source(encode_source(source)).pages[0].words[0] == "a"


def test_text_without_any_word_is_a_problem() -> None:
    assert build_source(read(text=texts((1, "")))) == SourceText(problem="the parse job has no text")
    assert build_source(read(text=texts((1, "a")))).origin == "parse_job"


def test_japanese_items_cover_a_text_with_other_line_breaks() -> None:
    (page,) = read(text=texts((1, "合計金額は\n五千円です")), items=items(item("合計金額\nは五千円です")))
    assert len(page.boxes) == len(page.words) == 2
