"""Boxes are cleaned, what is shown is readable, and numbers find a free place."""

import math

import pytest

from llx_mcp.pdf.mark_layout import (
    Rect,
    choose_band,
    choose_scale,
    choose_view,
    clean_boxes,
    place_number,
    trim_band,
)

PAGE = Rect(0, 0, 600, 800)
SAME = (1.0, 1.0)


@pytest.mark.parametrize(
    "box",
    [
        (math.nan, 10, 10, 10),
        (10, 10, math.inf, 10),
        (10, 10, 0, 10),
        (10, 10, 10, 0),
        (10, 10, -5, 10),
        (700, 10, 20, 10),
        (10, -50, 20, 10),
    ],
    ids=["nan", "infinite", "no_width", "no_height", "negative", "right_of_page", "above_page"],
)
def test_box_that_cannot_be_drawn_is_left_out(box: tuple[float, float, float, float]) -> None:
    assert clean_boxes([box, (10, 10, 20, 10)], SAME, PAGE) == [Rect(10, 10, 30, 20)]


def test_box_is_cut_at_the_edge_of_the_page() -> None:
    assert clean_boxes([(-10, 790, 100, 30)], SAME, PAGE) == [Rect(0, 790, 90, 800)]


def test_box_of_a_page_of_another_size_is_scaled() -> None:
    assert clean_boxes([(10, 10, 20, 10)], (2.0, 0.5), PAGE) == [Rect(20, 5, 60, 10)]


def test_words_of_a_line_become_one_box_and_lines_stay_apart() -> None:
    words = [(10, 10, 20, 10), (33, 11, 20, 10), (10, 24, 30, 10), (300, 24, 30, 10)]
    assert clean_boxes(words, SAME, PAGE) == [Rect(10, 10, 53, 21), Rect(10, 24, 40, 34), Rect(300, 24, 330, 34)]


def test_view_has_the_whole_text_beside_the_boxes() -> None:
    box = Rect(300, 400, 340, 410)
    band = choose_band([box], PAGE)
    view = choose_view([box], band, Rect(70, band.top, 530, band.bottom), 1_000)
    assert (view.left, view.right) == (56, 544)
    assert view.top < 330
    assert view.bottom > 480


@pytest.mark.parametrize("left", [0, 15_000, 29_950])
def test_view_of_a_very_wide_page_stays_readable(left: float) -> None:
    page = Rect(0, 0, 30_000, 30_000)
    box = Rect(left, 20_000, left + 50, 20_010)
    view = choose_view([box], choose_band([box], page), Rect(0, 19_950, 30_000, 20_050), 1_000)
    assert view.left <= box.left
    assert box.right <= view.right
    assert choose_scale(view, 1_000, None) >= 1.3


def test_scale_keeps_a_picture_within_its_width_and_its_height() -> None:
    for view in (Rect(0, 0, 30_000, 10), Rect(0, 0, 10, 30_000), Rect(0, 0, 30_000, 30_000)):
        scale = choose_scale(view, 1_000, None)
        assert view.width * scale <= 1_000
        assert view.height * scale <= 1_500


@pytest.mark.parametrize(("native", "expected"), [(2.0, 2.0), (0.5, 1.0), (0.9, 1.4), (10.0, 2.5)])
def test_screenshot_is_enlarged_only_where_its_text_is_very_small(native: float, expected: float) -> None:
    assert choose_scale(Rect(0, 0, 100, 100), 1_000, native) == expected


def test_band_ends_between_two_lines_of_text() -> None:
    rows = [False] * 6 + [True] * 4 + [False] * 80 + [True] * 4 + [False] * 6
    assert trim_band(Rect(0, 100, 600, 200), rows) == Rect(0, 108, 600, 192)


def test_band_that_ends_between_two_lines_stays() -> None:
    rows = [True] * 4 + [False] * 92 + [True] * 4
    assert trim_band(Rect(0, 100, 600, 200), rows) == Rect(0, 100, 600, 200)


def test_band_without_a_blank_row_near_its_edges_stays() -> None:
    assert trim_band(Rect(0, 100, 600, 200), [False] * 100) == Rect(0, 100, 600, 200)


def test_number_takes_the_first_free_place_beside_its_box() -> None:
    picture, box = Rect(0, 0, 500, 500), Rect(100, 100, 200, 120)

    def place(blocked: list[Rect]) -> Rect | None:
        return place_number(box, (20, 16), picture, lambda rect: not any(map(rect.overlaps, blocked)), 2)

    assert place([]) == Rect(78, 102, 98, 118)
    assert place([Rect(0, 0, 100, 500)]) == Rect(202, 102, 222, 118)
    assert place([picture]) is None
