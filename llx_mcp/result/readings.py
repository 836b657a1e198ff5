"""Reads numbers and dates that a document writes as text, as far as they are not ambiguous."""

import re
from collections.abc import Iterable
from datetime import date

from llx_mcp.result.normalize import find_month, normalize_text

_CURRENCIES = "aud|brl|cad|chf|cny|czk|dkk|eur|gbp|hkd|huf|inr|jpy|krw|mxn|nok|nzd|pln|sek|sgd|try|usd|zar"
_AMOUNT = re.compile(
    rf"(?P<sign>[-−(+]?)\s*(?:[$€£¥]|(?:{_CURRENCIES})(?=[\s\d-]))?\s*(?P<inner>[-−+]?)"
    rf"(?P<digits>\d[\d.,'’\u00a0\u202f ]*)\s*(?:[$€£¥%]|{_CURRENCIES})?\s*(?P<end>[-)]?)"
)
# Minutes and seconds need hours or a fraction: 14:05 is rather a time of day.
_DURATION = re.compile(r"(?:(\d{1,3}):(\d{2}):(\d{2}(?:\.\d+)?)|(\d{1,3}):(\d{2}\.\d+))")
_COMMA_IS_DECIMAL = re.compile(r"\d,\d{1,2}(?!\d)|\d,\d{4,}|\.\d{3},\d|(?<!\d)0,\d")
_POINT_IS_DECIMAL = re.compile(r"\d\.\d{1,2}(?!\d)|\d\.\d{4,}|,\d{3}\.\d|(?<!\d)0\.\d")
_GROUPED = re.compile(r"\d{1,3}(?:([.,'’\u00a0\u202f ])\d{3})(?:\1\d{3})*|\d+")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[t ]\d{2}:\d{2}.*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.?\s+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?(\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?([a-z]{3,9})\.?,?\s+(\d{4})")
_MAX_CHARS = 40
_LAST_MONTH = 12


def find_decimal_mark(texts: Iterable[str]) -> str | None:
    """Return the decimal mark of the numbers in one field, `.` or `,`; None where they do not tell, or disagree."""
    short = [text for text in texts if len(text) <= _MAX_CHARS]
    has_comma = any(map(_COMMA_IS_DECIMAL.search, short))
    has_point = any(map(_POINT_IS_DECIMAL.search, short))
    if has_comma == has_point:
        return None
    return "," if has_comma else "."


def read_number(text: str, *, decimal_mark: str | None = None) -> float | None:
    """Return the number that a text is; None where it is none, or may be one of two.

    `1,234.50` is 1234.5, `(12)` is -12, `12 %` is 12, `$ 5` is 5, and a duration such as `1:03.28` is 63.28 seconds.
    `1,234` is 1234 and `1.234` is ambiguous, unless the decimal mark is known.

    Args:
        text: the text.
        decimal_mark: the decimal mark of the field, as `find_decimal_mark` returns it.
    """
    if len(text) > _MAX_CHARS:
        return None
    line = normalize_text(text)
    if match := _DURATION.fullmatch(line):
        hours, minutes, seconds = match[1] or 0, match[2] or match[4], match[3] or match[5]
        return round(float(hours) * 3600 + float(minutes) * 60 + float(seconds), 6)
    match = _AMOUNT.fullmatch(line)
    number = None if match is None else _parse_digits(match["digits"].strip(" ,.'"), decimal_mark)
    if match is None or number is None:
        return None
    signs = {match["sign"], match["inner"], match["end"]}
    is_negative = not signs.isdisjoint("-−") or (match["sign"], match["end"]) == ("(", ")")
    return -number if is_negative else number


def _parse_digits(digits: str, mark: str | None) -> float | None:
    mark = mark or find_decimal_mark([digits])
    if mark is None:
        grouped = _GROUPED.fullmatch(digits)
        # A single point before three digits may group them or not.
        if grouped is None or (grouped[1] == "." and digits.count(".") == 1):
            return None
        return float(re.sub(r"\D", "", digits))
    whole, _, fraction = digits.partition(mark)
    grouped = _GROUPED.fullmatch(whole)
    if grouped is None or grouped[1] == mark or not (fraction.isdigit() or not fraction):
        return None
    return float(f"{re.sub(r'[^0-9]', '', whole)}.{fraction or 0}")


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
