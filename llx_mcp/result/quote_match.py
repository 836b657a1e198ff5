"""Checks whether the quotes of a value contain it: a cheap test for made-up values."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from llx_mcp.result.normalize import (
    MONTHS,
    NUMBER,
    SPACED_NUMBER,
    WITHOUT_SPACES,
    normalize_text,
    numbers_in,
    possible_numbers,
)
from llx_mcp.result.scales import find_named_scales, find_percentages

_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+")
# The marks of 2026年3月31日, and of other scripts.
_DATE_MARK = re.compile(r"(?<=\d)[^\W\d_a-z]+|[^\W\d_a-z]{1,8}(?=\d)")
_DATE_WORD = re.compile(r"\w+")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})(?:-([0-9]{1,2}))?(?:[Tt ].*)?")
_MAX_DATE_CHARS = 40
_NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
# Words that name a month in English. "may" is left out, because it is more often a verb.
_MONTH_WORDS = frozenset({*MONTHS, *(month[:3] for month in MONTHS), "sept"} - {"may"})
# A number, or a year with a prefix: fy2024.
_NUMBER_WORD = re.compile(r"(?:[^\W\d_]{1,3}(?=\d{4}))?(\d+(?:[.,]\d+)*)")
_PLURAL = re.compile(r"e?s(?![^\W\d_])", re.IGNORECASE)
_WITHIN_NUMBER = re.compile(r"\d[.,]\d")
_NUMERIC_DATE = re.compile(r"(?<!\d)\d{1,4}([./-])\d{1,2}\1\d{1,4}(?!\d)")

# The share of words that two texts must have in common to match.
_MIN_COMMON_SHARE = 0.8
_LONG_VALUE_CHARS = 200
_MIN_QUOTE_WORDS = 5
_MAX_NUMERIC_WORDS = 3
_MAX_UNIT_CHARS = 3
_MAX_AMOUNT_CHARS = 40
_MIN_JOINED_CHARS = 5
_MAX_TRIES = 20
PERCENT = 1e-2
# A document may give a number in hundreds, thousands or millions, or as a percentage. A result may be in thousands or
# millions, too.
SCALES = (1.0, 1e3, 1e6, 1e9, 1e12, PERCENT, 1e2, 1e-3, 1e-6)
# A factor that counts wherever nothing is known of the page. All others must be named.
THOUSANDS = frozenset({1e3, 1e6, 1e9, 1e12, 1e-3, 1e-6})
_TOLERANCE = 1e-9
# Shorter numbers may be two numbers that stand side by side.
_MIN_IDENTIFIER, _MAX_IDENTIFIER = 1e7, 1e15
# The limit up to which a number is compared; a larger one counts as contained.
_MAX_NUMBER = 1e300
_MAX_QUOTE_CHARS = 20_000


def quotes_contain_value(value: Any, quotes: list[str], scales: Collection[float] = THOUSANDS) -> bool:
    """Whether any quote, or all quotes together, contain a value.

    A number matches in any format, also scaled, and as a percentage beside a percent sign. A date matches in any order.
    Texts match without case, accents and spacing. Null and booleans always match, because a quote does not spell them
    out.

    Args:
        value: any JSON value.
        quotes: the quotes.
        scales: by which factors a number may be given, besides those that its quote names. The default is for callers
            that do not know the page: its header may name thousands or millions.
    """
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int | float):
        # The comparison of texts comes first because it is fast.
        if str(value) in quotes or abs(value) >= _MAX_NUMBER:
            return True
        return any(_contains_number(quote, float(value), scales) for quote in quotes)
    text = str(value)
    if any(_contains_words(quote, text) for quote in quotes):
        return True
    return _contains_text(normalize_text(" ".join(quotes)), normalize_text(text))


def _contains_text(quotes: str, text: str) -> bool:
    """Whether quotes contain a text; both are normalised."""
    if not text or _contains_words(quotes, text):
        return True
    joined = text.replace(" ", "")
    if len(joined) >= _MIN_JOINED_CHARS and not joined.isdigit() and joined in quotes.replace(" ", ""):
        return True
    if date := parse_iso_date(text):
        return _contains_date(quotes[:_MAX_QUOTE_CHARS], *date)
    words, quoted_words = _WORD.findall(text), _WORD.findall(quotes)
    if words and _common_share(words, quoted_words) >= _MIN_COMMON_SHARE:
        return True
    if len(text) >= _LONG_VALUE_CHARS:
        # The service may quote only the beginning of a long value.
        is_long_enough = len(quoted_words) >= _MIN_QUOTE_WORDS
        return is_long_enough and _common_share(quoted_words, words) >= _MIN_COMMON_SHARE
    return _contains_numbers(text, words, quotes[:_MAX_QUOTE_CHARS])


def _contains_words(quote: str, text: str) -> bool:
    """Whether a quote contains a text that is not just a part of longer words or numbers: `per` is not in `peru`."""
    start = quote.find(text)
    for _ in range(_MAX_TRIES):
        if start < 0:
            return False
        end = start + len(text)
        if not _is_joined(quote, start) and not (
            _is_joined(quote, end) and (_PLURAL.match(quote, end) is None or text[-1:].isdigit())
        ):
            return True
        start = quote.find(text, start + 1)
    return False


def _is_joined(text: str, position: int) -> bool:
    """Whether the characters before and after a position are of one word or of one number."""
    before, after = text[max(position - 1, 0) : position], text[position : position + 1]
    if before.isdigit() or after.isdigit():
        nearby = text[max(position - 2, 0) : position + 2]
        is_number = len(nearby) >= 3 and _WITHIN_NUMBER.search(nearby) is not None
        return (before.isdigit() and after.isdigit()) or is_number
    return before.isalpha() and after.isalpha() and not WITHOUT_SPACES.search(before + after)


def _contains_numbers(text: str, words: list[str], quotes: str) -> bool:
    """Whether quotes contain the numbers of a short text; one short word may be missing: a currency, a unit, `Q2`."""
    quoted = numbers_in(quotes)
    if not (amount := read_amount(text)).isdisjoint(quoted):
        return True
    numbers = [match[1] for word in words if (match := _NUMBER_WORD.fullmatch(word))]
    others = [word for word in words if not _NUMBER_WORD.fullmatch(word)]
    if amount or not numbers or len(words) > _MAX_NUMERIC_WORDS:
        return False
    missing = [word for word in others if word not in quotes]
    is_unit = len(missing) <= 1 and all(len(word) <= _MAX_UNIT_CHARS for word in missing)
    return is_unit and not any(possible_numbers(number).isdisjoint(quoted) for number in numbers)


def read_amount(text: str) -> frozenset[float]:
    """Return the number of a text that holds one and at most a currency or unit besides, in every possible reading."""
    if len(text) > _MAX_AMOUNT_CHARS:
        return frozenset()
    amounts = [match.group() for match in SPACED_NUMBER.finditer(text)] or NUMBER.findall(text)
    if len(amounts) != 1:
        return frozenset()
    others = _WORD.findall(text.replace(amounts[0], " "))
    is_amount = len(others) <= 1 and all(len(word) <= _MAX_UNIT_CHARS for word in others)
    return possible_numbers(amounts[0]) if is_amount else frozenset()


def _common_share(words: list[str], others: list[str]) -> float:
    """Return the share of `words`, which must not be empty, that are among the others."""
    known = set(others)
    return sum(word in known for word in words) / len(words)


def find_scales(quote: str, value: float) -> Iterator[float]:
    """Yield the factors by which the numbers of a quote must be multiplied to be a value; 1 comes first."""
    numbers = numbers_in(quote[:_MAX_QUOTE_CHARS])
    for scale in SCALES:
        scaled = abs(value / scale)
        if _has_number(numbers, scaled) and (
            scale != PERCENT or _has_number(find_percentages(quote[:_MAX_QUOTE_CHARS]), scaled)
        ):
            yield scale
        if scale == 1 and _has_identifier(quote, value):
            yield 1.0
        if scale == 1 and float(value).is_integer() and 0 <= value < len(_NUMBER_WORDS):
            yield from (1.0,) if _NUMBER_WORDS[int(value)] in normalize_text(quote) else ()


def _has_identifier(quote: str, value: float) -> bool:
    """Whether a long whole number stands in a quote in groups of any size, as in `9990 1700 12`."""
    if not _MIN_IDENTIFIER <= value < _MAX_IDENTIFIER or not float(value).is_integer():
        return False
    pattern = "[ -]?".join(str(int(value)))
    return re.search(rf"(?<![0-9]){pattern}(?![0-9])", quote[:_MAX_QUOTE_CHARS]) is not None


def _has_number(numbers: Collection[float], wanted: float) -> bool:
    # The tolerance is relative, so that 0 is no other number in trillions.
    return any(abs(abs(number) - wanted) <= _TOLERANCE * wanted for number in numbers)


def _contains_number(quote: str, value: float, scales: Collection[float]) -> bool:
    return any(
        scale in (1.0, PERCENT) or scale in scales or scale in find_named_scales(quote)
        for scale in find_scales(quote, value)
    )


def parse_iso_date(value: object) -> tuple[str, int, int] | None:
    """Return year, month and day of an ISO date; the day is 0 where it has none."""
    match = _ISO_DATE.fullmatch(value) if isinstance(value, str) and len(value) <= _MAX_DATE_CHARS else None
    return (match[1], int(match[2]), int(match[3] or 0)) if match else None


def _contains_date(quotes: str, year: str, month: int, day: int) -> bool:
    """Whether normalised quotes contain a date; the day may be 0."""
    quotes = _DATE_MARK.sub(" ", quotes)
    words = set(_DATE_WORD.findall(quotes))
    numbers = {int(word) for word in words if word.isdigit() and word.isascii() and len(word) < 5}
    numbers |= {int(match) for match in re.findall(r"(?<!\d)\d{1,2}(?=st|nd|rd|th)", quotes)}
    has_year = int(year) in numbers or int(year[2:]) in numbers
    has_month = month in numbers or _has_month_name(words, month) or _may_name_month(quotes, words)
    return has_year and has_month and (not day or day in numbers)


def _may_name_month(quotes: str, words: set[str]) -> bool:
    """Whether a longer word may be the month in another language, as no month is given in English or in digits."""
    if not words.isdisjoint(_MONTH_WORDS) or _NUMERIC_DATE.search(quotes):
        return False
    return any(len(word) > 3 and word.isalpha() for word in words)


def _has_month_name(words: set[str], month: int) -> bool:
    name = MONTHS[month - 1] if 1 <= month <= len(MONTHS) else ""
    return any(len(word) >= 3 and name.startswith(word[:3]) for word in words) if name else False
