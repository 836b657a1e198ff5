"""Boxes are cleaned, what is shown is readable, and numbers find a free place."""

import math
from collections.abc import Callable

import pytest

from llx_mcp.pdf.mark_layout import (
    Line,
    Rect,
    choose_band,
    choose_scale,
    choose_view,
    clean_boxes,
    place_apart,
    place_beside,
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


PICTURE, NUMBERED = Rect(0, 0, 500, 500), Rect(100, 100, 200, 120)
SIZE = (20.0, 16.0)


def avoid(*blocked: Rect) -> Callable[[Rect], bool]:
    """Return whether a place is free where some areas are not."""
    return lambda place: not any(map(place.overlaps, blocked))


def avoid_lines(*blocked: Rect) -> Callable[[Line], bool]:
    """Return whether a line is clear where some areas are not free."""

    def is_clear(line: Line) -> bool:
        left, top, right, bottom = line
        points = [(left + (right - left) * n / 50, top + (bottom - top) * n / 50) for n in range(51)]
        return not any(Rect(x - 0.1, y - 0.1, x + 0.1, y + 0.1).overlaps(rect) for x, y in points for rect in blocked)

    return is_clear


@pytest.mark.parametrize(
    ("blocked", "place"),
    [
        ([], Rect(78, 102, 98, 118)),
        ([Rect(0, 0, 100, 500)], Rect(202, 102, 222, 118)),
        ([Rect(0, 102, 500, 118)], Rect(100, 82, 120, 98)),
        ([PICTURE], None),
    ],
)
def test_number_takes_the_first_free_place_beside_its_box(blocked: list[Rect], place: Rect | None) -> None:
    assert place_beside(NUMBERED, SIZE, PICTURE, avoid(*blocked), [], 2) == place


@pytest.mark.parametrize(
    ("other", "place"),
    [
        # It would stand as near to the other box at the left, and then between the two at the right.
        (Rect(50, 100, 72, 120), Rect(202, 102, 222, 118)),
        (Rect(50, 100, 70, 120), Rect(78, 102, 98, 118)),
    ],
)
def test_number_is_clearly_nearer_to_its_own_box(other: Rect, place: Rect) -> None:
    assert place_beside(NUMBERED, SIZE, PICTURE, avoid(other), [other], 2) == place


def test_number_without_a_place_beside_its_box_stands_near_it_with_a_line_through_nothing() -> None:
    above, below = Rect(0, 90, 500, 98), Rect(0, 122, 500, 130)
    words = [Rect(60, 102, 96, 118), Rect(204, 102, 240, 118), above, below]
    assert place_beside(NUMBERED, SIZE, PICTURE, avoid(*words), [], 2) is None
    found = place_apart(NUMBERED, SIZE, PICTURE, avoid(*words), avoid_lines(*words), [])
    assert found is not None
    place, line = found
    assert avoid(*words, NUMBERED)(place)
    assert avoid_lines(*words, NUMBERED.grow(-1, -1))(line)
    assert place.right <= 60 or place.left >= 240
    assert place.top >= 98
    assert place.bottom <= 122
    assert line[0] in (place.left, place.right)
    assert (line[2], line[3]) in {(x, y) for x in (100, 200) for y in (100, 120)}


def test_number_apart_from_its_box_does_not_stand_at_another_one() -> None:
    other = Rect(100, 126, 200, 146)
    found = place_apart(NUMBERED, SIZE, PICTURE, avoid(other), avoid_lines(other), [other])
    assert found is not None
    assert found[0].distance(other) > 5
    assert found[0].distance(NUMBERED) < found[0].distance(other)


def test_number_has_no_place_where_every_line_would_cross_words() -> None:
    frame = [Rect(90, 90, 210, 98), Rect(90, 122, 210, 130), Rect(90, 90, 98, 130), Rect(202, 90, 210, 130)]
    assert place_apart(NUMBERED, SIZE, PICTURE, avoid(*frame), avoid_lines(*frame), []) is None
