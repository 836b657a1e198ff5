"""Pseudonyms have the shape of the original, and are the same each time."""

import random
import re
import unicodedata
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


SEEDS = range(40)
CONSONANTS = "bcdfghjklmnpqrstvwxz"


def replace_often(text: str, original: str = "") -> list[str]:
    """Replace a text with many seeds."""
    return [Pseudonymizer(random.Random(seed), original).replace_text(text) for seed in SEEDS]


class Extreme(random.Random):
    """A source of the lowest or the highest numbers."""

    def __init__(self, *, is_highest: bool) -> None:
        super().__init__()
        self.is_highest = is_highest

    def randrange(self, stop: int, *_: object, **__: object) -> int:  # type: ignore[override]  # one form is used
        """Return the first or the last number."""
        return stop - 1 if self.is_highest else 0

    def randint(self, a: int, b: int) -> int:
        """Return one of the bounds."""
        return b if self.is_highest else a


@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        ("2026-05-18", "1950-01-01", "2049-12-31"),
        ("2026-05-18T09:00:00.5+02:00", "1950-01-01T09:00:00.5+02:00", "2049-12-31T09:00:00.5+02:00"),
        ("18.05.2026", "01.01.1950", "09.09.2049"),
        ("5/18/26", "1/01/50", "9/09/49"),
        ("2026/5/18", "1950/1/01", "2049/9/09"),
    ],
)
def test_dates_are_of_a_hundred_years_and_valid_as_day_or_month(text: str, lowest: str, highest: str) -> None:
    found = [Pseudonymizer(Extreme(is_highest=is_highest), "").replace_text(text) for is_highest in (False, True)]
    assert found == [lowest, highest]


@pytest.mark.parametrize("text", ["10:30", "23:59:59"])
def test_time_of_day_stays(text: str) -> None:
    assert set(replace_often(text)) == {text}


def test_word_becomes_consonants_that_no_original_word_has() -> None:
    assert all(set(word) <= set(CONSONANTS) for word in replace_often("invoice"))
    taken, free = CONSONANTS[:-1], CONSONANTS[-1]
    assert build_pseudonymizer(" ".join(taken)).replace_text("B") == free.upper()


def test_words_that_differ_get_different_pseudonyms() -> None:
    pseudonymizer = build_pseudonymizer()
    assert len({pseudonymizer.replace_text(letter) for letter in "abcdefghij"}) == 10


@pytest.mark.parametrize("letter", ["é", "ф", "ω"])
def test_letter_gets_one_of_its_script_that_has_both_cases(letter: str) -> None:
    for new in replace_often(f"{letter} {letter.upper()}"):
        lower, upper = new.split(" ")
        assert lower not in (letter, upper)
        assert (lower.islower(), lower.upper()) == (True, upper)
        assert ord(lower) // 128 == ord(letter) // 128


def test_id_keeps_its_kind_and_the_shape_of_the_rest() -> None:
    new = replace_often("ext-abC-12x")
    assert all(
        re.fullmatch(f"ext-[{CONSONANTS}]{{2}}[{CONSONANTS.upper()}]-[0-9]{{2}}[{CONSONANTS}]", each) for each in new
    )
    assert len(set(new)) > 1


@pytest.mark.parametrize("prefix", ["", "dfl-"])
def test_uuid_stays_a_uuid(prefix: str) -> None:
    text = f"{prefix}0a1B2c3d-4e5f-4789-8abc-def012345678"
    shape = "".join("[0-9]" if char.isdigit() else "[A-F]" if char.isupper() else "[a-f]" for char in "0a1B2c3d")
    new = replace_often(text)
    assert all(
        re.fullmatch(rf"{prefix}{shape}-\d[a-f]\d[a-f]-\d{{4}}-\d[a-f]{{3}}-[a-f]{{3}}\d{{9}}", each) for each in new
    )
    assert len(set(new)) == len(SEEDS)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("12345", r"[1-9]\d{4}"),
        ("0070", r"00[1-9]\d"),
        ("0.2500", r"0\.\d[1-9]00"),
        ("1,234,567.80", r"[1-9],\d{3},\d{3}\.[1-9]0"),
        ("1.234,5", r"[1-9]\.\d{3},[1-9]"),
        ("0", "0"),
    ],
)
def test_number_keeps_its_zeros_at_either_end_and_gets_no_others_there(text: str, shape: str) -> None:
    new = replace_often(text)
    assert all(re.fullmatch(shape, number) for number in new)
    digits = {char for number in new for char in number if char.isdigit()}
    assert text == "0" or digits == set("0123456789")


@pytest.mark.parametrize(("text", "end"), [("12e5", "e5"), ("12E-07", "E-07"), ("-12", "")])
def test_number_keeps_sign_and_exponent(text: str, end: str) -> None:
    new = build_pseudonymizer().replace_number(text)
    assert new.endswith(end)
    assert (new[0] == "-", len(new)) == (text[0] == "-", len(text))


@pytest.mark.parametrize(
    ("number", "printed"), [("1234", "1,234"), ("1234567", "1.234.567"), ("1.23", "1,23"), ("1.2345", "1,2345")]
)
def test_mark_before_three_last_digits_or_used_twice_is_not_decimal(number: str, printed: str) -> None:
    pseudonymizer = build_pseudonymizer()
    new = pseudonymizer.replace_number(number)
    assert re.sub(r"\D", "", pseudonymizer.replace_text(printed)) == re.sub(r"\D", "", new)


def test_digit_of_another_script_becomes_one_of_the_same_script() -> None:
    new = replace_often("٠ ٥ ٩")
    found = {char for text in new for char in text.split(" ")}
    assert {unicodedata.decimal(char) for char in found} == set(range(10))
    assert all("٠" <= char <= "٩" for char in found)


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert build_pseudonymizer().replace_text("a\ud800")[1] == "\ufffd"
