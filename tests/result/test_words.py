"""The terms of a search, and how well a text contains each."""

import pytest

from llx_mcp.result.words import INSIDE, PART_OF_TIME, PREFIX, STEM, WORD, split_terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("What is the governing law?", ["governing", "law"]),
        ("revenue in the Second Quarter", ["revenue", "q2"]),
        ("1st half 2025", ["h1", "2025"]),
        ("third quarters", ["q3"]),
        ("3rd quarter, 4th quarter, fourth half", ["q3 or q4 or h4"]),
        ("2nd half, first quarter", ["h2 or q1"]),
        ("second", ["second"]),
        ("second hand", ["second", "hand"]),
        ("total_amount total-amount", ["total", "amount", "total-amount"]),
        ("law law", ["law"]),
        ("to be or not to be", ["not"]),
        ("to be", ["to", "be"]),
        ("is it", ["is", "it"]),
        ("Can you please tell me how much there is in my account?", ["account"]),
        ("What's the company's name?", ["company", "name"]),
        ("“quoted” (words)", ["quoted", "words"]),
        ("?!", []),
    ],
)
def test_text_is_split_into_the_terms_that_tell_something(text: str, terms: list[str]) -> None:
    assert [term.text for term in split_terms(text).terms] == terms


@pytest.mark.parametrize(
    ("term", "text", "weight"),
    [
        ("law", "the governing law", WORD),
        ("law", "laws", STEM),
        ("laws", "the law", STEM),
        ("companies", "a company", STEM),
        ("company", "two companies", STEM),
        ("boxes", "box", STEM),
        ("address", "addresses", STEM),
        ("q2", "fy2025 q2", WORD),
        ("q2", "second quarter", WORD),
        ("q2", "q21", 0.0),
        ("2025", "fy2025", WORD),
        ("25", "fy2025", 0.0),
        ("fiscal", "fy2025", WORD),
        ("amort", "amortization", PREFIX),
        ("amor", "amortization", PREFIX),
        ("amo", "amortization", 0.0),
        ("izat", "amortization", INSIDE),
        ("iza", "amortization", 0.0),
        ("amort", "reamort and amortization", PREFIX),
        ("q3", "3rd quarter", WORD),
        ("q4", "the 4th quarter", WORD),
        ("h1", "1st half", WORD),
        ("q5", "fifth quarter", 0.0),
        ("law's", "the law", WORD),
        ("law", "the law's end", WORD),
        ("law", "'law'", WORD),
        ("buses", "bus", STEM),
        ("class", "classes", STEM),
        ("class", "cla", 0.0),
        ("gas", "ga", 0.0),
        ("ties", "tie", STEM),
        ("2025", "20251", PREFIX),
        ("1st", "21st", 0.0),
        ("percent", "5 %", WORD),
        ("percentage", "12 percent", WORD),
        ("tion", "amortization", INSIDE),
        ("at", "that", 0.0),
        ("緩衝", "高緩衝液", WORD),
        ("march", "2026-03-04", WORD),
        ("march", "mar 2026", WORD),
        ("jul", "july 2016", WORD),
        ("july", "2016-07", WORD),
        ("march", "ab-0310", 0.0),
        ("march", "2025-12-03", 0.0),
        ("names", "the name", STEM),
        ("dates", "date", STEM),
        ("cases", "case", STEM),
        ("sales", "a sale", STEM),
        ("law", "", 0.0),
        ("id", "two ids", STEM),
        ("gas", "gasworks", 0.0),
        ("mature", "maturity", STEM),
        ("expiry", "it expires", STEM),
        ("autos", "autohaus", PREFIX),
        ("invoices", "invoicenumber", PREFIX),
        ("buros", "burostuhl", PREFIX),
        ("long-term", "long term debt", WORD),
        ("long-term", "long-term debt", WORD),
        ("long-term", "long terms", PREFIX),
        ("30", "from 10:30 to 11:15", PART_OF_TIME),
        ("03", "1:03.28", PART_OF_TIME),
        ("28", "1:03.28", PART_OF_TIME),
        ("30", "lap 30: 1:03.28", WORD),
        ("10:30", "at 10:30", WORD),
        ("31", "31.03.2026", WORD),
        ("12", "12.0", WORD),
        ("2024", "2024-03-31", WORD),
    ],
)
def test_whole_word_fits_best_then_its_beginning_then_its_inside(term: str, text: str, weight: float) -> None:
    (found,) = split_terms(term).terms
    assert found.weigh(text) == weight


