"""Each citation gets the verdict that its page, its quote and its value deserve."""

from collections.abc import Sequence
from typing import Any

import pytest

from llx_mcp.evidence.citations import TIME_IS_UP
from llx_mcp.evidence.grounding import UNKNOWN_SCALE, Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.evidence.places import Place, Places
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Box, Citation
from tests.evidence.documents import build_source

AGREEMENT = build_source(
    """This agreement is dated 18 May 2026 and made between Torvald Shipyards ASA as borrower
    and Meridian Trade Bank N.V. as agent. Page 1 of 4""",
    """The facility is EUR 40,000,000. The borrower shall repay it in 5 instal-
    ments. Interest is 4.75 % a year. The agent informs the lenders of each pay-""",
    """ment that it receives. Fee: EUR 125,000. The borrower pays it on 18 May 2026.
    Interest is 5.25 % after the third year.""",
    """Schedule 1
    Meridian Trade Bank N.V. 18,000,000
    Fjord Capital AS 22,000,000
    The borrower pays""",
)


def cite(page: float | None, quote: str | None, *boxes: Box) -> list[Citation]:
    return [Citation(page, quote, boxes)]


def words_of(source: SourceText, place: Place | None) -> str:
    assert place is not None
    (page,) = [page for page in source.pages if page.number == place.page]
    return " ".join(page.words[place.first : place.last + 1])


@pytest.mark.parametrize(
    ("value", "page", "quote", "words", "value_words"),
    [
        (40_000_000, 2, "The facility is EUR 40,000,000.", "The facility is EUR 40,000,000.", "40,000,000."),
        ("2026-05-18", 1, "is dated 18 May 2026", "is dated 18 May 2026", "18 May 2026"),
        (5, 2, "in 5 instalments", "in 5 instal- ments.", "5"),
        (4.75, 2, "**Interest** | $4.75\\%$ |", "Interest is 4.75 %", "4.75"),
        (0.0475, 2, "4.75 %", "4.75 %", "4.75"),
        ("Torvald Shipyards ASA", 1, "TORVALD SHlPYARDS ASA", "Torvald Shipyards ASA", "Torvald Shipyards ASA"),
        ("Fjord Capital AS", 4, "Fjord Capital AS", "Fjord Capital AS", "Fjord Capital AS"),
        (22_000_000, 4, "22,0O0,000", "22,000,000", "22,000,000"),
        (True, 3, "Fee: EUR 125,000", "Fee: EUR 125,000.", None),
    ],
)
def test_quote_on_its_page_is_verified(value: Any, page: int, quote: str, words: str, value_words: str | None) -> None:
    check = Grounder(AGREEMENT).check(value, cite(page, quote))
    assert (check.verdict, check.contains_value, check.reason) == ("verified", True, "")
    if "Interest" not in quote:
        assert words_of(AGREEMENT, check.citations[0].places[0]) == words
    value_place = check.citations[0].value_place
    assert value_place is None if value_words is None else words_of(AGREEMENT, value_place) == value_words


def test_quote_on_another_page_is_said_to_be_there() -> None:
    check = Grounder(AGREEMENT).check(125_000, cite(2, "Fee: EUR 125,000."))
    assert (check.verdict, check.citations[0].places, check.elsewhere.total) == ("not_on_page", (), 1)
    assert check.elsewhere.places[0].page == 3
    assert words_of(AGREEMENT, check.elsewhere.places[0]) == "Fee: EUR 125,000."


def test_quote_with_a_misread_character_is_found_on_the_right_page() -> None:
    check = Grounder(AGREEMENT).check(125_000, cite(1, "Fee: EUR 125,000. The b0rrower pays it on"))
    assert (check.verdict, check.elsewhere.places[0].page, check.elsewhere.places[0].match) == (
        "not_on_page", 3, "fuzzy",
    )  # fmt: skip
    assert 0.9 < check.elsewhere.places[0].score < 1


def test_quote_that_stands_nowhere_has_no_other_place() -> None:
    check = Grounder(AGREEMENT).check("Oslo", cite(1, "This agreement is governed by the laws of Norway"))
    assert (check.verdict, check.elsewhere) == ("not_on_page", Places())


