"""Texts and numbers that are written differently compare equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.result.normalize import (
    extract_digits,
    normalize_name,
    normalize_text,
    normalize_texts,
    numbers_in,
    possible_numbers,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Société\tGénérale \n", "societe generale"),
        ("STRASSE Straße", "strasse strasse"),
        ("2019–2021 — it’s “so”", '2019-2021 - it\'s "so"'),
        ("x − y ‐ z ‑ a ‒ b ― c", "x - y - z - a - b - c"),
        ("‘a‚ ‛b’ „c‟", "'a' 'b' \"c\""),
        ("ﬁne ½ ①", "fine 1⁄2 1"),
        ("a\x00b", "a b"),
        ("a\u00a0\u2003b", "a b"),
        ("", ""),
        ("日本", "日本"),
    ],
)
def test_text_is_lower_case_without_accents_and_with_plain_marks(text: str, plain: str) -> None:
    assert normalize_text(text) == plain


@given(st.lists(st.text(max_size=20), max_size=6))
def test_texts_together_are_as_each_alone(texts: list[str]) -> None:
    assert normalize_texts(texts) == [normalize_text(text) for text in texts]
    assert all(normalize_text(text) == text for text in map(normalize_text, map(normalize_text, texts)))


@given(st.lists(st.text(max_size=20), max_size=6))
def test_digits_are_those_of_each_text(texts: list[str]) -> None:
    assert extract_digits(texts) == ["".join(char for char in text if char in "0123456789") for text in texts]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lineItems", "line items"),
        ("line_items", "line items"),
        ("line-items/total.net", "line items total net"),
        ("Line Items", "line items"),
        ("VATId2Name", "vatid2 name"),
        ("a\x00b", "a b"),
        ("Größe", "grosse"),
    ],
)
def test_name_becomes_words(name: str, words: str) -> None:
    assert normalize_name(name) == words


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("12", {12}),
        ("12.50", {12.5}),
        ("1,234", {1234, 1.234}),
        ("1.234", {1234, 1.234}),
        ("1,234.5", {1234.5}),
        ("1.234,5", {1234.5}),
        ("1'234.50", {1234.5}),
        ("1’234’567", {1234567}),
        ("1 234 567", {1234567}),
        ("1\u00a0234,5", {1234.5}),
        ("1\u202f234.5", {1234.5}),
        ("1.234.567", {1234567}),
        ("1,234,567.8", {1234567.8}),
        ("12,34,567", set()),
        ("1,234.567,8", set()),
        ("1.2.3", set()),
        ("1 234.567,8", set()),
        ("(12)", {12, -12}),
        ("-12.5", {12.5, -12.5}),
        ("−12", {12, -12}),
        ("- 12", {12, -12}),
        ("12-", {12}),
        ("$12", {12}),
        ("  7  ", {7}),
        ("0.5", {0.5}),
        ("1,23", {1.23}),
        ("1234.5", {1234.5}),
        ("1234,567", {1234.567}),
        ("1234,567.8", set()),
        ("12'34", set()),
        ("1'234", {1234}),
        ("٣", {3}),
        ("٣.٥", set()),
        ("9" * 299, {float("9" * 299)}),
        ("9" * 300, set()),
        ("", set()),
        ("-", set()),
        ("abc", set()),
    ],
)
def test_number_has_each_of_its_readings(text: str, numbers: set[float]) -> None:
    assert possible_numbers(text) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Total: $1,234.50 due", {1234.5}),
        ("Qty 34 500 EUR", {34, 500, 34500}),
        ("2024 100", {2024, 100}),
        ("1 2345", {1, 2345}),
        ("12 345 6789", {12, 345, 6789, 12345}),
        ("a-12b", {12, -12}),
        ("(€ 5)", {5, -5}),
        ("(USD 5)", {5, -5}),
        ("(EURO 5)", {5}),
        ("-$5.5", {5.5, -5.5}),
        ("- £ 7", {7, -7}),
        ("3,5,7", set()),
        ("3, 5; 7", {3, 5, 7}),
        ("31.03.2026", set()),
        ("no number", set()),
        ("1 234.5 and 2", {1, 234.5, 1234.5, 2}),
    ],
)
def test_text_has_each_reading_of_each_number(text: str, numbers: set[float]) -> None:
    assert numbers_in(text) == numbers
