"""Recognises quotes in which characters were misread, by the value that stands on the page itself."""

from typing import Any

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.similar import find_scattered
from llx_mcp.evidence.streams import Needle, build_needle
from llx_mcp.evidence.values import locate_value

# Longer quotes have enough other characters to be recognised by.
_MAX_CHARS = 16
_MIN_VALUE_CHARS = 2
_LONG_VALUE_CHARS = 8
_MIN_SHARE_AROUND = 0.6
_MIN_CHARS_AROUND = 3
_MAX_CHARS_AROUND = 80


def find_misread(page: PageIndex, needle: Needle, value: Any) -> Span | None:
    """Return where a value stands on a page in the characters of a short quote, of which few were misread.

    Only characters of the value itself may differ: one, or two of a long value. `9 %` is not a misread `8 %`, and
    without the value on the page there is nothing that tells a misread number from another one.
    """
    quote = needle.joined
    if not _MIN_VALUE_CHARS <= len(quote) <= _MAX_CHARS:
        return None
    text = _compact(value) if isinstance(value, str) else ""
    for span in locate_value(page, value, page.whole):
        words = _compact(page.text(span))
        # A text must be all of its words: `%` is not all of `12%`.
        is_value = not text or words == text or any(map(str.isdigit, text))
        if span.score == 1.0 and is_value and (found := _compare(page, span, words, quote)):
            return found
    return None


def find_around_value(page: PageIndex, needle: Needle, value: Any) -> Span | None:
    """Return where a value stands on a page amid most characters of a quote, as a row of cells of which some differ."""
    if len(needle.stream) > _MAX_CHARS_AROUND or (near := find_scattered(page, needle, _MIN_SHARE_AROUND)) is None:
        return None
    size = len(needle.tokens)
    around = Span(max(near.first - size, 0), min(near.last + size, page.whole.last))
    span = next((span for span in locate_value(page, value, around) if _is_certain(page, span)), None)
    return span and Span(min(near.first, span.first), max(near.last, span.last), near.score, "fuzzy")


def _is_certain(page: PageIndex, span: Span) -> bool:
    """Whether a value is more than a character or two, which stand near everything."""
    return span.score == 1.0 and span.match == "exact" and len(_compact(page.text(span))) >= _MIN_CHARS_AROUND


def _compare(page: PageIndex, span: Span, words: str, quote: str) -> Span | None:
    """Return the words of a quote of which those of `span` are the value, if they differ only in few characters."""
    num_others = len(quote) - len(words)
    allowed = 1 if len(words) < _LONG_VALUE_CHARS else 2
    if num_others < 0 or len(words) < _MIN_VALUE_CHARS:
        return None
    for before in range(num_others + 1):
        part = quote[before : before + len(words)]
        if part.count("%") != words.count("%"):
            continue
        differing = sum(map(str.__ne__, words, part))
        if differing > allowed:
            continue
        around = _extend(page, span, quote[:before], quote[before + len(words) :])
        if around is not None:
            return Span(around.first, around.last, 1 - differing / len(quote), "fuzzy")
    return None


def _extend(page: PageIndex, span: Span, before: str, after: str) -> Span | None:
    """Return a span with the words before and after it that have these characters; None where others stand there."""
    first, last = span.first, span.last
    while before and first > 0:
        first -= 1
        word = _compact(page.words[first])
        if not before.endswith(word):
            return None
        before = before.removesuffix(word)
    while after and last < len(page.words) - 1:
        last += 1
        word = _compact(page.words[last])
        if not after.startswith(word):
            return None
        after = after.removeprefix(word)
    return None if before or after else Span(first, last)


def _compact(text: str) -> str:
    return build_needle(text).joined
