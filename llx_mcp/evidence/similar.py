"""Finds where a text stands on a page with other words between, in another order, or with characters misread."""

from collections import Counter
from collections.abc import Iterator

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.streams import Needle

# The share of a text, in characters, whose tokens must stand close together.
_MIN_TOKEN_SHARE = 0.85
# A match by tokens counts less than the same characters in the same order.
_TOKENS_SCORE = 0.95
_MAX_GRAMS = 400
_MAX_POSITIONS = 100
# A shorter text has too few characters to be recognised with one misread.
MIN_FUZZY_CHARS = 5
_MAX_FUZZY_CHARS = 5_000
_MAX_SEEDS = 48
_MAX_SEED_HITS = 20
_NUM_CANDIDATES = 3
_PIECE = 4
_MIN_SCATTERED_CHARS, _MAX_SCATTERED_CHARS = 10, 400


def find_similar(page: PageIndex, needle: Needle, min_score: float, *, is_thorough: bool = True) -> Span | None:
    """Return the part of a page that is most like a text; None where none reaches the score.

    Args:
        page: the page.
        needle: the text.
        min_score: how similar it must be.
        is_thorough: whether its characters may be scattered, if nothing else is like it.
    """
    found = [find_tokens(page, needle), find_fuzzy(page, needle)]
    spans = [span for span in found if span is not None and span.score >= min_score]
    if (
        is_thorough
        and not spans
        and (scattered := find_scattered(page, needle)) is not None
        and scattered.score >= min_score
    ):
        return scattered
    return max(spans, key=lambda span: span.score, default=None)


