"""Compares a passage with its quote: the scale, the sign and the neighbours of the value."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.streams import JOINED, MAX_CHARS, build_needle
from llx_mcp.evidence.values import locate_value
from llx_mcp.result.quote_match import find_scales, quotes_contain_value, read_amount

_DIGITS = re.compile(r"[0-9](?:[0-9.,'’ \u00a0\u202f]*[0-9])?")
_CURRENCY = r"(?:[^\W\d_]{0,3}[$€£¥]?\s?)"
# What may make a number negative, and what certainly does.
_MAYBE_BEFORE = re.compile(rf"[-−–—‐‑(]\W{{0,3}}{_CURRENCY}\Z")
_MAYBE_AFTER = re.compile(r"\s?(?:[-−–‐‑)]|(?:cr|dr|db|ha|s|h)(?!\w))", re.IGNORECASE)
_MINUS_BEFORE = re.compile(rf"(?:\A|[^\w).,%])[-−–‐‑]{_CURRENCY}\Z")
_BRACKET_BEFORE = re.compile(rf"\({_CURRENCY}\Z")
_BRACKET_AFTER = re.compile(r"\s?%?\)")
_NEGATIVE_WORD = re.compile(r"minus|negativ|loss|deficit|credit|debit", re.IGNORECASE)
_CHARS_BEFORE = 10
_MAX_WHOLE = 1e15
_CONTEXT_CHARS = 6
_MAX_GAP = 40
_MIN_WORD = 3


def has_same_value(value: Any, quote: str, passage: str) -> bool:
    """Whether a passage has the value that its quote has, in the same scale; True where the quote has it not."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return not quotes_contain_value(value, [quote]) or quotes_contain_value(value, [passage])
    if not abs(value) < _MAX_WHOLE:
        return True
    scale = next(find_scales(quote, float(value)), None)
    return scale is None or scale in find_scales(passage, float(value))


def has_same_sign(value: Any, quote: str, passage: str, around: str) -> bool:
    """Whether a passage does not have the opposite sign of a value and its quote.

    Documents write negative numbers as -12, (12), 12-, 12 CR or by a word, so only a plain contradiction counts.

    Args:
        value: any JSON value; only numbers, and texts that are a number, have a sign.
        quote: the quote.
        passage: the words on the page.
        around: the same with the word before and after.
    """
    amounts, is_negative = _read_signed(value)
    if not amounts:
        return True
    if is_negative:
        quoted = list(_find_signs(quote, amounts))
        if not quoted or not all(is_sure or is_bracketed for is_sure, is_bracketed, _ in quoted):
            return True
        found = list(_find_signs(around, amounts))
        return not found or any(is_maybe for _, _, is_maybe in found) or _NEGATIVE_WORD.search(around) is not None
    found = list(_find_signs(passage, amounts))
    if not found or not all(is_sure for is_sure, _, _ in found):
        return True
    return any(is_maybe for _, _, is_maybe in _find_signs(quote, amounts)) or _NEGATIVE_WORD.search(quote) is not None


def _read_signed(value: Any) -> tuple[frozenset[float], bool]:
    """Return the readings of a number without its sign, and whether it is negative."""
    if isinstance(value, str):
        return frozenset(map(abs, read_amount(value))) - {0.0}, value.lstrip()[:1] in tuple("-−–‐‑(")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < abs(value) < _MAX_WHOLE:
        return frozenset(), False
    return frozenset({abs(float(value))}), value < 0


def _find_signs(text: str, amounts: Iterable[float]) -> Iterator[tuple[bool, bool, bool]]:
    """Yield of each place of a number in a text: whether it has a minus, has brackets, and may be negative."""
    for match in _DIGITS.finditer(text[:MAX_CHARS]):
        if not any(any(find_scales(match.group(), amount)) for amount in amounts):
            continue
        before = text[max(match.start() - _CHARS_BEFORE, 0) : match.start()]
        is_bracketed = bool(_BRACKET_BEFORE.search(before) and _BRACKET_AFTER.match(text, match.end()))
        is_maybe = bool(_MAYBE_BEFORE.search(before) or _MAYBE_AFTER.match(text, match.end()))
        yield bool(_MINUS_BEFORE.search(before)), is_bracketed, is_maybe


