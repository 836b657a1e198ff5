"""Numbers and dates of one field as exact integers, for comparing sums and orders."""

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from llx_mcp.result.outline import Node
from llx_mcp.result.readings import find_decimal_mark, read_date, read_number

# A number with more decimals is rather a measurement, whose sums do not come out exactly.
_MAX_DECIMALS = 6
# Larger numbers are identifiers, and a double does not hold their digits.
_MAX_MAGNITUDE = 1e14
# Digits after a leading zero are a code, such as `0049`.
_CODE = re.compile(r"\s*0\d")
_YEAR = re.compile(r"(?:19|20)\d\d")
_ISO_DATE = re.compile(r"(?:1[89]|2[01])\d{2}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}")
_YEARS = range(1900, 2100)
# The first texts of a field decide whether it is read at all.
_SAMPLE = 40
_MIN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one field, in units of its last decimal.

    Attributes:
        units: for each value of the field, the number times `10 ** decimals`; None where it is no number.
        decimals: the most decimals that a value of the field has.
    """

    units: list[int | None]
    decimals: int


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as it is known, as ordinals of `datetime.date`.

    Attributes:
        first: the first day that it can be.
        last: the last day that it can be.
    """

    first: int
    last: int


def read_numbers(node: Node) -> Numbers | None:
    """Return the numbers of a field; None where it holds few numbers, or numbers that only identify something."""
    kinds = {kind for kind, count in node.types.items() if count}
    numbers: Sequence[Any]
    if kinds <= {"integer", "number"}:
        numbers = node.values
    elif kinds <= {"integer", "number", "string"} and _are_mostly_numbers(_sample_texts(node)):
        mark = find_decimal_mark(value for value in node.values if isinstance(value, str))
        numbers = [_read(value, mark) for value in node.values]
    else:
        return None
    known = [number for number in numbers if number is not None]
    if not known or len(known) < _MIN_SHARE * node.types.total() or max(map(abs, known)) > _MAX_MAGNITUDE:
        return None
    decimals = max(map(_count_decimals, set(known)))
    if decimals > _MAX_DECIMALS:
        return None
    factor = 10**decimals
    return Numbers([None if number is None else round(number * factor) for number in numbers], decimals)


def read_days(node: Node, *, years: bool = False) -> list[Day | None] | None:
    """Return the dates of a field, or None where it holds few dates.

    Args:
        node: the field.
        years: whether a number or text such as 2020 is a date.
    """
    kinds = {kind for kind, count in node.types.items() if count}
    if not kinds <= ({"string", "integer"} if years else {"string"}):
        return None
    texts = _sample_texts(node)
    if not years and sum(read_day(text) is not None for text in texts) < _MIN_SHARE * len(texts):
        return None
    days = [read_day(value, years=years) for value in node.values]
    return days if any(day is not None for day in days) else None


def read_day(value: Any, *, years: bool = False) -> Day | None:
    """Return the date that a value is, or None."""
    if isinstance(value, str) and not _YEAR.fullmatch(value):
        match = _TIMESTAMP.match(value)
        text = read_date(match[1] if match else value)
        return None if text is None else _as_day(text)
    if years and isinstance(value, int | str) and not isinstance(value, bool) and int(value) in _YEARS:
        year = int(value)
        return Day(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal())
    return None


def is_no_date(value: Any) -> bool:
    """Whether a value has the form of a date, `2026-02-30`, but names no day of the calendar."""
    return isinstance(value, str) and _ISO_DATE.fullmatch(value) is not None and read_date(value) is None


def format_units(units: int, decimals: int) -> str:
    """Return a number as text: 123450 with two decimals is `1,234.50`."""
    whole, rest = divmod(abs(units), 10**decimals)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole:,}.{rest:0{decimals}d}" if decimals else f"{sign}{whole:,}"


def count_digit_changes(shown: int, needed: int) -> int:
    """Return how many digits differ between two numbers; a number that starts with fewer digits starts with zeros."""
    if (shown < 0) != (needed < 0) and shown and needed:
        return len(str(shown))
    first, second = str(abs(shown)), str(abs(needed))
    length = max(len(first), len(second))
    return sum(one != other for one, other in zip(first.zfill(length), second.zfill(length), strict=True))


def _as_day(text: str) -> Day:
    if len(text) == len("2025-03-31"):
        ordinal = date.fromisoformat(text).toordinal()
        return Day(ordinal, ordinal)
    first = date.fromisoformat(f"{text}-01")
    return Day(first.toordinal(), first.replace(day=monthrange(first.year, first.month)[1]).toordinal())


def _sample_texts(node: Node) -> list[str]:
    return list(islice((value for value in node.values if isinstance(value, str)), _SAMPLE))


def _are_mostly_numbers(texts: Iterable[str]) -> bool:
    texts = list(texts)
    # One field has one decimal mark, so that `1,234` counts as a number here whatever it is.
    readable = sum(_read(text, ",") is not None or _read(text, ".") is not None for text in texts)
    return readable >= _MIN_SHARE * len(texts)


def _read(value: Any, mark: str | None) -> float | int | None:
    if isinstance(value, str):
        return None if _CODE.match(value) else read_number(value, decimal_mark=mark)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count_decimals(number: float) -> int:
    if isinstance(number, int):
        return 0
    # The shortest text that is this double has the decimals that the document shows.
    mantissa, _, exponent = repr(number).partition("e")
    decimals = len(mantissa.partition(".")[2].rstrip("0"))
    return max(decimals - int(exponent or 0), 0)
