"""Normalises text and numbers so that differently written values compare equal.

Texts are joined and processed together, which is much faster than one call for each value.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# Scripts that write words without spaces between them.
WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
# Separates the texts that are processed together.
_SEPARATOR = "\x00"
_SPACES = re.compile(r"[^\S\x00]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_NON_DIGITS = re.compile(r"[^0-9\x00]+")
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD_SEPARATORS = str.maketrans(dict.fromkeys("_-./\x00", " "))
_DASHES_AND_QUOTES = str.maketrans("‐‑‒–—―−’‘‚‛“”„‟", "-------''''\"\"\"\"")

_SIGN = r"(?:[-−(]\s?(?:[^\W\d_]{0,3}[$€£¥]?\s?)?)?"
NUMBER = re.compile(_SIGN + r"\d+(?:[.,'’]\d+)*")
# A space separates two numbers, unless groups of three digits follow: `1 234 567` is also one number.
SPACED_NUMBER = re.compile(_SIGN + r"(?<!\d)\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?(?!\d)")
_GROUPED_DIGITS = re.compile(r"\d{1,3}(?:([.,'’\u00a0\u202f ])\d{3})(?:\1\d{3})*")
# From the first digit to the last one.
_WITHIN_DIGITS = re.compile(r"\d(?:.*\d)?", re.DOTALL)
# Longer digit strings are beyond a double.
_MAX_NUMBER_CHARS = 300


MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def find_month(word: str) -> int | None:
    """Return the number of the month that a normalized word names, in full or abbreviated; None for any other word."""
    if word == "sept":
        return 9
    return next((number for number, month in enumerate(MONTHS, 1) if month[:3] == word or month == word), None)


def normalize_text(text: str) -> str:
    """Return a text in lower case, without accents, with single spaces and plain dashes and quotes."""
    return normalize_texts([text])[0]


def normalize_texts(texts: list[str]) -> list[str]:
    """Return each text as `normalize_text` does, in a few passes over all of them."""
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        return [normalize_text(text.replace(_SEPARATOR, " ")) for text in texts]
    if not joined.isascii():
        joined = _ACCENTS.sub("", unicodedata.normalize("NFKD", joined.translate(_DASHES_AND_QUOTES)))
    return [text.strip() for text in _SPACES.sub(" ", joined.casefold()).split(_SEPARATOR)] if texts else []


def normalize_name(name: str) -> str:
    """Return the name of a field as words: `lineItems` and `line_items` become `line items`."""
    return normalize_text(_CAMEL_CASE.sub(" ", name).translate(_WORD_SEPARATORS))


def extract_digits(texts: list[str]) -> list[str]:
    """Return the ASCII digits of each text."""
    joined = _SEPARATOR.join(text.replace(_SEPARATOR, " ") for text in texts)
    return _NON_DIGITS.sub("", joined).split(_SEPARATOR) if texts else []


@lru_cache(maxsize=4096)
def numbers_in(text: str) -> frozenset[float]:
    """Return every number in a text, in every possible reading: `1,234` is both 1234 and 1.234."""
    found: set[float] = set()
    for pattern in (NUMBER, SPACED_NUMBER):
        for match in pattern.finditer(text):
            found |= possible_numbers(match.group())
    return frozenset(found)


def possible_numbers(text: str) -> frozenset[float]:
    """Return every possible reading of one number.

    Supports formats such as 12.50, 1,234.50, 1.234,50, 1 234.5, (12) and 12-.
    """
    body = text.strip()
    is_maybe_negative = body[:1] in ("-", "−", "(")
    found = _WITHIN_DIGITS.search(body)
    digits = (found.group() if found else "").replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'")
    numbers = {float(reading) for reading in _readings(digits) if len(reading) < _MAX_NUMBER_CHARS}
    # The minus may be a dash before an amount, and the bracket only a bracket, so both signs are possible.
    signs = (1.0, -1.0) if is_maybe_negative else (1.0,)
    return frozenset(sign * number for sign in signs for number in numbers)


def _readings(digits: str) -> Iterable[str]:
    """Return the readings of digits with separators, each as text that `float` accepts."""
    if digits.isdigit():
        return [digits]
    separators = [char for char in digits if not char.isdigit()]
    last = separators[-1] if separators else ""
    if not digits.isascii():
        return []
    readings = []
    if _GROUPED_DIGITS.fullmatch(digits):
        readings.append(re.sub(r"\D", "", digits))
    if last in ".," and separators.count(last) == 1:
        whole, _, fraction = digits.rpartition(last)
        if whole.isdigit() or _GROUPED_DIGITS.fullmatch(whole):
            readings.append(f"{re.sub(r'[^0-9]', '', whole)}.{fraction}")
    return readings
