"""The numbers of values that cite the same words are one label, which is shortened where there are many."""

import pytest

from llx_mcp.pdf.mark_drawing import PlacedMark


@pytest.mark.parametrize(
    ("numbers", "labels"),
    [
        ((7,), ("7",)),
        ((1, 2), ("1, 2", "1 … 2", "1…")),
        ((1, 2, 3, 6), ("1-3, 6", "1 … 6", "1…")),
        ((2, 4, 6, 8, 20), ("2, 4 … 20", "2 … 20", "2…")),
        ((1, 2, 3, 5, 6, 7, 9, 11), ("1-3, 5-7 … 11", "1 … 11", "1…")),
    ],
)
def test_label_has_shorter_forms(numbers: tuple[int, ...], labels: tuple[str, ...]) -> None:
    assert PlacedMark(numbers, ()).labels == labels
