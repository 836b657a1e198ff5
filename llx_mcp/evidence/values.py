"""Finds the words of a page that are a value: a text, a number in any format and scale, or a date."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from llx_mcp.evidence.page_index import MAX_WORDS, PageIndex
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import build_needle
from llx_mcp.result.normalize import numbers_in
from llx_mcp.result.quote_match import SCALES, quotes_contain_value, read_amount

# A number that is given in thousands, in millions or as a percentage is a worse match than the number itself.
_SCALED_SCORE = 0.8
_MIN_SIMILARITY = 0.85
_MAX_TEXT_CHARS = 20_000
_MAX_NUMBER_CHARS = 40
_MAX_DATE_WORDS = 6
_MAX_GROUPS = 5
_LEADING_GROUP = re.compile(r"(?:.{0,3}\D)?\d{1,3}")
_GROUP = re.compile(r"\d{3}(?!\d)")
_GROUP_ONLY = re.compile(r"\d{3}")
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:[Tt ].*)?")
_MAX_NUMBER = 1e300


class NumberIndex:
    """The numbers of one page, indexed when one is first looked for."""

    def __init__(self, page: PageIndex) -> None:
        self._words = page.page.words[:MAX_WORDS]

    @cached_property
    def spans(self) -> dict[float, list[Span]]:
        """The words of each number; its sign makes no difference."""
        found: dict[float, list[Span]] = {}
        for span, numbers in read_numbers(self._words, Span(0, len(self._words) - 1)):
            for key in {number_key(number) for number in numbers}:
                found.setdefault(key, []).append(span)
        return found

    def find(self, value: float) -> list[Span]:
        """Return the words that are a number, best first, and otherwise those that are it in another scale."""
        if abs(value) >= _MAX_NUMBER:
            return []
        if exact := self.spans.get(number_key(value)):
            return exact
        scaled = [self.spans.get(number_key(value / scale), ()) for scale in SCALES[1:]] if value else []
        return [Span(span.first, span.last, _SCALED_SCORE) for spans in scaled for span in spans]


def read_numbers(words: list[str], within: Span) -> Iterator[tuple[Span, frozenset[float]]]:
    """Yield the words of a part of a page that hold numbers, and the numbers; `1 234 567` is also one number."""
    for index in range(within.first, within.last + 1):
        word = words[index][:_MAX_NUMBER_CHARS]
        if not any(map(str.isdigit, word)):
            continue
        yield Span(index, index), numbers_in(word)
        if _LEADING_GROUP.fullmatch(word):
            last = index
            while last < min(within.last, index + _MAX_GROUPS) and _GROUP.match(words[last + 1]):
                last += 1
                yield Span(index, last), numbers_in(" ".join(words[index : last + 1])[:_MAX_NUMBER_CHARS])
                if not _GROUP_ONLY.fullmatch(words[last]):
                    break


def number_key(number: float) -> float:
    """Return a number without sign, rounded so that scaled numbers are equal in spite of binary fractions."""
    return float(f"{abs(number):.12g}")


def parse_iso_date(value: object) -> tuple[str, int, int] | None:
    """Return year, month and day of an ISO date; the day is 0 where it has none."""
    match = _ISO_DATE.fullmatch(value) if isinstance(value, str) and len(value) <= _MAX_NUMBER_CHARS else None
    return (match[1], int(match[2]), int(match[3] or 0)) if match else None


def locate_value(page: PageIndex, value: Any, within: Span, limit: int = 20) -> list[Span]:
    """Return the words of a part of a page that are a value, best first; empty where there are none.

    Args:
        page: the page.
        value: any JSON value; null, booleans, objects and lists stand nowhere.
        within: the words that are searched.
        limit: how many places are returned at most.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    if not isinstance(value, str):
        return _locate_number(page, float(value), within)[:limit] if abs(value) < _MAX_NUMBER else []
    needle = build_needle(value[:_MAX_TEXT_CHARS])
    if found := page.find_exact(needle, limit, within):
        # `L` is rather a cell of its own than a part of `g/l`.
        return sorted(found, key=lambda span: page.text(span) != value)
    if parse_iso_date(value) is not None:
        return locate_date(page, value, within)[:limit]
    numbers = read_amount(value)
    if found := [span for number in numbers for span in _locate_number(page, number, within)]:
        return found[:limit]
    similar = find_similar(page, needle, _MIN_SIMILARITY)
    return [similar] if similar is not None and within.first <= similar.first and similar.last <= within.last else []


def locate_date(page: PageIndex, value: str, within: Span) -> list[Span]:
    """Return the shortest runs of words in a part of a page that are an ISO date."""
    words = page.page.words
    found: list[Span] = []
    for first in range(within.first, within.last + 1):
        if found and first <= found[-1].last:
            continue
        for last in range(first, min(first + _MAX_DATE_WORDS, within.last + 1)):
            if quotes_contain_value(value, [" ".join(words[first : last + 1])[:200]]):
                found.append(_shorten(words, value, first, last))
                break
    return found


def _shorten(words: list[str], value: str, first: int, last: int) -> Span:
    """Return the words of a date without those before it."""
    while first < last and quotes_contain_value(value, [" ".join(words[first + 1 : last + 1])[:200]]):
        first += 1
    return Span(first, last)


def _locate_number(page: PageIndex, value: float, within: Span) -> list[Span]:
    if value != value or abs(value) >= _MAX_NUMBER:  # noqa: PLR0124 - NaN
        return []
    found = list(read_numbers(page.page.words, within))
    exact = [span for span, numbers in found if number_key(value) in {number_key(number) for number in numbers}]
    if exact or not value:
        return exact
    keys = {number_key(value / scale) for scale in SCALES[1:]}
    scaled = [span for span, numbers in found if not keys.isdisjoint({number_key(number) for number in numbers})]
    return [Span(span.first, span.last, _SCALED_SCORE) for span in scaled]
