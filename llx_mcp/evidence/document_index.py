"""All pages of a document, indexed: where a text stands in it."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice

from llx_mcp.evidence.page_index import Hit, PageIndex
from llx_mcp.evidence.pages import SourceText
from llx_mcp.evidence.places import Place, Places, build_place
from llx_mcp.evidence.similar import MIN_FUZZY_CHARS, find_similar
from llx_mcp.evidence.streams import Needle
from llx_mcp.evidence.values import locate_number
from llx_mcp.result.deadline import Deadline

# How many places are counted.
_MAX_TOTAL = 1_000
# How many pages are searched for similar text.
_NUM_CANDIDATES = 6
MAX_SIMILAR = 100
_MAX_GRAMS = 100
_WORDS_PER_CHECK = 20_000
# Similar text is looked for on the pages up to this many words.
_MAX_WORDS = 1_000_000
_MAX_MISREAD_TOKENS = 12
_SHORT_PIECE, _LONG_PIECE = 3, 6
_SHORT_CHARS = 40
_MAX_PIECES = 16
_MIN_PIECE_SHARE = 0.4
_MIN_MISREAD_CHARS = 4
# A place counts as worse than another one where its score is lower by more than this.
SCORE_MARGIN = 0.02


class DocumentIndex:
    """The pages of a document, each indexed when it is first searched.

    Args:
        source: the text of the document.
    """

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.pages = [PageIndex(page) for page in source.pages]
        self.by_number = {page.page.number: page for page in self.pages}
        self._lacks_pages = any(not page.words for page in source.pages)
        self._postings: dict[str, list[PageIndex]] = {}
        self._vocabulary: list[str] = []
        self._num_indexed = self._num_words = 0

    def postings(self, deadline: Deadline) -> dict[str, list[PageIndex]]:
        """Return the pages that have each token, or pair of characters of a script without spaces.

        Pages that are not indexed when the time is up are indexed by the next call.
        """
        for page in self.pages[self._num_indexed :]:
            if deadline.is_over or self._num_words + len(page.words) > _MAX_WORDS:
                break
            self._num_indexed += 1
            self._num_words += len(page.words)
            for gram in page.positions:
                if gram not in self._postings and len(gram) >= _MIN_MISREAD_CHARS:
                    self._vocabulary.append(gram)
                self._postings.setdefault(gram, []).append(page)
        return self._postings

    @property
    def is_indexed(self) -> bool:
        """Whether all pages are in the postings."""
        return self._num_indexed == len(self.pages)

    def place(self, hit: Hit) -> Place:
        """Return the place of a hit."""
        return build_place(hit.page.page, hit.span, self.source.box_of)

    def collect(self, hits: Iterable[Hit], limit: int, deadline: Deadline, *, is_cut: bool = False) -> Places:
        """Return the best hits as places; those of the same score stay in their order.

        Args:
            hits: where the text stands.
            limit: how many places are listed.
            deadline: the deadline of the search.
            is_cut: whether the search is known to have left some out.
        """
        found = list(islice(hits, _MAX_TOTAL + 1))
        is_cut = is_cut or len(found) > _MAX_TOTAL or deadline.is_over
        found = found[:_MAX_TOTAL]
        best = sorted(found, key=lambda hit: -hit.span.score)[:limit]
        num_pages = len({hit.page.page.number for hit in found})
        return Places(tuple(map(self.place, best)), len(found), num_pages, is_cut, self._lacks_pages)

    def find_text(self, needles: list[Needle], limit: int, deadline: Deadline) -> Places:
        """Return where any of the texts stands character by character, best first."""
        return self.collect(self.find_exact(needles, deadline), limit, deadline)

    def find_exact(self, needles: list[Needle], deadline: Deadline, skip: PageIndex | None = None) -> Iterator[Hit]:
        """Yield where any of the texts stands character by character."""
        for page in self.until(deadline):
            if page is skip:
                continue
            for needle in needles:
                if found := page.find_exact(needle, _MAX_TOTAL + 1):
                    yield from (Hit(page, span) for span in found)
                    break

    def find_similar(
        self,
        needle: Needle,
        min_score: float,
        deadline: Deadline,
        skip: PageIndex | None = None,
        *,
        is_thorough: bool = True,
    ) -> list[Hit]:
        """Return where a similar text stands, best first, one place on each of at most `MAX_SIMILAR` pages.

        Args:
            needle: the text.
            min_score: how similar it must be.
            deadline: when the search ends.
            skip: a page that is not searched.
            is_thorough: whether all pages are searched where those with most of its tokens have nothing like it, and
                whether its characters may be scattered.
        """
        ranks = [self._rank_by_tokens, self._rank_by_pieces] if is_thorough else [self._rank_by_tokens]
        for rank in ranks if len(needle.stream) >= MIN_FUZZY_CHARS else ():
            pages = {page: weight for page, weight in rank(needle, deadline).items() if page is not skip}
            best = heapq.nlargest(MAX_SIMILAR, pages, key=pages.__getitem__)
            found: list[Hit] = []
            for num_searched, page in enumerate(best):
                # A text that stands on all of the best pages may stand on more.
                if deadline.is_over or (num_searched >= _NUM_CANDIDATES and len(found) < num_searched):
                    break
                if (span := find_similar(page, needle, min_score, is_thorough=is_thorough)) is not None:
                    found.append(Hit(page, span))
            if found or deadline.is_over:
                return sorted(found, key=lambda hit: -hit.span.score)
        return []

    def find_number(self, value: float, deadline: Deadline) -> Iterator[Hit]:
        """Yield where a number stands in any format; where it stands nowhere, where in a scale that is named."""
        scaled: list[Hit] = []
        is_found = False
        for page in self.until(deadline):
            for span in locate_number(page, value, page.whole, page.scales):
                if span.score < 1:
                    scaled.append(Hit(page, span))
                else:
                    is_found = True
                    yield Hit(page, span)
        yield from () if is_found else scaled

    def until(self, deadline: Deadline) -> Iterator[PageIndex]:
        """Yield the pages until the time is up."""
        num_words = _WORDS_PER_CHECK
        for page in self.pages:
            # Asking for the time may take longer than searching a short page.
            num_words += len(page.page.words)
            if num_words >= _WORDS_PER_CHECK:
                if deadline.is_over:
                    return
                num_words = 0
            yield page

    def _rank_by_tokens(self, needle: Needle, deadline: Deadline) -> dict[PageIndex, float]:
        """Return how many of the tokens of a text the pages have; rare tokens count more."""
        weights: defaultdict[PageIndex, float] = defaultdict(float)
        postings = self.postings(deadline)
        for gram in dict.fromkeys(needle.grams[:_MAX_GRAMS]):
            pages = postings.get(gram, ())
            for page in pages:
                weights[page] += 1 / len(pages)
        for gram in () if deadline.is_over else self._misread_tokens(needle):
            for page in postings[gram]:
                weights[page] += 0.5 / len(postings[gram])
        return weights

    def _rank_by_pieces(self, needle: Needle, deadline: Deadline) -> dict[PageIndex, float]:
        """Return how many short pieces of a text the pages have, in whose tokens characters were misread or split."""
        text = needle.stream
        size = _SHORT_PIECE if len(text) < _SHORT_CHARS else _LONG_PIECE
        step = max(1, (len(text) - size) // _MAX_PIECES)
        pieces = [text[start : start + size] for start in range(0, len(text) - size + 1, step)]
        counts = {page: sum(piece in page.stream for piece in pieces) for page in self.until(deadline)}
        return {page: float(count) for page, count in counts.items() if count >= len(pieces) * _MIN_PIECE_SHARE}

    def _misread_tokens(self, needle: Needle) -> Iterator[str]:
        """Yield tokens of the document that differ in few characters from tokens of a text that it has not."""
        from rapidfuzz import process
        from rapidfuzz.distance import Levenshtein

        unknown = [gram for gram in needle.grams if gram not in self._postings and len(gram) >= _MIN_MISREAD_CHARS]
        for gram in unknown[:_MAX_MISREAD_TOKENS]:
            cutoff = 1 if len(gram) < 8 else 2
            for token, _, _ in process.extract(
                gram, self._vocabulary, scorer=Levenshtein.distance, processor=None, score_cutoff=cutoff, limit=3
            ):
                yield token