@pytest.mark.parametrize(
    ("term", "is_generic"),
    [
        ("2024", True),
        ("fy2024", True),
        ("q2", True),
        ("quarter", True),
        ("march", True),
        ("quartal", True),
        ("7", True),
        ("31", True),
        ("123", False),
        ("2024-03-31", False),
        ("revenue", False),
        ("wr", False),
    ],
)
def test_words_that_say_when_and_short_numbers_are_no_topic(term: str, is_generic: bool) -> None:
    (found,) = split_terms(term).terms
    assert found.is_generic is is_generic


def test_several_years_or_periods_are_one_term_with_options() -> None:
    terms = split_terms("debt FY2024, Q2 FY2025, FY2024, first half")
    assert [term.text for term in terms.terms] == ["debt", "fy2024 or fy2025", "q2 or h1"]
    assert [term.is_generic for term in terms.terms] == [False, True, True]
    assert [option.text for option in terms.options] == ["fy2024", "fy2025", "q2", "h1"]
    # The options are numbered after the terms, and make a name no better.
    assert terms.weigh_name("debt_fy2024") == {0: 1.0, 1: 1.0, 3: 1.0}


def test_name_with_other_words_fits_less() -> None:
    terms = split_terms("revenue")
    assert terms.weigh_name("revenue") == {0: 1.0}
    assert terms.weigh_name("revenueGrowth")[0] == pytest.approx(0.8)
    assert terms.weigh_name("cost") == {}


def test_words_that_say_nothing_do_not_count_among_the_words_of_a_name() -> None:
    terms = split_terms("pages")
    assert terms.weigh_name("number_of_pages") == terms.weigh_name("number_pages") == {0: pytest.approx(0.8)}


@pytest.mark.parametrize("name", ["lineItems", "line_items", "LINE-ITEMS", "lineitems"])
def test_name_is_found_however_its_words_are_joined(name: str) -> None:
    assert split_terms("line items").weigh_name(name).keys() == {0, 1}
    assert split_terms("lineitems").weigh_name(name).keys() == {0}


@pytest.mark.parametrize(
    ("text", "numbers", "digits"),
    [
        ("1,234.50", {1234.5}, "12345"),
        ("007", {7.0}, "7"),
        ("100", {100.0}, "1"),
        ("$12", {12.0}, "12"),
        ("12kg", set(), "12"),
        ("law", set(), ""),
        ("٣", {3.0}, ""),
        ("--", set(), ""),
    ],
)
def test_term_is_a_number_where_it_has_digits_and_no_letters(text: str, numbers: set[float], digits: str) -> None:
    (term,) = split_terms(text).terms
    assert (set(term.numbers), term.digits) == (numbers, digits)


def test_name_fits_less_with_each_further_word() -> None:
    terms = split_terms("net price")
    one_more = terms.weigh_name("net_unit_price")
    two_more = terms.weigh_name("net_unit_list_price")
    assert terms.weigh_name("net_price") == {0: 1.0, 1: 1.0}
    assert one_more == pytest.approx({0: 1 - 0.4 / 3, 1: 1 - 0.4 / 3})
    assert two_more == pytest.approx({0: 0.8, 1: 0.8})


def test_part_of_a_joined_name_fits_as_the_beginning_of_a_word() -> None:
    assert split_terms("netprice").weigh_name("net_price") == pytest.approx({0: PREFIX * 0.8})
    assert split_terms("tpr").weigh_name("net_price") == {}
    assert split_terms("etpr").weigh_name("net_price") == pytest.approx({0: PREFIX * 0.8})
    assert split_terms("?").weigh_name("") == {}
