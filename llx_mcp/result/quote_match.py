"""Whether quoted words hold a value: the cheap test for values that no one wrote."""

import re
from typing import Any

from llx_mcp.result.normalize import normalize_text, numbers_in

_WORD = re.compile(r"\w+")
_DATE = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:[Tt ].*)?\Z")
_SHARE = 0.8
_LONG = 200
_FEW = 5
_SCALES = (1.0, 1e3, 1e6, 1e9, 1e12, 1e-2, 1e2, 1e-3, 1e-6)
_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_TOLERANCE = 1e-9
_LARGEST = 1e300


def quotes_contain_value(value: Any, quotes: list[str]) -> bool:
    """Whether any of the quotes, or all of them together, hold a value.

    Numbers match in any format, scaled to thousands, millions or per cent, and within the digits that are
    written; dates in any order. A boolean has no words, so nothing can be said against it.
    """
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int | float):
        # The value itself, word for word, needs no reading.
        if str(value) in quotes or abs(value) >= _LARGEST:
            return True
        return any(_holds_number(float(value), quote) for quote in quotes)
    text = str(value)
    if any(text in quote for quote in quotes):
        return True
    return _holds_text(normalize_text(text), normalize_text(" ".join(quotes)))


def _holds_text(value: str, quotes: str) -> bool:
    if not value or value in quotes or value.replace(" ", "") in quotes.replace(" ", ""):
        return True
    if match := _DATE.match(value):
        return _holds_date(match.groups(), quotes)
    words = _WORD.findall(value)
    known = set(_WORD.findall(quotes))
    if words and sum(word in known for word in words) >= _SHARE * len(words):
        return True
    if len(value) >= _LONG:
        # Of a long value the service may quote no more than where it begins.
        quoted = _WORD.findall(quotes)
        inside = set(words)
        return len(quoted) >= _FEW and sum(word in inside for word in quoted) >= _SHARE * len(quoted)
    numbers = numbers_in(value)
    return bool(numbers) and len(words) <= 3 and not numbers.isdisjoint(numbers_in(quotes))


def _holds_number(value: float, quote: str) -> bool:
    numbers = numbers_in(quote[:20_000])
    for scale in _SCALES:
        scaled = value / scale
        if any(abs(abs(number) - abs(scaled)) <= _TOLERANCE * max(abs(scaled), 1.0) for number in numbers):
            return True
    if value == int(value) and 0 <= value < len(_SMALL):
        return _SMALL[int(value)] in normalize_text(quote)
    return False


def _holds_date(parts: tuple[str | None, ...], quotes: str) -> bool:
    year, month, day = parts[0] or "", int(parts[1] or 0), int(parts[2] or 0)
    words = set(_WORD.findall(quotes))
    numbers = {int(word) for word in words if word.isdigit() and word.isascii() and len(word) < 5}
    numbers |= {int(match) for match in re.findall(r"(?<!\d)\d{1,2}(?=st|nd|rd|th)", quotes)}
    has_year = int(year) in numbers or int(year[2:]) in numbers
    name = _MONTHS[month - 1] if 1 <= month <= len(_MONTHS) else ""
    # Months have other names in other languages; where there is no number for one, any word may be it.
    named = any(len(word) >= 3 and name.startswith(word[:3]) for word in words) if name else False
    has_month = month in numbers or named or any(word.isalpha() and len(word) > 3 for word in words)
    return has_year and has_month and (not day or day in numbers)
