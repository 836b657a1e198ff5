"""Quotes contain a value in any format, and not a value that is not in the document."""

from typing import Any

import pytest

from llx_mcp.result.quote_match import quotes_contain_value

LONG_VALUE = " ".join(f"w{number}" for number in range(80))
# The length from which the service may quote only the beginning of a value.
FULL_200 = LONG_VALUE[:200]


@pytest.mark.parametrize(
    ("value", "quote"),
    [
        (12.5, "Total: $12.50"),
        (1234567.0, "1,234,567"),
        (1234.5, "1.234,50 €"),
        (1234.5, "1 234,50"),
        (-12, "(12)"),
        (-12.5, "−12.50"),
        (2742500000, "2,742.5 (in millions)"),
        (0.125, "12.5 %"),
        (0.125, "Growth (%) 12.5"),
        (0.125, "10 to 12.5 per cent"),
        (0.1, "10 to 12.5 per cent"),
        (-509.89, "19 Apr 2026 Electricity, Tidewater Energy -509.89 30,075.02"),
        (30075.02, "19 Apr 2026 Electricity, Tidewater Energy -509.89 30,075.02"),
        (500, "Qty 34 500 EUR"),
        (34500, "34 500 EUR"),
        (3, "three lenders"),
        (0, "zero"),
        ("2026-01-31", "31 January 2026"),
        ("2026-01-31", "due 01/31/26"),
        ("2026-01-31", "31.01.2026"),
        ("2026-01-31", "am 31. Januar 2026"),
        ("2026-01", "January 2026"),
        ("2026-01-31", "le 31 janvier 2026"),
        ("2026-06-30", "der 30. Juni 2026"),
        ("2026-06-30", "vence el 30 de junio de 2026"),
        ("2026-12-24", "which may end on 24 dezember 2026"),
        ("2026-12-24", "2026/12/24"),
        ("2026-09-01", "1 Sept 2026"),
        ("2026-03-31", "31st of march, 2026"),
        (51_000, "51 (in thousands)"),
        ("2026-01-31", "31 jan 2026"),
        ("one two three four five", "one two three four"),
        (LONG_VALUE, "W0 w1, w2: w3 w4"),
        (LONG_VALUE, "w0 w1 x w2 w3"),
        (17.0000000001, "17"),
        (9990170012, "no. 9990 1700 12"),
        (7.1e6, "7.1 million"),
        (3e9, "3 (billions)"),
        (4e12, "4 (trillions)"),
        (0.055, "5.5 %"),
        (1250, "12.5 (hundreds)"),
        (1234.5, "1234500"),
        (3.25, "3250000"),
        ("2026-03-12T08:15", "Collected 12 March 2026 08:15"),
        ("The proceeds are for the dock alone. " * 8, "The proceeds are for the dock"),
        ("Société Générale", "SOCIETE  GENERALE S.A."),
        ("12 Rue Haxo Paris", "12 Rue Haxo,\n75020 Paris"),
        ("ACME Corp", "| ACME | Corp |"),
        ("€ 1,200", "1200 EUR"),
        ("foo bar", "the foobar"),
        ("lender", "the Lenders"),
        ("2026-03-31", "支払期限は2026年3月31日とする。"),
        ("2026-03-31", "2026년 3월 31일"),
        ("東京", "東京都港区"),
        ("USD", "USD500"),
        ("1:03.28", "in 1:03.28 (R.T.)"),
        ("information", "all informa- tion".replace("- ", "")),
        ("information", "all informa tion"),
        ("12 kg", "12,0"),
        ("FY2024", "fiscal 2024"),
        ("Q2 2025", "the second quarter of 2025"),
        ("FY2025 H1", "six months ended in 2025"),
        ("1 234 kg", "1,234"),
        ("EUR 1,200", "1200"),
        (FULL_200, FULL_200[:40]),
        (True, "no word of it"),
        (10**400, "anything"),
    ],
)
def test_quote_contains_the_value(value: Any, quote: str) -> None:
    assert quotes_contain_value(value, [quote])


@pytest.mark.parametrize(
    ("value", "quote"),
    [
        (12.5, "Total: $12.60"),
        (129.6, "0 of 9"),
        ("PER", "PERU MASTER"),
        ("2026-03-31", "2026年4月31日"),
        ("2026-02", "Q2 2026"),
        ("L", "Total Lipids"),
        ("5", "2015"),
        ("5", "1.5 and 5.2"),
        ("3:43.35", "3:31.67"),
        ("Spring 2010", "Premio Pascoli (2010)"),
        ("arXiv:2407.08608", "arXiv:2112.08608"),
        (0, "12"),
        (1234, "no number"),
        (50930075, "509.89 30,075.02"),
        (17, "see page 3 of 1,000,000"),
        ("2026-01-31", "31 January 2025"),
        ("2026-01-31", "30 January 2026"),
        ("2026-01-31", "31 March 2026"),
        ("2026-01-31", "collected on 31 March 2026"),
        ("2026-01-31", "collected on 31 Mar 2026"),
        ("2026-01-31", "Rechnung vom 31.03.2026"),
        ("2026-01-31", "issued 2026-03-31"),
        ("2026-01-31", "31 / 2026"),
        ("2026-13-31", "31 May 2026"),
        ("2026-01-31", "31 ja 2026"),
        ("one two three four", "one two three"),
        ("2026-01-31", "00031 January 2026"),
        ("EUR 1,200 net", "1200 gross"),
        (FULL_200[:199], FULL_200[:40]),
        (LONG_VALUE, "w0 w1 x w2 y"),
        (LONG_VALUE, "w0 w1 w2 w3"),
        (17.001, "17"),
        (12.5, "0.125"),
        (12.5, "1250"),
        (1200, "12 items"),
        (0.12, "12 items"),
        (0.12, "12 items of 40 %"),
        (51_051, "51"),
        (12345678, "123,456.78"),
        (12345678, "1234 56789"),
        (12, "120"),
        (120, "12.5"),
        (1234.5, "123450000"),
        (4e15, "4"),
        (3, "33"),
        (13, "thirteen"),
        (0.5, "half of it"),
        ("Société Générale", "Crédit Lyonnais"),
        ("John Smith", "John Miller"),
        ("ORD-1182", "ORD-1128"),
    ],
)
def test_quote_does_not_contain_another_value(value: Any, quote: str) -> None:
    assert not quotes_contain_value(value, [quote])


def test_several_quotes_together_contain_a_value() -> None:
    assert quotes_contain_value("one long value on two pages", ["one long value", "on two pages"])


@pytest.mark.parametrize(
    ("value", "quote", "scales", "is_contained"),
    [
        (12_000_000, "12 items", (), False),
        (12_000_000, "12 items", (1e6,), True),
        (12_000_000, "12 items", (1e3,), False),
        (12_000_000, "12 (in millions)", (), True),
        (51_000, "51k", (), True),
        (3.25, "3,250,000", (), False),
        (12, "12 items", (), True),
        (0.12, "12 %", (), True),
    ],
)
def test_scale_must_be_named_where_the_page_is_known(
    value: float, quote: str, scales: tuple[float, ...], *, is_contained: bool
) -> None:
    assert quotes_contain_value(value, [quote], scales) == is_contained
