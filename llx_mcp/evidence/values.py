"""Finds the words of a page that are a value: a text, a number in any format and scale, or a date."""

from bisect import bisect_right
from collections.abc import Collection
from itertools import islice
from typing import Any

from llx_mcp.evidence.numbers import index_numbers, number_key
from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import build_needle
from llx_mcp.result.quote_match import (
    PERCENT,
    SCALES,
    THOUSANDS,
    find_scales,
    parse_iso_date,
    quotes_contain_value,
    read_amount,
)

# A number that is given in thousands, in millions or as a percentage is a worse match than the number itself.
_SCALED_SCORE = 0.8
_MIN_SIMILARITY = 0.85
_MAX_TEXT_CHARS = 20_000
_MAX_NUMBER = 1e300
_MAX_DATE_CHARS = 40
# A date has at most this many words: `the 3rd day of March, 2026`.
_MAX_DATE_WORDS = 6
_MAX_YEARS = 1_000
# `10 to 12.5 per cent`
_MAX_WORDS_TO_SIGN = 4
# The numbers of longer parts are looked up in the index of the page.
_MAX_WORDS_READ = 200


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
        return locate_number(page, value, within)[:limit]
    needle = build_needle(value[:_MAX_TEXT_CHARS])
    if found := page.find_exact(needle, limit, within):
        # `L` is rather a cell of its own than a part of `g/l`.
        return sorted(found, key=lambda span: page.text(span) != value)
    if parse_iso_date(value) is not None:
        return locate_date(page, value, within)[:limit]
    if found := [span for number in read_amount(value) for span in locate_number(page, number, within)]:
        return found[:limit]
    similar = find_similar(page, needle, _MIN_SIMILARITY)
    return [similar] if similar is not None and within.first <= similar.first and similar.last <= within.last else []


def locate_number(page: PageIndex, value: float, within: Span, scales: Collection[float] = THOUSANDS) -> list[Span]:
    """Return the words of a part of a page that are a number; where none are, those that are it in another scale.

    Args:
        page: the page.
        value: the number.
        within: the words that are searched.
        scales: the factors by which the page may give it, besides as a percentage beside a percent sign.
    """
    # The comparison is false for NaN, too.
    if not abs(value) < _MAX_NUMBER:
        return []
    numbers = _index_numbers(page, within)
    if exact := numbers.get(number_key(value)):
        return [span for span in exact if within.first <= span.first and span.last <= within.last]
    scaled = [(span, scale) for scale in SCALES[1:] if value for span in numbers.get(number_key(value / scale), ())]
    return [
        Span(span.first, span.last, _SCALED_SCORE)
        for span, scale in scaled
        if within.first <= span.first
        and span.last <= within.last
        and (scale in scales or (scale == PERCENT and _is_percentage(page, value, span)))
    ]


def _is_percentage(page: PageIndex, value: float, span: Span) -> bool:
    """Whether a percent sign stands beside a number."""
    return PERCENT in find_scales(page.text(Span(span.first, span.last + _MAX_WORDS_TO_SIGN)), value)


def _index_numbers(page: PageIndex, within: Span) -> dict[float, list[Span]]:
    """Return the numbers of a part of a page, or those of the whole page where the part is long."""
    is_long = within.last - within.first >= _MAX_WORDS_READ
    return page.numbers if is_long else index_numbers(page.words, within)


def locate_date(page: PageIndex, value: str, within: Span) -> list[Span]:
    """Return the shortest runs of words in a part of a page that are an ISO date."""
    year = (parse_iso_date(value) or ("", 0, 0))[0]
    tokens = page.tokens
    starts = sorted({*page.positions.get(year, ())[:_MAX_YEARS], *page.positions.get(year[2:], ())[:_MAX_YEARS]})
    found: list[Span] = []
    for start in starts:
        word = tokens.words[bisect_right(tokens.starts, start) - 1]
        if within.first <= word <= within.last and not (found and word <= found[-1].last):
            found += islice(_shortest_date(page.words, value, word, within), 1)
    return found


def _shortest_date(words: list[str], value: str, year: int, within: Span) -> list[Span]:
    """Return the runs of words around a year that are a date, the shortest first."""
    spans = [
        Span(first, first + size - 1)
        for size in range(1, _MAX_DATE_WORDS + 1)
        for first in range(max(year - size + 1, within.first), year + 1)
        if first + size - 1 <= within.last
    ]
    texts = (" ".join(word[:_MAX_DATE_CHARS] for word in words[span.first : span.last + 1]) for span in spans)
    return [span for span, text in zip(spans, texts, strict=True) if quotes_contain_value(value, [text])]
