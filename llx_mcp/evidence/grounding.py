"""Checks the citations of values against the text of the document, and finds where values and words stand."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from llx_mcp.evidence.checks import SEVERITY, Check, CitationCheck, Verdict
from llx_mcp.evidence.document_index import SCORE_MARGIN, DocumentIndex, Hit
from llx_mcp.evidence.fragments import Part, find_continued, find_parts
from llx_mcp.evidence.markup import strip_markup
from llx_mcp.evidence.misread import find_misread
from llx_mcp.evidence.page_index import PageIndex
from llx_mcp.evidence.pages import SourceText
from llx_mcp.evidence.places import Place, Places, Rectangle, Span, build_place, share_covered
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import Needle, build_needle
from llx_mcp.evidence.values import locate_date, locate_value, parse_iso_date
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.quote_match import quotes_contain_value, read_amount

# A longer text is compared up to here.
_MAX_CHARS = 20_000
_MIN_SIMILARITY = 0.82
# How much of a value a quote must be, and how like the rest must be to what stands on the page.
_MIN_SHARE_QUOTED = 0.25
_MIN_VALUE_SIMILARITY = 0.95
_MIN_SEARCH_SIMILARITY = 0.75
_MAX_ON_PAGE = 50
_MAX_PLACES = 5
_FOREVER = Deadline(float("inf"))

TIME_IS_UP = "the time for checking was up"


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


class Grounder:
    """Compares citations with the text of a document. The pages are indexed once, when they are first needed.

    Args:
        source: the text of the document.
    """

    def __init__(self, source: SourceText) -> None:
        self._document = DocumentIndex(source)

    def check(self, value: Any, citations: Sequence[CitedPassage], *, deadline: Deadline = _FOREVER) -> Check:
        """Compare the citations of one value with their pages, and the value with the quotes.

        Each quote must stand on its page; all quotes together must contain the value. Of several citations the worst
        decides, in the order not_on_page, ambiguous, value_not_in_quote, unchecked. A citation that could not be
        checked counts only where the others do not contain the value.

        Args:
            value: any JSON value.
            citations: its citations.
            deadline: when the work ends; what is not checked by then is `unchecked`.
        """
        if not citations:
            return Check("unchecked", "it has no citation")
        checks = tuple(self._check_citation(value, citation, deadline) for citation in citations)
        contains = self._contains(value, citations, checks)
        verdict = _decide(checks, contains)
        decisive = next((check for check in checks if check.verdict == verdict), checks[0])
        return Check(verdict, decisive.reason, contains, decisive, checks)

    def find_value(self, value: Any, *, limit: int = _MAX_PLACES, deadline: Deadline = _FOREVER) -> Places:
        """Return where a value stands that has no citation: as text, as a number in any format, or as a date.

        Null, booleans, objects and lists stand nowhere.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return Places()
        if not isinstance(value, str):
            return self._find_number(value, limit, deadline)
        needle = build_needle(value[:_MAX_CHARS])
        if (found := self._find_text([needle], limit, deadline)).total:
            return found
        if parse_iso_date(value) is not None:
            return self._find_date(value, limit, deadline)
        for number in read_amount(value):
            if (found := self._find_number(number, limit, deadline)).total:
                return found
        return self._document.collect(self._document.find_similar(needle, _MIN_SIMILARITY, deadline), limit, deadline)

    def search(self, text: str, limit: int = 10, *, deadline: Deadline = _FOREVER) -> Places:
        """Return where words stand that a user looks for: as given, else the same words, else similar words."""
        needles = _build_needles(text)
        if not needles or (found := self._find_text(needles, limit, deadline)).total:
            return found if needles else Places()
        similar = self._document.find_similar(needles[-1], _MIN_SEARCH_SIMILARITY, deadline)
        return self._document.collect(similar, limit, deadline)

    def _find_text(self, needles: list[Needle], limit: int, deadline: Deadline) -> Places:
        return self._document.collect(self._document.find_exact(needles, deadline), limit, deadline)

    def _find_number(self, value: float, limit: int, deadline: Deadline) -> Places:
        return self._document.collect(self._document.find_number(value, deadline), limit, deadline)

    def _find_date(self, value: str, limit: int, deadline: Deadline) -> Places:
        year = (parse_iso_date(value) or ("", 0, 0))[0]
        pages = dict.fromkeys([*self._document.postings.get(year, ()), *self._document.postings.get(year[2:], ())])
        hits = (
            Hit(page, span)
            for page in deadline.limit(pages)
            for span in locate_date(page, value, Span(0, len(page.page.words) - 1))
        )
        return self._document.collect(hits, limit, deadline)

    def _contains(self, value: Any, citations: Sequence[CitedPassage], checks: Sequence[CitationCheck]) -> bool | None:
        """Whether the quotes, as they stand on their pages, contain a value; None where none could be compared."""
        if all(check.verdict == "unchecked" for check in checks):
            return None
        quotes = [citation.quote for citation in citations if citation.quote]
        is_exact = all(place.match == "exact" for check in checks for place in check.places)
        if is_exact and quotes_contain_value(value, quotes):
            return True
        passages = [
            self._text(check.places) or citation.quote or "" for check, citation in zip(checks, citations, strict=True)
        ]
        return quotes_contain_value(value, passages) or any(
            self._goes_on(value, check.places) for check in checks if check.places
        )

    def _goes_on(self, value: Any, places: Sequence[Place]) -> bool:
        """Whether a quote is part of a longer text, and the rest of the text stands on the page around it."""
        place, text = places[0], self._text(places)
        if not isinstance(value, str) or not _MIN_SHARE_QUOTED * len(value) <= len(text) <= len(value) * 2:
            return False
        page, needle = self._document.by_number[place.page], build_needle(value[:_MAX_CHARS])
        spans = page.find_exact(needle, _MAX_ON_PAGE) or filter(
            None, [find_similar(page, needle, _MIN_VALUE_SIMILARITY)]
        )
        size = place.last - place.first + 1
        return any(min(span.last, place.last) - max(span.first, place.first) + 1 > size / 2 for span in spans)

    def _text(self, places: Sequence[Place]) -> str:
        pages = self._document.by_number
        return " ".join(pages[place.page].text(Span(place.first, place.last)) for place in places)

    def _check_citation(self, value: Any, citation: CitedPassage, deadline: Deadline) -> CitationCheck:
        if deadline.is_over:
            return CitationCheck("unchecked", TIME_IS_UP)
        if self._document.source.problem and not self._document.pages:
            return CitationCheck("unchecked", self._document.source.problem)
        if not citation.quote:
            return CitationCheck("unchecked", "the citation has no quote")
        needles = _build_needles(citation.quote)
        page = self._document.by_number.get(citation.page) if isinstance(citation.page, int) else None
        if page is None or not page.page.words:
            elsewhere = self._find_text(needles, _MAX_PLACES, deadline) if needles else Places()
            return CitationCheck("unchecked", self._explain_missing(citation.page, page), elsewhere=elsewhere)
        if not needles:
            return self._check_symbols(page, citation.quote)
        return self._check_on_page(value, citation, page, needles, deadline)

    def _explain_missing(self, number: float | None, page: PageIndex | None) -> str:
        if number is None:
            return "the citation has no page number"
        if page is not None:
            return page.page.problem or f"page {number} has no text: it may be scanned"
        return f"there is no text of page {number}"

    def _check_symbols(self, page: PageIndex, quote: str) -> CitationCheck:
        """Check a quote without letters and digits, such as a ticked box."""
        wanted = "".join(quote.split())
        for index, word in enumerate(page.page.words):
            if wanted and wanted in word:
                place = build_place(page.page, Span(index, index), self._document.source.box_of)
                return CitationCheck("verified", places=(place,))
        return CitationCheck("ambiguous", "the quote is too short to say: it has no letters or digits")

    def _check_on_page(
        self, value: Any, citation: CitedPassage, page: PageIndex, needles: list[Needle], deadline: Deadline
    ) -> CitationCheck:
        exact = next(filter(None, (page.find_exact(needle, _MAX_ON_PAGE) for needle in needles)), [])
        if not exact and (misread := find_misread(page, needles[-1], value)):
            return self._stands(value, citation, page, [misread])
        if exact and exact[0].score == 1.0:
            return self._stands(value, citation, page, exact)
        elsewhere = self._find_exact_elsewhere(needles, page, deadline, is_here=bool(exact))
        if elsewhere.total:
            return _stands_elsewhere(elsewhere)
        if exact:
            return self._stands(value, citation, page, exact)
        if parts := self._find_parts(page, citation.quote or "", needles[-1]):
            return self._stands_in_parts(value, parts)
        return self._check_similar(value, citation, page, needles[-1], deadline)

    def _find_exact_elsewhere(
        self, needles: list[Needle], page: PageIndex, deadline: Deadline, *, is_here: bool
    ) -> Places:
        """Return where else a quote stands; only where it fits better, if it stands on its page, too."""
        hits = self._document.find_exact(needles, deadline, page)
        better = (hit for hit in hits if hit.span.score == 1.0 or not is_here)
        return self._document.collect(better, _MAX_PLACES, deadline)

    def _find_parts(self, page: PageIndex, quote: str, needle: Needle) -> list[Part]:
        """Return the parts in which a quote stands on its page, or on its page and the one before or after it."""
        if parts := find_parts(page, strip_markup(quote[:_MAX_CHARS]), _MIN_SIMILARITY):
            return parts
        number = page.page.number
        before, after = (self._document.by_number.get(number + step) for step in (-1, 1))
        if after is not None and (parts := find_continued(page, after, needle, _MIN_SIMILARITY)):
            return parts
        # The part on the cited page comes first.
        return find_continued(before, page, needle, _MIN_SIMILARITY)[::-1] if before is not None else []

    def _check_similar(
        self, value: Any, citation: CitedPassage, page: PageIndex, needle: Needle, deadline: Deadline
    ) -> CitationCheck:
        """Check a quote that stands nowhere character by character."""
        similar = self._document.find_similar(needle, _MIN_SIMILARITY, deadline, page)
        here = find_similar(page, needle, _MIN_SIMILARITY)
        best = similar[0].span.score if similar else 0.0
        if here is not None and here.score >= best - SCORE_MARGIN and self._is_same_value(value, citation, page, here):
            return self._stands(value, citation, page, [here])
        if page.page.problem or not page.is_whole:
            return CitationCheck("unchecked", page.page.problem or "the page has too many words to search them all")
        if deadline.is_over:
            return CitationCheck("unchecked", TIME_IS_UP)
        similar = [hit for hit in similar if hit.span.score >= best - SCORE_MARGIN]
        return _stands_elsewhere(self._document.collect(similar, _MAX_PLACES, deadline))

    def _is_same_value(self, value: Any, citation: CitedPassage, page: PageIndex, span: Span) -> bool:
        """Whether a similar passage differs from a quote in other words than the value's."""
        if not quotes_contain_value(value, [citation.quote or ""]):
            return True
        around = Span(max(span.first - 1, 0), span.last + 1)
        return quotes_contain_value(value, [page.text(around)])

    def _stands(self, value: Any, citation: CitedPassage, page: PageIndex, spans: list[Span]) -> CitationCheck:
        """Return that a quote stands on its page, in one of some places."""
        span = self._choose(page, spans, citation.boxes)
        values = locate_value(page, value, span)
        value_place = self._place(page, self._choose(page, values, citation.boxes)) if values else None
        return CitationCheck("verified", places=(self._place(page, span),), value_place=value_place)

    def _stands_in_parts(self, value: Any, parts: list[Part]) -> CitationCheck:
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


