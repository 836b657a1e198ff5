"""A quote in several parts is found where all of them stand, in order."""

from llx_mcp.evidence.fragments import find_continued, find_parts
from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.streams import build_needle

FIRST_TEXT = "Header The lender may at any time transfer its rights Page 1"
SECOND_TEXT = "Header and its obligations to another bank if the agent agrees Page 2"
FIRST = PageIndex(SourcePage(1, FIRST_TEXT.split()))
SECOND = PageIndex(SourcePage(2, SECOND_TEXT.split()))


def texts(parts: list[object]) -> list[str]:
    return [part.page.text(part.span) for part in parts]  # type: ignore[attr-defined]


def test_parts_are_found_in_order() -> None:
    for mark in ("…", "...", "[...]", ". . ."):
        parts = find_parts(FIRST, f"The lender may {mark} transfer its rights", 0.8)
        assert texts([*parts]) == ["The lender may", "transfer its rights"]
    assert find_parts(FIRST, "transfer its rights … The lender may", 0.8) == []
    assert find_parts(FIRST, "The lender may … sell its rights to the crown", 0.8) == []
    assert find_parts(FIRST, "The lender may", 0.8) == []
    assert find_parts(FIRST, "The … 1", 0.8) == []


def test_quote_goes_on_on_the_next_page() -> None:
    quote = build_needle("The lender may at any time transfer its rights and its obligations to another bank")
    parts = find_continued(FIRST, SECOND, quote, 0.8)
    assert texts([*parts]) == [
        "The lender may at any time transfer its rights", "and its obligations to another bank",
    ]  # fmt: skip
    assert find_continued(SECOND, FIRST, quote, 0.8) == []
    assert find_continued(FIRST, SECOND, build_needle("its rights"), 0.8) == []
    assert find_continued(FIRST, SECOND, build_needle("The lender may at any time sell nothing at all"), 0.8) == []
