"""Pseudonyms have the shape of the original, and are the same each time."""

import random
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.local.pseudonyms import Pseudonymizer


def build_pseudonymizer(original: str = "") -> Pseudonymizer:
    """Build a pseudonymizer with a fixed seed."""
    return Pseudonymizer(random.Random(3), original)


def test_word_has_same_pseudonym_in_any_case() -> None:
    pseudonymizer = build_pseudonymizer("Oslo OSLO oslo")
    lower = pseudonymizer.replace_text("oslo")
    assert pseudonymizer.replace_text("Oslo OSLO, 'oslo'") == f"{lower.capitalize()} {lower.upper()}, '{lower}'"
    assert lower != "oslo"


@pytest.mark.parametrize(
    ("plain", "grouped"),
    [("10000000", "EUR 10,000,000"), ("1234.5", "1,234.50"), ("1234", "1,234.56"), ("1234567.8", "1'234'567.8")],
)
def test_number_and_its_printed_form_agree(plain: str, grouped: str) -> None:
    pseudonymizer = build_pseudonymizer()
    number = pseudonymizer.replace_number(plain)
    printed = re.sub(r"[^0-9.]", "", pseudonymizer.replace_text(grouped))
    assert len(number) == len(plain)
    assert printed.startswith(number)


@pytest.mark.parametrize("text", ["2026-05-18", "18.05.2026", "5/18/26", "2026/05/18", "2026-05-18T09:00:00Z"])
def test_date_stays_a_date(text: str) -> None:
    new = build_pseudonymizer().replace_text(text)
    assert re.sub(r"\d", "0", new) == re.sub(r"\d", "0", text)
    parts = [int(part) for part in re.findall(r"\d+", new)[:3]]
    year, month, day = parts if len(re.split(r"\D", new)[0]) == 4 else reversed(parts)
    assert date(year or 2000, month, day).day == day


def test_script_stays_and_unspaced_characters_count_as_words() -> None:
    pseudonymizer = build_pseudonymizer("Łódź Москва 東京都 東京")
    new = pseudonymizer.replace_text("Łódź Москва 東京都")
    assert pseudonymizer.replace_text("東京") == new[-3:-1]
    assert new[5:11].isalpha()
    assert all("\u0400" <= char <= "\u04ff" for char in new[5:11])
    assert len(new.encode()) == len("Łódź Москва 東京都".encode())


@given(st.text(max_size=80))
def test_length_and_spaces_stay_and_replacement_repeats(text: str) -> None:
    pseudonymizer = build_pseudonymizer(text)
    new = pseudonymizer.replace_text(text)
    assert pseudonymizer.replace_text(text) == new
    assert len(new) == len(text)
    assert [char.isspace() for char in new] == [char.isspace() for char in text]
    new.encode()


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_number_stays_a_number_of_same_length(number: float) -> None:
    new = build_pseudonymizer().replace_number(repr(number))
    assert len(new) == len(repr(number))
    assert type(number)(new) is not None