def test_quote_on_several_other_pages_is_ambiguous() -> None:
    check = Grounder(AGREEMENT).check("Meridian Trade Bank N.V.", cite(2, "Meridian Trade Bank N.V."))
    assert (check.verdict, check.elsewhere.num_pages, check.elsewhere.total) == ("ambiguous", 2, 2)
    assert check.reason == "the quote is not on its page, and stands on 2 other pages"


def test_quote_without_the_value_is_said_to_lack_it() -> None:
    check = Grounder(AGREEMENT).check(4.75, cite(3, "Interest is 5.25 %"))
    assert (check.verdict, check.contains_value) == ("value_not_in_quote", False)
    assert words_of(AGREEMENT, check.citations[0].places[0]) == "Interest is 5.25 %"


def test_similar_quote_that_differs_in_the_value_does_not_stand_there() -> None:
    # The page says 40,000,000; a quote that says otherwise is no misread quote.
    check = Grounder(AGREEMENT).check(45_000_000, cite(2, "The facility is EUR 45,000,000."))
    assert check.verdict == "not_on_page"
    assert Grounder(AGREEMENT).check(6.75, cite(2, "6.75 %")).verdict == "not_on_page"


def test_quote_may_go_on_on_the_next_page() -> None:
    quote = "The agent informs the lenders of each payment that it receives."
    for page in (2, 3):
        check = Grounder(AGREEMENT).check("each payment that it receives", cite(page, quote))
        assert check.verdict == "verified"
        assert check.decisive is not None
        assert [place.page for place in check.decisive.places] == [page, 5 - page]
    assert Grounder(AGREEMENT).check("each payment", cite(1, quote)).verdict == "not_on_page"


def test_quote_may_leave_out_words() -> None:
    quote = "This agreement is dated 18 May 2026 … Meridian Trade Bank N.V. as agent"
    check = Grounder(AGREEMENT).check("2026-05-18", cite(1, quote))
    assert check.verdict == "verified"
    assert check.decisive is not None
    assert len(check.decisive.places) == 2
    assert Grounder(AGREEMENT).check("2026-05-18", cite(2, quote)).verdict == "not_on_page"


@pytest.mark.parametrize(
    ("page", "quote", "reason"),
    [
        (None, "EUR 125,000", "the citation has no page number"),
        (9, "EUR 125,000", "there is no text of page 9"),
        (1.5, "EUR 125,000", "there is no text of page 1.5"),
        (2, "EUR 125,000", "page 2 has no text: it may be scanned"),
        (3, "EUR 125,000", "not read: the page is damaged"),
        (1, None, "the citation has no quote"),
        (1, "", "the citation has no quote"),
    ],
)
def test_what_cannot_be_checked_says_why(page: float | None, quote: str | None, reason: str) -> None:
    text = build_source("Fee: EUR 125,000.", "", "")
    pages = [*text.pages[:2], SourcePage(3, problem="not read: the page is damaged")]
    check = Grounder(SourceText("document", pages)).check(125_000, cite(page, quote))
    assert (check.verdict, check.reason, check.contains_value) == ("unchecked", reason, None)
    # Where the quote stands elsewhere is said nevertheless.
    assert check.elsewhere.total == (1 if quote else 0)


def test_no_source_and_no_citation_are_unchecked() -> None:
    grounder = Grounder(SourceText(problem="the document is gone"))
    assert grounder.check(5, cite(1, "5")).reason == "the document is gone"
    assert Grounder(AGREEMENT).check(5, []).reason == "it has no citation"


def test_page_that_was_read_in_part_is_not_said_to_lack_a_quote() -> None:
    page = SourcePage(1, ["Fee:", "125,000"], problem="only the first 200,000 characters are read")
    grounder = Grounder(SourceText("document", [page]))
    assert grounder.check(125_000, cite(1, "Fee: 125,000")).verdict == "verified"
    check = grounder.check("Oslo", cite(1, "Governed by the laws of Norway"))
    assert (check.verdict, check.reason) == ("unchecked", page.problem)


def test_quote_without_letters_is_looked_for_as_it_is() -> None:
    grounder = Grounder(build_source("Paid ☒ Due ☐"))
    assert grounder.check(True, cite(1, "☒")).verdict == "verified"
    check = grounder.check("x", cite(1, "—"))
    assert (check.verdict, check.reason) == ("ambiguous", "the quote has no letters or digits to compare")


