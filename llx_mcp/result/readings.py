"""Reads numbers and dates that a document writes as text, as far as they are not ambiguous."""

import re
from collections.abc import Iterable
from datetime import date

from llx_mcp.result.normalize import find_month, normalize_text, possible_numbers

_AMOUNT = re.compile(
    r"(?P<sign>[-−(]?)\s*[$€£¥]?\s*(?:[a-z]{3}\s+)?"
    r"(?P<digits>\d[\d.,'’\u00a0\u202f ]*)\s*(?:[$€£¥%]|[a-z]{3})?\s*(?P<end>[-)]?)"
)
_DURATION = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2}(?:\.\d+)?)")
_DECIMAL_COMMA = re.compile(r"\d,\d{1,2}(?:\D|$)|\d,\d{4,}|\.\d{3},")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[t ]\d{2}:\d{2}.*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.?\s+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?(\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?([a-z]{3,9})\.?,?\s+(\d{4})")
_MAX_CHARS = 40
_LAST_MONTH = 12


def uses_decimal_comma(texts: Iterable[str]) -> bool:
    """Whether the texts of one field write decimals with a comma: `1.234,50`, `12,5`."""
    return any(_DECIMAL_COMMA.search(text) for text in texts if len(text) <= _MAX_CHARS)


def read_number(text: str, *, decimal_comma: bool = False) -> float | None:
    """Return the number that a text is; None where it is none.

    `1,234.50` is 1234.5, `(12)` is -12, `12 %` is 12, `$ 5` is 5, and a duration such as `1:03.28` is 63.28 seconds.

    Args:
        text: the text.
        decimal_comma: whether `1,234` is 1.234 and not 1234.
    """
    if len(text) > _MAX_CHARS:
        return None
    line = normalize_text(text)
    if match := _DURATION.fullmatch(line):
        hours, minutes, seconds = match.groups()
        return round(float(hours or 0) * 3600 + float(minutes) * 60 + float(seconds), 6)
    match = _AMOUNT.fullmatch(line)
    if match is None:
        return None
    digits = match["digits"].strip(" ,.'")
    readings = sorted(possible_numbers(digits))
    if not readings:
        return None
    number = readings[0] if decimal_comma else readings[-1]
    is_negative = match["sign"] in ("-", "−") or match["end"] == "-" or (match["sign"], match["end"]) == ("(", ")")
    return -number if is_negative else number


def read_date(text: str) -> str | None:
    """Return the date that a text is, as ISO 8601: `2025-03-31`, or `2025-03` without a day; None where it is none.

    `03/04/2025` is ambiguous and None; `31/03/2025` is not.
    """
    if len(text) > _MAX_CHARS:
        return None
    line = normalize_text(text)
    if match := _ISO.fullmatch(line):
        return _format(match[1], match[2], match[3])
    if match := _DAY_FIRST.fullmatch(line):
        return _format(match[3], match[2], match[1])
    if match := _MONTH_FIRST.fullmatch(line):
        return _format(match[3], find_month(match[1]), match[2])
    if match := _DAY_MONTH.fullmatch(line):
        return _format(match[3], find_month(match[2]), match[1])
    if match := _SLASHED.fullmatch(line):
        return _read_slashed(int(match[1]), int(match[2]), match[3])
    return None


def _read_slashed(first: int, second: int, year: str) -> str | None:
    if first > _LAST_MONTH or first == second:
        return _format(year, str(second), str(first))
    return _format(year, str(first), str(second)) if second > _LAST_MONTH else None


def _format(year: str, month: str | int | None, day: str | None) -> str | None:
    if month is None:
        return None
    try:
        found = date(int(year), int(month), int(day or 1))
    except ValueError:
        return None
    return found.isoformat() if day else found.isoformat()[:7]
