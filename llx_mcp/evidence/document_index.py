"""All pages of a document, indexed: where a text stands in it."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourceText
from llx_mcp.evidence.places import Place, Places, Span, build_place
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import Needle
from llx_mcp.evidence.values import NumberIndex
from llx_mcp.result.deadline import Deadline

# How many places are counted on one page, and in all.
_MAX_ON_PAGE = 100
_MAX_TOTAL = 1_000
# How many pages are searched for similar text.
_NUM_CANDIDATES = 6
_MAX_GRAMS = 100
_MAX_MISREAD_TOKENS = 12
_MIN_MISREAD_CHARS = 4
# A place counts as worse than another one where its score is lower by more than this.
SCORE_MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Hit:
    """A span of a page."""

    page: PageIndex
    span: Span


class DocumentIndex:
    """The pages of a document, each indexed when it is first searched.

    Args:
        source: the text of the document.
    """

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.pages = [PageIndex(page) for page in source.pages]
        self.by_number = {page.page.number: page for page in self.pages}
        self._numbers: dict[int, NumberIndex] = {}

    @cached_property
    def postings(self) -> dict[str, list[PageIndex]]:
        """For each token, or pair of characters of a script without spaces, the pages that have it."""
        found: dict[str, list[PageIndex]] = {}
        for page in self.pages:
            for gram in page.positions:
                found.setdefault(gram, []).append(page)
        return found

    def place(self, hit: Hit) -> Place:
        """Return the place of a hit."""
        return build_place(hit.page.page, hit.span, self.source.box_of)

    def collect(self, hits: Iterable[Hit], limit: int, deadline: Deadline) -> Places:
        """Return the best hits as places; those of the same score stay in their order."""
        found: list[Hit] = []
        for hit in hits:
            found.append(hit)
            if len(found) == _MAX_TOTAL:
                break
        best = sorted(found, key=lambda hit: -hit.span.score)[:limit]
        num_pages = len({hit.page.page.number for hit in found})
        is_cut = len(found) == _MAX_TOTAL or deadline.is_over
        return Places(tuple(map(self.place, best)), len(found), num_pages, is_cut)

    def find_exact(self, needles: list[Needle], deadline: Deadline, skip: PageIndex | None = None) -> Iterator[Hit]:
        """Yield where any of the texts stands character by character."""
        for page in deadline.limit(self.pages):
            if page is skip:
                continue
            for needle in needles:
                if found := page.find_exact(needle, _MAX_ON_PAGE):
                    yield from (Hit(page, span) for span in found)
                    break

    def find_similar(
        self, needle: Needle, min_score: float, deadline: Deadline, skip: PageIndex | None = None
    ) -> list[Hit]:
        """Return where a similar text stands, best first, one place on each page."""
        found = []
        for page in deadline.limit(self._rank_pages(needle, skip)):
            span = find_similar(page, needle, min_score)
            if span is not None:
                found.append(Hit(page, span))
        return sorted(found, key=lambda hit: -hit.span.score)

    def find_number(self, value: float, deadline: Deadline) -> Iterator[Hit]:
        """Yield where a number stands in any format, in its own scale before others."""
        scaled: list[Hit] = []
        for page in deadline.limit(self.pages):
            for span in self.numbers(page).find(value)[:_MAX_ON_PAGE]:
                if span.score < 1:
                    scaled.append(Hit(page, span))
                else:
                    yield Hit(page, span)
        yield from scaled

    def numbers(self, page: PageIndex) -> NumberIndex:
        """Return the numbers of a page."""
        return self._numbers.setdefault(page.page.number, NumberIndex(page))

    def _rank_pages(self, needle: Needle, skip: PageIndex | None) -> list[PageIndex]:
        """Return the pages that have most of the tokens of a text; rare tokens count more."""
        weights: defaultdict[PageIndex, float] = defaultdict(float)
        for gram in dict.fromkeys(needle.grams[:_MAX_GRAMS]):
            pages = self.postings.get(gram, ())
            for page in pages:
                weights[page] += 1 / len(pages)
        for gram in self._misread_tokens(needle):
            pages = self.postings[gram]
            for page in pages:
                weights[page] += 0.5 / len(pages)
        if skip is not None:
            weights.pop(skip, None)
        return heapq.nlargest(_NUM_CANDIDATES, weights, key=weights.__getitem__)

    def _misread_tokens(self, needle: Needle) -> Iterator[str]:
        """Yield tokens of the document that differ in few characters from tokens of a text that it has not."""
        from rapidfuzz import process
        from rapidfuzz.distance import Levenshtein

        unknown = [gram for gram in needle.grams if gram not in self.postings and len(gram) >= _MIN_MISREAD_CHARS]
        for gram in unknown[:_MAX_MISREAD_TOKENS]:
            cutoff = 1 if len(gram) < 8 else 2
            for token, _, _ in process.extract(
                gram, self._vocabulary, scorer=Levenshtein.distance, processor=None, score_cutoff=cutoff, limit=3
            ):
                yield token

    @cached_property
    def _vocabulary(self) -> list[str]:
        return [gram for gram in self.postings if len(gram) >= _MIN_MISREAD_CHARS]
