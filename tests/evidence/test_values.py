"""The words of a value are found in the part of a page where they stand."""

from typing import Any

import pytest

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.values import locate_value

TEXT = "On 18 May 2026 Ab 5 g/l L paid (1 234,50) EUR and 12.5 % of 2,742.5 million by 05/18/26 to Torvald Shipyards"
PAGE = PageIndex(SourcePage(1, TEXT.split()))
LONG = PageIndex(SourcePage(1, ["x"] * 300 + TEXT.split()))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-05-18", ["18 May 2026", "05/18/26"]),
        ("2026-05", ["May 2026", "05/18/26"]),
        ("2025-05-18", []),
        (1234.5, ["(1 234,50)"]),
        (-1234.5, ["(1 234,50)"]),
        (12.5, ["12.5"]),
        (0.125, ["12.5"]),
        (2_742_500_000, ["2,742.5"]),
        ("L", ["L", "g/l"]),
        ("12.5 %", ["12.5 %"]),
        ("12,5 kg", ["12.5"]),
        ("Torwald Shipyards", ["Torvald Shipyards"]),
        (float("nan"), []),
        (1e308, []),
        (10**400, []),
        (True, []),
        (None, []),
        ([1], []),
    ],
)
@pytest.mark.parametrize("page", [PAGE, LONG], ids=["short", "long"])
def test_words_of_a_value_are_found(page: PageIndex, value: Any, words: list[str]) -> None:
    assert [page.text(span) for span in locate_value(page, value, page.whole)] == words


def test_words_outside_of_the_part_are_not_found() -> None:
    assert locate_value(PAGE, 12.5, Span(0, 5)) == []
    assert locate_value(PAGE, "2026-05-18", Span(4, 9)) == []
    assert locate_value(PAGE, "Torwald Shipyards", Span(0, 5)) == []
    assert locate_value(LONG, 12.5, Span(0, 299)) == []
