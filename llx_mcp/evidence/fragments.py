"""Finds quotes that stand in several parts: with an ellipsis between, or on two pages."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

from llx_mcp.evidence.page_index import Hit, PageIndex
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import Needle, build_needle

_ELLIPSIS = re.compile(r"[\[(]?(?:…|\.{3,}|(?:\. ){2,}\.)[\])]?")
_LEADERS = re.compile(r"\.{5}|(?:\. ){4}\.")
_MAX_PARTS = 10
_MAX_PLACES = 50
# Where a page has no lines, parts that belong together are at most so many words apart.
_MAX_WORDS_BETWEEN = 40
# A shorter part is no evidence.
_MIN_CHARS = 8
_PIECE = 6
_MAX_PIECES = 100


def find_parts(page: PageIndex, quote: str, min_score: float) -> list[Hit]:
    """Return where the parts of a quote with an ellipsis stand on a page, in the order of the quote; else nothing."""
    quote = " ".join(quote.split())
    parts = [build_needle(text) for text in _ELLIPSIS.split(quote, _MAX_PARTS)]
    parts = [part for part in parts if part.stream]
    if not 2 <= len(parts) <= _MAX_PARTS or max(len(part.stream) for part in parts) < _MIN_CHARS:
        return []
    return [Hit(page, span) for span in _find_chain(page, parts, min_score, bool(_LEADERS.search(quote)))]


def _find_chain(page: PageIndex, parts: list[Needle], min_score: float, has_leaders: bool) -> list[Span]:
    """Return where parts stand one after another; nothing where they do not.

    A short part is evidence only beside the part before it, and so is what follows dot leaders.
    """
    # One chain for each place of the last part, as only one of several places may have the next part beside it.
    chains: list[list[Span]] = [[span] for span in _find_all(page, parts[0], min_score, page.whole)]
    for before, part in pairwise(parts):
        is_beside = (
            has_leaders or len(part.stream) < _MIN_CHARS or (before is parts[0] and len(before.stream) < _MIN_CHARS)
        )
        longer: dict[Span, list[Span]] = {}
        for chain in chains:
            for span in _find_next(page, part, min_score, chain[-1], is_beside):
                if not has_leaders or not _has_digits_between(page, chain[-1], span):
                    longer.setdefault(span, [*chain, span])
        chains = list(longer.values())[:_MAX_PLACES]
    return chains[0] if chains else []


def _find_next(page: PageIndex, part: Needle, min_score: float, before: Span, is_beside: bool) -> list[Span]:
    """Return where a part stands after another one: anywhere, or on the same line or the next one."""
    if not is_beside:
        return _find_all(page, part, min_score, Span(before.last + 1, page.whole.last))
    lines = page.page.line_starts
    line = bisect_right(lines, before.last)
    end = lines[line + 1] if line + 1 < len(lines) else len(page.words)
    within = Span(before.last + 1, min(end, before.last + _MAX_WORDS_BETWEEN) - 1)
    return [
        span
        for span in _find_all(page, part, min_score, within)
        # On the next line may stand another label with another number.
        if bisect_right(lines, span.first) == line or not _has_digits_between(page, before, span)
    ]


def _has_digits_between(page: PageIndex, before: Span, span: Span) -> bool:
    return any(map(str.isdigit, page.text(Span(before.last + 1, span.first - 1))))


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


def _find(page: PageIndex, needle: Needle, min_score: float) -> Span | None:
    """Return the first place of a text."""
    return next(iter(_find_all(page, needle, min_score, page.whole)), None)


def _find_all(page: PageIndex, needle: Needle, min_score: float, within: Span) -> list[Span]:
    """Return the places of a text in a part of a page, or the one that is most like it."""
    if exact := page.find_exact(needle, _MAX_PLACES, within):
        return exact
    similar = find_similar(page, needle, min_score) if len(needle.stream) >= _MIN_CHARS else None
    return [similar] if similar is not None and within.first <= similar.first and similar.last <= within.last else []


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