def test_several_citations_contain_the_value_together() -> None:
    value = "Torvald Shipyards ASA, borrower, owes EUR 40,000,000"
    citations = cite(1, "Torvald Shipyards ASA as borrower") + cite(2, "The facility is EUR 40,000,000")
    check = Grounder(AGREEMENT).check("Torvald Shipyards ASA EUR 40,000,000", citations)
    assert (check.verdict, [each.verdict for each in check.citations]) == ("verified", ["verified", "verified"])
    assert Grounder(AGREEMENT).check(value, citations[:1]).verdict == "value_not_in_quote"


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        (cite(1, "Fee: EUR 125,000"), "not_on_page"),
        (cite(2, "Meridian Trade Bank N.V."), "ambiguous"),
        (cite(9, "Fee"), "verified"),
    ],
)
def test_worst_citation_decides(others: Sequence[Citation], verdict: str) -> None:
    check = Grounder(AGREEMENT).check(125_000, [*cite(3, "Fee: EUR 125,000"), *others])
    assert check.verdict == verdict
    assert check.decisive == next(each for each in check.citations if each.verdict == verdict)


def test_citation_that_cannot_be_checked_counts_where_the_others_lack_the_value() -> None:
    check = Grounder(AGREEMENT).check(7, [*cite(3, "Fee: EUR 125,000"), *cite(9, "7 days")])
    assert (check.verdict, check.reason) == ("unchecked", "there is no text of page 9")


def test_boxes_of_the_service_decide_between_occurrences() -> None:
    boxes = [(50.0, 100.0 + 20 * row, 30.0, 10.0) for row in range(3)]
    page = SourcePage(1, ["Fee", "Fee", "Fee"], [0, 1, 2], boxes)
    check = Grounder(SourceText("document", [page])).check("Fee", cite(1, "Fee", Box(49, 121, 30, 10)))
    place = Place(1, 1, 1, (boxes[1],))
    assert (check.citations[0].places, check.citations[0].value_place) == ((place,), place)


def test_quote_that_is_the_beginning_of_its_value_contains_it() -> None:
    value = "The borrower shall repay it in 5 instalments. Interest is 4.75 % a year."
    assert Grounder(AGREEMENT).check(value, cite(2, "The borrower shall repay it in 5")).verdict == "verified"
    other = "The borrower shall repay it in 5 years after the delivery of the second ship."
    assert Grounder(AGREEMENT).check(other, cite(2, "The borrower shall repay it in 5")).verdict == "value_not_in_quote"


def test_time_that_is_up_leaves_the_rest_unchecked() -> None:
    over = Deadline(0, lambda: 0.0)
    check = Grounder(AGREEMENT).check(5, cite(2, "in 5 instalments"), deadline=over)
    assert (check.verdict, check.reason) == ("unchecked", TIME_IS_UP)
    assert Grounder(AGREEMENT).find_value(5, deadline=over) == Places(is_cut=True)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (125_000, ["125,000."]),
        (125, ["125,000."]),
        ("EUR 125,000", ["EUR 125,000."]),
        ("EUR 125000", ["EUR 125,000."]),
        ("2026-05-18", ["18 May 2026", "18 May 2026."]),
        ("2026-05", ["May 2026", "May 2026."]),
        ("2027-05-18", []),
        ("Fjord Capital AS", ["Fjord Capital AS"]),
        ("Fjord Capitol AS", ["Fjord Capital AS"]),
        ("Fjord", ["Fjord"]),
        ("Fjord Cruises Ltd", []),
        (None, []),
        (True, []),
        ({"a": 1}, []),
        ("", []),
        (77, []),
    ],
)
def test_value_without_a_citation_is_found(value: Any, found: list[str]) -> None:
    places = Grounder(AGREEMENT).find_value(value)
    assert [words_of(AGREEMENT, place) for place in places.places] == found
    assert places.total == len(found)


def test_number_in_its_own_scale_comes_first_and_all_are_counted() -> None:
    source = build_source(*["5 of 5 million, and 7,000"] * 40)
    places = Grounder(source).find_value(5, limit=3)
    assert (len(places.places), places.total, places.num_pages) == (3, 80, 40)


