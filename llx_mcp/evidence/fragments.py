"""Finds quotes that stand in several parts: with an ellipsis between, or on two pages."""

import re
from collections.abc import Sequence
from itertools import accumulate

from llx_mcp.evidence.page_index import Hit, PageIndex
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import Needle, build_needle

_ELLIPSIS = re.compile(r"[\[(]?(?:…|\.{3,}|(?:\. ){2,}\.)[\])]?")
_MAX_PARTS = 10
# A shorter part is no evidence.
_MIN_CHARS = 8
_PIECE = 6
_MAX_PIECES = 100


def find_parts(page: PageIndex, quote: str, min_score: float) -> list[Hit]:
    """Return where the parts of a quote with an ellipsis stand on a page, in the order of the quote; else nothing."""
    parts = [build_needle(text) for text in _ELLIPSIS.split(" ".join(quote.split()), _MAX_PARTS)]
    parts = [part for part in parts if part.stream]
    if len(parts) < 2 or max(len(part.stream) for part in parts) < _MIN_CHARS:
        return []
    found: list[Hit] = []
    for part in parts:
        span = _find(page, part, min_score, found[-1].span.last + 1 if found else 0)
        if span is None:
            return []
        found.append(Hit(page, span))
    return found


def find_continued(page: PageIndex, following: PageIndex, needle: Needle, min_score: float) -> list[Hit]:
    """Return where a quote begins on one page and ends on the next; nothing where it does not."""
    cut = _find_cut(page.stream, following.stream, needle)
    if cut is None:
        return []
    beginning, end = (build_needle(" ".join(tokens)) for tokens in _split(needle.tokens, cut))
    if min(len(beginning.stream), len(end.stream)) < _MIN_CHARS:
        return []
    first, second = _find(page, beginning, min_score), _find(following, end, min_score)
    return [Hit(page, first), Hit(following, second)] if first is not None and second is not None else []


def _find(page: PageIndex, needle: Needle, min_score: float, start: int = 0) -> Span | None:
    """Return the first place of a text from a word on."""
    within = Span(start, page.whole.last)
    if exact := page.find_exact(needle, 1, within):
        return exact[0]
    similar = find_similar(page, needle, min_score)
    return similar if similar is not None and similar.first >= start else None


def _find_cut(stream: str, following: str, needle: Needle) -> int | None:
    """Return after how many characters a text goes on in the next stream; None where it is not in the two."""
    text = needle.stream
    if len(text) < 2 * _MIN_CHARS:
        return None
    step = max(1, len(text) // _MAX_PIECES)
    offsets = range(0, len(text) - _PIECE + 1, step)
    pieces = [text[offset : offset + _PIECE] for offset in offsets]
    missing_before = list(accumulate((piece not in stream for piece in pieces), initial=0))
    missing_after = list(accumulate((piece not in following for piece in reversed(pieces)), initial=0))[::-1]
    missing = [before + after for before, after in zip(missing_before, missing_after, strict=True)]
    best = min(range(len(missing)), key=missing.__getitem__)
    # Pieces across the cut stand on neither page, and a misread character spoils as many.
    is_found = missing[best] <= _PIECE / step + len(pieces) / 5
    return offsets[best] + _PIECE // 2 if is_found and 0 < best < len(pieces) else None


def _split(tokens: Sequence[str], cut: int) -> tuple[list[str], list[str]]:
    """Split tokens at the boundary next to a number of characters."""
    ends = list(accumulate(map(len, tokens)))
    index = min(range(len(ends)), key=lambda index: abs(ends[index] - cut)) + 1
    return list(tokens[:index]), list(tokens[index:])
