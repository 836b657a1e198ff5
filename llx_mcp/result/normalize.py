"""Text as it is compared: without case, accents, odd spacing; numbers whatever their format."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_BREAK = "\x00"
_SPACE = re.compile(r"[^\S\x00]+")
_MARK = re.compile("[\u0300-\u036f]")
_SIGN = r"(?:[-−(]\s?(?:[^\W\d_]{0,3}[$€£¥]?\s?)?)?"
# A space parts numbers, unless what follows are groups of three.
_WRITTEN = re.compile(_SIGN + r"\d+(?:[.,'’]\d+)*")
_SPACED = re.compile(_SIGN + r"(?<!\d)\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?(?!\d)")
_DIGITS = re.compile(r"[^0-9\x00]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = str.maketrans(dict.fromkeys("_-./\x00", " "))
_GROUPED = re.compile(r"\d{1,3}(?:([.,'’\u00a0\u202f ])\d{3})(?:\1\d{3})*")
_SAME_DASHES = str.maketrans("‐‑‒–—―−’‘‚‛“”„‟", "-------''''\"\"\"\"")


def normalize_text(text: str) -> str:
    """One text without case, accents and odd spacing."""
    return normalize_texts([text])[0]


def normalize_texts(texts: list[str]) -> list[str]:
    """Many texts at once, in the time of a few passes over their characters."""
    whole = _BREAK.join(texts)
    if whole.count(_BREAK) != len(texts) - 1:
        return [normalize_text(text.replace(_BREAK, " ")) for text in texts]
    if not whole.isascii():
        whole = _MARK.sub("", unicodedata.normalize("NFKD", whole.translate(_SAME_DASHES)))
    return [text.strip() for text in _SPACE.sub(" ", whole.casefold()).split(_BREAK)] if texts else []


def normalize_name(name: str) -> str:
    """A field's name as words: `lineItems` and `line_items` are `line items`."""
    return normalize_text(_CAMEL.sub(" ", name).translate(_SEPARATORS))


def extract_digits(texts: list[str]) -> list[str]:
    """The ASCII digits of each text, and nothing else."""
    whole = _BREAK.join(text.replace(_BREAK, " ") for text in texts)
    return _DIGITS.sub("", whole).split(_BREAK) if texts else []


@lru_cache(maxsize=4096)
def numbers_in(text: str) -> frozenset[float]:
    """Every number that a text may be read to hold; `1,234` is both 1234 and 1.234."""
    found: set[float] = set()
    for pattern in (_WRITTEN, _SPACED):
        for match in pattern.finditer(text):
            found |= possible_numbers(match.group())
    return frozenset(found)


def possible_numbers(text: str) -> frozenset[float]:
    """The numbers that a written number may stand for: 12.50, 1,234.50, 1.234,50, 1 234.5, (12), 12-."""
    body = text.strip()
    negative = body[:1] in ("-", "−", "(")
    digits = re.sub(r"^\D+|\D+$", "", body).replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'")
    signs = (1.0, -1.0) if negative else (1.0,)
    numbers = {float(reading) for reading in _readings(digits) if len(reading) < 300}
    # A minus may be a dash before an amount, and brackets may be just that.
    return frozenset(sign * number for sign in signs for number in numbers)


def _readings(digits: str) -> Iterable[str]:
    if digits.isdigit():
        return [digits]
    marks = [char for char in digits if not char.isdigit()]
    last = marks[-1] if marks else ""
    if len(set(marks)) > 2 or not digits.isascii():
        return []
    readings = []
    if _GROUPED.fullmatch(digits):
        readings.append(re.sub(r"\D", "", digits))
    if last in ".," and marks.count(last) == 1:
        whole, _, fraction = digits.rpartition(last)
        if whole.isdigit() or _GROUPED.fullmatch(whole):
            readings.append(f"{re.sub(r'[^0-9]', '', whole)}.{fraction}")
    return readings
