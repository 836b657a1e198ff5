"""One page, indexed: where a text stands on it character by character."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, islice

from llx_mcp.evidence.grouping import is_grouped_alike
from llx_mcp.evidence.numbers import index_numbers
from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.streams import JOINED, Needle, TokenStream, build_stream, has_no_spaces, split_grams
from llx_mcp.result.scales import find_named_scales

# A page of a document has some hundred words. What lies beyond these limits is not searched.
_MAX_WORDS = 100_000
_MAX_WORD_CHARS = 1_000
_MAX_CHARS = 1_000_000
# How many occurrences are looked at that turn out to be parts of longer words.
_MAX_TRIES = 2_000
# Shorter texts without spaces are not taken for words that were joined.
_MIN_JOINED_CHARS = 4
# A text of this length that begins or ends within a word is rather two words that were joined than chance.
_MIN_CHARS_WITHIN_WORDS = 12
# A number of this length is recognised whatever its groups.
_MIN_GROUPED_CHARS = 8
_JOINED_SCORE = 0.95


@dataclass(frozen=True, slots=True)
class Hit:
    """A span of a page."""

    page: "PageIndex"
    span: Span


class PageIndex:
    """The words of one page, indexed when they are first searched.

    Attributes:
        page: the page.
    """

    def __init__(self, page: SourcePage) -> None:
        self.page = page

    @property
    def is_whole(self) -> bool:
        """Whether all words of the page are searched."""
        return len(self.page.words) <= _MAX_WORDS

    @cached_property
    def words(self) -> list[str]:
        """The words that are searched."""
        words = self.page.words[:_MAX_WORDS]
        is_plain = max(map(len, words), default=0) <= _MAX_WORD_CHARS
        return words if is_plain else [word[:_MAX_WORD_CHARS] for word in words]

    @cached_property
    def tokens(self) -> TokenStream:
        """The tokens of the page."""
        return build_stream(self.words)

    @cached_property
    def numbers(self) -> dict[float, list[Span]]:
        """The words of each number, by `number_key`."""
        return index_numbers(self.words, self.whole)

    @cached_property
    def scales(self) -> frozenset[float]:
        """The factors by which the page says that its numbers are multiplied."""
        return find_named_scales(self.text(self.whole)[:_MAX_CHARS])

    @property
    def whole(self) -> Span:
        """All words of the page."""
        return Span(0, len(self.words) - 1)

    @property
    def stream(self) -> str:
        """The page as a stream."""
        return self.tokens.stream

    @cached_property
    def loose_stream(self) -> str:
        """The stream without the difference between a point and a space between digits."""
        return self.stream.replace(".", " ")

    @cached_property
    def _joined(self) -> tuple[str, list[int]]:
        """The stream without spaces and points, and where each of its characters stands in the stream."""
        positions = [index for index, char in enumerate(self.stream) if char not in " ."]
        return self.stream.translate(JOINED), positions

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """Where each token, or pair of characters of a script without spaces, starts in the stream."""
        found: dict[str, list[int]] = {}
        for token, start in zip(self.tokens.tokens, self.tokens.starts, strict=True):
            if token.isascii():
                found.setdefault(token, []).append(start)
            else:
                for offset, gram in split_grams(token):
                    found.setdefault(gram, []).append(start + offset)
        return found

    def find_exact(self, needle: Needle, limit: int, within: Span | None = None) -> list[Span]:
        """Return where a text stands character by character, in reading order; at most `limit` places.

        Args:
            needle: what is looked for.
            limit: how many places are returned at most.
            within: the words that are searched; the whole page by default.
        """
        if not needle.stream:
            return []
        start, end = self._bounds(within)
        return list(islice(self._occurrences(needle, start, end), limit))

    def find_symbols(self, symbols: str) -> Span | None:
        """Return where characters other than letters and digits first stand, such as a ticked box."""
        position = "".join(self.words).find(symbols)
        if not symbols or position < 0:
            return None
        ends = list(accumulate(map(len, self.words)))
        return Span(bisect_right(ends, position), bisect_left(ends, position + len(symbols)))

    def text(self, span: Span) -> str:
        """Return the words of a span."""
        return " ".join(self.words[span.first : span.last + 1])

    def span(self, start: int, end: int, score: float = 1.0) -> Span:
        """Return the words of a part of the stream."""
        words = self.tokens.words
        return Span(words[self._token_at(start)], words[self._token_at(max(end - 1, start))], score)

    def snap(self, position: int, reach: int) -> int:
        """Return where the next token starts, before or after a position; the position where none is in reach."""
        starts = self.tokens.starts
        index = bisect_left(starts, position)
        near = [*starts[max(index - 1, 0) : index + 1], len(self.stream)]
        best = min(near, key=lambda start: abs(start - position))
        return best if abs(best - position) <= reach else min(max(position, 0), len(self.stream))

    def _bounds(self, within: Span | None) -> tuple[int, int]:
        """Return where a span starts and ends in the stream."""
        if within is None:
            return 0, len(self.stream)
        words, starts = self.tokens.words, self.tokens.starts
        first, after = bisect_left(words, within.first), bisect_right(words, within.last)
        start = starts[first] if first < len(starts) else len(self.stream)
        return start, (starts[after - 1] + len(self.tokens.tokens[after - 1]) if after else 0)

    def _occurrences(self, needle: Needle, start: int, end: int) -> Iterator[Span]:
        """Yield the words of a text in a part of the stream."""
        text = needle.stream
        if len(needle.grams) == 1 and (text in self.positions or len(text) < _MIN_JOINED_CHARS):
            for position in self.positions.get(text, ()):
                if start <= position <= end - len(text) and self._is_token(position, len(text)):
                    yield self.span(position, position + len(text))
            return
        is_found = False
        for position, score in self._search(self.stream, text, len(needle.tokens), start, end):
            is_found = True
            yield self.span(position, position + len(text), score)
        if not is_found:
            yield from self._search_grouped(needle, start, end)

    def _search_grouped(self, needle: Needle, start: int, end: int) -> Iterator[Span]:
        """Yield where a text stands whose digits are grouped otherwise."""
        text = needle.stream
        found: list[tuple[int, int]] = []
        if "." in text:
            loose = self._search(self.loose_stream, text.replace(".", " "), len(needle.tokens), start, end)
            found = [(position, position + len(text)) for position, _ in loose]
        for first, after in found or self._search_joined(needle, start, end):
            if is_grouped_alike(text, self.stream[first:after]):
                yield replace(self.span(first, after, _JOINED_SCORE), match="grouped")

    def _search(self, stream: str, text: str, num_tokens: int, start: int, end: int) -> Iterator[tuple[int, float]]:
        """Yield where a text stands in a part of the stream, with a score."""
        position = stream.find(text, start, end)
        num_failed = 0
        while position >= 0 and num_failed < _MAX_TRIES:
            if score := self._score_edges(position, position + len(text), num_tokens):
                yield position, score
            else:
                num_failed += 1
            position = stream.find(text, position + 1, end)

    def _search_joined(self, needle: Needle, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where a long text with digits starts and ends whatever its groups, such as an account number."""
        text = needle.joined
        if len(text) < _MIN_GROUPED_CHARS or not any(map(str.isdigit, text)):
            return
        stream, positions = self._joined
        position = stream.find(text)
        for _ in range(_MAX_TRIES):
            if position < 0:
                return
            first, after = positions[position], positions[position + len(text) - 1] + 1
            if start <= first and after <= end and self._is_token(first, after - first):
                yield first, after
            position = stream.find(text, position + 1)

    def _is_token(self, position: int, size: int) -> bool:
        return self._starts(position) and self._ends(position + size)

    def _score_edges(self, start: int, end: int, num_tokens: int) -> float:
        """Return 1 where a part of the stream begins and ends with whole words, less where it may do, else 0."""
        if self._is_token(start, end - start):
            return 1.0
        return _JOINED_SCORE if num_tokens > 1 and end - start >= _MIN_CHARS_WITHIN_WORDS else 0.0

    def _starts(self, position: int) -> bool:
        starts = self.tokens.starts
        index = bisect_left(starts, position)
        return (index < len(starts) and starts[index] == position) or self._is_between_signs(position)

    def _ends(self, position: int) -> bool:
        starts = self.tokens.starts
        index = bisect_left(starts, position)
        if index == len(starts):
            return position == len(self.stream) or self._is_between_signs(position)
        gap = starts[index] - position
        return gap == 0 or (gap == 1 and self.stream[position] == " ") or self._is_between_signs(position)

    def _is_between_signs(self, position: int) -> bool:
        """Whether a character before or after a position is of a script without spaces."""
        return any(map(has_no_spaces, self.stream[max(position - 1, 0) : position + 1]))

    def _token_at(self, position: int) -> int:
        return max(bisect_right(self.tokens.starts, position) - 1, 0)
