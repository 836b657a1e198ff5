"""Compares a passage with its quote: the scale, the sign and the neighbours of the value."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import dropwhile
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
    # A value that is nearly all of its quote stands beside nothing that could be compared.
    if not sides or not on_page or any(each.is_all for each in sides):
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
        first = next((i for i in range(first, bisect_right(words, span.first)) if tokens[i] in own), first)
        after = next(
            (i + 1 for i in range(after - 1, bisect_left(words, span.last) - 1, -1) if tokens[i] in own), after
        )
        self.before = tokens[max(first - _MAX_GAP, 0) : first][::-1]
        self.after = tokens[after : after + _MAX_GAP]

    @property
    def is_all(self) -> bool:
        """Whether there is hardly anything on either side."""
        return max(sum(map(len, self.before)), sum(map(len, self.after))) < _MIN_WORD


def _has_same_neighbour(quoted: _Sides, found: _Sides) -> bool:
    return _is_same_side(quoted.before, quoted.after, found.before, -1) or _is_same_side(
        quoted.after, quoted.before, found.after, 1
    )


def _is_same_side(near: Sequence[str], far: Sequence[str], found: Sequence[str], direction: int) -> bool:
    """Whether a value stands beside the same characters, or words were left out between, and no other label.

    Args:
        near: the tokens of the quote on one side of the value, those next to it first.
        far: the tokens on the other side.
        found: the tokens of the page on the one side.
        direction: -1 for the side before the value, 1 for the one after it.
    """
    # Characters are compared from the value outwards, because words may be divided or joined.
    wanted = _join(near, direction)[: 2 * _CONTEXT_CHARS]
    gap = next((size for size in range(len(found)) if _begins_alike(_join(found[size:], direction), wanted)), None)
    if gap is not None:
        return not _has_other_label(found[:gap], frozenset(far) - set(near))
    # The quote may have a word that the page has not: `Alice for Contoso`.
    common = list(dropwhile(lambda token: token not in found, near))
    return _begins_alike(_join(found, direction), _join(common, direction)[: 2 * _CONTEXT_CHARS])


def _join(tokens: Sequence[str], direction: int) -> str:
    return "".join(token[::direction] for token in tokens[: 2 * _CONTEXT_CHARS]).translate(JOINED)


def _begins_alike(text: str, wanted: str) -> bool:
    from rapidfuzz.distance import Levenshtein

    def count_edits(size: int) -> int:
        return Levenshtein.distance(wanted[:size], text[: min(size, len(wanted))])

    if count_edits(_CONTEXT_CHARS) <= (1 if len(wanted) >= _MIN_WORD else 0):
        return bool(wanted)
    # Of more characters, more may be misread, but not those next to the value.
    is_long = len(wanted) > _CONTEXT_CHARS
    return is_long and count_edits(_MIN_WORD) <= 1 and count_edits(2 * _CONTEXT_CHARS) <= len(wanted) // 4


def _has_other_label(gap: Sequence[str], far: frozenset[str]) -> bool:
    """Whether the words between a value and what it stands beside belong to another value."""
    labels = [index for index, token in enumerate(gap) if token.isalpha() and len(token) >= _MIN_WORD]
    numbers = [index for index, token in enumerate(gap) if any(map(str.isdigit, token))]
    # Between `Net` and 10 in `Net 20 Gross 10` stand another value and its label. Units and cells are no labels.
    is_label = len(labels) > 1 if not numbers else bool(labels) and labels[0] < numbers[-1]
    return is_label or not far.isdisjoint(gap)