def stands_beside_same(page: PageIndex, span: Span, value: Any, quote: str) -> bool:
    """Whether a value stands on a page beside what it stands beside in its quote.

    `Net 20 Gross 10` has all words of `Net 10 Gross 20`, and other values. What cannot be compared counts as the same.

    Args:
        page: the page.
        span: where the words of the quote were found on it.
        value: the value.
        quote: the quote without markup.
    """
    quoted = PageIndex(SourcePage(0, quote.split()))
    around = Span(max(span.first - 1, 0), min(span.last + 1, page.whole.last))
    in_quote = [found for found in locate_value(quoted, value, quoted.whole) if found.match == "exact"]
    on_page = [found for found in locate_value(page, value, around) if found.match == "exact"]
    own = frozenset(build_needle(str(value)[:MAX_CHARS]).tokens)
    sides = [_Sides(quoted, found, own) for found in in_quote]
    # A quote that is the value alone stands beside nothing.
    if not sides or not on_page or any(not each.before and not each.after for each in sides):
        return True
    return any(_has_same_neighbour(each, _Sides(page, found, own)) for each in sides for found in on_page)


class _Sides:
    """The tokens before and after a value, those next to it first.

    Args:
        page: the page.
        span: the words of the value.
        own: the tokens of the value; others in its words are joined to it, such as `things,` to `things,actual`.
    """

    def __init__(self, page: PageIndex, span: Span, own: Collection[str]) -> None:
        tokens, words = page.tokens.tokens, page.tokens.words
        first, after = bisect_left(words, span.first), bisect_right(words, span.last)
        if within := [index for index in range(first, after) if tokens[index] in own]:
            first, after = within[0], within[-1] + 1
        self.before = tokens[max(first - _MAX_GAP, 0) : first][::-1]
        self.after = tokens[after : after + _MAX_GAP]


def _has_same_neighbour(quoted: _Sides, found: _Sides) -> bool:
    if _ends_alike("".join(quoted.before[::-1]), "".join(found.before[::-1]), 1):
        return True
    if _ends_alike("".join(quoted.after), "".join(found.after), -1):
        return True
    return _is_only_further(quoted.before, quoted.after, found.before) or _is_only_further(
        quoted.after, quoted.before, found.after
    )


def _ends_alike(quoted: str, found: str, direction: int) -> bool:
    """Whether two texts end in nearly the same characters; whether they begin so where the direction is -1."""
    from rapidfuzz.distance import Levenshtein

    ends = [text.translate(JOINED)[::direction][-_CONTEXT_CHARS:] for text in (quoted, found)]
    size = len(ends[0])
    return size > 0 and Levenshtein.distance(ends[0], ends[1][-size:]) <= (1 if size >= _MIN_WORD else 0)


def _is_only_further(near: Sequence[str], far: Sequence[str], found: Sequence[str]) -> bool:
    """Whether words were left out between a value and what stands beside it in the quote, and no other label.

    Args:
        near: the tokens of the quote on one side of the value, those next to it first.
        far: the tokens on the other side.
        found: the tokens of the page on the one side.
    """
    known = {*near, *far}
    gap = next((index for index, token in enumerate(found) if token in known), None)
    if gap is None or found[gap] not in near or found[gap] in far:
        return False
    labels = [index for index, token in enumerate(found[:gap]) if token.isalpha() and len(token) >= _MIN_WORD]
    numbers = [index for index, token in enumerate(found[:gap]) if any(map(str.isdigit, token))]
    # Between `Net` and 10 in `Net 20 Gross 10` stand another value and its label.
    return not labels or (len(labels) == 1 and not numbers) or (bool(numbers) and labels[0] > numbers[-1])
