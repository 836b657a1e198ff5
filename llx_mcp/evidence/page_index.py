"""One page, indexed: where a text stands on it character by character."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property

from llx_mcp.evidence.pages import SourcePage
from llx_mcp.evidence.places import Span
from llx_mcp.evidence.streams import Needle, TokenStream, build_stream, has_no_spaces, split_grams

# A page of a document has some hundred words. What lies beyond these limits is not searched.
MAX_WORDS = 100_000
MAX_WORD_CHARS = 1_000
# How many occurrences are looked at where most of them turn out to be parts of longer words.
_MAX_TRIES = 500
# A text of this length that begins or ends within a word is rather two words that were joined than chance.
_MIN_CHARS_WITHIN_WORDS = 12


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
        return len(self.page.words) <= MAX_WORDS

    @cached_property
    def tokens(self) -> TokenStream:
        """The tokens of the page."""
        words = self.page.words[:MAX_WORDS]
        if sum(map(len, words)) > MAX_WORDS * 10 or max(map(len, words), default=0) > MAX_WORD_CHARS:
            words = [word[:MAX_WORD_CHARS] for word in words]
        return build_stream(words)

    @property
    def stream(self) -> str:
        """The page as a stream."""
        return self.tokens.stream

    @cached_property
    def loose_stream(self) -> str:
        """The stream without the difference between a point and a space between digits."""
        return self.stream.replace(".", " ")

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
        found: list[Span] = []
        for position, score in self._occurrences(needle, start, end):
            found.append(self.span(position, position + len(needle.stream), score))
            if len(found) == limit:
                break
        return found

    def has(self, needle: Needle) -> bool:
        """Whether a text stands on the page character by character."""
        return bool(self.find_exact(needle, 1))

    def text(self, span: Span) -> str:
        """Return the words of a span."""
        return " ".join(self.page.words[span.first : span.last + 1])

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

    def _occurrences(self, needle: Needle, start: int, end: int) -> Iterator[tuple[int, float]]:
        """Yield where a text starts in a part of the stream, with a score."""
        if len(needle.grams) == 1 and "." not in needle.stream:
            size = len(needle.stream)
            for position in self.positions.get(needle.stream, ()):
                if start <= position <= end - size and self._is_token(position, size):
                    yield position, 1.0
            return
        stream, text = self.stream, needle.stream
        if "." in text and text not in stream:
            stream, text = self.loose_stream, text.replace(".", " ")
        position = stream.find(text, start, end)
        for _ in range(_MAX_TRIES):
            if position < 0:
                return
            if score := self._score_edges(position, position + len(text), len(needle.tokens)):
                yield position, score
            position = stream.find(text, position + 1, end)

    def _is_token(self, position: int, size: int) -> bool:
        return self._starts(position) and self._ends(position + size)

    def _score_edges(self, start: int, end: int, num_tokens: int) -> float:
        """Return 1 where a part of the stream begins and ends with whole words, less where it may do, else 0."""
        if self._is_token(start, end - start):
            return 1.0
        return 0.95 if num_tokens > 1 and end - start >= _MIN_CHARS_WITHIN_WORDS else 0.0

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
