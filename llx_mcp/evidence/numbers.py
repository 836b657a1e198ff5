"""Finds the numbers among words, in any format."""

import re
from collections.abc import Iterator

from llx_mcp.evidence.places import Span
from llx_mcp.result.normalize import numbers_in

_MAX_CHARS = 40
_MAX_GROUPS = 5
# `1 234 567` is one number or three; each group is a word.
_LEADING_GROUP = re.compile(r"(?:.{0,3}\D)?\d{1,3}")
_GROUP = re.compile(r"\d{3}(?!\d)")
_GROUP_ONLY = re.compile(r"\d{3}")


def read_numbers(words: list[str], within: Span) -> Iterator[tuple[Span, frozenset[float]]]:
    """Yield the words of a part of a page that hold numbers, and the numbers in every possible reading."""
    for index in range(within.first, min(within.last, len(words) - 1) + 1):
        word = words[index][:_MAX_CHARS]
        if not any(map(str.isdigit, word)):
            continue
        yield Span(index, index), numbers_in(word)
        if _LEADING_GROUP.fullmatch(word):
            yield from _read_groups(words, index, within.last)


def index_numbers(words: list[str], within: Span) -> dict[float, list[Span]]:
    """Return the words of each number in a part of a page, by `number_key`."""
    found: dict[float, list[Span]] = {}
    for span, numbers in read_numbers(words, within):
        for key in set(map(number_key, numbers)):
            found.setdefault(key, []).append(span)
    return found


def number_key(number: float) -> float:
    """Return a number without sign, rounded so that scaled numbers are equal in spite of binary fractions."""
    return float(f"{abs(number):.12g}")


def _read_groups(words: list[str], first: int, end: int) -> Iterator[tuple[Span, frozenset[float]]]:
    """Yield the numbers that a leading group and the groups of three digits after it make."""
    for last in range(first + 1, min(end, first + _MAX_GROUPS, len(words) - 1) + 1):
        if not _GROUP.match(words[last]):
            return
        group = words[first : last + 1]
        # The words by themselves are numbers of their own.
        yield Span(first, last), numbers_in(" ".join(group)[:_MAX_CHARS]).difference(*map(numbers_in, group))
        if not _GROUP_ONLY.fullmatch(words[last]):
            return