@pytest.mark.parametrize(
    ("text", "found", "match"),
    [
        ("meridian trade", ["Meridian Trade", "Meridian Trade"], "exact"),
        ("the borrower pays", ["The borrower pays", "The borrower pays"], "exact"),
        ("lenders agent informs", ["agent informs the lenders"], "tokens"),
        ("Torwald Shipyards", ["Torvald Shipyards"], "fuzzy"),
        ("nothing like it at all", [], ""),
        ("—", [], ""),
        ("", [], ""),
    ],
)
def test_search_finds_words_as_given_then_the_same_words_then_similar_ones(
    text: str, found: list[str], match: str
) -> None:
    places = Grounder(AGREEMENT).search(text)
    assert [words_of(AGREEMENT, place) for place in places.places] == found
    assert {place.match for place in places.places} == ({match} if match else set())


def test_japanese_is_found_within_its_sentence() -> None:
    source = build_source(
        "本契約は東京都港区の株式会社山田商店と締結する。", "支払期限は2026年3月31日とする。", "東京都新宿区"
    )
    grounder = Grounder(source)
    check = grounder.check("株式会社山田商店", cite(1, "東京都港区の株式会社 山田商店と"))
    assert check.verdict == "verified"
    assert grounder.check("山田商店", cite(2, "株式会社山田商店")).elsewhere.places[0].page == 1
    assert grounder.check("2026-03-31", cite(2, "2026年3月31日")).verdict == "verified"
    # One of nine characters is misread.
    misread = grounder.check("株式会社山田商店", cite(3, "港区の株式会杜山田商店"))
    assert (misread.verdict, misread.elsewhere.places[0].page) == ("not_on_page", 1)
    assert grounder.search("港区").total == 1


def test_thai_is_found_within_its_sentence() -> None:
    source = build_source("สัญญาฉบับนี้ทำขึ้นที่กรุงเทพมหานคร", "ผู้ให้กู้คือธนาคารกลาง")
    assert Grounder(source).check("กรุงเทพมหานคร", cite(1, "ทำขึ้นที่กรุงเทพมหานคร")).verdict == "verified"
    assert Grounder(source).check("ธนาคารกลาง", cite(1, "คือธนาคารกลาง")).elsewhere.places[0].page == 2


