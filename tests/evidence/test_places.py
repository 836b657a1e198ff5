"""Boxes are merged by line, and blocks are listed once."""

from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Place, Span, build_place, share_covered
from llx_mcp.result.document import Box

PAGE = SourcePage(
    3, ["a", "b", "c", "d"], [0, 2], [(10, 20, 5, 8), (20, 19, 5, 10), (10, 40, 5, 8), (20, 40, 5, 8)]
)  # fmt: skip


def test_there_is_one_box_for_each_line() -> None:
    place = build_place(PAGE, Span(0, 2, 0.98765))
    assert place == Place(3, 0, 2, ((10, 19, 15, 10), (10, 40, 5, 8)), 0.988)
    assert build_place(SourcePage(1, ["a"]), Span(0, 0)).boxes == ()


def test_block_is_listed_once() -> None:
    block = (1.0, 2.0, 100.0, 50.0)
    page = SourcePage(1, ["a", "b", "c"], [0, 1], [block, block, (1.0, 60.0, 100.0, 50.0)])
    assert build_place(page, Span(0, 2), "block").boxes == (block, page.boxes[2])


def test_share_covered_is_by_area() -> None:
    assert share_covered([(0, 0, 10, 10)], [Box(5, 0, 100, 10)]) == 0.5
    assert share_covered([(0, 0, 10, 10)], [Box(20, 0, 10, 10)]) == 0
    assert share_covered([], [Box(0, 0, 1, 1)]) == 0