def _stands_elsewhere(elsewhere: Places) -> CitationCheck:
    """Return that a quote does not stand on its page; where it stands on several others, none of them is guessed."""
    if elsewhere.num_pages > 1:
        reason = f"the quote is not on its page, and stands on {elsewhere.num_pages} other pages"
        return CitationCheck("ambiguous", reason, elsewhere=elsewhere)
    return CitationCheck("not_on_page", elsewhere=elsewhere)


def _decide(checks: Sequence[CitationCheck], contains: bool | None) -> Verdict:
    verdicts = {check.verdict for check in checks}
    if contains and "verified" in verdicts:
        verdicts.discard("unchecked")
    if contains is False and not verdicts & {"unchecked"}:
        verdicts = (verdicts - {"verified"}) | {"value_not_in_quote"}
    return next(verdict for verdict in SEVERITY if verdict in verdicts)


@lru_cache(maxsize=1024)
def _cached_needles(quote: str) -> tuple[Needle, ...]:
    plain = strip_markup(quote)
    needles = [build_needle(text) for text in dict.fromkeys((quote, plain))]
    return tuple(needle for needle in dict.fromkeys(needles) if needle.stream)


def _build_needles(quote: str) -> list[Needle]:
    """Return a quote as it is, and without markup where that differs."""
    return list(_cached_needles(quote[:_MAX_CHARS]))