@pytest.mark.parametrize(
    ("value", "quote", "page", "verdict"),
    [
        # A decimal point is shifted or lost.
        (12.5, "Price 12.50 EUR", "Price 1250 EUR", "not_on_page"),
        (123456.78, "123,456.78", "12345678", "not_on_page"),
        (1.25, "Price 1.250,00 EUR", "Price 12.500,0 EUR", "not_on_page"),
        (1250, "Price 1.250,00 EUR", "Price 12.500,0 EUR", "not_on_page"),
        (12.5, "12.50", "12 50", "not_on_page"),
        ("1.5", "version 1.5", "version 15", "not_on_page"),
        (1.25, "Price 1.250 EUR each", "Price 1250 EUR each", "not_on_page"),
        (1250, "Price 1.250 EUR each", "Price 1250 EUR each", "verified"),
        (1250, "Price 1.250,00 EUR", "Price 1 250,00 EUR", "verified"),
        ("DE1099901700", "DE1099901700", "IBAN DE10 9990 1700", "verified"),
        (9990170012, "no. 9990170012", "no. 9990 1700 12", "verified"),
        # Two values are exchanged.
        (10, "Net 10 Gross 20", "Net 20 Gross 10", "ambiguous"),
        (100, "Net 100 Gross 200", "Net 200 Gross 100", "ambiguous"),
        (500, "Debit 500 Credit 0", "Debit 0 Credit 500", "ambiguous"),
        ("Alice", "Buyer Alice Seller Robert", "Buyer Robert Seller Alice", "ambiguous"),
        (10, "Net 10", "Net 20 Gross 10", "ambiguous"),
        ("Alice", "Buyer Alice", "Buyer Robert Seller Alice", "ambiguous"),
        ("Alice Moe", "Alice Moe for Contoso Ltd", "Alice Moe Contoso Ltd", "verified"),
        (135, "Haemoglobin 135", "Haemoglobin g/l 128 135 175", "verified"),
        (135, "Haemoglobin 175 135", "Haemoglobin g/l 128 135 175", "ambiguous"),
        (20, "Gross 20 Net 10", "Net 10 Gross 20 EUR", "verified"),
        (10, "Total net 10 Total vat 20", "Total net 20 Total vat 10", "ambiguous"),
        # The sign differs.
        (-30, "Storage temperature -30 °C", "Storage temperature 30 °C", "ambiguous"),
        ("-30 °C", "Storage temperature -30 °C", "Storage temperature 30 °C", "ambiguous"),
        (-100, "Saldo -100", "Saldo 100", "ambiguous"),
        (-100, "Saldo (100)", "Saldo 100", "ambiguous"),
        (100, "Saldo 100", "Saldo -100", "ambiguous"),
        (-100, "Saldo -100", "Saldo 100 and Saldo -100", "verified"),
        (-100, "Saldo -100", "Saldo (100)", "verified"),
        (-100, "Saldo -100", "Saldo 100-", "verified"),
        (-100, "Saldo -100", "Saldo 100 CR", "verified"),
        (-100, "Saldo -100", "Saldo – $ 100", "verified"),
        (-100, "Saldo 100", "Saldo 100", "verified"),
        (100, "Saldo -100", "Saldo -100", "verified"),
        (100, "of 100 EUR", "• - of 100 EUR", "verified"),
        (20, "10-20 years", "10-20 years", "verified"),
        (-100, "Saldo $-100$", "Saldo −100", "verified"),
        # The scale is not named.
        (1200, "12 items", "12 items", "value_not_in_quote"),
        (0.12, "12 items", "12 items", "value_not_in_quote"),
        (12_000_000, "12 items", "12 items", "ambiguous"),
        (12_000_000, "12 items", "in millions 12 items", "verified"),
        (12_000, "12 items", "in millions 12 items", "ambiguous"),
        (12_000, "12 items ($000)", "12 items ($000)", "verified"),
        (0.12, "12 %", "12 %", "verified"),
        (12, "12 items", "in millions 12 items", "verified"),
    ],
)
def test_value_in_the_quote_is_the_value_on_the_page(value: Any, quote: str, page: str, verdict: str) -> None:
    check = Grounder(build_source(page)).check(value, cite(1, quote))
    assert check.verdict == verdict, check
    # Nothing that is doubtful goes without a reason, and none is said of what is verified.
    assert bool(check.reason) == (verdict == "ambiguous")


def test_doubtful_scale_is_neither_contained_nor_missing() -> None:
    check = Grounder(build_source("12 items")).check(12_000_000, cite(1, "12 items"))
    assert (check.contains_value, check.reason) == (None, UNKNOWN_SCALE)
    assert check.decisive is check.citations[0]


@pytest.mark.parametrize(
    ("text", "value", "total"),
    [
        ("12 items", 1200, 0),
        ("12 items", 0.12, 0),
        ("12 items", 12_000_000, 0),
        ("12 items", "0.12", 0),
        ("12 (in millions)", 12_000_000, 1),
        ("12 %", 0.12, 1),
    ],
)
def test_number_in_another_scale_is_found_where_the_scale_is_named(text: str, value: Any, total: int) -> None:
    assert Grounder(build_source(text)).find_value(value).total == total


def test_short_part_of_a_quote_stands_beside_the_part_before_it() -> None:
    far = "Total amount ........ 99.00\n" + "word " * 800 + "\nShipping ....... 12.50"
    for page in (far, "Total amount ........ 99.00\nShipping ....... 12.50", "Total ... 99.00 Shipping ... 12.50"):
        check = Grounder(build_source(page)).check(12.5, cite(1, "Total amount ........ 12.50"))
        assert check.verdict != "verified"
    page = "Total amount ........ 99.00\n" + "word " * 800 + "\nTotal amount (EUR) ....... 12.50"
    for quote in ("Total amount ........ 12.50", "Total amount … 12.50"):
        assert Grounder(build_source(page)).check(12.5, cite(1, quote)).verdict == "verified"
    # On the next line stands another number.
    other = Grounder(build_source("Total amount 2025 of\nall 12.50")).check(12.5, cite(1, "Total amount … 12.50"))
    assert other.verdict != "verified"
