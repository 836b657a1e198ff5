"""Numbers and dates are read from text where they are not ambiguous."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.result.readings import find_decimal_mark, read_date, read_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1 234,50", 1234.5),
        ("1,234", 1234),
        ("12,5", 12.5),
        ("$ 5", 5),
        ("EUR 1,000", 1000),
        ("7 kg", None),
        ("12 %", 12),
        ("12%", 12),
        ("(12)", -12),
        ("(1,234.5)", -1234.5),
        ("-3", -3),
        ("−3", -3),
        ("12-", -12),
        ("1:03.28", 63.28),
        ("3:56.67", 236.67),
        ("1:00:01", 3601),
        ("DNS", None),
        ("12 and 13", None),
        ("AB-007", None),
        ("2025-01-31", None),
        ("", None),
        ("1" * 50, None),
        ("1" + "." * 39, 1),
        ("1" + "." * 40, None),
        ("12 EUR", 12),
        ("12 EURO", None),
        ("-12-", -12),
        ("(12", 12),
        ("12)", 12),
        ("1.5-", -1.5),
        ("1:02", None),
        ("01:02:03.5", 3723.5),
        ("100:00:01", 360001),
        ("1:2", None),
        ("0:00.1234567", 0.123457),
    ],
)
def test_number_is_read_from_text(text: str, number: float | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["1.234", "12,5"], ","),
        (["1.234,50"], ","),
        (["1,234", "5,678"], None),
        (["1,234.5"], "."),
        (["12,3456"], ","),
        (["0.125", "0.5"], "."),
        (["1.234", "12.5"], "."),
        (["12,5", "12.5"], None),
        ([], None),
    ],
)
def test_decimal_mark_is_seen_in_the_other_values_of_a_field(texts: list[str], mark: str | None) -> None:
    assert find_decimal_mark(texts) == mark


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1.234", None, None),
        ("1.234", ".", 1.234),
        ("1.234", ",", 1234),
        ("1,234", None, 1234),
        ("1,234", ".", 1234),
        ("1,234", ",", 1.234),
        ("12.345 %", ".", 12.345),
        ("1.234,5", ".", None),
        ("1.234.567", None, 1234567),
        ("12,34,567", None, None),
        ("+5", None, 5),
        ("$-5", None, -5),
        ("EUR -5", None, -5),
        ("14:05", None, None),
        ("12 day", None, None),
        ("12 nok", None, 12),
    ],
)
def test_number_is_read_with_the_decimal_mark_of_its_field(text: str, mark: str | None, number: float | None) -> None:
    assert read_number(text, decimal_mark=mark) == number


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2025-03-31", "2025-03-31"),
        ("2025-03-31T10:00:00Z", "2025-03-31"),
        ("2025/3/1", "2025-03-01"),
        ("2025-03", "2025-03"),
        ("31.03.2025", "2025-03-31"),
        ("31/03/2025", "2025-03-31"),
        ("03/31/2025", "2025-03-31"),
        ("03/03/2025", "2025-03-03"),
        ("03/04/2025", None),
        ("July 16, 2024", "2024-07-16"),
        ("Jul 16 2024", "2024-07-16"),
        ("16 July 2024", "2024-07-16"),
        ("3rd of March, 2024", "2024-03-03"),
        ("July 2016", "2016-07"),
        ("Sept. 2016", "2016-09"),
        ("Ju 2016", None),
        ("2025-13-01", None),
        ("30 February 2024", None),
        ("2024", None),
        ("soon", None),
        ("12/12/2024", "2024-12-12"),
        ("12/13/2024", "2024-12-13"),
        ("13/12/2024", "2024-12-13"),
        ("12/11/2024", None),
        ("11/12/2024", None),
        ("13/13/2024", None),
        ("13-1-2024", "2024-01-13"),
        ("1. 2. 2024", "2024-02-01"),
        ("Sept 5, 2016", "2016-09-05"),
        ("September 5th, 2016", "2016-09-05"),
        ("5 sept 2016", "2016-09-05"),
        ("June 2024", "2024-06"),
        ("Jun 2024", "2024-06"),
        ("May 1, 2024", "2024-05-01"),
        ("December 31, 2024", "2024-12-31"),
        ("January 1, 2024", "2024-01-01"),
        ("Juny 1, 2024", None),
        ("Monday 1, 2024", None),
        ("2024-12", "2024-12"),
        ("2024-00-10", None),
        ("0000-01-01", None),
        ("2024-02-29", "2024-02-29"),
        ("2023-02-29", None),
        ("July 16, 2024" + " " * 27, "2024-07-16"),
        ("July 16, 2024" + " " * 28, None),
        ("July 16, 2024 at the latest, or whenever it suits us", None),
    ],
)
def test_date_is_read_from_text(text: str, date: str | None) -> None:
    assert read_date(text) == date


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    read_number(text)
    read_date(text)


@given(st.integers(-(10**12), 10**12))
def test_grouped_integer_is_read_back(number: int) -> None:
    assert read_number(f"{number:,}") == number
