"""Compares one citation with the page that it names, and says where else its quote stands."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from llx_mcp.evidence.agreement import has_same_sign, has_same_value, stands_beside_same
from llx_mcp.evidence.checks import CitationCheck, Verdict
from llx_mcp.evidence.document_index import MAX_SIMILAR, SCORE_MARGIN, DocumentIndex
from llx_mcp.evidence.fragments import find_continued, find_parts
from llx_mcp.evidence.markup import strip_markup
from llx_mcp.evidence.misread import find_around_value, find_misread
from llx_mcp.evidence.page_index import Hit, PageIndex
from llx_mcp.evidence.places import Place, Places, Rectangle, Span, build_place, share_covered
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import MAX_CHARS, Needle, build_needle
from llx_mcp.evidence.values import locate_value
from llx_mcp.result.deadline import Deadline

# How like its quote a passage must be.
MIN_SIMILARITY = 0.82
# A page with a passage that is more similar than this one has most of its tokens.
_GOOD_SIMILARITY = 0.93
MAX_PLACES = 5
TIME_IS_UP = "the time for checking was up"
OTHER_SIGN = "the number has another sign on the page"
OTHER_ORDER = "the page has the words of the quote, but the value beside other ones"
_MAX_ON_PAGE = 50
_TOO_MANY_WORDS = "the page has too many words to search them all"


class CitedPassage(Protocol):
    """A citation as the service gave it."""

    @property
    def page(self) -> int | float | None:
        """The page number, from 1."""
        ...

    @property
    def quote(self) -> str | None:
        """The text that is quoted."""
        ...

    @property
    def boxes(self) -> Sequence[Rectangle]:
        """Where the quote is on the page; they decide between several occurrences."""
        ...


class CitationChecker:
    """Compares citations with their pages.

    A quote that stands on its page character by character stands there, whatever other pages have. One that is only
    similar stands there if no other page has a more similar passage, and if the two do not differ in the value.

    Args:
        document: the indexed document.
    """

    def __init__(self, document: DocumentIndex) -> None:
        self._document = document

    def check(self, value: Any, citation: CitedPassage, deadline: Deadline) -> CitationCheck:
        """Compare a citation of a value with its page."""
        if deadline.is_over:
            return CitationCheck("unchecked", TIME_IS_UP)
        if self._document.source.problem and not self._document.pages:
            return CitationCheck("unchecked", self._document.source.problem)
        if not citation.quote:
            return CitationCheck("unchecked", "the citation has no quote")
        needles = build_needles(citation.quote)
        page = self._document.by_number.get(citation.page) if isinstance(citation.page, int) else None
        if page is None or not page.words:
            elsewhere = self._document.find_text(needles, MAX_PLACES, deadline)
            return CitationCheck("unchecked", _explain_missing(citation.page, page), elsewhere=elsewhere)
        if not needles:
            return self._check_symbols(page, citation.quote)
        return self._check_on_page(value, citation, page, needles, deadline)

    def _check_symbols(self, page: PageIndex, quote: str) -> CitationCheck:
        """Check a quote without letters and digits, such as a ticked box."""
        if (span := page.find_symbols("".join(quote.split()))) is not None:
            return CitationCheck("verified", places=(self._place(page, span),))
        return CitationCheck("ambiguous", "the quote has no letters or digits to compare")

    def _check_on_page(
        self, value: Any, citation: CitedPassage, page: PageIndex, needles: list[Needle], deadline: Deadline
    ) -> CitationCheck:
        exact = next(filter(None, (page.find_exact(needle, _MAX_ON_PAGE) for needle in needles)), [])
        plain = strip_markup((citation.quote or "")[:MAX_CHARS])
        exact = [each for each in exact if each.match == "exact" or has_same_value(value, plain, page.text(each))]
        if not exact and (misread := find_misread(page, needles[-1], value)):
            return self._stands(value, citation, page, [misread])
        if exact and exact[0].score == 1.0:
            return self._stands(value, citation, page, exact)
        elsewhere = self._find_exact_elsewhere(needles, page, deadline, is_here=bool(exact))
        if elsewhere.total:
            return _stands_elsewhere(elsewhere)
        if exact:
            return self._stands(value, citation, page, exact)
        return self._check_similar(value, citation, page, needles[-1], deadline)

    def _find_exact_elsewhere(
        self, needles: list[Needle], page: PageIndex, deadline: Deadline, *, is_here: bool
    ) -> Places:
        """Return where else a quote stands; only where it fits better, if it stands on its page, too."""
        hits = self._document.find_exact(needles, deadline, page)
        better = (hit for hit in hits if hit.span.score == 1.0 or not is_here)
        return self._document.collect(better, MAX_PLACES, deadline)

    def _check_similar(
        self, value: Any, citation: CitedPassage, page: PageIndex, needle: Needle, deadline: Deadline
    ) -> CitationCheck:
        """Check a quote that stands nowhere character by character."""
        quote = citation.quote or ""
        if parts := find_parts(page, strip_markup(quote[:MAX_CHARS]), MIN_SIMILARITY):
            return self._stands_in_parts(value, parts)
        here = find_similar(page, needle, MIN_SIMILARITY)
        is_weak = here is None or here.score < _GOOD_SIMILARITY
        similar = self._document.find_similar(needle, MIN_SIMILARITY, deadline, page, is_thorough=is_weak)
        similar = [hit for hit in similar if _is_same_value(value, quote, hit.page, hit.span)]
        needed = similar[0].span.score - SCORE_MARGIN if similar else 0.0
        if here is not None and here.score >= needed and _is_same_value(value, quote, page, here):
            return self._stands_similar(value, citation, page, here)
        parts = self._find_continued(page, needle)
        if parts and min(part.span.score for part in parts) >= needed:
            return self._stands_in_parts(value, parts)
        if page.page.problem or not page.is_whole:
            return CitationCheck("unchecked", page.page.problem or _TOO_MANY_WORDS)
        if deadline.is_over:
            return CitationCheck("unchecked", TIME_IS_UP)
        hits = [hit for hit in similar if hit.span.score >= needed]
        if not hits and (around := find_around_value(page, needle, value)) is not None:
            return self._stands_similar(value, citation, page, around)
        hits = hits or self._find_misread(value, needle, deadline, page)
        return _stands_elsewhere(self._document.collect(hits, MAX_PLACES, deadline, is_cut=len(similar) >= MAX_SIMILAR))

    def _find_misread(self, value: Any, needle: Needle, deadline: Deadline, skip: PageIndex) -> list[Hit]:
        """Return where else a quote that was misread stands with its value."""
        others = (page for page in self._document.until(deadline) if page is not skip)
        found = ((page, find_misread(page, needle, value) or find_around_value(page, needle, value)) for page in others)
        return [Hit(page, span) for page, span in found if span is not None]

    def _find_continued(self, page: PageIndex, needle: Needle) -> list[Hit]:
        """Return the parts of a quote that stands on its page and on the one before or after it."""
        number = page.page.number
        before, after = (self._document.by_number.get(number + step) for step in (-1, 1))
        if after is not None and (parts := find_continued(page, after, needle, MIN_SIMILARITY)):
            return parts
        # The part on the cited page comes first.
        return find_continued(before, page, needle, MIN_SIMILARITY)[::-1] if before is not None else []

    def _stands(self, value: Any, citation: CitedPassage, page: PageIndex, spans: list[Span]) -> CitationCheck:
        """Return that a quote stands on its page, in one of some places."""
        agreeing = [span for span in spans if _is_same_sign(value, citation.quote or "", page, span)]
        span = self._choose(page, agreeing or spans, citation.boxes)
        values = locate_value(page, value, span)
        value_place = self._place(page, self._choose(page, values, citation.boxes)) if values else None
        verdict: Verdict = "verified" if agreeing else "ambiguous"
        reason = "" if agreeing else OTHER_SIGN
        return CitationCheck(verdict, reason, places=(self._place(page, span),), value_place=value_place)

    def _stands_similar(self, value: Any, citation: CitedPassage, page: PageIndex, span: Span) -> CitationCheck:
        """Return that a passage is like a quote, unless the value stands beside other words."""
        if stands_beside_same(page, span, value, strip_markup((citation.quote or "")[:MAX_CHARS])):
            return self._stands(value, citation, page, [span])
        return CitationCheck("ambiguous", OTHER_ORDER, places=(self._place(page, span),))

    def _stands_in_parts(self, value: Any, parts: list[Hit]) -> CitationCheck:
        located = ((part.page, locate_value(part.page, value, part.span)) for part in parts)
        value_place = next((self._place(page, spans[0]) for page, spans in located if spans), None)
        places = tuple(self._place(part.page, part.span) for part in parts)
        return CitationCheck("verified", places=places, value_place=value_place)

    def _choose(self, page: PageIndex, spans: list[Span], boxes: Sequence[Rectangle]) -> Span:
        """Return the span that lies on the boxes of the service; the first one where they do not tell."""
        if len(spans) == 1 or not boxes or not page.page.boxes:
            return spans[0]
        return max(spans, key=lambda span: share_covered(self._place(page, span).boxes, boxes))

    def _place(self, page: PageIndex, span: Span) -> Place:
        return build_place(page.page, span, self._document.source.box_of)


def build_needles(quote: str) -> list[Needle]:
    """Return a quote as it is, and without markup where that differs."""
    text = quote[:MAX_CHARS]
    needles = dict.fromkeys(map(build_needle, (text, strip_markup(text))))
    return [needle for needle in needles if needle.stream]


def _explain_missing(number: float | None, page: PageIndex | None) -> str:
    if number is None:
        return "the citation has no page number"
    if page is not None:
        return page.page.problem or f"page {number} has no text: it may be scanned"
    return f"there is no text of page {number}"


def _is_same_value(value: Any, quote: str, page: PageIndex, span: Span) -> bool:
    """Whether a similar passage differs from a quote in other words than the value's."""
    return has_same_value(value, quote[:MAX_CHARS], page.text(_widen(span)))


def _is_same_sign(value: Any, quote: str, page: PageIndex, span: Span) -> bool:
    return has_same_sign(value, strip_markup(quote[:MAX_CHARS]), page.text(span), page.text(_widen(span)))


def _widen(span: Span) -> Span:
    return replace(span, first=max(span.first - 1, 0), last=span.last + 1)


def _stands_elsewhere(elsewhere: Places) -> CitationCheck:
    """Return that a quote does not stand on its page; where it stands on several others, none of them is guessed."""
    if elsewhere.num_pages > 1:
        reason = f"the quote is not on its page, and stands on {elsewhere.num_pages} other pages"
        return CitationCheck("ambiguous", reason, elsewhere=elsewhere)
    return CitationCheck("not_on_page", elsewhere=elsewhere)