def find_tokens(page: PageIndex, needle: Needle) -> Span | None:
    """Return where the tokens of a text stand close together, in any order.

    All tokens with digits must be there, and nearly all others.
    """
    wanted = Counter(needle.grams[:_MAX_GRAMS])
    total = sum(len(gram) * count for gram, count in wanted.items())
    here = {gram: page.positions.get(gram, ()) for gram in wanted}
    if len(wanted) < 2 or _weigh(Counter({gram: wanted[gram] for gram in wanted if here[gram]})) < (
        _MIN_TOKEN_SHARE * total
    ):
        return None
    if any(not here[gram] and _has_digit(gram) for gram in wanted):
        return None
    hits = sorted((start, gram) for gram, starts in here.items() for start in starts[:_MAX_POSITIONS])
    weight, first, last = _find_window(hits, wanted, len(needle.stream) * 3 // 2 + 20)
    inside = Counter(gram for start, gram in hits if first <= start <= last)
    missing = wanted - inside
    if weight < _MIN_TOKEN_SHARE * total or any(map(_has_digit, missing)):
        return None
    span = page.span(first, last + 1)
    return Span(span.first, span.last, _TOKENS_SCORE * weight / total, "tokens")


def _weigh(grams: Counter[str]) -> int:
    return sum(len(gram) * count for gram, count in grams.items())


def _has_digit(gram: str) -> bool:
    return any(map(str.isdigit, gram))


def _find_window(hits: list[tuple[int, str]], wanted: Counter[str], width: int) -> tuple[int, int, int]:
    """Return the weight of the window that holds most of what is wanted, and its first and last position."""
    inside: Counter[str] = Counter()
    best = (0, 0, 0)
    weight = left = 0
    for start, gram in hits:
        inside[gram] += 1
        weight += len(gram) if inside[gram] <= wanted[gram] else 0
        while hits[left][0] < start - width or inside[hits[left][1]] > wanted[hits[left][1]]:
            out = hits[left][1]
            inside[out] -= 1
            weight -= len(out) if inside[out] < wanted[out] else 0
            left += 1
        if weight > best[0]:
            best = (weight, hits[left][0], start)
    return best


def find_fuzzy(page: PageIndex, needle: Needle) -> Span | None:
    """Return the part of a page with the fewest other characters than a text; None where nothing is like it."""
    from rapidfuzz.distance import Levenshtein

    text = needle.stream[:_MAX_FUZZY_CHARS]
    if len(text) < MIN_FUZZY_CHARS:
        return None
    best: Span | None = None
    for start, end in _list_candidates(page, text):
        score = Levenshtein.normalized_similarity(text, page.stream[start:end])
        if best is None or score > best.score:
            span = page.span(start, end)
            best = Span(span.first, span.last, score, "fuzzy")
    return best


def find_scattered(page: PageIndex, needle: Needle, min_share: float = _MIN_TOKEN_SHARE) -> Span | None:
    """Return where the characters of a text stand close together, in short pieces and in any order.

    This finds cells of a row although others stand between them, and their words were divided or joined.

    Args:
        page: the page.
        needle: the text.
        min_share: the share of its characters that must be in a piece. All digits must be, unless it is lowered.
    """
    text = needle.stream
    if not _MIN_SCATTERED_CHARS <= len(text) <= _MAX_SCATTERED_CHARS:
        return None
    hits = sorted((position, offset) for offset, position in _find_pieces(page.stream, text, _PIECE, 1))
    inside = _find_densest(hits, len(text) * 3 // 2 + 40)
    covered = {offset + index for _, offset in inside for index in range(_PIECE)}
    share = len(covered) / len(text)
    if share < min_share:
        return None
    if min_share >= _MIN_TOKEN_SHARE and any(char.isdigit() and at not in covered for at, char in enumerate(text)):
        return None
    span = page.span(inside[0][0], inside[-1][0] + _PIECE)
    return Span(span.first, span.last, _TOKENS_SCORE * share, "tokens")


def _find_densest(hits: list[tuple[int, int]], width: int) -> list[tuple[int, int]]:
    """Return the hits of the window that has most different offsets."""
    inside: Counter[int] = Counter()
    best: tuple[int, int, int] = (0, 0, 0)
    left = 0
    for right, (position, offset) in enumerate(hits):
        inside[offset] += 1
        while hits[left][0] < position - width or inside[hits[left][1]] > 1:
            inside[hits[left][1]] -= 1
            if not inside[hits[left][1]]:
                del inside[hits[left][1]]
            left += 1
        if len(inside) > best[0]:
            best = (len(inside), left, right + 1)
    return hits[best[1] : best[2]]


def _list_candidates(page: PageIndex, text: str) -> Iterator[tuple[int, int]]:
    """Yield parts of the stream that have several short pieces of a text at the distances that the text has them."""
    width = max(8, len(text) // 8)
    hits: dict[int, list[tuple[int, int]]] = {}
    for offset, position in _find_seeds(page.stream, text):
        # Each piece counts for two neighbouring groups, so that an inserted character does not divide one.
        group = (position - offset) // width
        hits.setdefault(group, []).append((position, offset))
        hits.setdefault(group - 1, []).append((position, offset))
    ranked = sorted(hits.values(), key=lambda group: len({offset for _, offset in group}), reverse=True)
    for candidate in ranked[:_NUM_CANDIDATES]:
        (first, offset), (last, last_offset) = min(candidate), max(candidate)
        start = page.snap(first - offset, 3)
        end = page.snap(last + len(text) - last_offset, 3)
        if start < end:
            yield start, end


def _find_seeds(stream: str, text: str) -> Iterator[tuple[int, int]]:
    size = 3 if len(text) < 16 else 4 if len(text) < 40 else 6
    return _find_pieces(stream, text, size, max(1, (len(text) - size) // _MAX_SEEDS))


def _find_pieces(stream: str, text: str, size: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield the offset of pieces in a text, and their positions in the stream."""
    for offset in range(0, len(text) - size + 1, step):
        piece = text[offset : offset + size]
        position = stream.find(piece)
        for _ in range(_MAX_SEED_HITS):
            if position < 0:
                break
            yield offset, position
            position = stream.find(piece, position + 1)
